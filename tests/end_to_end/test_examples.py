"""Every program of docs/examples runs as its first line says."""

import csv
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile
from live_server import serving

from visavis import animate
from visavis.motion_file import read_motion

EXAMPLES = Path(__file__).parents[2] / "docs" / "examples"
RATE = 16_000


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Two voices of 2 s, each loud in one half."""
    folder = tmp_path_factory.mktemp("voices")
    noise = np.random.default_rng(5).normal(0, 0.1, 2 * RATE).astype(np.float32)
    paths = [folder / "npc.wav", folder / "player.wav"]
    for path, half in zip(paths, (slice(RATE, None), slice(0, RATE)), strict=True):
        voice = noise.copy()
        voice[half] = 0
        soundfile.write(path, voice, RATE)
    return paths


def run(name: str, *arguments: object) -> str:
    command = [sys.executable, str(EXAMPLES / name), *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr
    return done.stdout


def test_all_of_them_are_tried_and_listed() -> None:
    tried, page = Path(__file__).read_text("utf-8"), (EXAMPLES / "README.md").read_text("utf-8")
    for path in EXAMPLES.glob("*.py"):
        assert f'run("{path.name}"' in tried and f"({path.name})" in page, path.name
        assert f"python {path.name} " in path.read_text("utf-8").split('"""')[1], "says how to start it"


def test_files(voices: list[Path], tmp_path: Path) -> None:
    motion, table = tmp_path / "motion.npz", tmp_path / "controls.csv"
    assert run("animate_two_wavs.py", *voices, motion).startswith("50 frames, 2.0 s\nthe jaw opens to 0.")
    assert run("own_rig.py", motion, table) == f"{table}: 50 rows of 9 controls\n"
    with table.open() as file:
        rows = list(csv.DictReader(file))
    jaw = read_motion(motion).values[:, read_motion(motion).channels.index("jawOpen")]
    np.testing.assert_allclose([float(row["jaw_rotate_x"]) for row in rows], 25 * jaw, atol=1e-3)


def test_live_in_this_process(voices: list[Path]) -> None:
    lines = run("live_session.py", *voices, 1.5).splitlines()
    assert lines[-1].split(" ")[3:5] == ["1.5", "s,"] and 20 < int(lines[-1].split()[0]) <= 50
    assert "jaw" in lines[0] and any(state in lines[0] for state in ("SPEAKING", "LISTENING"))


def test_with_a_server(voices: list[Path]) -> None:
    with serving() as server:
        endpoint = server.ports.endpoint
        assert "the head heard 1.0 s of its own voice" in run("send_voices.py", endpoint, "npc", *voices, 1.0)
        lines = run("subscribe.py", endpoint, "npc", 3).splitlines()
        assert lines[-1].endswith("0 lost") and int(lines[-1].split()[0]) > 10 and "smile" in lines[0]


def test_a_take(voices: list[Path], tmp_path: Path) -> None:
    take, sheet = tmp_path / "take.npz", tmp_path / "sheet.png"
    animate(agent=voices[0], user=voices[1], seed=4, take=take)
    assert run("render_take.py", take, sheet).startswith("2.0 s of visavis")
    assert sheet.read_bytes().startswith(b"\x89PNG")
