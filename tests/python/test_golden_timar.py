"""The authors' code computed these files with a tiny random checkpoint: everything agrees to 1e-4."""

import argparse
import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from visavis.engine import TurnInput
from visavis.engines.torch import TorchEngine
from visavis.engines.windows import AmortisedWindow, ExactWindow, Window
from visavis.errors import FileError, InvalidArgument, ModelFileError, Unsupported
from visavis.model.checkpoint import load_official
from visavis.model.objective import row_terms
from visavis.model.timar import Timar

TINY = Path(__file__).parents[1] / "data" / "timar-tiny"
STEPS = 5


@pytest.fixture(scope="module")
def model() -> Timar:
    return load_official(TINY / "TIMAR-tiny.pth", speech_encoder=TINY / "wav2vec2")


def golden(name: str) -> dict[str, np.ndarray]:
    with np.load(TINY / f"{name}.npz") as file:
        return dict(file)


def close(found: Any, expected: Any) -> None:
    np.testing.assert_allclose(np.asarray(found), np.asarray(expected), rtol=0, atol=1e-4)


class Recorder:
    """Remembers the z of every pass through the backbone."""

    def __init__(self, model: Timar, monkeypatch: pytest.MonkeyPatch) -> None:
        self.z: list[torch.Tensor] = []
        encode = model.encode

        def recorded(*args: Any, **options: Any) -> torch.Tensor:
            z = encode(*args, **options)
            self.z.append(z[0, -1])
            return z

        monkeypatch.setattr(model, "encode", recorded)


def stream(engine: TorchEngine, data: dict[str, np.ndarray], noise: list[np.ndarray], **options: float) -> np.ndarray:
    slot = engine.open()
    user, agent = (data[f"{who}_audio"].reshape(6, -1) for who in ("user", "agent"))
    motion = data["user_motion"].reshape(6, 25, 56)
    turns = [TurnInput(slot, user[t], agent[t], motion[t], noise=noise[t], **options) for t in range(6)]
    return np.concatenate([engine.step([turn])[0].motion for turn in turns])


def test_widths_are_inferred(model: Timar) -> None:
    config = model.config
    assert (config.width, config.depth, config.heads, config.token_width) == (64, 4, 4, 48)
    assert (config.head_width, config.head_depth, config.context_turns, config.speech_width) == (64, 2, 4, 32)


def test_speech(model: Timar) -> None:
    data = golden("speech")
    close(model.speech_encoder(torch.from_numpy(data["audio"])), data["embedding"])


@pytest.mark.parametrize("history", ["masked", "fed"])
def test_paper_setting_and_fed_history(model: Timar, history: str, monkeypatch: pytest.MonkeyPatch) -> None:
    data = golden({"masked": "paper_setting", "fed": "history_fed"}[history])
    recorder = Recorder(model, monkeypatch)
    engine = TorchEngine(model, history=history, steps=STEPS)
    close(stream(engine, data, list(data["noise"])), data["motion"])
    close(torch.stack(recorder.z), data["z"])


def test_tokens(model: Timar) -> None:
    data = golden("paper_setting")
    user_audio, agent_audio = (torch.from_numpy(data[f"{who}_audio"])[None] for who in ("user", "agent"))
    motion, own = (torch.from_numpy(data[name])[None] for name in ("user_motion", "motion"))
    with torch.no_grad():
        user = model.user_tokens(user_audio, motion, torch.ones(1, 150, dtype=torch.bool))
        parts = [*user, model.agent_speech_tokens(agent_audio), model.motion_encoder(own)]
        heard, seen, speech, past = (model.by_turn(part) for part in parts)
        close(model.turn_tokens((heard, seen), speech, past)[0], data["tokens"])


def test_guidance_and_temperature(model: Timar) -> None:
    data = golden("guided")
    engine = TorchEngine(model, history="fed", steps=STEPS)
    close(stream(engine, data, list(data["noise"]), guidance=1.5, temperature=0.8), data["motion"])


def test_four_passes(model: Timar, monkeypatch: pytest.MonkeyPatch) -> None:
    data = golden("iterative")
    noise = [np.concatenate([data[f"noise_turn{t}_iter{i}"] for i in range(4)], axis=1) for t in range(6)]
    recorder = Recorder(model, monkeypatch)
    engine = TorchEngine(model, history="fed", steps=STEPS, passes=4)
    assert [end - begin for begin, end in engine.decoding] == [2, 6, 8, 9]
    close(stream(engine, data, noise), data["motion"])
    close(torch.stack(recorder.z), data["z"])


def test_training_loss(model: Timar) -> None:
    data = {name: torch.from_numpy(values) for name, values in golden("training_loss").items()}
    with torch.no_grad():
        condition = model.diffloss.net.cond_embed(data["z"])
        mse, bits, _ = row_terms(model, data["x0"], data["t"], data["noise"], condition)
    rows = mse["exp"] + mse["jaw"] + mse["neck"]
    close(rows, data["mse"])
    close(bits, data["vb"])
    close(rows + bits, data["per_row_loss"])
    close((rows + bits)[data["mask"]].mean(), data["loss"])


def test_the_exact_window_slides_and_the_amortised_one_equals_it_until_it_is_full(model: Timar) -> None:
    data = golden("paper_setting")
    motion = stream(TorchEngine(model, window="amortised", steps=STEPS), data, list(data["noise"]))
    close(motion[:100], data["motion"][:100])
    assert np.abs(motion[100:] - data["motion"][100:]).max() > 1e-3


@torch.no_grad()
def test_an_amortised_turn_is_an_exact_turn_with_less_history(model: Timar) -> None:
    turns = torch.randn(9, model.config.tokens_per_turn, model.config.width, generator=torch.Generator().manual_seed(0))
    amortised: Window = AmortisedWindow(model)
    begin = 0  # of 4 visible turns the newest 2 stay when all 4 are there
    for t, turn in enumerate(turns):
        exact: Window = ExactWindow(model, turns[begin:t])
        close(amortised.condition(turn), exact.condition(turn))
        amortised = amortised.commit(turn)
        begin = t - 1 if t + 1 - begin == 4 else begin
    assert begin == 6


def test_checkpoints_that_cannot_be_used_are_refused(tmp_path: Path) -> None:
    with pytest.raises(FileError, match="does not exist"):
        load_official(tmp_path / "none.pth")
    path = tmp_path / "bad.pth"
    path.write_bytes(pickle.dumps(Trap(), protocol=2))
    with pytest.raises(ModelFileError, match="cannot be read safely"):
        load_official(path)
    path.write_bytes((TINY / "TIMAR-tiny.pth").read_bytes()[:100_000])
    with pytest.raises(ModelFileError, match="cannot be read safely"):
        load_official(path)
    torch.save({"model": {}}, path)
    with pytest.raises(ModelFileError, match="expected a TIMAR checkpoint"):
        load_official(path)
    torch.save({"model": {}, "model_ema": {}, "args": argparse.Namespace(use_causal_attn=False)}, path)
    with pytest.raises(Unsupported, match="bidirectional"):
        load_official(path)
    with pytest.raises(FileError, match=r"no config\.json"):
        load_official(TINY / "TIMAR-tiny.pth", speech_encoder=tmp_path)


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("executed",))


def test_a_model_without_its_speech_encoder_says_so() -> None:
    bare = load_official(TINY / "TIMAR-tiny.pth")
    engine = TorchEngine(bare)
    with pytest.raises(InvalidArgument, match="give its folder"):
        engine.step([TurnInput(engine.open())])
