"""Motion for many clips, free-running (own motion fed back), with the settings that the model ships with.

`SessionGenerator` runs what a game runs: the native session, rig limits included.  `EngineGenerator` runs an engine
turn by turn, before the rig, as the papers do.  evaluation/batched.py does many clips at once in torch.
"""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_NS, SAMPLE_RATE, SAMPLES_PER_FRAME
from visavis.engine import Engine, TurnInput, model_path
from visavis.model.config import ModelConfig

Floats = npt.NDArray[np.float32]


class Scene(NamedTuple):
    """What a model gets of a conversation."""

    agent: Floats  # voices, 16 kHz
    user: Floats
    face: Floats | None = None  # of the user (T, C), rows of NaN where it is not tracked; None: never


CHUNK = 10 * SAMPLE_RATE  # samples pushed before the next frames are fetched
Generate = Callable[[list[Scene]], list[Floats]]


class SessionGenerator:
    """One native session a clip, in the push drive; seeds follow the clip's number."""

    def __init__(
        self,
        model: Path | None,
        seed: int,
        temperature: float = 1.0,
        style: Mapping[str, float] | None = None,
        **options: Any,
    ) -> None:
        from visavis.session import load

        self.model = load(model, engine="cpu", **options)
        self.seed, self.temperature, self.style = seed, temperature, style

    def __call__(self, clips: list[Scene]) -> list[Floats]:
        """Motion (T, C) for each scene."""
        return [self._clip(clip, self.seed + i) for i, clip in enumerate(clips)]

    def _clip(self, scene: Scene, seed: int) -> Floats:
        values: list[Floats] = []
        with self.model.session(seed=seed, temperature=self.temperature, style=self.style) as session:
            for first, rows in tracked(scene.face):
                session.push_user_motion(rows, first * FRAME_NS)
            for begin in range(0, len(scene.agent), CHUNK):
                session.push_user_audio(scene.user[begin : begin + CHUNK], SAMPLE_RATE)
                session.push_agent_audio(scene.agent[begin : begin + CHUNK], SAMPLE_RATE)
                values += [frame.values for frame in session.poll()]
            session.end()
            values += [frame.values for frame in session.poll()]
        return np.stack(values)


class EngineGenerator:
    """Turns of an engine, one clip after the other, joined as sessions do; seeds follow the clip's number.

    Voices of models that want them so are normalised clip by clip, as in training, or with `live_level` as sessions do.
    """

    def __init__(self, engine: Engine, seed: int, temperature: float = 1.0, live_level: bool = False) -> None:
        self.engine, self.seed, self.temperature, self.live_level = engine, seed, temperature, live_level

    def __call__(self, clips: list[Scene]) -> list[Floats]:
        """Motion (T, C) for each scene."""
        return [self._clip(clip, self.seed + i) for i, clip in enumerate(clips)]

    def _clip(self, scene: Scene, seed: int) -> Floats:
        from visavis import _core

        n_frames, info = len(scene.agent) // SAMPLES_PER_FRAME, self.engine.info
        join = _core.TurnJoin(info.channels, info.turn_frames, info.turn_join)
        slot = self.engine.open()
        try:
            made = (self.engine.step([turn])[0].motion for turn in self._turns(scene, slot, seed))
            turns = [join.apply(i, motion) for i, motion in enumerate(made)]
        finally:
            self.engine.close(slot)
        return np.concatenate(turns)[:n_frames]

    def _turns(self, scene: Scene, slot: int, seed: int) -> Iterator[TurnInput]:
        info = self.engine.info
        F, lag, ahead = info.turn_frames, info.user_lag_frames, info.agent_lookahead_frames
        n_turns = -(-(len(scene.agent) // SAMPLES_PER_FRAME) // F)
        agent = self._level(scene.agent, F) if info.normalised_audio else scene.agent
        user = self._level(scene.user, F) if info.normalised_audio else scene.user
        for t in range(n_turns):
            face, there = face_rows(scene.face, t * F - lag, F, len(info.channels))
            yield TurnInput(
                slot,
                user_audio=samples_of(user, t * F - lag, F),
                agent_audio=samples_of(agent, t * F, F + ahead),
                user_motion=face if there.any() else None,
                user_motion_present=there if there.any() else None,
                seed=seed,
                temperature=self.temperature * info.noise_scale,
            )

    def _level(self, voice: Floats, turn_frames: int) -> Floats:
        """Zero mean, unit variance: of the whole clip, or of what was heard so far."""
        if not self.live_level:
            return unit_level(voice)
        from visavis import _core

        level, size = _core.VoiceLevel(), turn_frames * SAMPLES_PER_FRAME
        return np.concatenate([level.normalise(voice[i : i + size]) for i in range(0, len(voice), size)])


def tracked(face: Floats | None) -> list[tuple[int, Floats]]:
    """Stretches of a face without NaN, each with its first frame."""
    if face is None:
        return []
    there = ~np.isnan(face).any(axis=1)
    borders = np.flatnonzero(np.diff(there, prepend=False, append=False))
    return [(int(a), face[a:b]) for a, b in zip(borders[::2], borders[1::2], strict=True)]


def unit_level(voice: Floats) -> Floats:
    """Zero mean and unit variance over the clip: what wav2vec2 wants."""
    whole: Floats = ((voice - voice.mean()) / np.sqrt(voice.var() + 1e-7)).astype(np.float32)
    return whole


def samples_of(voice: Floats, first_frame: int, n_frames: int) -> Floats:
    """The samples of frames, silence where the clip has none."""
    begin, size = first_frame * SAMPLES_PER_FRAME, n_frames * SAMPLES_PER_FRAME
    known = voice[max(begin, 0) : max(begin + size, 0)]
    out = np.zeros(size, np.float32)
    out[max(-begin, 0) :][: len(known)] = known
    return out


def face_rows(face: Floats | None, first: int, n: int, n_channels: int) -> tuple[Floats, npt.NDArray[np.bool_]]:
    """Rows (n, C) and which of them are there."""
    out = np.full((n, n_channels), np.nan, np.float32)
    if face is not None:
        known = face[max(first, 0) : max(first + n, 0)]
        out[max(-first, 0) :][: len(known)] = known
    there = np.asarray(np.isfinite(out).all(axis=1))
    return np.where(there[:, None], out, np.float32(0)), there


def model_facts(model: Path | None) -> tuple[ModelConfig, Floats]:
    """Configuration and mean face (C,), raw units, of a model file or a checkpoint of a model for comparison."""
    from visavis.export.research import load_model

    loaded = load_model(model_path(model))
    mean: Floats = loaded.denormalise(loaded.motion_mean * 0).numpy()
    return loaded.config, mean
