"""Whether what a model's head draws is spread as widely as what it cannot know, channel by channel.

    python benchmarks/calibration.py --data corpus/v2 runs/live/model.gguf python/visavis/assets/default.gguf

Every turn of some crops is drawn many times with the recording's own past (no session runs free here).  The mean of
the draws should be the mean of what is possible, so `slope`, of the truth on it, should be 1; under 1 it says too much,
over 1 too little.  Draws should lie about their mean as the truth does, so `spread`, their variance over the truth's
mean square distance from it, should be 1; under 1 the face is more timid than it has reason to be.  "moving" are turns
before which the channel's last step was larger than twice its rms step: a nod or a smile has begun.  DPM-Solver++
draws, the noise unscaled (the file's `noise_scale` does not count).
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch

from visavis.data.dualtalk import read_split
from visavis.engine import model_path
from visavis.export.research import load_model
from visavis.model.timar import Timar
from visavis.motion_space import ARKIT55
from visavis.training.crops import CropRecipe, CropSampler
from visavis.training.distillation import denoised
from visavis.training.objective import Objective
from visavis.training.recipes import live_recipe
from visavis.training.state import normalisation_of

Floats = npt.NDArray[np.float32]
CHANNELS = ("headPitch", "headYaw", "mouthSmileLeft", "browInnerUp")
MOVING = 2.0  # rms steps
PLAIN = CropRecipe(
    session_start=0.0, user_motion_absent=1.0, user_audio_absent=0.0, both_absent=0.0, style_absent=0.0
).unspoilt()


@torch.no_grad()
def drawn(
    model: Timar, sampler: CropSampler, objective: Objective, crop: int, draws: int, steps: int
) -> tuple[Floats, Floats, Floats]:
    """Of one crop: rows of the recording (n, F, C), the model's (draws, n, F, C), last steps before, in rms (n, C)."""
    config, generator = model.config, torch.Generator().manual_seed(crop)
    batch = sampler.batch(crop, 1)
    seen = objective.seen(model, batch, generator)
    condition = model.head_condition(seen.z, seen.own).reshape(-1, config.condition_width)
    noise = torch.randn(draws * len(condition), config.row_width, generator=generator)
    made = denoised(model, condition, noise, steps)
    own = model.by_turn(seen.clean[:, : batch.agent_motion.shape[1]])[0]  # (n, F, C), the turn before each
    truth = model.rows(model.by_turn(model.normalise(batch.agent_motion)), own[None, :, -1])
    step = (own[:, -1] - own[:, -2]) * objective.scales[0].sqrt()
    return truth.reshape(own.shape).numpy(), made.reshape(draws, *own.shape).numpy(), step.numpy()


def calibration(truth: Floats, made: Floats) -> tuple[float, float]:
    """Slope and spread of turns (n, F) and their draws (draws, n, F); what few draws add to them is taken off."""
    mean, variance = made.mean(0, dtype=np.float64), made.var(0, ddof=1, dtype=np.float64)
    chance = variance / len(made)  # of the mean of the draws
    slope = (truth * mean).mean() / (mean**2 - chance).mean()
    return float(slope), float(variance.mean() / ((truth - mean) ** 2 - chance).mean())


def main() -> None:
    """Measure every model and print its lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path, help="model files (.gguf), or the names of packaged ones")
    parser.add_argument("--data", type=Path, required=True, help="folder made by `visavis corpus build`")
    parser.add_argument("--split", default="val", help="of the corpus (val)")
    parser.add_argument("--crops", type=int, default=80, help="of 24 s each (80)")
    parser.add_argument("--draws", type=int, default=8, help="of every turn (8)")
    parser.add_argument("--steps", type=int, help="of denoising; the file's without")
    args = parser.parse_args()
    folder = read_split(args.data, args.split, ARKIT55)
    motions = [agent.motion for dialogue in folder.dialogues for agent, _ in dialogue.roles()]
    recipe = replace(live_recipe(), own_past_noise=0.0, head_past_noise=0.0)
    for path in args.models:
        model = load_model(model_path(path)).eval()
        if not isinstance(model, Timar) or model.config.space != ARKIT55:
            parser.error(
                f"{path}: expected a model of turns in the space arkit55, not one for comparison or in flame56"
            )
        objective = Objective.measure(recipe, model.config, motions, normalisation_of(model.state_dict()))
        sampler = CropSampler(folder.dialogues, model.config, PLAIN, seed=1)
        steps = args.steps or model.config.steps
        found = [drawn(model, sampler, objective, crop, args.draws, steps) for crop in range(args.crops)]
        truth, step = (np.concatenate([crop[i] for crop in found]) for i in (0, 2))
        made = np.concatenate([crop[1] for crop in found], 1)
        for name in CHANNELS:
            channel = ARKIT55.index(name)
            moving = np.abs(step[:, channel]) > MOVING
            for state, turns in (("all", moving | ~moving), ("moving", moving)):
                if not turns.any():
                    continue
                rows = truth[turns][..., channel]
                slope, spread = calibration(rows, made[:, turns][..., channel])
                power = float(np.square(rows).mean())
                numbers = f"{len(rows):6d} turns  power {power:7.3f}  slope {slope:5.2f}  spread {spread:5.2f}"
                print(path, f"{steps} steps", f"{name:14}", f"{state:6}", numbers, sep="  ", flush=True)


if __name__ == "__main__":
    main()
