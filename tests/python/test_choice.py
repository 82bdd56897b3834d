"""`visavis choose`: its variants, its schedule on stand-in commands, its table on known numbers, all of it once."""

import json
import shutil
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from campaigns import TINY, InProcess
from conversations import write_data_set
from small_models import small_config
from test_voices import write_voices

from visavis import _core
from visavis.campaign import page as pages
from visavis.campaign import schedule
from visavis.choice import tables
from visavis.choice.axes import reaction
from visavis.choice.campaign import Choice, Run, run_choice
from visavis.choice.factors import DEFAULT, FACTORS, VARIANTS, Variant, chosen
from visavis.choice.rows import Row, left, merged, read_rows, write_rows
from visavis.cli import build_app
from visavis.engine import TurnInput
from visavis.errors import Error, FileError, InvalidArgument
from visavis.export.gguf import save_gguf
from visavis.model.config import ModelConfig, live_config
from visavis.model.timar import Timar
from visavis.training.loop import Run as Training
from visavis.training.loop import train
from visavis.training.recipes import apply_settings, recipe_and_config

# What the real commands leave behind.  A training of "broken" data fails.  Mouth r is the seed's tenth, in the variant
# turn-8 plus 0.3; a turn takes 2 ms there and 1 ms else.
STAND_IN = """#!{python} -S
import json, os, pathlib, shutil, sys
words = sys.argv[3:]
option = dict(zip(words, words[1:]))
out = pathlib.Path(option["--out"])
print(*words)
turn = "turn-8" in str(out)
if words[0] == "train":
    if option["--data"] == "broken":
        sys.exit("no such data")
    (out / "training.json").write_text(json.dumps(dict(progress=1.0, steps=40, weights=5_000_000)))
    shutil.copy(os.environ["MODEL"], out / "model.gguf")
elif words[0] == "export":
    shutil.copy(option["--model"], out)
elif words[0] == "bench":
    heads = [dict(processor_ms=dict(best=2.0 if turn else 1.0))]
    out.write_text(json.dumps(dict(engines=[dict(heads=heads)], model=dict(turn_ms=200))))
else:
    out.mkdir()
    r = int(option["--seed"]) / 10 + 0.3 * turn
    lips = {{"mouth r (7 channels)": r, "lips shut on p, b, m": 0.9, "lips shut on open vowels": float("nan")}}
    sections = {{"Lips in conversations": lips, "Places in the turn": {{str(i): i / 10 for i in range(6)}},
                "Head and smiles": {{}}, "Answers to the partner": {{}}, "Metrics": {{"mse_mouth": 0.002}}}}
    rows = {{s: [dict(name=k, value=v) for k, v in ms.items()] for s, ms in sections.items()}}
    places = [f"{{w}}_{{p}}" for w in ("r", "closed") for p in ("begin", "between", "end")]
    real = {{k: dict(value=0.5) for k in ("r", "closed", "false", *places)}} if "--voices" in words else {{}}
    about = dict(conversations="corpus/val", voices="voices/dev", clips=4, minutes=2.5)
    (out / "suite.json").write_text(json.dumps(dict(about=about, sections=rows, voices={{"en": real}})))
"""


@pytest.fixture
def stand_in(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = tmp_path / "stand_in.py"
    script.write_text(STAND_IN.format(python=sys.executable))
    script.chmod(0o755)
    save_gguf(tmp_path / "m.gguf", Timar(small_config()))
    monkeypatch.setenv("MODEL", str(tmp_path / "m.gguf"))
    monkeypatch.setattr(schedule.sys, "executable", str(script))
    monkeypatch.setattr(schedule, "POLL_S", 0.01)


def make(tmp_path: Path, data: str = "corpus", **options: Any) -> Choice:
    settings: dict[str, Any] = {"steps": 10, "seeds": (1, 2), "jobs": 2, **options}
    return Choice(data=Path(data), out=tmp_path / "runs", **settings)


def run_all(choice: Choice, say: Callable[[str], None] = lambda text: None) -> list[Run]:
    runs = choice.runs()
    run_choice(choice, runs, say)
    return runs


def rows_of(choice: Choice) -> list[Row]:
    return merged(run_all(choice), [])


def log_of(choice: Choice, name: str) -> list[list[str]]:
    return [line.split() for line in (choice.out / name / "log.txt").read_text().splitlines()]


# ---- the variants


def config_of(variant: Variant) -> ModelConfig:
    return apply_settings(*recipe_and_config("live"), list(variant.settings))[1]


def test_one_factor_at_a_time_around_the_live_default() -> None:
    assert config_of(DEFAULT) == live_config() and VARIANTS[0] is DEFAULT
    fields = {"turn": "turn_frames", "layout": "layout", "lag": "user_lag_frames", "head": "head_width",
              "lookahead": "agent_lookahead_frames", "past": "own_past", "unit": "denoise_unit", "steps": "steps",
              "width": "width", "depth": "depth", "coherence": "noise_coherence"}  # fmt: skip
    default = live_config().to_dict()
    for factor, field in fields.items():
        level = FACTORS[factor][1]
        assert type(default[field])(level) == default[field], factor
    assert live_config().context_turns * live_config().turn_frames / 25 == float(FACTORS["history"][1])
    assert {v.factor for v in VARIANTS} == {DEFAULT.factor, *FACTORS}
    for variant in VARIANTS[1:]:
        config = config_of(variant)
        seconds = config.context_turns * config.turn_frames / 25
        assert seconds == 8 and config.user_lag_frames in (0, config.turn_frames + 2)
        assert config.width == 32 * config.heads
        assert bool(variant.settings) != bool(variant.changes)
        if variant.trained and variant.factor != "unit":
            field = fields[variant.factor]
            assert str(getattr(config, field)) == variant.level != FACTORS[variant.factor][1]


def test_factors_and_variants_are_chosen_by_name() -> None:
    assert [v.name for v in chosen(["turn", "steps-2"])] == ["default", "turn-8", "turn-25", "steps-2"]
    assert chosen([]) == list(VARIANTS) and len({v.name for v in VARIANTS}) == len(VARIANTS)
    with pytest.raises(InvalidArgument, match=r"turn-9 is neither a factor \(turn, .* nor a variant \(default, turn-8"):
        chosen(["turn-9"])


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_data_set(tmp_path_factory.mktemp("talks"), n_dialogues=2, seconds=24)


SIZES = {"width": ("width=32", "heads=4"), "depth": ("depth=1",), "head": ("head_width=24",)}  # tiny ones instead


@pytest.mark.parametrize("variant", [v for v in VARIANTS if v.trained], ids=lambda v: v.name)
def test_every_variant_trains_and_runs_on_engine_cpu(data: Path, tmp_path: Path, variant: Variant) -> None:
    settings = SIZES.get(variant.factor, variant.settings)
    recipe, config = apply_settings(*recipe_and_config("live"), [*TINY, "context_turns=4", *settings])
    path = train(
        Training(data=data, out=tmp_path / "run", recipe=recipe, config=config, steps=1), say=lambda text: None
    )
    engine = _core.CpuEngine(path)
    turn = TurnInput(engine.open(), agent_audio=np.full(engine.info.turn_frames * 640, 0.1, np.float32), seed=1)
    for _ in range(3):
        assert np.isfinite(engine.step([turn])[0].motion).all()


# ---- the schedule


def test_every_run_is_made_measured_and_timed_once(stand_in: None, tmp_path: Path) -> None:
    choice, said = make(tmp_path, voices=Path("voices"), only=("turn", "steps-2"), settings=("batch=2",)), []
    runs = run_all(choice, said.append)
    assert said[:2] == ["6 trainings of 10 steps", "8 runs, 0 done; 2 at a time, 1 threads each"]
    trained, evaluated, timed = log_of(choice, "turn-8-2")
    assert trained[:9] == ["train", "--data", "corpus", "--out", str(choice.out / "turn-8-2"), "--recipe", "live",
                           "--set", "batch=2"]  # fmt: skip
    assert "turn_frames=8" in trained and trained[-6:] == ["--steps", "10", "--seed", "2", "--save-minutes", "2"]
    assert evaluated[:7] == ["evaluate", "--suite", "default", "--data", "corpus", "--voices", "voices"]
    assert evaluated[evaluated.index("--split") + 1] == "val" and "--minutes" not in evaluated
    assert timed[0] == "bench" and timed[timed.index("--engine") + 1] == "cpu:f32"
    changed = log_of(choice, "steps-2-1")
    assert [words[0] for words in changed] == ["export", "evaluate", "bench"]
    assert changed[0][4] == str(choice.out / "default-1" / "model.gguf") and changed[0][6] == "steps=2"
    assert all(run.next_command() is None for run in runs)
    again: list[str] = []
    run_all(choice, again.append)
    assert again[1] == "8 runs, 8 done; 2 at a time, 1 threads each"


def test_a_change_waits_for_the_default_and_fails_with_it(stand_in: None, tmp_path: Path) -> None:
    choice = make(tmp_path, only=("steps-2",), seeds=(1,))
    assert [run.waits_for for run in choice.runs()] == [None, "default-1"]
    broken = make(tmp_path / "other", data="broken", only=("steps-2",), seeds=(1,))
    broken.out.mkdir(parents=True)
    with pytest.raises(
        Error, match=r"2 of 2 runs failed: default-1: train failed .*; steps-2-1: default-1 is not done"
    ):
        run_all(broken)
    run_all(choice)
    assert [run.waits_for for run in choice.runs()] == [None, None]


def test_a_folder_holds_one_choice_of_one_length(stand_in: None, tmp_path: Path) -> None:
    run_all(make(tmp_path, only=("depth-2",), seeds=(1,)))
    run_all(make(tmp_path, only=("depth-6",), seeds=(3,), jobs=1))
    with pytest.raises(
        InvalidArgument, match=r"another campaign: voices None \(now voices\), minutes None \(now 2.0\)"
    ):
        run_all(make(tmp_path, voices=Path("voices"), minutes=2.0))
    with pytest.raises(InvalidArgument, match="give either"):
        make(tmp_path, processor_minutes=1.0)


# ---- the table


def test_the_table_has_every_axis_and_says_what_differs(stand_in: None, tmp_path: Path) -> None:
    choice = make(tmp_path, voices=Path("voices"), only=("turn-8", "coherence"))
    text = tables.results(choice, rows_of(choice))
    assert text.startswith("8 runs, 10 steps of training each; conversations corpus/val (4 clips, 2.5 min), voices")
    rows = {}
    for line in text.splitlines():
        if line.startswith("|"):
            first, *cells = [cell.strip() for cell in line.split("|")[1:-1]]
            rows.setdefault(first, cells)
    default, turn = rows["default"], rows["turn F, frames; lag F + 2, history 8 s: 8"]
    assert len(default) == len(turn) == len(tables.AXES) + 1 == len(rows[""])
    assert default[:4] == ["2", "0.15 ± 0.071", "0.9 / -", "0 / 0.1 / 0.2"]
    assert turn[1] == "**0.45 ± 0.071**" and turn[2] == default[2], "only what differs is bold"
    assert default[5] == "0.5" and default[9] == "- / - / -"
    assert default[13] == "2 / - / -" and default[14] == "1 / 5" and turn[14] == "**2** / **10**"
    assert default[16] == "180 / 280" and default[17] == "40"
    assert "noise coherence: 0.8" in rows and "| noise coherence | 0 | 0.8 | noise_coherence=0.8 |" in text
    assert "visavis train --data corpus --out runs/default-1 --recipe live --steps 10 --seed 1" in text
    assert "visavis evaluate --suite default --data corpus --voices voices --split val" in text


def test_the_table_names_the_default_that_it_was_measured_around(stand_in: None, tmp_path: Path) -> None:
    settings = ("width=128", "heads=4", "peak_rate=5e-4")
    choice = make(tmp_path, seeds=(1,), only=("width-160", "depth-2"), settings=settings)
    text = tables.results(choice, rows_of(choice))
    assert "| width | 128 | 160 | width=160, heads=5 |" in text and "| depth | 4 | 2 | depth=2 |" in text


def test_bold_is_what_seeds_alone_do_not_explain() -> None:
    assert tables.cell({1: [1.5], 2: [1.7]}, {1: [1.0], 2: [1.2]}) == "**1.6 ± 0.14**"
    assert tables.cell({1: [1.5], 2: [2.3]}, {1: [1.0], 2: [1.8]}) == "1.9 ± 0.57", (
        "the default's own seeds differ by more"
    )
    assert tables.cell({1: [1.5], 2: [2.4]}, {1: [1.0], 2: [1.2]}) == "1.95 ± 0.64", "the seeds do not agree"
    assert tables.cell({1: [1.5]}, {1: [1.0]}) == "1.5" and tables.cell({4: [2.5], 5: [2.5]}, {1: [1.0]}) == "2.5"
    assert tables.cell({1: [1500.0]}, {}) == "1500"
    infinite = {1: [1.0, np.inf], 2: [1.2, np.inf]}
    assert tables.cell(infinite, infinite) == "1.1 ± 0.14 / -"
    assert tables.cell({1: [1.0, 3.0], 2: [1.2, 3.0]}, infinite) == "1.1 ± 0.14 / 3"


def test_without_voices_and_with_one_seed(stand_in: None, tmp_path: Path) -> None:
    choice = make(tmp_path, only=("turn-8",), seeds=(1,))
    text = tables.results(choice, rows_of(choice))
    assert "no real voices;" in text and "**0" not in text
    row = next(line for line in text.splitlines() if line.startswith("| default |"))
    assert row.split("|")[7:11] == [" - ", " - / - ", " - / - / - ", " - / - / - "]
    with pytest.raises(InvalidArgument, match="no run is done yet"):
        tables.results(make(tmp_path, seeds=(9,)), [])


def test_the_reaction_is_that_of_a_live_session(tmp_path: Path) -> None:
    run = Run(make(tmp_path), DEFAULT, 1)
    run.folder.mkdir(parents=True)
    for turn, lag, expected in ((5, 7, [180, 280]), (5, 0, [180, 280]), (5, 9, [260, 360]), (25, 27, [580, 1080])):
        config = small_config(turn_frames=turn, user_lag_frames=lag)
        save_gguf(run.model, Timar(config))
        assert reaction(run) == expected


# ---- changes of a model


def test_a_model_is_changed_and_nothing_trained(stand_in: None, tmp_path: Path) -> None:
    model = tmp_path / "shipped.gguf"
    save_gguf(model, Timar(small_config()))
    choice = make(tmp_path, steps=None, seeds=(1,), only=("steps", "turn"), model=model)
    said: list[str] = []
    runs = run_all(choice, said.append)
    assert [run.variant.name for run in runs] == ["default", "steps-1", "steps-2", "steps-5"]
    assert said[0] == "4 runs, 0 done; 2 at a time, 1 threads each"
    default, changed = (log_of(choice, name) for name in ("default-1", "steps-2-1"))
    assert default[0][:5] == ["export", "--to", "gguf", "--model", str(model)] and "--set" not in default[0]
    assert changed[0][4] == str(model) and changed[0][6] == "steps=2"
    text = tables.results(choice, merged(runs, []))
    assert text.startswith("4 runs, the file shipped.gguf, changed; conversations")
    assert "visavis export --to gguf --model shipped.gguf --out runs/default-1/model.gguf" in text, "no folder of ours"
    assert text.splitlines()[4].split("|")[-2].strip() == "-", "steps of a training that nobody knows"
    save_gguf(model, Timar(small_config(width=32)))
    with pytest.raises(InvalidArgument, match="holds another campaign: model "):
        run_all(choice)
    with pytest.raises(InvalidArgument, match="changed, not trained"):
        make(tmp_path, steps=3, model=model)


def test_a_model_that_is_not_there_is_named(tmp_path: Path) -> None:
    words = ["choose", "--data", "corpus", "--out", str(tmp_path / "runs"), "--model", "nothing.gguf"]
    with pytest.raises(FileError, match=r"nothing\.gguf does not exist"):
        build_app()(words, prog_name="visavis", standalone_mode=False)


# ---- rows that travel


def test_a_campaign_goes_on_from_its_rows_elsewhere(stand_in: None, tmp_path: Path) -> None:
    first = make(tmp_path / "here", only=("turn-8",), settings=("batch=2",))
    rows = rows_of(first)
    write_rows(tmp_path / "rows.json", first, rows)
    assert "NaN" not in (tmp_path / "rows.json").read_text()
    more = make(tmp_path / "there", only=("turn-8", "steps-2", "depth-2"), settings=("batch=2",), seeds=(1,))
    known = read_rows(tmp_path / "rows.json", more)
    np.testing.assert_equal([vars(row) for row in known], [vars(row) for row in rows])
    runs = left(more.runs(), known)
    assert [run.folder.name for run in runs] == ["default-1", "depth-2-1", "steps-2-1"], "a change needs its default"
    assert left(make(tmp_path / "there", only=("turn-8",)).runs(), known) == []
    run_choice(more, runs, lambda text: None)
    found = merged(more.runs(), known)
    names = ["default-1", "default-2", "turn-8-1", "turn-8-2", "depth-2-1", "steps-2-1"]
    assert [f"{row.variant.name}-{row.seed}" for row in found] == names
    assert not (more.out / "turn-8-1").exists() and tables.results(more, found).startswith("6 runs, 10 steps")
    moved = [*found[:-1], replace(found[-1], machine="another machine")]
    assert "another machine; times of different machines stand in one column" in tables.results(more, moved)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"plan": {}, "rows": [{"variant": "default"}]}', '{"plan": {}}'])
def test_wrong_rows_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "rows.json"
    assert read_rows(file, make(tmp_path)) == []
    file.write_text(text)
    with pytest.raises(FileError, match=r"rows\.json: no rows of a choice"):
        read_rows(file, make(tmp_path))
    file.write_text('{"plan": {"steps": 7}, "rows": []}')
    with pytest.raises(InvalidArgument, match=r"rows\.json holds another campaign: data None \(now corpus\)"):
        read_rows(file, make(tmp_path))


# ---- all of it


def test_end_to_end_on_a_tiny_corpus(
    data: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    write_voices(tmp_path / "voices")
    page, in_process = tmp_path / "page.md", schedule.subprocess.Popen
    page.write_text(f"{pages.begin_mark('choose')}\n{pages.END}\n")

    def popen(command: list[str], **options: Any) -> Any:
        return (InProcess if "visavis" in command else in_process)(command, **options)

    monkeypatch.setattr(schedule.subprocess, "Popen", popen)
    monkeypatch.setattr("visavis.choice.campaign.TURNS", 5)
    words = ["choose", "--data", data, "--voices", tmp_path / "voices", "--out", tmp_path / "runs", "--steps", "1",
             "--seed", "3", "--only", "history-2", "--minutes", "2", "--table", page,
             "--rows", tmp_path / "rows.json"]  # fmt: skip
    words += [word for setting in (*TINY, "context_turns=12") for word in ("--set", setting)]
    build_app()([str(word) for word in words], prog_name="visavis", standalone_mode=False)
    text = page.read_text()
    assert (tmp_path / "runs" / "results.md").read_text() in text and "2 runs, 1 steps of training each" in text
    rows = [line.split("|") for line in text.splitlines() if "| 1 |" in line]
    assert [row[1].strip() for row in rows] == ["default", "history, s: 2"]
    for row in rows:
        assert len(row) == len(tables.AXES) + 4
        for column in (3, 7, 12, 14, 15, 16, 17, 18, 19):  # lips, real lips, head, metrics, cost, size, reaction, steps
            assert row[column].strip().strip("- /"), tables.AXES[column - 3].title
    short = _core.ModelFile(tmp_path / "runs" / "history-2-3" / "model.gguf").metadata()
    assert short["visavis.context_turns"] == 10
    assert json.loads((tmp_path / "runs" / "plan.json").read_text())["voices"] == "voices"
    assert capsys.readouterr().out.count("of training each") == 1
    shutil.rmtree(tmp_path / "runs")
    build_app()([str(word) for word in words], prog_name="visavis", standalone_mode=False)
    assert "2 runs, 1 steps of training each" in capsys.readouterr().out, "from the rows alone"
    assert page.read_text() == text and not (tmp_path / "runs" / "default-3").exists()


def test_rows_of_another_corpus_of_that_name_are_refused(tmp_path: Path) -> None:
    corpus = tmp_path / "v2"
    corpus.mkdir()
    (corpus / "corpus.json").write_text('{"plan": {"hours": 20}, "hours": 19.62, "statistics": {"all": 1.0}}')
    choice = make(tmp_path, data=str(corpus))
    write_rows(tmp_path / "rows.json", choice, [])
    assert read_rows(tmp_path / "rows.json", choice) == []
    (corpus / "corpus.json").write_text('{"plan": {"hours": 20}, "hours": 19.61, "statistics": {"all": 1.1}}')
    assert read_rows(tmp_path / "rows.json", choice) == [], "what was measured differs between machines"
    (corpus / "corpus.json").write_text('{"plan": {"hours": 3}, "hours": 19.62, "statistics": {"all": 1.0}}')
    with pytest.raises(InvalidArgument, match=r"rows\.json holds another campaign: corpus [0-9a-f]{64} \(now "):
        read_rows(tmp_path / "rows.json", choice)
