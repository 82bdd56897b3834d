"""The sliding-window training pass computes what the streaming torch engine computes turn by turn, over 60 s."""

import numpy as np
import pytest
import torch
from small_models import random_batch, randomised, small_config

from visavis.constants import SAMPLES_PER_FRAME
from visavis.engine import TurnInput
from visavis.engines.torch import TorchEngine
from visavis.engines.windows import RingWindow
from visavis.model.batch import TurnBatch
from visavis.model.config import ModelConfig
from visavis.model.diffusion import sample
from visavis.model.normalisation import Normalisation
from visavis.model.timar import Timar

SECONDS = 60
STEPS = 2


def crop(config: ModelConfig, seconds: float) -> TurnBatch:
    """One session of noise; the user's motion comes and goes, the lookahead is missing in a third of the turns."""
    n = int(seconds * 25 / config.turn_frames)
    batch = random_batch(config, 1, n, seed=1)
    batch.user_audio[:, : config.context_samples] = 0
    batch.agent_audio[:, : config.context_samples] = 0
    batch.user_motion_present = torch.arange(n * config.turn_frames)[None] % 137 < 80
    batch.previous_present[:] = False
    batch.lookahead_present = torch.arange(n)[None] % 3 != 1
    return batch


def stream(engine: TorchEngine, batch: TurnBatch, noise: np.ndarray) -> np.ndarray:
    """The motion (L, C) of the crop, turn by turn."""
    F, context = engine.config.turn_frames, engine.config.context_samples
    size = F * SAMPLES_PER_FRAME
    ahead = engine.config.agent_lookahead_frames * SAMPLES_PER_FRAME
    user, agent = (audio[0, context:].numpy() for audio in (batch.user_audio, batch.agent_audio))
    assert batch.lookahead_present is not None
    slot = engine.open()
    motion = []
    for t, known in enumerate(batch.lookahead_present[0].tolist()):
        frames = slice(t * F, t * F + F)
        turn = TurnInput(
            slot,
            user_audio=user[t * size : (t + 1) * size],
            agent_audio=agent[t * size : (t + 1) * size + known * ahead],
            user_motion=batch.user_motion[0, frames].numpy(),
            user_motion_present=batch.user_motion_present[0, frames].numpy(),
            noise=noise[:, frames],
            style=None if batch.agent_style is None else batch.agent_style[0].numpy(),
        )
        motion.append(engine.step([turn])[0].motion)
    return np.concatenate(motion)


@torch.no_grad()
def in_one_pass(model: Timar, batch: TurnBatch, noise: np.ndarray) -> tuple[torch.Tensor, torch.Tensor]:
    """z (n, F, D) and motion (L, C) of the training pass, given the motion that was streamed as the own past."""
    F, C = model.config.turn_frames, model.config.n_channels
    own = model.own_motion(batch)  # (1, F + L, C)
    z = model.condition_on(batch, own)
    condition = model.diffloss.net.cond_embed(model.head_condition(z, own).reshape(-1, model.config.condition_width))
    rows = torch.from_numpy(noise).reshape(1 + STEPS, len(condition), -1)
    drawn = sample(
        lambda x, t: model.diffloss.predict(x, t, condition), rows, "ancestral", STEPS, noise_scale=model.noise_scale()
    )
    before = own[:, F - 1 : -1 : F]  # (1, n, C), the last own frame before each turn
    return z[0], model.denormalise(model.motion_of(drawn, before)).reshape(-1, C)


@pytest.mark.parametrize("past", ["masked", "fed", "lagged"])
@pytest.mark.parametrize("layout", ["fused", "markers"])
@pytest.mark.parametrize("head", ["frame", "turn", "residual"])
def test_the_training_pass_equals_the_ring(past: str, layout: str, head: str, monkeypatch: pytest.MonkeyPatch) -> None:
    unit = {"denoise_unit": "turn", "denoise_target": "residual"} if head == "residual" else {"denoise_unit": head}
    styles = ("talkative", "gaze") if head == "turn" else ()
    config = small_config(own_past=past, layout=layout, steps=STEPS, styles=styles, **unit)
    rng = np.random.default_rng(0)
    weight = np.ones(config.n_channels, np.float32)
    weight[::9] = 0
    walk = rng.uniform(0.005, 0.01, (5, 55))  # more, and a random residual model runs away
    normalisation = Normalisation(rng.uniform(size=55), rng.uniform(0.1, 0.5, 55), weight, walk)
    model = randomised(Timar(config, normalisation))
    batch = crop(config, SECONDS)
    noise = rng.standard_normal((1 + STEPS, SECONDS * 25, config.n_channels), np.float32)
    seen = []
    condition = RingWindow.condition

    def recorded(window: RingWindow, turn: torch.Tensor) -> torch.Tensor:
        seen.append(condition(window, turn))
        return seen[-1]

    monkeypatch.setattr(RingWindow, "condition", recorded)
    motion = stream(TorchEngine(model), batch, noise)
    assert not motion[:, ::9].any() and np.abs(motion).max() < 1e3 and motion[:, 1].std() > 1e-3
    batch.agent_motion = torch.from_numpy(motion)[None]
    z, drawn = in_one_pass(model, batch, noise)
    np.testing.assert_allclose(torch.stack(seen), z, rtol=0, atol=1e-4)
    np.testing.assert_allclose(motion, drawn, rtol=0, atol=1e-5 if head == "residual" else 1e-4)


def test_absolute_positions_agree_until_the_window_slides() -> None:
    config = small_config(layout="markers", positions="absolute", window="exact", own_past="fed", steps=STEPS)
    model = randomised(Timar(config))
    batch = crop(config, 0.8)  # the 4 visible turns
    noise = np.random.default_rng(0).standard_normal((1 + STEPS, 20, config.n_channels), np.float32)
    exact, amortised = (stream(TorchEngine(model, window=w), batch, noise) for w in ("exact", "amortised"))
    batch.agent_motion = torch.from_numpy(exact)[None]
    np.testing.assert_allclose(exact, in_one_pass(model, batch, noise)[1], rtol=0, atol=1e-4)
    np.testing.assert_allclose(exact, amortised, rtol=0, atol=1e-4)


def test_a_crop_goes_on_where_the_last_one_ended() -> None:
    """With history as long as the stacked receptive field a crop from the middle gives the same z."""
    model = randomised(Timar(small_config(depth=1)))
    config = model.config
    whole = random_batch(config, 1, 12)
    F, size = config.turn_frames, config.turn_frames * SAMPLES_PER_FRAME
    later = TurnBatch(
        user_audio=whole.user_audio[:, 4 * size :],
        agent_audio=whole.agent_audio[:, 4 * size :],
        user_motion=whole.user_motion[:, 4 * F :],
        user_motion_present=whole.user_motion_present[:, 4 * F :],
        agent_motion=whole.agent_motion[:, 4 * F :],
        previous_motion=whole.agent_motion[:, 3 * F : 4 * F],
        previous_present=torch.ones(1, dtype=torch.bool),
    )
    with torch.no_grad():
        expected, found = model.condition(whole)[:, 7:], model.condition(later)[:, 3:]  # 4 visible turns
    torch.testing.assert_close(found, expected, rtol=0, atol=1e-5)
