"""The native CPU engine gives what the torch reference gives, over 60 s, for every switch of the model family."""

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_cases import STYLES, random_turns, write_model
from small_models import small_config

import visavis
from visavis.model.config import ModelConfig, live_config

SECONDS = 60
TOLERANCE = 2e-4

# What goes with ring windows (relative positions): every layout, own past and denoising unit.
RINGS = [
    {"layout": layout, "own_past": own_past, "denoise_unit": unit}
    for layout in ("fused", "markers")
    for own_past in ("masked", "fed", "lagged")
    for unit in ("frame", "turn")
]
# Absolute positions, as the paper has them.
WINDOWS = [
    {"positions": "absolute", "window": window, "own_past": own_past, "layout": "markers", "denoise_unit": "frame"}
    for window in ("exact", "amortised")
    for own_past in ("masked", "fed", "lagged")
]
PAPER = {
    "motion_space": "flame56",
    "turn_frames": 25,
    "user_lag_frames": 0,
    "agent_lookahead_frames": 0,
    "eyes": "model",
}


def worst_difference(
    path: Path, config: ModelConfig, engine_options: dict[str, Any] | None = None, **turn_options: Any
) -> float:
    """The largest difference of any value in any frame, both engines hearing and remembering on their own."""
    engines = [visavis.load_engine(path, engine, **(engine_options or {})) for engine in ("cpu", "torch")]
    assert all(engine.open() == 0 for engine in engines)
    assert engines[0].config == engines[1].config and engines[0].info == engines[1].info
    worst, motions = 0.0, []
    for turn in random_turns(config, int(SECONDS * 25 / config.turn_frames), **turn_options):
        native, reference = (engine.step([turn])[0].motion for engine in engines)
        worst = max(worst, float(np.abs(native - reference).max()))
        motions.append(reference)
    motion = np.concatenate(motions)
    assert motion.std(axis=0).max() > 0.03 and np.abs(motion).max() < 20  # lively, and not running away
    return worst


@pytest.mark.parametrize("switches", RINGS, ids=lambda s: "-".join(s.values()))
def test_ring(tmp_path: Path, switches: dict[str, Any]) -> None:
    config = small_config(**switches, noise_coherence=0.6)
    assert worst_difference(write_model(tmp_path / "m.gguf", config), config, seed=3) < TOLERANCE


@pytest.mark.parametrize("switches", WINDOWS, ids=lambda s: "-".join(s.values()))
def test_windows_over_absolute_positions(tmp_path: Path, switches: dict[str, Any]) -> None:
    config = small_config(**{**PAPER, **switches})
    path = write_model(tmp_path / "m.gguf", config)
    assert worst_difference(path, config, seed=4) < TOLERANCE


@pytest.mark.parametrize(
    ("switches", "engine_options", "turn_options"),
    [
        ({"denoise_target": "residual"}, {}, {}),
        ({"denoise_target": "residual", "sampler": "dpm2m"}, {}, {"guidance": 1.3, "temperature": 0.6}),
        ({"denoise_target": "residual", "lip_noise": 0.0}, {}, {"temperature": 1.2}),
        ({"denoise_target": "residual", "lip_noise": 0.0, "sampler": "dpm2m", "steps": 3}, {}, {}),
        ({"denoise_unit": "frame"}, {"sampler": "dpm2m", "steps": 3}, {}),
        ({"sampler": "dpm2m"}, {"sampler": "ancestral", "steps": 2}, {"temperature": 0.3}),
        ({"denoise_unit": "frame"}, {"passes": 3, "guidance_schedule": "linear"}, {"guidance": 1.7}),
        ({"own_past": "fed"}, {"history": "masked"}, {"guidance": 0.5}),
        ({"layout": "markers"}, {}, {"guidance": 1.5, "temperature": 0.8, "steps": 7}),
        ({"agent_lookahead_frames": 0, "turn_frames": 3}, {}, {"turn": 1 << 30}),
        ({"styles": STYLES}, {}, {"guidance": 1.4}),
        ({"styles": STYLES[:1], "layout": "markers", "own_past": "masked"}, {}, {}),
        ({"styles": STYLES, "layout": "markers", "own_past": "fed", "denoise_unit": "frame"}, {}, {"guidance": 0.7}),
        ({"styles": STYLES, "own_past": "fed"}, {"history": "masked"}, {}),
        ({**PAPER, **WINDOWS[1], "styles": STYLES}, {"window": "amortised"}, {}),
        ({**PAPER, **WINDOWS[1], "styles": STYLES}, {}, {}),
    ],
    ids=str,
)
def test_options(
    tmp_path: Path, switches: dict[str, Any], engine_options: dict[str, Any], turn_options: dict[str, Any]
) -> None:
    config = small_config(**switches)
    path = write_model(tmp_path / "m.gguf", config)
    assert worst_difference(path, config, engine_options, **turn_options) < TOLERANCE


def test_window_option(tmp_path: Path) -> None:
    config = small_config(**PAPER, positions="absolute", window="exact", own_past="fed", context_turns=3)
    path = write_model(tmp_path / "m.gguf", config)
    assert worst_difference(path, config, {"window": "amortised"}) < TOLERANCE


def test_the_live_default(tmp_path: Path) -> None:
    config = live_config()
    path = write_model(tmp_path / "m.gguf", config)
    assert worst_difference(path, config) < TOLERANCE
