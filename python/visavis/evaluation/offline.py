"""Motion of models that are not causal, as such models are meant: they hear what is to come.

A clip is cut into windows of as many turns as the model was trained with, which overlap by half; each turn is taken
from the window in whose middle it lies.  So all but the clip's ends see at least a quarter of a window ahead (2 s).
"""

from pathlib import Path

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor

from visavis.constants import SAMPLES_PER_FRAME
from visavis.errors import Unsupported
from visavis.evaluation.generate import Scene, face_rows, samples_of, unit_level
from visavis.export.research import load_model
from visavis.model.batch import TurnBatch
from visavis.model.dualtalk import DualTalkStyle
from visavis.model.research import ResearchConfig, ResearchTimar

Floats = npt.NDArray[np.float32]
BATCH = 8  # windows


class OfflineGenerator:
    """Motion (T, C) for scenes, window by window; seeds follow the clip's number."""

    def __init__(
        self, model: Path, seed: int, temperature: float = 1.0, sampler: str | None = None, steps: int | None = None
    ) -> None:
        loaded = load_model(model)
        if not isinstance(loaded.config, ResearchConfig) or loaded.config.causal:
            raise Unsupported(f"offline: {model} is a causal model, which sees nothing of what is to come")
        assert isinstance(loaded, ResearchTimar | DualTalkStyle)
        loaded.config = loaded.config.with_options(sampler=sampler, steps=steps)
        self.model, self.config = loaded, loaded.config
        self.seed, self.temperature = seed, temperature

    def __call__(self, clips: list[Scene]) -> list[Floats]:
        """Motion (T, C) for each scene."""
        return [self._clip(clip, self.seed + i) for i, clip in enumerate(clips)]

    def _clip(self, scene: Scene, seed: int) -> Floats:
        F, n_frames = self.config.turn_frames, len(scene.agent) // SAMPLES_PER_FRAME
        if self.config.speech_encoder == "wav2vec2":
            scene = scene._replace(agent=unit_level(scene.agent), user=unit_level(scene.user))
        n_turns = -(-n_frames // F)
        size, starts = windows(n_turns, self.config.context_turns)
        parts = [self._windows(scene, starts[i : i + BATCH], size, seed) for i in range(0, len(starts), BATCH)]
        found = np.concatenate(parts).reshape(len(starts), size, F, -1)
        chosen = nearest(n_turns, starts, size)
        turns = [found[w, t - starts[w]] for t, w in enumerate(chosen)]
        return np.concatenate(turns)[:n_frames]

    def _windows(self, scene: Scene, starts: list[int], n_turns: int, seed: int) -> Floats:
        """Motion (n, n_turns*F, C) of the windows that begin at those turns."""
        F, C, L = self.config.turn_frames, self.config.n_channels, n_turns * self.config.turn_frames
        faces = [face_rows(scene.face, t * F, L, C) for t in starts]
        motion = torch.zeros(len(starts), L, C)
        batch = TurnBatch(
            user_audio=self._heard(scene.user, starts, L),
            agent_audio=self._heard(scene.agent, starts, L),
            user_motion=torch.from_numpy(np.stack([face for face, _ in faces])),
            user_motion_present=torch.from_numpy(np.stack([there for _, there in faces])),
            agent_motion=motion,
            previous_motion=motion[:, :F],
            previous_present=torch.zeros(len(starts), dtype=torch.bool),
        )
        if isinstance(self.model, DualTalkStyle):
            return self.model.window_motion(batch).numpy()
        return self.model.window_motion(batch, self._noise(starts, L, seed), self.temperature).numpy()

    def _heard(self, voice: Floats, starts: list[int], n_frames: int) -> Tensor:
        """Audio of windows with the context before it, (n, context + n_frames*640)."""
        context = self.config.context_samples
        before = -(-context // SAMPLES_PER_FRAME)  # whole frames
        cut = before * SAMPLES_PER_FRAME - context
        first = (start * self.config.turn_frames - before for start in starts)
        return torch.from_numpy(np.stack([samples_of(voice, f, before + n_frames)[cut:] for f in first]))

    def _noise(self, starts: list[int], n_frames: int, seed: int) -> Tensor:
        from visavis import _core

        c = self.config
        draws = [
            _core.noise(seed, t * c.turn_frames, n_frames, c.n_channels, c.steps, c.noise_coherence) for t in starts
        ]
        return torch.from_numpy(np.stack(draws, axis=1))  # (1 + steps, n, L, C)


def windows(n_turns: int, visible: int) -> tuple[int, list[int]]:
    """Turns in a window, and where windows begin: every half window, the last one at the clip's end."""
    size = min(n_turns, visible)
    return size, sorted({*range(0, n_turns - size, max(1, size // 2)), n_turns - size})


def nearest(n_turns: int, starts: list[int], size: int) -> list[int]:
    """For each turn the window in whose middle it lies, the earlier of two."""
    middles = np.array(starts) + (size - 1) / 2
    return [int(np.abs(middles - t).argmin()) for t in range(n_turns)]
