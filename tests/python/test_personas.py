"""Personas: a style per session, from the recordings to the faces."""

import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from conversations import write_recording
from gguf_bytes import model_file
from small_models import randomised, small_config
from take_cases import RATE, voice
from test_model_file import write
from test_training import PLAIN, TINY, counting_dialogue, small_run
from typer.testing import CliRunner

import visavis
from visavis import _core, cli
from visavis.bridge.dials import HeadDials
from visavis.data.corpus.v2.person import STYLE
from visavis.data.dualtalk import read_motion
from visavis.engine import TurnInput, load_engine
from visavis.engines.graphs import read_manifest
from visavis.engines.onnx import OnnxEngine
from visavis.errors import InvalidArgument, ModelFileError
from visavis.export.gguf import load_gguf, read_config, save_gguf
from visavis.export.onnx import export_onnx
from visavis.model.config import ModelConfig, live_config, paper_config
from visavis.model.research import with_switches
from visavis.model.timar import Timar
from visavis.motion_space import ARKIT55
from visavis.session import Model
from visavis.takes.file import load_take, write_take
from visavis.takes.replay import replay
from visavis.training.crops import CropSampler
from visavis.training.loop import train
from visavis.training.recipes import apply_settings, recipe_and_config

STYLED = small_config(styles=STYLE, noise_coherence=0.5)
TURN = STYLED.turn_frames


def write_model(path: Path, config: ModelConfig = STYLED) -> Path:
    """Random weights, turned down: at full gain they are chaotic."""
    model = randomised(Timar(config))
    with torch.no_grad():
        model.diffloss.net.final_layer.linear.weight *= 0.25
    save_gguf(path, model, name="styled")
    return path


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("model") / "styled.gguf")


@pytest.fixture(scope="module")
def model(path: Path) -> Model:
    return visavis.load(path)


def frames(model: Model, seconds: float = 2.0, **options: Any) -> np.ndarray:
    return visavis.animate(agent=(voice(seconds, 1), RATE), model=model, **options).values


# ---------------------------------------------------------------------------------------------------------- files


def test_names_are_checked_and_empty_ones_leave_files_as_they_were() -> None:
    for wrong in (("Nods",), ("nods", "nods"), ("",), ("a" * 33,), tuple(f"s{i}" for i in range(65))):
        with pytest.raises(InvalidArgument, match="expected at most 64 different names"):
            live_config(styles=wrong)
    assert "styles" not in live_config().to_dict()
    assert ModelConfig.from_dict(live_config().to_dict()).styles == ()
    assert ModelConfig.from_dict(STYLED.to_dict()) == STYLED
    with pytest.raises(InvalidArgument, match="research models have none"):
        with_switches(paper_config(styles=STYLE), head="mlp")


def test_a_model_file_says_its_styles(path: Path, tmp_path: Path) -> None:
    file = _core.ModelFile(path)
    assert file.metadata()["visavis.styles"] == list(STYLE)
    assert file.tensors()["style_proj.weight"] == ("F16", (STYLED.width, 4))
    assert read_config(file.metadata(), path) == load_gguf(path).config == STYLED
    plain = _core.ModelFile(write_model(tmp_path / "plain.gguf", small_config()))
    assert "visavis.styles" not in plain.metadata() and "style_proj.weight" not in plain.tensors()


def test_styles_without_their_weights_are_refused(tmp_path: Path) -> None:
    file = write(tmp_path, model_file(small_config(styles=("nods",))))
    assert _core.ModelFile(file).metadata()["visavis.styles"] == ["nods"]
    with pytest.raises(ModelFileError, match="is missing; expected shape"):
        load_engine(file)


# ---------------------------------------------------------------------------------------------------------- engines


def engines(path: Path, folder: Path) -> list[Any]:
    for profile in ("portable", "ort"):
        export_onnx(path, folder / profile, profile)
    native = [load_engine(path, name) for name in ("cpu", "torch")]
    return [*native, *(OnnxEngine(folder / profile) for profile in ("portable", "ort"))]


def test_every_engine_takes_a_style_and_refuses_a_wrong_one(path: Path, tmp_path: Path) -> None:
    for engine in engines(path, tmp_path):
        assert engine.info.styles == engine.config.styles == STYLE
        none, zeros, other = (engine.open() for _ in range(3))
        style = np.array([0.5, -1, 1, 0], np.float32)
        first, second, third = (
            engine.step([TurnInput(slot, style=given)])[0].motion
            for slot, given in ((none, None), (zeros, np.zeros(4, np.float32)), (other, style))
        )
        np.testing.assert_array_equal(first, second)
        assert np.abs(first - third).max() > 1e-3
        for wrong in (style[:3], 1.01 * style, style * np.nan):
            with pytest.raises(InvalidArgument, match="style"):
                engine.step([TurnInput(none, style=wrong)])


def test_models_without_styles_are_exported_as_ever_and_refuse_one(tmp_path: Path) -> None:
    path = write_model(tmp_path / "plain.gguf", small_config())
    for engine in engines(path, tmp_path):
        with pytest.raises(InvalidArgument, match="style: the model has none"):
            engine.step([TurnInput(engine.open(), style=np.zeros(4, np.float32))])
    manifest = read_manifest(tmp_path / "portable")
    assert "styles" not in json.loads((tmp_path / "portable" / "manifest.json").read_text())["config"]
    assert "style" not in {value["name"] for value in manifest.graphs["backbone"]["inputs"]}


# ---------------------------------------------------------------------------------------------------------- sessions


def test_a_session_carries_a_style(model: Model) -> None:
    average, bold = frames(model), frames(model, style={"expressiveness": 1.0, "gaze": -0.5})
    np.testing.assert_array_equal(average, frames(model, style={"nods": 0}))
    assert np.abs(average - bold).max() > 1e-3
    np.testing.assert_array_equal(bold, frames(model, dials={"style.expressiveness": 1, "style.gaze": -0.5}))
    with model.session(style={"nods": 0.25}) as session:
        assert model.styles == STYLE and session.style == {"talkative": 0, "nods": 0.25, "expressiveness": 0, "gaze": 0}
        first = session.dials()[: len(STYLE)]
        assert [(d.name, d.low, d.high, d.standard) for d in first] == [(f"style.{n}", -1, 1, 0) for n in STYLE]
        for wrong in ({"nods": 1.5}, {"nods": np.nan}, {"gaze": 1, "cheer": 0.1}):
            with pytest.raises(InvalidArgument, match="style"):
                session.set_style(wrong)
        with pytest.raises(InvalidArgument, match='"style.cheer" is unknown; the model\'s styles: style.talkative, '):
            session.set_style({"cheer": 1})
        assert session.style["gaze"] == 0 and session.style["nods"] == 0.25


def test_a_new_style_acts_from_the_next_turn_on(model: Model) -> None:
    def play(change_after: int) -> np.ndarray:
        with model.session(voices="agent") as session:
            session.push_agent_audio(voice(2.0, 1), RATE)
            got = session.poll(change_after)
            session.set_style({"talkative": 1.0})
            session.end()
            return np.stack([frame.values for frame in got + session.poll()])

    never, changed = play(50), play(2 * TURN - 2)  # the second turn is made, two of its frames not polled
    assert never.shape == changed.shape
    np.testing.assert_array_equal(never[: 2 * TURN], changed[: 2 * TURN])
    assert np.abs(never[2 * TURN :] - changed[2 * TURN :]).max() > 1e-3


def test_gaze_rests_longer_at_the_partner_where_the_eyes_are_the_rigs() -> None:
    def eyes(**style: float) -> np.ndarray:
        rig = _core.Rig(ARKIT55.channels, ARKIT55.units, seed=1, eye_layer=True, styles=STYLE if style else ())
        for name, value in style.items():
            rig.set_dial(f"style.{name}", value)
        return rig.process(np.zeros((15_000, 55), np.float32), np.zeros(15_000, bool), 0)

    np.testing.assert_array_equal(eyes(), eyes(gaze=0, nods=1))
    aside = [ARKIT55.index(f"eyeLook{way}Left") for way in ("In", "Out")]
    at, away = (eyes(gaze=gaze)[:, aside].sum(1).mean() for gaze in (1, -1))
    print(f"{at:.3f} {away:.3f}")
    assert away > 1.4 * at


def test_a_runtime_and_a_servers_head_carry_it_too(model: Model) -> None:
    with visavis.Runtime(model) as runtime:
        session = runtime.session(style={"gaze": 1.0})
        assert session.style["gaze"] == 1
        head = HeadDials(session, {"style.nods": -1.0})
        assert session.style["nods"] == -1 and head.describe()["style.nods"]["value"] == -1
        with pytest.raises(InvalidArgument, match="'style.cheer': the model has the styles style.talkative, "):
            head.set({"style.cheer": 1.0})


def test_a_model_without_styles_says_so(tmp_path: Path) -> None:
    model = visavis.load(write_model(tmp_path / "plain.gguf", small_config()))
    assert model.styles == ()
    with pytest.raises(InvalidArgument, match='"style.nods": the model has no styles; use one that was trained with'):
        model.session(style={"nods": 0.5})
    with model.session() as session:
        assert session.style == {}
        with pytest.raises(InvalidArgument, match=r"'style\.nods': the model has no styles"):
            HeadDials(session, {"style.nods": 0.1})


def test_the_packaged_model_has_the_styles_of_the_corpus() -> None:
    model = visavis.load()
    assert model.styles == STYLE
    still, lively = (frames(model, 8.0, seed=2, style={"expressiveness": x}) for x in (-1.0, 1.0))
    assert np.isfinite(lively).all() and np.abs(lively - still).max() > 0.01


def test_the_command_line_takes_styles(path: Path, tmp_path: Path) -> None:
    import soundfile

    soundfile.write(tmp_path / "a.wav", voice(1.0, 3), RATE)
    made = []
    for out, style in (("a.npz", []), ("b.npz", ["--style", "expressiveness=0.5", "--style", "nods=-1"])):
        command = ["animate", "--agent", str(tmp_path / "a.wav"), "--model", str(path), "--quiet"]
        done = CliRunner().invoke(cli.build_app(), [*command, "--out", str(tmp_path / out), *style])
        assert done.exit_code == 0, done.output
        made.append(np.load(tmp_path / out)["values"])
    assert np.abs(made[0] - made[1]).max() > 1e-3


# ---------------------------------------------------------------------------------------------------------- takes


def test_takes_replay_every_turn_in_its_style(model: Model, tmp_path: Path) -> None:
    with model.session(seed=3, voices="agent", take=tmp_path / "t.npz", style={"nods": 0.5}) as session:
        session.push_agent_audio(voice(2.0, 1), RATE)
        session.poll(2 * TURN)
        session.set_style({"nods": -1.0, "gaze": 1.0})
        session.end()
        session.poll()
    take = load_take(tmp_path / "t.npz")
    assert take.about.styles == STYLE
    np.testing.assert_array_equal(take.turn_style[:, STYLE.index("nods")], [0.5] * 2 + [-1] * (len(take.turn) - 2))
    again = replay(take, model)
    assert again.same_bytes and again.promise == "bytes"
    other = replay(take, model, dials={"style.expressiveness": 1.0})
    assert other.largest_before_rig > 1e-3 and other.promise == "none"
    with pytest.raises(InvalidArgument, match='"style.cheer" is unknown; the model'):
        replay(take, model, dials={"style.cheer": 1.0})
    for broken in (take.turn_style[:, :3], take.turn_style * np.nan):
        write_take(tmp_path / "broken.npz", replace(take, turn_style=broken))
        with pytest.raises(visavis.Error, match="turn_style"):
            load_take(tmp_path / "broken.npz")


def test_takes_from_before_there_were_styles_still_open(tmp_path: Path) -> None:
    plain = visavis.load(write_model(tmp_path / "plain.gguf", small_config()))
    frames(plain, take=tmp_path / "new.npz")
    arrays = dict(np.load(tmp_path / "new.npz"))
    del arrays["turn_style"]
    about = json.loads(str(arrays["about"]))
    del about["styles"]
    np.savez(tmp_path / "old.npz", **{**arrays, "about": np.array(json.dumps(about))})
    take = load_take(tmp_path / "old.npz")
    assert take.turn_style.shape == (len(take.turn), 0) and replay(take, plain).same_bytes


# ---------------------------------------------------------------------------------------------------------- training


def test_a_persons_style_is_read_and_checked(tmp_path: Path) -> None:
    style = np.array([0.1, -0.2, 1.0, -1.0], np.float32)
    write_recording(tmp_path / "a", 50, style=style)
    np.testing.assert_array_equal(read_motion(tmp_path / "a.npz", ARKIT55)[1]["style"], style)
    for wrong in (style[:3], 1.5 * style, style * np.nan, np.arange(4)):
        write_recording(tmp_path / "b", 50, style=wrong)
        with pytest.raises(InvalidArgument, match="b.npz: style is .*; expected 4 floats from -1 to 1"):
            read_motion(tmp_path / "b.npz", ARKIT55)


def test_crops_carry_the_agents_style_and_lose_it_at_random() -> None:
    config = live_config(styles=("gaze", "talkative"))
    dialogue = counting_dialogue()
    dialogue.persons[0].labels["style"] = np.array([0.1, 0.2, 0.3, 0.4], np.float32)  # the other's is not known
    sampler = CropSampler([dialogue], config, replace(PLAIN, style_absent=0.3), seed=3)
    crops = [sampler.crop(np.random.default_rng([3, i])) for i in range(200)]
    known = np.array([crop["agent_motion"].max() > 0 for crop in crops])
    styles = np.stack([crop["agent_style"] for crop in crops])
    assert styles.dtype == np.float32 and not styles[~known].any()
    there = styles[known].any(1)
    np.testing.assert_array_equal(styles[known][there], np.tile(np.array([0.4, 0.1], np.float32), (there.sum(), 1)))
    assert 0.5 < there.mean() < 0.9
    plain = CropSampler([dialogue], live_config(), PLAIN, seed=3)
    assert "agent_style" not in plain.crop(np.random.default_rng(1))
    with pytest.raises(InvalidArgument, match="style 'cheer' is unknown to recordings; known: talkative, nods"):
        CropSampler([dialogue], live_config(styles=("cheer",)), PLAIN, seed=3)


def test_settings_name_the_styles() -> None:
    _, config = apply_settings(*recipe_and_config("live"), ["styles=nods,gaze"])
    assert config.styles == ("nods", "gaze")


def test_a_tiny_model_learns_who_it_is(tmp_path: Path) -> None:
    """People whose heads rest where their style says: without it nobody could tell at a session's start."""
    pitch = ARKIT55.index("headPitch")
    for split in ("train", "val"):
        (tmp_path / "talks" / split).mkdir(parents=True)
        for i, nods in enumerate((-1.0, 1.0, -0.5, 0.5, -0.8, 0.8)):
            for speaker in (1, 2):
                own = nods if speaker == 1 else -nods
                stem = tmp_path / "talks" / split / f"talk{i}_speaker{speaker}"
                style = np.array([0, own, 0, 0], np.float32)
                arkit = write_recording(stem, 150, seed=10 * i + speaker, style=style)
                arkit[:, pitch] += 0.3 * own
                np.savez(stem.with_suffix(".npz"), **{**np.load(stem.with_suffix(".npz")), "arkit55": arkit})
    config = live_config(**TINY, conv_widths=(16, 16, 16, 16), mel_bands=16, styles=("nods",))
    run = small_run(tmp_path / "talks", tmp_path / "run", 250, config=config)
    recipe = replace(run.recipe, crops=replace(PLAIN, seconds=2.0, session_start=0.5), batch=4, peak_rate=3e-3)
    found = visavis.load(train(replace(run, recipe=recipe), lambda text: None))
    rest = {
        nods: frames(found, 2.0, style={"nods": nods}, temperature=0.0)[25:, pitch].mean() for nods in (-1.0, 0.0, 1.0)
    }
    print(rest)
    assert rest[-1.0] + 0.1 < rest[0.0] < rest[1.0] - 0.1
