"""Training crops: windows of conversations as `TurnBatch`, a pure function of (seed, step), so that a run resumes.

A crop may begin anywhere (then it has a history) or start a session (then audio before it is zero and there is no
previous motion).  Streams drop out as in life: no tracked face, no user voice, or neither, switching at turn borders.
"""

from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from visavis.constants import FRAME_RATE, SAMPLES_PER_FRAME
from visavis.data.corpus.v2.person import STYLE
from visavis.data.dualtalk import Dialogue, Person
from visavis.errors import InvalidArgument
from visavis.model.config import ModelConfig
from visavis.model.timar import TurnBatch
from visavis.training.augment import Augmentation, augment_voice
from visavis.training.bands import BandRecipe, random_bands
from visavis.training.onsets import Muted, heard_frames, late_onsets, mute
from visavis.training.sounds import SoundRecipe, Sounds

Floats = npt.NDArray[np.float32]


@dataclass(frozen=True)
class CropRecipe:
    """How crops are cut and spoilt; probabilities are per crop."""

    seconds: float = 24.0
    session_start: float = 0.25  # half of these at the recording's own start
    user_motion_absent: float = 0.5
    user_audio_absent: float = 0.1
    both_absent: float = 0.05
    switch: float = 0.15  # a user stream appears or vanishes at a turn border
    style_absent: float = 0.2  # the agent counts as the average person, of models with styles
    lookahead_absent: float = 0.1  # the agent's speech past a turn is not known, in all turns of the crop
    onsets: float = 0.0  # share of the agent's phrases whose beginning is not heard (training/onsets.py)
    user_lag: bool = True
    normalise_audio: bool = False  # for wav2vec2 alone: zero mean, unit variance per crop, as its processor does
    augmentation: Augmentation | None = field(default_factory=Augmentation)
    sounds: SoundRecipe | None = field(default_factory=SoundRecipe)
    bands: BandRecipe | None = field(default_factory=BandRecipe)  # for the log-mel encoder alone

    def unspoilt(self) -> "CropRecipe":
        """The same crops without augmentation, sounds, other voices, late onsets, and streams that come or go."""
        nothing: dict[str, Any] = {"augmentation": None, "sounds": None, "bands": None}
        return replace(self, **nothing, onsets=0.0, switch=0.0, lookahead_absent=0.0)

    def n_turns(self, config: ModelConfig) -> int:
        """Whole turns of a crop."""
        return max(1, round(self.seconds * FRAME_RATE / config.turn_frames))


class CropSampler:
    """Draws batches of crops from dialogues in memory."""

    def __init__(self, dialogues: list[Dialogue], config: ModelConfig, recipe: CropRecipe, seed: int) -> None:
        self.config, self.recipe, self.seed = config, recipe, seed
        self.n_frames = recipe.n_turns(config) * config.turn_frames
        if unknown := [name for name in config.styles if name not in STYLE]:
            raise InvalidArgument(f"style {unknown[0]!r} is unknown to recordings; known: {', '.join(STYLE)}")
        self.dialogues = [d for d in dialogues if d.n_frames >= self.n_frames]
        self.n_too_short = len(dialogues) - len(self.dialogues)
        if not self.dialogues:
            longest = max((d.n_frames for d in dialogues), default=0)
            raise InvalidArgument(
                f"no recording holds a crop of {self.n_frames} frames (longest: {longest}); use shorter crops"
            )
        lengths = np.array([d.n_frames for d in self.dialogues], dtype=np.float64)
        self.weights = lengths / lengths.sum()
        voices = [person.audio for dialogue in self.dialogues for person in dialogue.persons]
        self.sounds = None if recipe.sounds is None else Sounds(recipe.sounds, voices, seed)

    def batch(self, step: int, size: int, rank: int = 0) -> TurnBatch:
        """The batch of that step: `size` crops, the same whenever it is asked for."""
        crops = [self.crop(np.random.default_rng([self.seed, step, rank, i])) for i in range(size)]
        stacked = {name: torch.from_numpy(np.stack([c[name] for c in crops])) for name in crops[0]}
        return TurnBatch(**stacked)

    def crop(self, rng: np.random.Generator) -> dict[str, npt.NDArray[np.generic]]:
        """One crop, the fields of `TurnBatch` without the batch axis."""
        dialogue = self.dialogues[rng.choice(len(self.dialogues), p=self.weights)]
        agent, user = dialogue.persons if rng.random() < 0.5 or dialogue.alone else dialogue.persons[::-1]
        fresh = rng.random() < self.recipe.session_start
        start = int(rng.integers(0, dialogue.n_frames - self.n_frames + 1))
        if fresh and rng.random() < 0.5:
            start = 0
        muted = self._muted(agent, start, rng)
        voices = self._voices(agent, user, start, fresh, muted or [], rng)
        motions = self._motions(agent, user, start, fresh)
        absence = self._absence(voices, user, start, fresh, dialogue.alone, rng)
        n_turns = self.n_frames // self.config.turn_frames
        ahead = np.full(n_turns, rng.random() >= self.recipe.lookahead_absent)
        known = {} if muted is None else {"agent_motion_known": heard_frames(start, self.n_frames, muted)}
        spoilt = {"lookahead_present": ahead, **self._bands(rng), **self._style(agent, rng)}
        return {**voices, **motions, **known, **absence, **spoilt}

    def _muted(self, agent: Person, start: int, rng: np.random.Generator) -> list[Muted] | None:
        """Beginnings of the agent's phrases that are not heard; None: not done."""
        if not self.recipe.onsets:
            return None
        context = self.config.context_samples // SAMPLES_PER_FRAME
        begin, end = ((start + n) / FRAME_RATE for n in (-context, self.n_frames))
        return late_onsets(agent, begin, end, rng, self.recipe.onsets)

    def _style(self, agent: Person, rng: np.random.Generator) -> dict[str, Floats]:
        """Who the agent is, (S,): zeros, the average person, where it is not known or drops out."""
        names = self.config.styles
        if not names:
            return {}
        known = agent.labels.get("style", np.zeros(len(STYLE)))
        style = np.array([known[STYLE.index(name)] for name in names], np.float32)
        return {"agent_style": style * (rng.random() >= self.recipe.style_absent)}

    def _bands(self, rng: np.random.Generator) -> dict[str, Floats]:
        """What makes other voices of the two."""
        how = self.recipe.bands
        if how is None or self.config.speech_encoder != "logmel":
            return {}
        return {f"{who}_bands": random_bands(rng, self.config.mel_bands, how) for who in ("agent", "user")}

    def _first_frame(self, start: int, fresh: bool) -> int:
        """The first frame that exists: the recording's, or the crop's where it starts a session."""
        return start if fresh else 0

    def _voices(
        self, agent: Person, user: Person, start: int, fresh: bool, muted: list[Muted], rng: np.random.Generator
    ) -> dict[str, Floats]:
        """Agent and (lagged) user samples with their history, augmented on one common stretch of time."""
        c, lag = self.config, self._lag
        # Common stretch: from the older history (the user's) to the later end (the agent's lookahead).
        begin = (start - lag) * SAMPLES_PER_FRAME - c.context_samples
        end = (start + self.n_frames + c.agent_lookahead_frames) * SAMPLES_PER_FRAME
        pair = [_slice(p.audio, begin, end) for p in (agent, user)]
        mute(pair[0], begin, muted)
        if self.sounds is not None:
            spoken = [_speaking(p, begin, end) for p in (agent, user)]
            pair = [self.sounds.add(x, s, rng) for x, s in zip(pair, spoken, strict=True)]
        if self.recipe.augmentation is not None:
            a, u = pair
            pair = [augment_voice(x, y, rng, self.recipe.augmentation) for x, y in ((a, u), (u, a))]
        if self.recipe.normalise_audio and c.speech_encoder == "wav2vec2":
            pair = [((x - x.mean()) / np.sqrt(x.var() + 1e-7)).astype(np.float32) for x in pair]
        silent = max(0, self._first_frame(start, fresh) * SAMPLES_PER_FRAME - begin)
        for x in pair:
            x[:silent] = 0.0
        n_user = c.context_samples + self.n_frames * SAMPLES_PER_FRAME
        return {"agent_audio": pair[0][lag * SAMPLES_PER_FRAME :], "user_audio": pair[1][:n_user]}

    @property
    def _lag(self) -> int:
        return self.config.user_lag_frames if self.recipe.user_lag else 0

    def _motions(self, agent: Person, user: Person, start: int, fresh: bool) -> dict[str, npt.NDArray[np.generic]]:
        f = self.config.turn_frames
        has_previous = not fresh and start >= f
        previous = agent.motion[start - f : start] if has_previous else np.zeros((f, agent.motion.shape[1]), np.float32)
        return {
            "agent_motion": agent.motion[start : start + self.n_frames],
            "previous_motion": previous,
            "previous_present": np.array(has_previous),
        }

    def _absence(
        self, voices: dict[str, Floats], user: Person, start: int, fresh: bool, alone: bool, rng: np.random.Generator
    ) -> dict[str, npt.NDArray[np.generic]]:
        """The user's lagged motion and who is present when (nobody, if the agent is `alone`); silences absent audio."""
        r, n, f = self.recipe, self.n_frames, self.config.turn_frames
        both = rng.random() < r.both_absent or alone
        audio = np.full(n // f, not (both or rng.random() < r.user_audio_absent))
        motion = np.full(n // f, not (both or rng.random() < r.user_motion_absent))
        if rng.random() < r.switch and not alone:
            stream = audio if rng.random() < 0.3 else motion
            stream[rng.integers(0, len(stream)) :] ^= True
        frames = np.arange(start - self._lag, start - self._lag + n)
        present = np.repeat(motion, f) & (frames >= self._first_frame(start, fresh))
        values = np.where(present[:, None], user.motion[np.maximum(frames, 0)], np.float32(0.0))
        heard = voices["user_audio"].copy()
        heard[self.config.context_samples :] *= np.repeat(audio, f * SAMPLES_PER_FRAME)
        if not audio[0]:
            heard[: self.config.context_samples] = 0.0
        return {"user_audio": heard, "user_motion": values, "user_motion_present": present}


def _slice(audio: npt.NDArray[np.float16], begin: int, end: int) -> Floats:
    """Samples [begin, end) as float32, zeros beyond the recording."""
    out = np.zeros(end - begin, dtype=np.float32)
    low, high = max(begin, 0), min(end, len(audio))
    if high > low:
        out[low - begin : high - begin] = audio[low:high]
    return out


def _speaking(person: Person, begin: int, end: int) -> npt.NDArray[np.bool_]:
    """Whether the person speaks at samples [begin, end), False beyond the recording; True where no label tells."""
    if "speaking" not in person.labels:
        return np.ones(end - begin, bool)
    label = np.asarray(person.labels["speaking"], bool)
    frames = np.arange(begin // SAMPLES_PER_FRAME, -(-end // SAMPLES_PER_FRAME))
    known = (frames >= 0) & (frames < len(label))
    values = known & label[np.clip(frames, 0, len(label) - 1)]
    offset = begin - int(frames[0]) * SAMPLES_PER_FRAME
    return np.repeat(values, SAMPLES_PER_FRAME)[offset : offset + end - begin]
