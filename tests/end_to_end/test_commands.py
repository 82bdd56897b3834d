"""The verbs as users call them, in processes of their own."""

import asyncio
import json
import re
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import aiohttp
import numpy as np
import psutil
import pytest
import soundfile

from visavis import cli
from visavis.bridge.client import Client
from visavis.bridge.receiver import Receiver
from visavis.engine import DEFAULT_MODEL
from visavis.motion_file import MotionData, read_motion, write_motion
from visavis.motion_space import ARKIT55

VISAVIS = [sys.executable, "-W", "error::ResourceWarning", "-m", "visavis"]
RATE = 16_000
VOICE = (0.3 * np.sin(np.arange(RATE) * 0.2)).astype(np.float32)  # 1 s


def run(*arguments: object, timeout: float = 60) -> subprocess.CompletedProcess[str]:
    command = [*VISAVIS, *map(str, arguments)]
    return subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False)


@contextmanager
def running(*arguments: object) -> Iterator[tuple[subprocess.Popen[str], str]]:
    """A verb that goes on until it is told to stop, and its first line."""
    process = subprocess.Popen(
        [*VISAVIS, *map(str, arguments)], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    assert process.stdout is not None and process.stderr is not None
    try:
        yield process, process.stdout.readline()
    finally:
        process.kill()
        process.communicate()


class Refusals:
    """Calls the command line in this process (a process each would take a second) and expects a refusal."""

    def __init__(self, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
        self._capsys, self._monkeypatch = capsys, monkeypatch

    def __call__(self, text: str, *arguments: object) -> None:
        self._monkeypatch.setattr(sys, "argv", ["visavis", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, error = self._capsys.readouterr()
        assert ended.value.code == 2, error
        assert error.startswith("visavis: ") and error.count("\n") == 1 and text in error and not out


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Refusals:
    return Refusals(capsys, monkeypatch)


@pytest.fixture
def voice(tmp_path: Path) -> Path:
    path = tmp_path / "voice.wav"
    soundfile.write(path, VOICE, RATE)
    return path


# ------------------------------------------------------------------------------------------------------ animate


def test_animate_writes_the_motion_of_both_voices(tmp_path: Path, voice: Path, model_file: Path) -> None:
    user = tmp_path / "user.flac"
    soundfile.write(user, np.stack([VOICE, VOICE], 1)[:4000].repeat(3, axis=0), 44_100)  # stereo, another rate
    out = [tmp_path / "a.npz", tmp_path / "b.csv"]
    for path in out:
        result = run("animate", "--agent", voice, "--user", user, "--model", model_file, "--seed", 5, "--out", path)
        assert result.returncode == 0, result.stderr
        assert result.stdout.startswith(f"{path}: 25 frames of 55 channels, 1.00 s")
        assert result.stderr.count("\n") == 1 and "user is padded with silence" in result.stderr
    motion, table = read_motion(out[0]), read_motion(out[1])
    assert motion.channels == ARKIT55.channels and motion.values.shape == (25, 55)
    np.testing.assert_allclose(table.values, motion.values, atol=1e-7)
    np.testing.assert_array_equal(table.time_ns, motion.time_ns)


def bad_input(folder: Path, kind: str) -> Path:
    path = folder / f"{kind}.wav"
    if kind == "empty":
        path.touch()
    elif kind == "text":
        path.write_text("no audio" * 100)
    elif kind == "directory":
        path.mkdir()
    elif kind == "zero_length":
        soundfile.write(path, np.zeros(0), RATE)
    elif kind == "nan":
        soundfile.write(path, np.full(1600, np.nan, np.float32), RATE, subtype="FLOAT")
    elif kind == "rate":
        soundfile.write(path, VOICE, 4_000)
    return path


BAD_AUDIO = {
    "missing": "not found",
    "empty": "is empty",
    "text": "cannot be read as audio",
    "directory": "is a directory",
    "zero_length": "has no samples",
    "nan": "expected finite samples",
    "rate": "rate 4000 Hz",
}


@pytest.mark.parametrize("kind", BAD_AUDIO)
def test_animate_says_in_one_line_what_is_wrong_with_a_voice(
    tmp_path: Path, model_file: Path, refused: Refusals, kind: str
) -> None:
    bad, out = bad_input(tmp_path, kind), tmp_path / "motion.npz"
    refused(BAD_AUDIO[kind], "animate", "--agent", bad, "--model", model_file, "--out", out)
    assert not out.exists() and not list(tmp_path.glob("*.part")) and not list(tmp_path.glob(".*"))


def test_animate_says_what_is_wrong_with_anything_else(
    tmp_path: Path, voice: Path, model_file: Path, refused: Refusals
) -> None:
    out, narrow = tmp_path / "motion.npz", tmp_path / "narrow.npz"
    write_motion(narrow, MotionData(np.zeros((25, 3), np.float32), ("a", "b", "c"), 25.0, np.arange(25) * 40_000_000))
    truncated = tmp_path / "truncated.gguf"
    truncated.write_bytes(model_file.read_bytes()[:5000])
    rest = ("--model", model_file, "--out", out)
    refused("neither agent nor user", "animate", *rest)
    refused("lacks 55 of the model's 55", "animate", "--agent", voice, "--user-motion", narrow, *rest)
    refused("cannot be read", "animate", "--agent", voice, "--user-motion", voice, *rest)
    refused("voice.wav", "animate", "--agent", voice, "--model", voice, "--out", out)
    refused("truncated.gguf", "animate", "--agent", voice, "--model", truncated, "--out", out)
    refused("no.gguf", "animate", "--agent", voice, "--model", tmp_path / "no.gguf", "--out", out)
    refused("'.bvh'", "animate", "--agent", voice, "--model", model_file, "--out", tmp_path / "m.bvh")
    refused("does not exist", "animate", "--agent", voice, "--model", model_file, "--out", "/nowhere/m.npz")
    refused("expected one of cpu, cuda", "animate", "--agent", voice, "--engine", "abacus", *rest)
    refused("--steps", "animate", "--agent", voice, "--steps", "0", *rest)
    refused("--out", "animate", "--agent", voice)
    assert not out.exists()


# -------------------------------------------------------------------------------------------------- serve, watch


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_serve_ends_cleanly_when_told_to(model_file: Path, number: signal.Signals) -> None:
    with running("serve", "--port", 0, "--model", model_file, "--head", "one", "--head", "two") as (process, line):
        endpoint = line.split(",")[0].removeprefix("motion ")
        assert "heads: one, two" in line
        with Receiver(endpoint) as receiver:
            deadline = time.monotonic() + 10
            while time.monotonic() < deadline and sum(t.counts["frames"] for t in receiver.tracks.values()) < 20:
                list(receiver.receive(50))
            assert set(receiver.tracks) == {"one", "two"}
        process.send_signal(number)
        _, errors = process.communicate(timeout=5)
    assert process.returncode == 0 and errors == ""


def test_serve_refuses_what_is_unsafe_or_taken(model_file: Path, refused: Refusals) -> None:
    refused("--insecure", "serve", "--bind", "0.0.0.0", "--model", model_file)
    refused("numeric address", "serve", "--bind", "example.org", "--model", model_file)
    refused("1 to 16 bytes", "serve", "--port", 0, "--head", "x" * 17, "--model", model_file)
    with running("serve", "--port", 0, "--model", model_file) as (_, line):
        port = line.split(",")[0].rsplit(":", 1)[1]
        refused(f"port {port} on 127.0.0.1: in use", "serve", "--port", port, "--model", model_file)


def test_watch_measures_the_demo_in_real_time_and_a_killed_watcher_does_no_harm(model_file: Path) -> None:
    with running("serve", "--demo", "--port", 0, "--model", model_file) as (process, line):
        endpoint = line.split(",")[0].removeprefix("motion ")
        killed = subprocess.Popen([*VISAVIS, "watch", "--endpoint", endpoint], stdout=subprocess.DEVNULL)
        time.sleep(1.5)
        killed.kill()
        killed.wait()
        result = run("watch", "--endpoint", endpoint, "--seconds", 3, "--json")
        table = run("watch", "--endpoint", endpoint, "--seconds", 1, "--head", "demo")
        assert process.poll() is None
    report = json.loads(result.stdout)
    (head,) = report["heads"]
    assert result.returncode == 0 and head["head"] == "demo" and report["malformed"] == 0
    assert head["frames"] > 40 and head["lost"] == 0 and 15 < head["rate_hz"] < 30  # wide: the machine may be busy
    assert 0 < head["lag_ms_p50"] < 100 and head["voice_messages"] > 20
    assert table.returncode == 0 and "demo" in table.stdout and "jitter" in table.stdout


def test_watch_says_why_nothing_comes(model_file: Path, refused: Refusals) -> None:
    result = run("watch", "--endpoint", "tcp://127.0.0.1:1025", "--seconds", 0.5)
    assert result.returncode == 1 and "nothing listens on 127.0.0.1:1025" in result.stderr
    assert (
        "nothing listens"
        in json.loads(run("watch", "--endpoint", ":1025", "--seconds", 0.5, "--json").stdout)["reason"]
    )
    refused("expected tcp://HOST:PORT", "watch", "--endpoint", "tcp://host:port")
    refused("1 to 16 bytes", "watch", "--head", "x" * 17)
    joy = ("--dial", "emotion.joy=0.5")
    with running("serve", "--port", 0, "--model", model_file, "--head", "npc", *joy) as (_, line):
        endpoint = line.split(",")[0].removeprefix("motion ")
        with Client(endpoint) as client:
            (head,) = client.request("describe")["heads"]
            assert head["dials"]["emotion.joy"]["value"] == 0.5
            client.request("close", head="npc")
        result = run("watch", "--endpoint", endpoint, "--seconds", 0.5)
    assert result.returncode == 1 and "no head open" in result.stderr


# --------------------------------------------------------------------------------------------------------- demo


def test_the_demo_goes_through_everything(tmp_path: Path, model_file: Path) -> None:
    out = tmp_path / "new" / "demo"
    model = () if DEFAULT_MODEL.is_file() else ("--model", model_file)  # a tree without the shipped model works too
    result = run("demo", "--fast", *model, "--out", out)
    assert result.returncode == 0, result.stderr
    assert sorted(path.name for path in out.iterdir()) == ["motion.npz", "plot.png"]
    assert "0 messages lost" in result.stdout and "0 frames late" in result.stdout
    motion = read_motion(out / "motion.npz")
    assert len(motion.values) == 966 and motion.time_ns[0] == 0 and set(np.diff(motion.time_ns)) == {40_000_000}
    assert (out / "plot.png").read_bytes().startswith(b"\x89PNG")


def test_the_demo_opens_the_live_page(tmp_path: Path, model_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    opened = tmp_path / "opened"
    browser = tmp_path / "browser"
    browser.write_text(f'#!/bin/sh\necho "$1" > {opened}\n')
    browser.chmod(0o755)
    monkeypatch.setenv("BROWSER", f"{browser} %s")
    with running("demo", "--view", "--model", model_file, "--out", tmp_path / "demo") as (process, line):
        url = re.search(r"the page is (http://127.0.0.1:\d+/)", line)
        assert url, line + (process.stderr.read() if process.stderr and process.poll() is not None else "")
        with urllib.request.urlopen(url[1], timeout=10) as answer:
            assert answer.status == 200 and b"<title>Visavis" in answer.read()
        heads = asyncio.run(_heads_on_the_page(url[1]))
        process.send_signal(signal.SIGINT)
        assert process.wait(20) == 130
    assert heads == {"demo"} and opened.read_text().strip() == url[1]


@pytest.mark.parametrize("words", ["demo --view", "view --no-browser", "serve --port 0 --web 0"])
def test_the_page_without_aiohttp_says_what_to_install(
    refused: Refusals, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: str
) -> None:
    monkeypatch.setitem(sys.modules, "aiohttp", None)
    monkeypatch.chdir(tmp_path)
    refused("the page needs aiohttp, which is not installed; run `pip install 'visavis[viewer]'`", *words.split())


async def _heads_on_the_page(url: str) -> set[str]:
    """Who moves on a page, from twenty frames of its stream."""
    heads: list[str] = []
    async with aiohttp.ClientSession() as session, session.ws_connect(f"{url}stream") as stream:
        while len(heads) < 20:
            message = await stream.receive_bytes(timeout=10)
            if message[:4] == b"VVM1":
                heads.append(message[4:20].rstrip(b"\0").decode())
    return set(heads)


def test_two_heads_talk_in_the_demo_of_a_pair(tmp_path: Path, model_file: Path) -> None:
    still = [word for state in ("speaking", "listening") for word in ("--dial", f"{state}.head=0")]
    result = run("demo", "--fast", "--pair", "--model", model_file, "--out", tmp_path, *still)
    assert result.returncode == 0, result.stderr
    assert "two heads that hear and see each other" in result.stdout
    names = [f"{what}-{who}" for what in ("motion", "plot") for who in ("agent", "user")]
    assert sorted(path.stem for path in tmp_path.iterdir()) == names
    for who in ("agent", "user"):
        motion = read_motion(tmp_path / f"motion-{who}.npz")
        assert len(motion.values) == 966
        assert not motion.values[:, [motion.channels.index(f"head{axis}") for axis in ("Yaw", "Pitch", "Roll")]].any()


def test_a_demo_that_is_interrupted_leaves_no_process_and_no_file(tmp_path: Path, model_file: Path) -> None:
    with running("demo", "--model", model_file, "--out", tmp_path) as (process, line):
        assert "38.6 s" in line
        children = psutil.Process(process.pid).children()
        process.send_signal(signal.SIGINT)
        _, errors = process.communicate(timeout=10)
    assert process.returncode == 130 and errors == "" and len(children) == 1
    assert not children[0].is_running() and not list(tmp_path.iterdir())


def test_the_demo_names_a_folder_that_cannot_be_made(voice: Path, model_file: Path, refused: Refusals) -> None:
    refused("cannot be made", "demo", "--fast", "--model", model_file, "--out", voice / "demo")
