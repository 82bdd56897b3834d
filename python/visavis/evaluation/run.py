"""An evaluation from end to end: clips of a split, motion for them and for the controls, metrics, checks."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE, SAMPLE_RATE
from visavis.data.dualtalk import Dialogue, Person, read_split
from visavis.errors import InvalidArgument
from visavis.evaluation.checks import EARLY_S, LATE_S, Check, Clip, all_checks, performer_checks
from visavis.evaluation.generate import Generate, Scene
from visavis.evaluation.metrics import METRIC_NAME, all_metrics, mean_metrics
from visavis.evaluation.perturb import Perturbation
from visavis.motion_space import MotionSpace

Floats = npt.NDArray[np.float32]
LABELS = ("phone_label", "phone_start", "phone_end", "phrase_end", "speaking")


@dataclass
class Evaluation:
    """What was found; metrics by who made the motion (model, another agent's voice, mean face)."""

    clips: list[Clip]
    metrics: dict[str, dict[str, float]]
    by_clip: list[dict[str, float]] = field(default_factory=list)  # the model's metrics of each clip
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
    workers: int = 1,
    faces: bool = False,
    perturbation: Perturbation | None = None,
) -> Evaluation:
    """Generate every clip of a split (and its controls) and measure; `mean_face` (C,) raw units.

    `workers` processes share the metrics.  `faces`: the user's tracked face is given, too.  `perturbation` spoils what
    is given of the user.
    """
    folder = read_split(data, split, space)
    dialogues = choose(folder.dialogues, minutes)
    roles = [(f"{d.name} role {i + 1}", *role) for d in dialogues for i, role in enumerate(d.roles())]
    say(f"{len(roles)} clips from {len(dialogues)} conversations of {split}")
    scenes = [_scene(a, u, faces) for _, a, u in roles]
    if perturbation is not None:
        scenes = [perturbation.apply(scene, seed) for seed, scene in enumerate(scenes)]
    motions = generate(scenes)
    clips = [Clip(*role, motion[: len(role[1].motion)]) for role, motion in zip(roles, motions, strict=True)]
    if controls:
        if len(roles) < 4:
            raise InvalidArgument(f"{len(roles)} clips; the shuffled controls need at least 2 conversations")
        say("controls: another agent's voice, another user's voice")
        others = other_scenes(scenes)
        other_agent = generate([s._replace(agent=_fit(o.agent, s.agent)) for s, o in zip(scenes, others, strict=True)])
        other_user = generate([_with_user(s, o) for s, o in zip(scenes, others, strict=True)])
        for clip, a, u in zip(clips, other_agent, other_user, strict=True):
            clip.other_agent, clip.other_user = a[: len(clip.motion)], u[: len(clip.motion)]
        say("young sessions")
        add_young(clips, scenes, generate)
    say("metrics")
    metrics, by_clip = _metrics(clips, mean_face, space, workers)
    result = Evaluation(clips, metrics, by_clip)
    if controls and space.name == "arkit55" and all(set(LABELS) <= set(c.agent.labels) for c in clips):
        result.checks, result.performer = all_checks(clips, mean_face), performer_checks(clips, mean_face)
    return result


def other_scenes(scenes: Sequence[Scene]) -> list[Scene]:
    """For each of the roles, two a conversation, one of another conversation: whose voices the controls hear."""
    n, shift = len(scenes), len(scenes) // 2 | 1  # odd: never the other role of the same conversation
    return [scenes[(i + shift) % n] for i in range(n)]


def add_young(clips: list[Clip], scenes: list[Scene], generate: Generate) -> None:
    """Gives each clip the frames of LATE_S once more, from sessions that are EARLY_S old when they make them."""
    (least, most), (first, last) = EARLY_S, LATE_S
    begins, parts = [], []
    for i, clip in enumerate(clips):
        seconds = len(clip.motion) // FRAME_RATE
        for begin in range(first - least, min(last, seconds) - most + 1, most - least):
            begins.append((i, begin))
            parts.append(_cut(scenes[i], begin, begin + most + 1))  # a second more: the lookahead is known
    for (i, begin), motion in zip(begins, generate(parts), strict=True):
        clip = clips[i]
        if clip.young is None:
            clip.young = np.full(clip.motion.shape, np.nan, np.float32)
        frames = slice((begin + least) * FRAME_RATE, (begin + most) * FRAME_RATE)
        clip.young[frames] = motion[least * FRAME_RATE : most * FRAME_RATE]


def _cut(scene: Scene, begin_s: int, end_s: int) -> Scene:
    span, frames = (slice(begin_s * rate, end_s * rate) for rate in (SAMPLE_RATE, FRAME_RATE))
    return Scene(scene.agent[span], scene.user[span], None if scene.face is None else scene.face[frames])


def _metrics(
    clips: list[Clip], mean_face: Floats, space: MotionSpace, workers: int
) -> tuple[dict[str, dict[str, float]], list[dict[str, float]]]:
    """Mean DualTalk metrics of the model and the control that moves (the mean face has no spread to measure), and the
    model's clip by clip."""
    moving = {"model": [c.motion for c in clips]}
    others = [c.other_agent for c in clips if c.other_agent is not None]
    if len(others) == len(clips):
        moving["another agent's voice"] = others
    rows = [
        (motion, c.truth, c.user.motion)
        for motions in moving.values()
        for motion, c in zip(motions, clips, strict=True)
    ]
    found, n = all_metrics(rows, space, workers), len(clips)
    out = {name: mean_metrics(found[i * n : (i + 1) * n]) for i, name in enumerate(moving)}
    out["mean face"] = {}
    for group, channels in space.groups.items():
        live = [channel for channel in channels if channel not in space.eye_layer]
        errors = [np.square(c.truth[:, live] - mean_face[live]).mean() for c in clips]
        out["mean face"][f"mse_{METRIC_NAME.get(group, group)}"] = float(np.mean(errors))
    return out, found[:n]


def _scene(agent: Person, user: Person, faces: bool) -> Scene:
    return Scene(agent.audio.astype(np.float32), user.audio.astype(np.float32), user.motion if faces else None)


def _with_user(scene: Scene, other: Scene) -> Scene:
    """The scene with the user of another."""
    face = None if scene.face is None or other.face is None else _fit(other.face, scene.face)
    return Scene(scene.agent, _fit(other.user, scene.user), face)


def _fit(stream: Floats, like: Floats) -> Floats:
    """A voice or face repeated or cut to the length of another."""
    return np.resize(stream, like.shape)
