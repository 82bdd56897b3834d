"""The take browser: what it serves, its verb, and the page in Chromium without a window."""

import asyncio
import json
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import aiohttp
import numpy as np
import pytest
from echo_engine import JAW, EchoEngine

from visavis.bridge.outside.address import Address
from visavis.errors import FileError, InvalidArgument
from visavis.motion_file import MotionData, write_motion
from visavis.motion_space import ARKIT55
from visavis.session import Model
from visavis.takes.file import load_take
from visavis.viewer import take_data
from visavis.viewer.take_data import read_take_view
from visavis.viewer.takes import TakePages

RATE = 16_000
SECONDS = 4


def talk(loud_from: float, loud_to: float) -> np.ndarray:
    """A buzz between two times."""
    voice = 0.6 * np.sign(np.sin(np.arange(SECONDS * RATE) * 0.3))
    voice[: round(loud_from * RATE)] = voice[round(loud_to * RATE) :] = 0
    return voice.astype(np.float32)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A take of 4 s: the agent speaks from 1 to 2 s, the user from 2.5 to 3.5 s."""
    path = tmp_path_factory.mktemp("take") / "spoken.npz"
    with Model(EchoEngine()).session(take=path) as session:
        session.push_agent_audio(talk(1, 2), RATE)
        session.push_user_audio(talk(2.5, 3.5), RATE)
        session.set_dial("jawOpen.gain", 1.0)
        session.end()
        session.poll()
    return path


@pytest.fixture(scope="module")
def smiling(recorded: Path) -> Path:
    """The motion of the same take with a smile from 3 s on."""
    motion = load_take(recorded).shown()
    values = motion.values.copy()
    values[75:, ARKIT55.index("mouthSmileLeft")] = 0.8
    path = recorded.with_name("smiling.npz")
    write_motion(path, motion._replace(values=values))
    return path


def values_of(view: take_data.TakeView) -> np.ndarray:
    return np.frombuffer(view.values, "<f4").reshape(view.about["frames"], -1)


def test_a_take_is_given_on_a_grid_with_its_voices_and_its_turns(recorded: Path) -> None:
    view, take = read_take_view(recorded), load_take(recorded)
    assert view.about["frames"] == 100 and view.about["samples"] == {"agent": 64_000, "user": 64_000}
    assert np.array_equal(values_of(view), take.values)
    voice = np.frombuffer(view.voices["agent"], "<i2")
    assert np.abs(voice[16_000:32_000] / 32768 - take.agent_audio[16_000:32_000]).max() < 1 / 32768
    assert np.frombuffer(view.speaking, np.uint8)[30] == 1 and np.frombuffer(view.speaking, np.uint8)[80] == 0
    assert len(view.about["turns"]) == 20 and view.about["turns"][3]["stage_ms"] == [1, 2, 3]
    assert view.about["events"][0]["name"] == "jawOpen.gain"
    json.dumps(view.about)


def test_a_part_of_a_take_begins_at_zero(recorded: Path) -> None:
    part, whole = read_take_view(recorded, 1.0, 2.0), values_of(read_take_view(recorded))
    assert part.about["frames"] == 25 and part.about["from_s"] == 1.0
    assert np.array_equal(values_of(part), whole[25:50])
    assert part.about["samples"]["agent"] == 16_000 and part.about["turns"][0]["time_s"] == pytest.approx(0)


def test_missing_frames_are_gaps_and_other_rates_are_put_on_the_grid(tmp_path: Path) -> None:
    values = np.zeros((60, 55), np.float32)
    values[:, JAW] = np.linspace(0, 1, 60, dtype=np.float32)
    keep = np.r_[0:20, 30:60]
    times = np.arange(60) * 40_000_000
    found = take_data.on_grid(MotionData(values[keep], ARKIT55.channels, 25.0, times[keep]), 0, 60)
    assert np.isnan(found[20:30]).all() and np.array_equal(found[30:], values[30:])
    write_motion(
        tmp_path / "fast.npz",
        MotionData(values, ARKIT55.channels, 60.0, np.round(np.arange(60) * 1e9 / 60).astype(np.int64)),
    )
    found = values_of(read_take_view(tmp_path / "fast.npz"))
    assert len(found) == 26 and np.abs(found[:24, JAW] - np.arange(24) * 0.04 * 60 / 59).max() < 1e-5


def test_what_cannot_be_shown_is_refused_in_words(
    recorded: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with pytest.raises(InvalidArgument, match=r"spoken.npz: nothing from 9 s on; it lasts 4.00 s"):
        read_take_view(recorded, 9)
    flame = MotionData(np.zeros((5, 2), np.float32), ("exp_0", "exp_1"), 25.0, np.arange(5) * 40_000_000)
    write_motion(tmp_path / "flame.npz", flame)
    with pytest.raises(InvalidArgument, match="2 channels .*visavis retarget apply"):
        read_take_view(tmp_path / "flame.npz")
    monkeypatch.setattr(take_data, "LONGEST_S", 3)
    with pytest.raises(InvalidArgument, match="--from and --to"):
        read_take_view(recorded)
    (tmp_path / "junk.npz").write_bytes(b"PK\3\4 and nothing else")
    for path in (tmp_path / "junk.npz", tmp_path / "missing.npz"):
        with pytest.raises(FileError, match=path.name):
            read_take_view(path)


def test_pages_give_the_takes_and_nothing_else(recorded: Path) -> None:
    view = read_take_view(recorded)

    async def get(url: str) -> None:
        async with aiohttp.ClientSession() as session:
            async with session.get(f"{url}about.json") as response:
                about = await response.json()
                assert not about["stream"] and about["takes"] == [view.about]
            for what, expected in (("values", view.values), ("speaking", view.speaking), *view.voices.items()):
                async with session.get(f"{url}takes/0/{what}") as response:
                    assert await response.read() == expected
            for path in ("takes/1/values", "takes/0/about", "takes/0/..%2f..%2fpyproject.toml", "stream"):
                async with session.get(url + path) as response:
                    assert response.status == 404, path
            async with session.get(f"{url}takes/0/values", headers={"Origin": "https://evil.example"}) as response:
                assert response.status == 403

    with TakePages(Address("127.0.0.1", 0), [view]) as pages:
        asyncio.run(get(pages.url))


def run_view(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "visavis", "view", *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)


def test_the_verb_refuses_what_makes_no_sense(recorded: Path) -> None:
    for arguments, part in (
        (("--take", recorded, "--pair"), "expected no --head, --pair"),
        (("--take", recorded, "--take", recorded, "--take", recorded), "3 takes; expected one, or 2"),
        (("--take", recorded, "--web", "0.0.0.0:0", "--no-browser"), "other machines"),
    ):
        result = run_view(*arguments)
        assert result.returncode == 2 and part in " ".join(result.stderr.split()), result


@pytest.mark.parametrize("live", [False, True])
def test_the_verb_starts_everything_and_stops_when_told(recorded: Path, model_file: Path, live: bool) -> None:
    what: tuple[object, ...] = ("--model", model_file, "--head", "npc") if live else ("--take", recorded)
    command = [
        sys.executable,
        "-m",
        "visavis",
        "view",
        "--web",
        "0",
        "--no-browser",
        "--quality",
        "low",
        *map(str, what),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        line = next(line for line in process.stdout if "the page is" in line)
        assert line.split()[3].endswith("?quality=low")

        async def get() -> Any:
            async with (
                aiohttp.ClientSession() as session,
                session.get(line.split()[3].split("?")[0] + "about.json") as response,
            ):
                return await response.json()

        about = asyncio.run(get())
        assert about["stream"] is live and len(about["takes"]) == (not live)
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 0 and process.stderr is not None and not process.stderr.read()


# ------------------------------------------------------------------------------------------------------- in the browser


@pytest.fixture(scope="module")
def shown(recorded: Path, smiling: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Any]:
    """A browser with the take and the smiling motion beside it."""
    from chromium import Chromium

    views = [read_take_view(recorded), read_take_view(smiling)]
    with (
        TakePages(Address("127.0.0.1", 0), views) as pages,
        Chromium(tmp_path_factory.mktemp("browser"), width=640, height=420) as browser,
    ):
        browser.open(pages.url + "?quality=low")
        browser.wait("window.visavis?.drawn > 1")
        yield browser
        assert browser.errors == []


@pytest.mark.system  # chromium
def test_scrubbing_moves_head_and_numbers(shown: Any) -> None:
    from test_view import picture

    mouth = (0.20, 0.55, 0.30, 0.85)
    at = "visavis.drawn > {n} && visavis.player.time === {t}"
    shown.run("visavis.seek(0.2)")
    shut = picture(shown, mouth, at.format(n=shown.run("visavis.drawn") + 1, t=0.2))
    shown.run("visavis.seek(1.48)")
    opened = picture(shown, mouth, at.format(n=shown.run("visavis.drawn") + 1, t=1.48))
    assert np.abs(opened - shut).mean() > 8
    shown.wait("document.body.textContent.includes('1.48 s of 4.00 s')")
    shown.wait("document.querySelector('.plate').textContent.endsWith('speaks')")
    shown.key("ArrowRight")
    assert shown.run("visavis.player.time") == pytest.approx(1.52)
    shown.key("Home")
    assert shown.run("visavis.player.time") == 0
    shown.run("visavis.timeline.sheet.canvas.scrollIntoView({block: 'center'})")
    box = shown.run(
        "(() => { const r = visavis.timeline.sheet.canvas.getBoundingClientRect(); return [r.x, r.y, r.width]; })()"
    )
    for kind in ("mousePressed", "mouseReleased"):
        shown.call(
            "Input.dispatchMouseEvent", type=kind, x=box[0] + 0.5 * box[2], y=box[1] + 150, button="left", clickCount=1
        )
    assert shown.run("visavis.player.time") == pytest.approx(2, abs=0.05)


@pytest.mark.system
def test_two_takes_show_where_they_differ(shown: Any) -> None:
    assert shown.run("visavis.timeline.chosen") == ["mouthSmileLeft"]
    assert shown.run("visavis.difference.ranking()[0][0]") == "mouthSmileLeft"
    shown.key("Home")
    shown.key("n")
    assert shown.run("visavis.player.time") >= 2.9
    shown.run("visavis.seek(3.4)")
    smiles = "visavis.takes.map((take) => take.faceAt(3.4)[take.index('mouthSmileLeft')])"
    assert shown.run(smiles) == pytest.approx([0, 0.8], abs=1e-6)
    assert shown.run("[...document.querySelectorAll('.list input')].filter((box) => box.checked).length") == 1


@pytest.mark.system
def test_playing_moves_with_the_voice_and_ends_at_the_end(shown: Any) -> None:
    shown.run("visavis.seek(3.0)")
    shown.run("visavis.toggle()")
    shown.wait("visavis.player.playing || visavis.player.time >= 4")
    shown.wait("visavis.player.time >= 4 && !visavis.player.playing")
