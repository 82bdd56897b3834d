"""Motion for many clips, free-running (own motion fed back), with the settings that the model ships with.

`SessionGenerator` runs what a game runs: the native session, rig limits included.  evaluation/batched.py does many
clips at once in torch, before the rig.
"""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.constants import SAMPLE_RATE
from visavis.engine import model_path
from visavis.model.config import ModelConfig

Floats = npt.NDArray[np.float32]
Voices = tuple[Floats, Floats]  # agent, user, 16 kHz
CHUNK = 10 * SAMPLE_RATE  # samples pushed before the next frames are fetched
Generate = Callable[[list[Voices]], list[Floats]]


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
        values: list[Floats] = []
        with self.model.session(seed=seed, temperature=self.temperature) as session:
            for begin in range(0, len(agent), CHUNK):
                session.push_user_audio(user[begin : begin + CHUNK], SAMPLE_RATE)
                session.push_agent_audio(agent[begin : begin + CHUNK], SAMPLE_RATE)
                values += [frame.values for frame in session.poll()]
            session.end()
            values += [frame.values for frame in session.poll()]
        return np.stack(values)


def model_facts(model: Path | None) -> tuple[ModelConfig, Floats]:
    """Configuration and mean face (C,), raw units, of a model file."""
    from visavis.export.gguf import load_gguf

    loaded = load_gguf(model_path(model))
    mean: Floats = loaded.denormalise(loaded.motion_mean * 0).numpy()
    return loaded.config, mean
