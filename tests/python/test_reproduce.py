"""`visavis reproduce`: its schedule on stand-in commands, its tables on known numbers, all of it on a tiny corpus."""

import json
import os
import signal
import sys
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from campaigns import TINY, InProcess
from conversations import write_recording

from visavis.campaign import page as pages
from visavis.campaign import schedule
from visavis.campaign.training import trained
from visavis.cli import build_app
from visavis.errors import Error, FileError, InvalidArgument
from visavis.reproduction import campaign as module
from visavis.reproduction import tables
from visavis.reproduction.campaign import Campaign, run_campaign
from visavis.reproduction.entries import CLAIMS, ENTRIES, chosen

# Writes what the real commands leave behind; a training takes two calls where the data set is called "slow", the second
# of them with --resume, and an evaluation of "broken" fails.
STAND_IN = """#!{python} -S
import json, os, pathlib, sys
words = sys.argv[3:]
option = dict(zip(words, words[1:]))
out = pathlib.Path(option["--out"])
out.mkdir(parents=True, exist_ok=True)
print("threads", os.environ["OMP_NUM_THREADS"], *words)
if words[0] == "train":
    if "slow" in option["--data"] and "--resume" not in words:
        (out / "checkpoint.pt").write_text("half")
        sys.exit(0)
    took = dict(progress=1.0, steps=10, hours_heard=0.5, processor_s=60, wall_s=90, weights=5_000_000)
    (out / "training.json").write_text(json.dumps(took))
    (out / "model.pt").write_text("")
elif "broken" in option["--data"]:
    print("no such clip")
    sys.exit(2)
else:
    seed = int(option["--seed"])
    level = dict(timar=4.0, dualtalk=5.0).get(out.parent.name.split("-")[0], 6.0) + seed + ("--offline" in words)
    names = [f"{{m}}_{{g}}" for m in ("fid", "p_fid", "mse", "sid", "rpcc") for g in ("exp", "jaw", "pose")]
    metrics = {{"model": dict.fromkeys(names, level), "mean face": {{"mse_exp": 0.5, "mse_jaw": 1.0, "mse_pose": 1.0}}}}
    (out / "report.json").write_text(json.dumps({{"about": {{"clips": 4}}, "metrics": metrics}}))
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN.format(python=sys.executable))
    script.chmod(0o755)
    monkeypatch.setattr(schedule.sys, "executable", str(script))
    monkeypatch.setattr(schedule, "POLL_S", 0.01)


def make(tmp_path: Path, data: str = "corpus", **options: Any) -> Campaign:
    settings: dict[str, Any] = {"steps": 10, "seeds": (1, 2), "jobs": 2, **options}
    return Campaign(data=Path(data), out=tmp_path / "runs", **settings)


def log_of(campaign: Campaign, name: str) -> list[list[str]]:
    return [line.split() for line in (campaign.out / name / "log.txt").read_text().splitlines()]


# ---- the schedule


def test_main_models_come_first_with_every_seed() -> None:
    names = [run.folder.name for run in Campaign(Path("c"), Path("o"), steps=1, seeds=(1, 2)).runs()]
    assert names[:6] == ["timar-1", "dualtalk-1", "live-1", "timar-2", "dualtalk-2", "live-2"]
    assert names[6:] == [f"{name}-{seed}" for seed in (1, 2) for name in ("mlp", "full", "encdec")]
    assert [e.name for e in chosen(["live", "timar"])] == ["timar", "live"]
    with pytest.raises(InvalidArgument, match="big is unknown; known: timar, dualtalk"):
        chosen(["timar", "big"])


def test_every_run_is_trained_and_evaluated_once(stand_in: None, tmp_path: Path) -> None:
    campaign, said = make(tmp_path, threads=3), []
    runs = run_campaign(campaign, said.append)
    assert len(runs) == 12 and said[0] == "12 runs, 0 done; 2 at a time, 3 threads each"
    train, evaluate, offline = log_of(campaign, "dualtalk-2")
    assert train[:3] == ["threads", "3", "train"] and train[-4:] == ["--seed", "2", "--save-minutes", "2"]
    assert train[7:11] == ["--recipe", "dualtalk-small", "--steps", "10"]
    assert evaluate[2] == offline[2] == "evaluate" and "--offline" in offline and "--offline" not in evaluate
    assert evaluate[evaluate.index("--model") + 1].endswith("dualtalk-2/model.pt")
    assert [len(log_of(campaign, f"{name}-1")) for name in ("timar", "live", "mlp", "full")] == [2, 2, 2, 3]
    assert "motion_space=flame56" in log_of(campaign, "live-1")[0]
    again: list[str] = []
    run_campaign(campaign, again.append)
    assert again == ["12 runs, 12 done; 2 at a time, 3 threads each"]


def test_a_broken_off_training_goes_on_from_its_checkpoint(stand_in: None, tmp_path: Path) -> None:
    campaign = make(tmp_path, data="slow", only=("timar",), seeds=(1,))
    (campaign.out / "timar-1").mkdir(parents=True)
    (campaign.out / "timar-1" / "checkpoint.pt").write_text("half")
    run_campaign(campaign, lambda text: None)
    train, _ = log_of(campaign, "timar-1")
    assert train[-1] == "--resume"


def test_a_command_that_leaves_nothing_is_not_tried_for_ever(
    stand_in: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    campaign = make(tmp_path, only=("timar",), seeds=(1,))
    monkeypatch.setattr(module.Run, "report", lambda self, view: None)
    with pytest.raises(Error, match="1 of 1 runs failed: timar-1: evaluate ended and left no result"):
        run_campaign(campaign, lambda text: None)


def test_a_failed_run_is_named_and_hinders_no_other(stand_in: None, tmp_path: Path) -> None:
    campaign = make(tmp_path, data="broken", only=("timar", "live"), seeds=(1,), jobs=1)
    with pytest.raises(Error, match=r"2 of 2 runs failed: timar-1: evaluate failed \(no such clip\); see .*live-1"):
        run_campaign(campaign, lambda text: None)
    assert all(trained(run.folder) for run in campaign.runs())


def test_a_folder_holds_one_campaign(stand_in: None, tmp_path: Path) -> None:
    run_campaign(make(tmp_path, only=("timar",), seeds=(1,)), lambda text: None)
    run_campaign(make(tmp_path, only=("mlp",), seeds=(4,), jobs=1, threads=2), lambda text: None)
    with pytest.raises(InvalidArgument, match=r"another campaign: steps 10 \(now 20\)"):
        run_campaign(make(tmp_path, steps=20), lambda text: None)
    with pytest.raises(InvalidArgument, match="give either"):
        run_campaign(make(tmp_path, processor_minutes=1.0), lambda text: None)


def test_a_signal_ends_the_commands_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "for_ever"
    script.write_text("#!/bin/sh\necho $$ > $PID_FILE\nexec sleep 600\n")
    script.chmod(0o755)
    monkeypatch.setenv("PID_FILE", str(tmp_path / "pid"))
    monkeypatch.setattr(schedule.sys, "executable", str(script))

    def interrupt() -> None:
        while not (tmp_path / "pid").is_file() or not (tmp_path / "pid").read_text():
            time.sleep(0.01)
        os.kill(os.getpid(), signal.SIGTERM)

    thread = threading.Thread(target=interrupt)
    thread.start()
    with pytest.raises(KeyboardInterrupt):
        run_campaign(make(tmp_path, only=("timar",)), lambda text: None)
    thread.join()
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


# ---- the tables


def test_the_tables_say_mean_spread_and_verdict(stand_in: None, tmp_path: Path) -> None:
    campaign = make(tmp_path)
    text = tables.results(campaign, run_campaign(campaign, lambda text: None))
    assert text.startswith(
        "12 of 12 runs, 10 steps of training each; the whole test split (4 clips), threads a run: 1;"
    )
    row = next(line for line in text.splitlines() if line.startswith("| TIMAR, the paper's switches | 2 |"))
    assert row.split("|")[3].strip() == "5.5 ± 0.71 / 5.5e+03 ± 7.1e+02 / 550 ± 71"
    assert "| DualTalk-style, turn by turn | 2 | 6.5 ± 0.71 /" in text
    assert "| DualTalk-style, hearing what is to come | 2 | 7.5 ± 0.71 /" in text
    assert "| mean face of the training split | | - / - / - | - / - / - | 5 / 1e+03 / 100 |" in text
    assert "| live default, narrower | 5.00 M | 10 | 0.5 | 1 | 1.5 |" in text
    # 5/6 - 1 and 6/7 - 1; the papers: 8.97 / 11.26 - 1
    assert "| TIMAR against DualTalk | FD exp | -20 % | -15 % ± 2 | agrees |" in text
    assert "| MLP head against diffusion | MSE exp | -4 % | +37 % ± 5 | **disagrees** |" in text
    assert "| live default against TIMAR | FD exp | - | +37 % ± 5 |  |" in text
    assert (
        "visavis train --data corpus --out runs/mlp-1 --recipe paper-small --set head=mlp --steps 10 --seed 1" in text
    )
    assert "visavis evaluate --data corpus --model runs/full-1/model.pt --split test --engine torch" in text


def test_a_verdict_needs_seeds_that_agree() -> None:
    assert tables.verdict(-0.2, np.array([-0.1, -0.12])) == "agrees"
    assert tables.verdict(-0.2, np.array([0.1, 0.12])) == "**disagrees**"
    assert (
        tables.verdict(-0.2, np.array([0.1, -0.12])) == tables.verdict(-0.2, np.array([-0.1])) == "no clear difference"
    )
    assert tables.verdict(None, np.array([0.1, 0.12])) == ""
    claim = CLAIMS[0]
    assert tables.published(claim, "mse", "pose") == pytest.approx(1.61 / 1.92 - 1)
    assert tables.published(CLAIMS[-1], "mse", "pose") is None
    assert {claim.entry for claim in CLAIMS} | {claim.against for claim in CLAIMS} == {entry.name for entry in ENTRIES}


def test_tables_of_nothing_are_refused(stand_in: None, tmp_path: Path) -> None:
    campaign = make(tmp_path)
    with pytest.raises(InvalidArgument, match="no run is done yet"):
        tables.results(campaign, campaign.runs())


def test_the_page_keeps_what_stands_around_the_tables(tmp_path: Path) -> None:
    page, begin = tmp_path / "page.md", pages.begin_mark("reproduce")
    page.write_text(f"before\n{begin}\nold\n{pages.END}\nafter\n")
    for text in ("new\n", "newer\n"):
        pages.write_into(page, "reproduce", text)
    assert page.read_text() == f"before\n{begin}\n\nnewer\n\n{pages.END}\nafter\n"
    both = f"{pages.begin_mark('choose')}\nfirst\n{pages.END}\n{page.read_text()}"
    page.write_text(both)
    pages.write_into(page, "choose", "1\n")
    pages.write_into(page, "reproduce", "2\n")
    assert page.read_text() == both.replace("first\n", "\n1\n\n").replace("newer", "2")
    page.write_text("nothing")
    with pytest.raises(InvalidArgument, match="expected the line <!-- results"):
        pages.write_into(page, "reproduce", "new")
    with pytest.raises(FileError, match="no such page"):
        pages.write_into(tmp_path / "none.md", "reproduce", "new")


@pytest.mark.parametrize(
    ("name", "verb"), [("benchmark.md", "reproduce"), ("choice.md", "choose"), ("choice.md", "choose --model")]
)
def test_the_documented_page_can_be_written_into(name: str, verb: str) -> None:
    page = (Path(__file__).parents[2] / "docs" / name).read_text()
    assert page.count(pages.begin_mark(verb)) == 1
    assert page.count(pages.END) == page.count("<!-- results: written by")


# ---- all of it


def test_end_to_end_on_a_tiny_corpus(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    rng = np.random.default_rng(0)
    for split in ("train", "test"):
        (tmp_path / "corpus" / split).mkdir(parents=True)
        for speaker in (1, 2):
            walk = (0.05 * rng.standard_normal((100, 6)).cumsum(0)).astype(np.float32)
            write_recording(tmp_path / "corpus" / split / f"talk_speaker{speaker}", 100, seed=speaker, pose=walk)
    monkeypatch.setattr(schedule.subprocess, "Popen", InProcess)
    page = tmp_path / "page.md"
    page.write_text(f"{pages.begin_mark('reproduce')}\n{pages.END}\n")
    words = ["reproduce", "--data", tmp_path / "corpus", "--out", tmp_path / "runs", "--steps", "2", "--seed", "3"]
    words += [word for name in ("timar", "dualtalk", "live", "full") for word in ("--only", name)]
    words += ["--table", page, *(word for setting in TINY for word in ("--set", setting))]
    build_app()([str(word) for word in words], prog_name="visavis", standalone_mode=False)
    text = page.read_text()
    assert "4 of 4 runs, 2 steps of training each" in text and (tmp_path / "runs" / "results.md").is_file()
    rows = [line.split("|") for line in text.splitlines() if line.count("|") == 8 and "| 1 |" in line]
    assert [row[1].strip() for row in rows] == [
        "TIMAR, the paper's switches",
        "DualTalk-style, turn by turn",
        "DualTalk-style, hearing what is to come",
        "live default, narrower",
        "TIMAR, full attention, turn by turn",
        "TIMAR, full attention, hearing what is to come",
    ]
    numbers = [float(part) for row in rows for cell in row[3:6] for part in cell.split("/")]
    assert np.isfinite(numbers).all()
    assert json.loads((tmp_path / "runs" / "dualtalk-3" / "training.json").read_text())["steps"] == 2
    assert capsys.readouterr().out.count("steps of training each") == 1
