"""Motion for many clips, free-running (own motion fed back), with the settings that the model ships with.

`SessionGenerator` runs what a game runs: the native session, rig limits included.  `EngineGenerator` steps all clips
as one batch through any engine; it does the session's work of cutting turns and lagging the user itself.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.constants import SAMPLE_RATE, SAMPLES_PER_FRAME
from visavis.engine import DEFAULT_MODEL, TurnInput, load_engine
from visavis.model.config import ModelConfig

Floats = npt.NDArray[np.float32]
Voices = tuple[Floats, Floats]  # agent, user, 16 kHz
Generate = Callable[[list[Voices]], list[Floats]]
BATCH = 32  # clips that an engine steps together


class SessionGenerator:
    """One native session a clip, in the push drive; seeds follow the clip's number."""

    def __init__(self, model: Path | None, seed: int, temperature: float = 1.0, **options: Any) -> None:
        from visavis.session import load

        self.model = load(model, engine="cpu", **options)
        self.seed, self.temperature = seed, temperature

    def __call__(self, clips: list[Voices]) -> list[Floats]:
        """Motion (T, C) for each (agent, user) pair."""
        return [self._clip(agent, user, self.seed + i) for i, (agent, user) in enumerate(clips)]

    def _clip(self, agent: Floats, user: Floats, seed: int) -> Floats:
        session = self.model.session(seed=seed, temperature=self.temperature)
        session.push_user_audio(user, SAMPLE_RATE)
        session.push_agent_audio(agent, SAMPLE_RATE)
        session.end()
        return np.stack([frame.values for frame in session.poll()]).astype(np.float32)


class EngineGenerator:
    """Many clips as one batch of an engine's slots, before the rig; options override the file's (sampler, steps)."""

    def __init__(
        self, model: Path | None, seed: int, engine: str = "torch", temperature: float = 1.0, **options: Any
    ) -> None:
        self.engine = load_engine(model, engine=engine, **options)
        self.seed, self.temperature = seed, temperature

    def __call__(self, clips: list[Voices]) -> list[Floats]:
        """Motion (T, C) for each (agent, user) pair."""
        motions: list[Floats] = []
        for begin in range(0, len(clips), BATCH):
            motions += self._batch(clips[begin : begin + BATCH], self.seed + begin)
        return motions

    def _batch(self, clips: list[Voices], seed: int) -> list[Floats]:
        f = self.engine.config.turn_frames
        frames = [len(agent) // SAMPLES_PER_FRAME for agent, _ in clips]
        slots = [self.engine.open() for _ in clips]
        motions: list[list[Floats]] = [[] for _ in clips]
        for turn in range(-(-max(frames) // f)):
            live = [i for i, n in enumerate(frames) if turn * f < n]
            outputs = self.engine.step([self._turn(slots[i], seed + i, clips[i], turn) for i in live])
            for i, output in zip(live, outputs, strict=True):
                motions[i].append(np.array(output.motion, dtype=np.float32))
        for slot in slots:
            self.engine.close(slot)
        return [np.concatenate(m)[:n] for m, n in zip(motions, frames, strict=True)]

    def _turn(self, slot: int, seed: int, voices: Voices, turn: int) -> TurnInput:
        """The turn as a session would hand it over: the user late, the agent with what is known ahead."""
        config = self.engine.config
        f, lag, lookahead = config.turn_frames, config.user_lag_frames, config.agent_lookahead_frames
        agent, user = voices
        return TurnInput(
            slot=slot,
            agent_audio=_frames(agent, turn * f, turn * f + f + lookahead),
            user_audio=_frames(user, turn * f - lag, turn * f - lag + f),
            seed=seed,
            temperature=self.temperature,
            turn=turn,
        )


def model_facts(model: Path | None) -> tuple[ModelConfig, Floats]:
    """Configuration and mean face (C,), raw units, of a model file."""
    from visavis.export.gguf import load_gguf

    loaded = load_gguf(model or DEFAULT_MODEL)
    mean: Floats = loaded.denormalise(loaded.motion_mean * 0).numpy()
    return loaded.config, mean


def _frames(audio: Floats, begin: int, end: int) -> Floats:
    """Samples of frames [begin, end), zeros outside the recording."""
    out = np.zeros((end - begin) * SAMPLES_PER_FRAME, dtype=np.float32)
    low, high = max(begin, 0) * SAMPLES_PER_FRAME, min(end * SAMPLES_PER_FRAME, len(audio))
    if high > low:
        out[low - begin * SAMPLES_PER_FRAME :][: high - low] = audio[low:high]
    return out
