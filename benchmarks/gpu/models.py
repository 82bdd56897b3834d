"""Model files for the GPU benchmarks: TIMAR-large with its wav2vec2, random weights.

    python benchmarks/gpu/models.py large.gguf            # 743 M parameters, 1.5 GB
    python benchmarks/gpu/models.py tiny.gguf --tiny      # the same shape in small

Needs torch, not the package gguf: the file is written as the tests write theirs.
"""

import argparse
import sys
from pathlib import Path

import torch

from visavis.model.config import ModelConfig, paper_config
from visavis.model.normalisation import Normalisation
from visavis.model.timar import Timar
from visavis.model.wav2vec2 import Wav2Vec2Config, Wav2Vec2Encoder

sys.path.insert(0, str(Path(__file__).parents[2] / "tests" / "python"))
from plain_gguf import save_plain

KERNELS, STRIDES = (10, 3, 3, 3, 3, 2, 2), (5, 2, 2, 2, 2, 2, 2)


def large_config(tiny: bool = False) -> tuple[ModelConfig, Wav2Vec2Config]:
    """TIMAR-large (32 blocks, 1024 wide) and wav2vec2-large; tiny: two blocks, narrow, a turn of five frames."""
    small = dict(width=32, depth=2, heads=2, token_width=24, speech_width=16, head_width=32, head_depth=1)
    options = {**small, "turn_frames": 5} if tiny else dict(width=1024, depth=32, heads=16)
    encoder = Wav2Vec2Config(
        width=16 if tiny else 1024,
        depth=1 if tiny else 24,
        heads=2 if tiny else 16,
        mlp_width=32 if tiny else 4096,
        conv_widths=(8 if tiny else 512,) * len(KERNELS),
        conv_kernels=KERNELS,
        conv_strides=STRIDES,
        conv_bias=True,
        conv_norm="layer",
        position_kernel=16 if tiny else 128,
        position_groups=2 if tiny else 16,
        pre_norm=True,
        eps=1e-5,
    )
    return paper_config(**options), encoder


def random_model(tiny: bool = False, seed: int = 0) -> Timar:
    """The model with weights that keep every layer's output near the size of its input."""
    config, encoder_config = large_config(tiny)
    torch.manual_seed(seed)
    encoder = Wav2Vec2Encoder(encoder_config, config.turn_frames)
    model = Timar(config, Normalisation.identity(config.n_channels), encoder)
    for name, parameter in model.named_parameters():
        if parameter.ndim > 1:
            spread = parameter[0].numel() ** -0.5
            parameter.data.normal_(0, 0.02 if "pos_embed" in name or name.endswith("token") else spread)
        elif not name.endswith("bias"):
            parameter.data.fill_(1)
        else:
            parameter.data.normal_(0, 0.02)
    model.diffloss.net.final_layer.linear.weight.data *= 0.3
    return model.eval()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("out", type=Path, help="model file to write (GGUF, matrices as f16)")
    parser.add_argument("--tiny", action="store_true", help="small sizes, to try the benchmarks without a GPU")
    options = parser.parse_args()
    model = random_model(options.tiny)
    save_plain(options.out, model)
    n = sum(parameter.numel() for parameter in model.parameters())
    print(f"{options.out}: {n / 1e6:.1f} M parameters, {options.out.stat().st_size / 1e6:.0f} MB")


if __name__ == "__main__":
    main()
