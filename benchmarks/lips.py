"""What the lips of model files do with real voices and with music: a minute where the suite takes many.

    python benchmarks/lips.py --voices voices --minutes 20 python/visavis/assets/default.gguf runs/live/model.gguf

`visavis corpus voices` makes the folder.  One line a model: mouth r and lips shut on p, b, m, as the suite has them;
lips shut on each of the three, and where one of them opens a phrase (the phone before it ended OPENS_S ago or longer);
travel of the mouth under music and silence over the reference's while it speaks.  Live sessions with the shipped
settings, user silent.  The dev half of the voices alone: the other is for reports (docs/suite.md).
"""

import argparse
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visavis.data.corpus.phones import BILABIALS
from visavis.data.dualtalk import Person
from visavis.data.voices.folder import VoiceClip, read_voices, reels
from visavis.evaluation import events, lips, sounds
from visavis.evaluation.generate import Scene, SessionGenerator
from visavis.evaluation.measures import divided
from visavis.evaluation.suite import at_most

Floats = npt.NDArray[np.float32]
OPENS_S = 0.15
SOUND_S = 60.0
SOUNDS = {"silence": sounds.silence, "chords": sounds.chords, "drums": sounds.drums, "both": sounds.band}


def phones(person: Person, label: str | None = None, opens: bool | None = None) -> Person:
    """The person with some of the phones only: those of that label, those that open a phrase (or do not)."""
    names, begins, ends = (person.labels[f"phone_{k}"] for k in ("label", "start", "end"))
    before = np.concatenate([[-np.inf], ends[:-1]])[: len(begins)]
    kept = np.ones(len(begins), bool) if label is None else names == label
    if opens is not None:
        kept &= (begins - before >= OPENS_S) == opens
    labels = {"phone_label": names[kept], "phone_start": begins[kept], "phone_end": ends[kept]}
    return Person(person.audio, person.motion, labels)


def shut(motions: Sequence[Floats], persons: Sequence[Person]) -> tuple[float, int]:
    """Share of p, b and m with shut lips, and their number."""
    total = events.Closures()
    for motion, person in zip(motions, persons, strict=True):
        total += events.closures(motion, person)
    return float(divided(np.float64(total.closed), np.float64(total.bilabials))), total.bilabials


def measure(model: Path, clips: Sequence[VoiceClip], seed: int) -> dict[str, str]:
    """The columns of one model."""
    generate = SessionGenerator(model, seed)
    parts = reels(list(clips))
    made = generate([Scene(reel.audio, np.zeros_like(reel.audio)) for reel in parts])
    motions = [m for reel, motion in zip(parts, made, strict=True) for m in reel.parts(motion)]
    persons = [clip.person for clip in clips]
    found = lips.against_reference(motions, persons)
    row = {key: f"{found[key].value:.3f}" for key in ("r", "closed", "false", "pressed", "jitter")}
    for label in sorted(BILABIALS):
        for opens in (True, False):
            share, n = shut(motions, [phones(p, label, opens) for p in persons])
            row[f"{label.lower()} {'opens' if opens else 'within'}"] = f"{share:.2f}/{n}"
    travel = [lips.travel(p.motion) for p in persons]
    speaking = np.concatenate([t[lips.spoken(p, len(t))] for t, p in zip(travel, persons, strict=True)]).mean()
    for name, make in SOUNDS.items():
        track = make(SOUND_S)
        (motion,) = generate([Scene(track, np.zeros_like(track))])
        row[name] = f"{100 * lips.travel(motion).mean() / speaking:.1f}%"
    return row


def main() -> None:
    """Measure every model and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("models", nargs="+", type=Path, help="model files (.gguf)")
    parser.add_argument("--voices", type=Path, required=True, help="folder made by `visavis corpus voices`")
    parser.add_argument("--minutes", type=float, help="of the English voice; all of it without")
    parser.add_argument("--seed", type=int, default=0, help="of the sessions' noise (0)")
    args = parser.parse_args()
    clips = read_voices(args.voices, "dev")["en"]
    clips = at_most(clips, args.minutes)
    for model in args.models:
        begin = time.monotonic()
        row = measure(model, clips, args.seed)
        print(model, *(f"{k} {v}" for k, v in row.items()), f"{time.monotonic() - begin:.0f} s", sep="  ", flush=True)


if __name__ == "__main__":
    main()
