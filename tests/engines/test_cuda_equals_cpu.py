"""The CUDA engine gives what engine cpu gives, for every switch of the model family: on the emulator, or on the GPU.

Both hear and remember on their own; engine cpu computes in float32, engine cuda in halves, so that they differ by what
halves round.  "Error" is the root mean square difference over that of the motion around its mean.
"""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from engine_cases import STYLES, random_turns, write_model
from small_models import small_config

import visavis
from visavis.model.config import ModelConfig, live_config
from visavis.model.wav2vec2 import Wav2Vec2Config, Wav2Vec2Encoder

TOLERANCE = {"f16": 2e-3, "bf16": 1e-2}

RINGS = [
    {"layout": layout, "own_past": own_past, "denoise_unit": unit}
    for layout in ("fused", "markers")
    for own_past in ("masked", "fed", "lagged")
    for unit in ("frame", "turn")
]
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


@pytest.fixture(scope="module", params=["emulator", pytest.param("gpu", marks=pytest.mark.gpu)])
def where(request: pytest.FixtureRequest) -> Iterator[str]:
    """The library that engine cuda loads."""
    with pytest.MonkeyPatch.context() as patch:
        if request.param == "emulator":
            patch.setenv("VISAVIS_CUDA_LIBRARY", str(request.getfixturevalue("emulated")))
        yield request.param


def error(
    path: Path,
    config: ModelConfig,
    precision: str,
    n_turns: int,
    options: dict[str, Any] | None = None,
    **turn_options: Any,
) -> float:
    cuda = visavis.load_engine(path, "cuda", precision=precision, **(options or {}))
    cpu = visavis.load_engine(path, "cpu", **(options or {}))
    assert cuda.open() == cpu.open() == 0
    assert cuda.config == cpu.config and cuda.info == cpu.info
    found, expected = [], []
    for turn in random_turns(config, n_turns, **turn_options):
        found.append(cuda.step([turn])[0].motion)
        expected.append(cpu.step([turn])[0].motion)
    motion = np.concatenate(expected)
    spread = np.sqrt(np.square(motion - motion.mean(axis=0)).mean())
    assert spread > 0.005
    worst = float(np.sqrt(np.square(np.concatenate(found) - motion).mean()) / spread)
    print(f"{worst:.2g}")
    return worst


@pytest.mark.parametrize("switches", RINGS, ids=lambda s: "-".join(s.values()))
def test_ring(where: str, tmp_path: Path, switches: dict[str, Any]) -> None:
    config = small_config(**switches, noise_coherence=0.6)
    path = write_model(tmp_path / "m.gguf", config)
    assert error(path, config, "f16", 11, seed=3) < TOLERANCE["f16"]


@pytest.mark.parametrize("switches", WINDOWS, ids=lambda s: "-".join(s.values()))
def test_windows_over_absolute_positions(where: str, tmp_path: Path, switches: dict[str, Any]) -> None:
    config = small_config(**{**PAPER, "turn_frames": 5, **switches})
    path = write_model(tmp_path / "m.gguf", config)
    assert error(path, config, "f16", 11, seed=4) < TOLERANCE["f16"]


@pytest.mark.parametrize(
    ("switches", "options", "turn_options"),
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
        ({"styles": STYLES, "layout": "markers", "own_past": "fed", "denoise_unit": "frame"}, {}, {}),
        ({"width": 66, "heads": 3, "head_width": 20, "token_width": 14}, {}, {}),
    ],
    ids=str,
)
def test_options(
    where: str, tmp_path: Path, switches: dict[str, Any], options: dict[str, Any], turn_options: dict[str, Any]
) -> None:
    config = small_config(**switches)
    path = write_model(tmp_path / "m.gguf", config)
    assert error(path, config, "f16", 9, options, **turn_options) < TOLERANCE["f16"]


@pytest.mark.parametrize(("conv_norm", "pre_norm"), [("layer", True), ("group", False)])
def test_wav2vec2(where: str, tmp_path: Path, conv_norm: str, pre_norm: bool) -> None:
    config = small_config(**{**PAPER, **WINDOWS[0], "turn_frames": 5, "speech_encoder": "wav2vec2"})
    encoder = Wav2Vec2Config(
        width=config.speech_width,
        depth=2,
        heads=2,
        mlp_width=20,
        conv_widths=(8, 12, 8, 10),
        conv_kernels=(10, 8, 4, 3),
        conv_strides=(5, 8, 4, 2),
        conv_bias=pre_norm,
        conv_norm=conv_norm,
        position_kernel=8,
        position_groups=2,
        pre_norm=pre_norm,
        eps=1e-5,
    )
    torch.manual_seed(0)
    path = write_model(tmp_path / "m.gguf", config, Wav2Vec2Encoder(encoder, config.turn_frames))
    assert error(path, config, "f16", 9, seed=5) < TOLERANCE["f16"]


def test_the_live_default_in_bfloat16(where: str, tmp_path: Path) -> None:
    config = live_config(context_turns=2)
    path = write_model(tmp_path / "m.gguf", config)
    assert error(path, config, "bf16", 3) < TOLERANCE["bf16"]


def auto(path: Path, patch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture) -> tuple[set[str], str]:
    """What engine auto is, loaded twice, and the one line that it writes."""
    patch.setattr(visavis.engine, "_said", set())
    names = {visavis.load(path, engine="auto").engine_name for _ in range(2)}
    (line,) = (record.message for record in caplog.records)
    return names, line


def test_auto_is_cuda_where_it_works(
    where: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    path = write_model(tmp_path / "m.gguf", small_config())
    names, line = auto(path, monkeypatch, caplog)
    assert names == {"cuda"} and re.fullmatch("engine auto: cuda, in (bf16|f16)", line)


@pytest.mark.parametrize(
    ("machine", "reason"),
    [
        ({"DEVICES": 0}, "cudaErrorNoDevice .*no NVIDIA GPU is visible: use engine cpu"),
        ({"DRIVER": 12000}, "the NVIDIA driver knows CUDA 12.0, expected at least 13.0; install a newer NVIDIA driver"),
        ({"CAPABILITY": 61}, "the GPU has compute capability 6.1; expected at least 7.5"),
        ({"MEMORY": 20_000}, "cudaErrorMemoryAllocation .*fewer sessions, a smaller model, or engine cpu"),
    ],
    ids=str,
)
@pytest.mark.parametrize("where", ["emulator"], indirect=True)
def test_auto_is_cpu_elsewhere(
    where: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    machine: dict[str, int],
    reason: str,
) -> None:
    for name, value in machine.items():
        monkeypatch.setenv(f"VISAVIS_EMULATOR_{name}", str(value))
    path = write_model(tmp_path / "m.gguf", small_config())
    names, line = auto(path, monkeypatch, caplog)
    assert names == {"cpu"} and re.match(f"engine auto: cpu, because .*{reason}", line)
