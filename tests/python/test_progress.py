"""What is shown while a verb works: lines without a terminal, a bar on one, nothing with --quiet."""

import os
import pty
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from visavis import cli
from visavis.cli import progress
from visavis.motion_file import MotionData, write_motion
from visavis.motion_space import ARKIT55
from visavis.retarget import save_matrix


@pytest.fixture(autouse=True)
def often(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(progress, "FIRST_S", 0.0)
    monkeypatch.setattr(progress, "LATER_S", 0.01)


def test_lines_where_there_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.progress_bar("sheet") as tell:
        assert tell is not None
        tell(0.5)
        time.sleep(0.1)
    lines = capsys.readouterr().err.splitlines()
    assert len(lines) > 1 and lines[-1] == "sheet: 50%, 0 s"
    with progress.progress_bar("sheet", quiet=True) as tell:
        time.sleep(0.05)
    assert tell is None and capsys.readouterr().err == ""


def test_a_bar_on_a_terminal() -> None:
    code = (
        "import time; from visavis.cli.progress import progress_bar\n"
        "with progress_bar('sheet') as tell:\n    tell(0.4); time.sleep(0.4)"
    )
    main, other = pty.openpty()
    with subprocess.Popen([sys.executable, "-c", code], stderr=other, env={**os.environ, "TERM": "xterm"}) as process:
        os.close(other)
        shown = b""
        try:
            while piece := os.read(main, 1024):
                shown += piece
        except OSError:  # the other side is closed
            pass
    os.close(main)
    assert process.returncode == 0
    assert "sheet" in shown.decode() and "40%" in shown.decode() and "━" in shown.decode()


def test_the_verbs_that_take_a_while_show_it(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def run(*arguments: object) -> str:
        monkeypatch.setattr(sys, "argv", ["visavis", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        error = capsys.readouterr().err
        assert ended.value.code in (0, None), error
        return error

    voice, take, motion, flame = (tmp_path / name for name in ("voice.wav", "take.npz", "motion.npz", "flame.npz"))
    soundfile.write(voice, np.zeros(16_000, np.float32), 16_000)
    write_motion(motion, MotionData(np.zeros((5, 55), np.float32), ARKIT55.channels, 25.0, np.arange(5) * 40_000_000))
    np.savez(flame, values=np.zeros((50, 56), np.float32))
    save_matrix(tmp_path / "matrix.npz", np.random.default_rng(1).normal(0, 1, (51, 103)))
    assert "animate: " in run("animate", "--agent", voice, "--out", motion)
    assert "record: " in run("record", "--agent", voice, "--out", take)
    assert "replay: " in run("replay", take)
    assert "export: " in run("take", "export", take, "--to", "gltf")
    assert run("replay", take, "--quiet") == ""
    assert "sheet: " in run("render", motion, "--sheet", tmp_path / "s.png", "--size", "32x32", "--pictures", 2)
    matrix = ("--matrix", tmp_path / "matrix.npz")
    assert "retarget: " in run("retarget", "apply", flame, *matrix, "--out", motion)
    assert "bench: " in run("retarget", "bench", "--frames", 100)
