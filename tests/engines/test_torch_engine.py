"""The torch engine keeps the engine contract: slots, noise, options, errors."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from small_models import randomised, small_config

import visavis
from visavis.engine import Engine, TurnInput
from visavis.engines.torch import TorchEngine, decoding_order
from visavis.errors import InvalidArgument, Unsupported
from visavis.export.gguf import save_gguf
from visavis.model.diffusion import sample
from visavis.model.timar import Timar

F, C = 5, 55
SIZE = F * 640


def engine(seed: int = 0, **options: Any) -> TorchEngine:
    names = {"window", "history", "steps", "passes", "sampler", "guidance_schedule", "clamp"} & set(options)
    own = {name: options.pop(name) for name in names}
    return TorchEngine(randomised(Timar(small_config(**options)), seed), **own)


def audio(seed: int, frames: int = F) -> np.ndarray:
    return 0.1 * np.random.default_rng(seed).standard_normal(frames * 640).astype(np.float32)


def one(it: Engine, slot: int, t: int = 0, **options: Any) -> np.ndarray:
    return it.step([TurnInput(slot, audio(t), audio(50 + t), **options)])[0].motion


def test_a_saved_model_runs_through_load_engine(tmp_path: Path) -> None:
    model = randomised(Timar(small_config()))
    save_gguf(tmp_path / "m.gguf", model, name="small", dtype="f32")
    loaded = visavis.load_engine(tmp_path / "m.gguf", engine="torch", steps=3, sampler="dpm2m")
    assert isinstance(loaded, Engine)
    assert (loaded.info.name, loaded.config.steps, loaded.config.sampler) == ("small", 3, "dpm2m")
    direct = TorchEngine(model, steps=3, sampler="dpm2m")
    out = loaded.step([TurnInput(loaded.open(), audio(1), audio(2), seed=3)])[0]
    np.testing.assert_array_equal(
        out.motion, one_more := direct.step([TurnInput(direct.open(), audio(1), audio(2), seed=3)])[0].motion
    )
    assert one_more.shape == (F, C) and one_more.dtype == np.float32
    assert out.steps == 3 and set(out.stage_ns) == {"speech", "backbone", "denoise"}


def test_sessions_do_not_see_each_other_and_order_means_nothing() -> None:
    it = engine()
    slots = [it.open() for _ in range(3)]
    turns = [TurnInput(slot, audio(slot), audio(9 + slot), seed=slot) for slot in slots]
    together = {turn.slot: out.motion for turn, out in zip(turns, it.step(turns), strict=True)}
    for slot in slots:
        it.reset(slot)
    for turn in reversed(turns):
        np.testing.assert_array_equal(it.step([turn])[0].motion, together[turn.slot])


def test_noise_comes_from_the_seed_and_the_turn() -> None:
    it = engine()
    slot = it.open()
    first, second = one(it, slot, seed=7), one(it, slot, t=1, seed=7)
    it.reset(slot)
    np.testing.assert_array_equal(one(it, slot, seed=7), first)
    np.testing.assert_array_equal(one(it, slot, t=1, seed=7, turn=1), second)
    it.reset(slot)
    assert np.abs(one(it, slot, seed=8) - first).max() > 0.01
    it.reset(slot)
    assert np.abs(one(it, slot, seed=7, turn=5) - first).max() > 0.01


@pytest.mark.parametrize("sampler", ["ancestral", "dpm2m"])
def test_temperature_scales_the_step_noise_or_where_there_is_none_the_first(sampler: str) -> None:
    it = engine(sampler=sampler)
    noise = np.random.default_rng(0).standard_normal((6, F, C)).astype(np.float32)
    still, half = noise.copy(), noise.copy()
    scaled = slice(1, None) if sampler == "ancestral" else slice(0, 1)
    still[scaled] = 0
    half[scaled] *= 0.5

    def motion(noise: np.ndarray, temperature: float) -> np.ndarray:
        return one(it, it.open(), noise=noise, temperature=temperature)

    np.testing.assert_array_equal(motion(noise, 0), motion(still, 1))
    np.testing.assert_array_equal(motion(noise, 0.5), motion(half, 1))
    assert (motion(noise, 1) != motion(still, 1)).any()


def test_lip_noise_scales_the_noise_of_channels_without_gain() -> None:
    noise = np.random.default_rng(0).standard_normal((6, F, C)).astype(np.float32)
    config = small_config(denoise_target="residual", lip_noise=1.0)
    model = randomised(Timar(config))
    model.residual_gain[:, : C // 2] = 0
    scaled = noise.copy()
    scaled[:, :, : C // 2] *= 0.25
    louder = TorchEngine(model)
    model_quiet = Timar(small_config(denoise_target="residual", lip_noise=0.25))
    model_quiet.load_state_dict(model.state_dict())
    quiet = TorchEngine(model_quiet.eval())
    np.testing.assert_array_equal(one(quiet, quiet.open(), noise=noise), one(louder, louder.open(), noise=scaled))


def test_values_that_begin_without_noise_keep_the_first_estimate() -> None:
    seen: list[torch.Tensor] = []

    def predict(x: torch.Tensor, t: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
        seen.append(0.9 * x + 0.001 * t[:, None])
        return seen[-1], x

    scale = torch.tensor([0.0, 1.0])
    drawn = sample(predict, torch.ones(1, 3, 2), "dpm2m", 4, noise_scale=scale)
    assert len(seen) == 4
    assert torch.equal(drawn[:, 0], seen[0][:, 0]) and torch.equal(drawn[:, 1], seen[3][:, 1])
    free = sample(predict, torch.ones(1, 3, 2), "dpm2m", 4)
    assert torch.equal(drawn[:, 1], free[:, 1]) and not torch.equal(drawn[:, 0], free[:, 0])


def test_absent_streams_are_silence_and_a_learned_token() -> None:
    it = engine()
    noise = np.zeros((6, F, C), np.float32)
    absent = it.step([TurnInput(it.open(), noise=noise)])[0].motion
    silent = it.step([TurnInput(it.open(), np.zeros(SIZE), np.zeros(SIZE), noise=noise)])[0].motion
    np.testing.assert_array_equal(absent, silent)
    still = np.zeros((F, C), np.float32)
    seen = it.step([TurnInput(it.open(), user_motion=still, noise=noise)])[0].motion
    assert (seen != absent).any()
    unseen = TurnInput(
        it.open(), user_motion=np.full((F, C), np.nan), user_motion_present=np.zeros(F, bool), noise=noise
    )
    np.testing.assert_array_equal(it.step([unseen])[0].motion, absent)


def test_lookahead_that_comes_late_is_heard_by_the_next_turn() -> None:
    speech, noise = audio(5, 2 * F + 2), np.zeros((6, F, C), np.float32)

    def second(known: int, first: np.ndarray) -> np.ndarray:
        it = engine(own_past="masked", depth=1, context_turns=1, head_context_frames=0)  # no memory but the audio
        slot = it.open()
        it.step([TurnInput(slot, agent_audio=first[: SIZE + known], noise=noise)])
        return it.step([TurnInput(slot, agent_audio=first[SIZE:], noise=noise)])[0].motion

    np.testing.assert_array_equal(second(0, speech), second(1280, speech))


def test_guidance_moves_away_from_no_user() -> None:
    noise = np.random.default_rng(0).standard_normal((6, F, C)).astype(np.float32)
    motions = {}
    for schedule in ("constant", "linear"):
        for passes in (1, 2):
            it = engine(guidance_schedule=schedule, passes=passes, denoise_unit="frame")
            motions[schedule, passes] = one(it, it.open(), noise=noise, guidance=2.0)
    plain = engine(denoise_unit="frame")
    assert (motions["constant", 1] != one(plain, plain.open(), noise=noise)).any()
    close = lambda a, b: np.allclose(a, b, rtol=0, atol=1e-5)  # noqa: E731
    assert close(motions["constant", 2], motions["constant", 1]) and close(motions["linear", 1], motions["constant", 1])
    (_, split), (begin, _) = decoding_order(F, 2)
    assert split == begin == 2
    assert close(motions["linear", 2][split:], motions["constant", 1][split:])  # all is decoded: full guidance
    assert not close(motions["linear", 2][:split], motions["constant", 1][:split])


def test_the_clamp_keeps_flame_in_its_ranges() -> None:
    wild = engine(motion_space="flame56", eyes="model")
    tame = engine(motion_space="flame56", eyes="model", clamp=True)
    free, held = (one(it, it.open(), seed=1) for it in (wild, tame))
    assert free[:, 51:53].min() < -0.2 and free[:, 51:53].max() > 0.2
    assert np.abs(held[:, 51:53]).max() <= 0.1 + 1e-6 and held[:, 50].min() >= -1e-6
    with pytest.raises(Unsupported, match="flame56"):
        engine(clamp=True)


def test_a_failed_step_moves_no_slot() -> None:
    it = engine()
    slot, other = it.open(), it.open()
    with pytest.raises(InvalidArgument, match="NaN"):
        it.step([TurnInput(slot, audio(0), audio(50), seed=1), TurnInput(other, np.full(SIZE, np.nan))])
    fresh = engine()
    np.testing.assert_array_equal(one(it, slot, seed=1), one(fresh, fresh.open(), seed=1))


@pytest.mark.parametrize(
    ("turn", "message"),
    [
        ({"user_audio": np.zeros(SIZE + 1)}, r"user_audio has shape \(3201,\); expected \(3200,\)"),
        ({"agent_audio": np.zeros(SIZE + 640)}, r"agent_audio has shape \(3840,\); expected \(3200,\) or \(4480,\)"),
        ({"user_motion": np.zeros((F, C + 1))}, r"user_motion has shape \(5, 56\)"),
        ({"user_motion": np.zeros((F - 1, C))}, r"user_motion has shape \(4, 55\)"),
        ({"user_motion": np.zeros((F, C)), "user_motion_present": np.ones(4)}, r"user_motion_present has shape \(4,\)"),
        ({"user_motion": np.full((F, C), np.inf)}, "user_motion holds NaN or infinity"),
        ({"noise": np.zeros((5, F, C))}, r"noise has shape \(5, 5, 55\); expected \(6, 5, 55\)"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"temperature": -1.0}, "temperature is -1.0"),
        ({"guidance": float("inf")}, "guidance is inf"),
        ({"steps": 1}, "2 to 1000 steps, not 1"),
        ({"slot": 9}, "slot 9 is not open"),
    ],
)
def test_wrong_turns_are_refused(turn: dict[str, Any], message: str) -> None:
    it = engine()
    with pytest.raises(InvalidArgument, match=message):
        it.step([TurnInput(**{"slot": it.open(), **turn})])


def test_wrong_options_and_slots_are_refused() -> None:
    with pytest.raises(Unsupported, match="trained with own past lagged"):
        engine(history="masked")
    with pytest.raises(InvalidArgument, match="relative positions go with the ring"):
        engine(window="exact")
    with pytest.raises(InvalidArgument, match="passes is 6; expected 1 to 5"):
        engine(passes=6)
    with pytest.raises(InvalidArgument, match="guidance_schedule is 'cosine'"):
        engine(guidance_schedule="cosine")
    it = engine()
    slot = it.open()
    it.close(slot)
    for call in (it.close, it.reset):
        with pytest.raises(InvalidArgument, match="slot 0 is not open; open ones: none"):
            call(slot)
    slot = it.open()
    with pytest.raises(InvalidArgument, match="appears twice"):
        it.step([TurnInput(slot), TurnInput(slot)])


def test_passes_decode_every_frame_once() -> None:
    assert [end - begin for begin, end in decoding_order(25, 4)] == [2, 6, 8, 9]
    for n in (1, 5, 25):
        for passes in range(1, n + 1):
            spans = decoding_order(n, passes)
            assert len(spans) == passes and all(begin < end for begin, end in spans)
            assert [begin for begin, _ in spans] == [0] + [end for _, end in spans[:-1]] and spans[-1][1] == n


def test_a_ring_forgets_what_leaves_its_window() -> None:
    it = engine(own_past="masked", depth=1, head_context_frames=0)
    noise = np.zeros((6, F, C), np.float32)
    long, short = it.open(), it.open()
    for t in range(8):
        if t >= 3:  # 4 visible turns and the audio that the first of them still hears
            one(it, short, t, noise=noise)
        one(it, long, t, noise=noise)
    torch.testing.assert_close(one(it, long, 8, noise=noise), one(it, short, 8, noise=noise), rtol=0, atol=1e-5)
