"""An evaluation from end to end: clips of a split, motion for them and for the controls, metrics, checks."""

from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE
from visavis.data.dualtalk import Dialogue, Person, read_split
from visavis.errors import InvalidArgument
from visavis.evaluation.checks import Check, Clip, all_checks, performer_checks
from visavis.evaluation.generate import Generate, Voices
from visavis.evaluation.metrics import METRIC_NAME, clip_metrics, mean_metrics
from visavis.motion_space import MotionSpace

Floats = npt.NDArray[np.float32]
LABELS = ("phone_label", "phone_start", "phone_end", "phrase_end", "speaking")


@dataclass
class Evaluation:
    """What was found; metrics by who made the motion (model, another agent's voice, mean face)."""

    clips: list[Clip]
    metrics: dict[str, dict[str, float]]
    checks: list[Check] = field(default_factory=list)
    performer: list[Check] = field(default_factory=list)

    @property
    def minutes(self) -> float:
        """Minutes of generated motion, controls not counted."""
        return sum(len(c.motion) for c in self.clips) / FRAME_RATE / 60


def choose(dialogues: list[Dialogue], minutes: float | None) -> list[Dialogue]:
    """Conversations spread evenly over the split until both roles together fill `minutes`."""
    if minutes is None:
        return dialogues
    mean = 2 * sum(d.n_frames for d in dialogues) / len(dialogues) / FRAME_RATE / 60
    n = min(len(dialogues), max(1, round(minutes / mean)))
    return [dialogues[i * len(dialogues) // n] for i in range(n)]


def evaluate(
    generate: Generate,
    data: Path,
    split: str,
    space: MotionSpace,
    mean_face: Floats,
    minutes: float | None = None,
    controls: bool = True,
    say: Callable[[str], None] = lambda text: None,
) -> Evaluation:
    """Generate every clip of a split (and its controls) and measure; `mean_face` (C,) raw units."""
    folder = read_split(data, split, space)
    dialogues = choose(folder.dialogues, minutes)
    roles = [(f"{d.name} role {i + 1}", *role) for d in dialogues for i, role in enumerate(d.roles())]
    say(f"{len(roles)} clips from {len(dialogues)} conversations of {split}")
    agents, users = [_samples(a) for _, a, _ in roles], [_samples(u) for _, _, u in roles]
    n, shift = len(roles), len(roles) // 2 | 1  # odd: never the same role of the same conversation
    motions = generate(list(zip(agents, users, strict=True)))
    clips = [Clip(*role, motion[: len(role[1].motion)]) for role, motion in zip(roles, motions, strict=True)]
    if controls:
        if n < 4:
            raise InvalidArgument(f"{n} clips; the shuffled controls need at least 2 conversations")
        say("controls: another agent's voice, another user's voice")
        other_agent = generate([(_fit(agents[(i + shift) % n], agents[i]), users[i]) for i in range(n)])
        other_user = generate([(agents[i], _fit(users[(i + shift) % n], users[i])) for i in range(n)])
        for clip, a, u in zip(clips, other_agent, other_user, strict=True):
            clip.other_agent, clip.other_user = a[: len(clip.motion)], u[: len(clip.motion)]
    say("metrics")
    result = Evaluation(clips, _metrics(clips, mean_face, space))
    if controls and space.name == "arkit55" and all(set(LABELS) <= set(c.agent.labels) for c in clips):
        result.checks, result.performer = all_checks(clips, mean_face), performer_checks(clips, mean_face)
    return result


def _metrics(clips: list[Clip], mean_face: Floats, space: MotionSpace) -> dict[str, dict[str, float]]:
    """Mean DualTalk metrics of the model and the control that moves; the mean face has no spread to measure."""
    tables = {"model": [clip_metrics(c.motion, c.truth, c.user.motion, space) for c in clips]}
    if all(c.other_agent is not None for c in clips):
        tables["another agent's voice"] = [
            clip_metrics(c.other_agent, c.truth, c.user.motion, space) for c in clips if c.other_agent is not None
        ]
    out = {name: mean_metrics(table) for name, table in tables.items()}
    out["mean face"] = {}
    for group, channels in space.groups.items():
        live = [channel for channel in channels if channel not in space.eye_layer]
        errors = [np.square(c.truth[:, live] - mean_face[live]).mean() for c in clips]
        out["mean face"][f"mse_{METRIC_NAME.get(group, group)}"] = float(np.mean(errors))
    return out


def _samples(person: Person) -> Floats:
    return person.audio.astype(np.float32)


def _fit(audio: Floats, like: Floats) -> Floats:
    """A voice repeated or cut to the length of another."""
    return np.resize(audio, like.shape)


def voices_of(clip: Clip) -> Voices:
    """(agent, user) samples of a clip."""
    return _samples(clip.agent), _samples(clip.user)
