"""What faces do while the other person speaks: a minute or two where the suite takes many.

    python benchmarks/listening.py --data corpus --minutes 40 python/visavis/assets/default.gguf runs/live/model.gguf

One line a model and temperature: nods and smiles within a second after the partner's phrases, at the same moments with
another conversation's user, their ratio, the performer's two numbers last; both a minute of listening; head pitch power
at 1 to 7 Hz over the performer's; head speed.  Live sessions with the shipped settings, the user's face absent, on the
split `val`; the suite has the same measures with intervals (docs/suite.md).  Last, a minute of the packaged voices as
the user's, the agent silent: nods, smiles and the range of the head's pitch, means of 12 seeds, and the widest jaw.
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from visavis.bridge.demo import demo_voice
from visavis.constants import SAMPLE_RATE
from visavis.data.dualtalk import read_split
from visavis.evaluation import checks, conversation, events
from visavis.evaluation.checks import Clip
from visavis.evaluation.generate import Scene, SessionGenerator
from visavis.evaluation.run import choose, other_scenes
from visavis.motion_space import ARKIT55

SEEDS = 12


def clips_of(data: Path, split: str, minutes: float | None) -> list[Clip]:
    """Both roles of the split's conversations, without motion of a model."""
    dialogues = choose(read_split(data, split, ARKIT55).dialogues, minutes)
    return [Clip(d.name, agent, user, agent.motion) for d in dialogues for agent, user in d.roles()]


def measure(model: Path, clips: Sequence[Clip], temperature: float, seed: int) -> dict[str, str]:
    """The columns of one model."""
    generate = SessionGenerator(model, seed, temperature)
    scenes = [Scene(*(p.audio.astype(np.float32) for p in (clip.agent, clip.user))) for clip in clips]
    strange = [
        s._replace(user=np.resize(o.user, s.agent.shape)) for s, o in zip(scenes, other_scenes(scenes), strict=True)
    ]
    for clip, own, other in zip(clips, generate(scenes), generate(strange), strict=True):
        clip.motion, clip.other_user = own[: len(clip.agent.motion)], other[: len(clip.agent.motion)]
    row = {check.name.split()[0]: f"{check.value:.1f} ({check.note})" for check in checks.listening_checks(clips)}
    for found in conversation.head_measures(clips):
        if "a minute of listening" in found.name or found.name.startswith("head"):
            row[found.name.replace(" of listening", "").replace(" / performer's", "")] = f"{found.value:.3g}"
    return row


def packaged(model: Path, temperature: float) -> str:
    """A minute of the packaged voices as the user's, the agent silent: means of SEEDS seeds, and the widest jaw."""
    user = np.resize(np.concatenate([demo_voice(who).samples for who in ("user", "agent")]), 60 * SAMPLE_RATE)
    motions = SessionGenerator(model, 1, temperature)([Scene(np.zeros_like(user), user)] * SEEDS)
    nods, smiles = (np.mean([len(starts(m)) for m in motions]) for starts in (events.nod_starts, events.smile_starts))
    jaw, pitch = (np.stack([m[:, ARKIT55.index(name)] for m in motions]) for name in ("jawOpen", "headPitch"))
    degrees = np.rad2deg(np.ptp(pitch, axis=1)).mean()
    return f"{nods:.1f} nods, {smiles:.1f} smiles, pitch over {degrees:.1f} deg, jawOpen up to {jaw.max():.3f}"


def main() -> None:
    """Measure every model and print the lines."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path, help="model files (.gguf)")
    parser.add_argument("--data", type=Path, required=True, help="folder made by `visavis corpus build`")
    parser.add_argument("--split", default="val", help="of the corpus (val)")
    parser.add_argument("--minutes", type=float, help="of conversations, both roles counted; all without")
    parser.add_argument("--temperature", type=float, nargs="+", default=[1.0], help="of the sessions (1)")
    parser.add_argument("--seed", type=int, default=1, help="of the sessions' noise (1)")
    args = parser.parse_args()
    clips = clips_of(args.data, args.split, args.minutes)
    for model in args.models:
        for temperature in args.temperature:
            begin = time.monotonic()
            row = measure(model, clips, temperature, args.seed)
            row["packaged"] = packaged(model, temperature)
            columns = (f"{k} {v}" for k, v in row.items())
            print(model, f"at {temperature:g}", *columns, f"{time.monotonic() - begin:.0f} s", sep="  ", flush=True)


if __name__ == "__main__":
    main()
