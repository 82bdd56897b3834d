"""A small deterministic engine for session tests: it writes down what it is given and answers at once."""

from collections.abc import Sequence

import numpy as np

from visavis.engine import ModelInfo, TurnInput, TurnOutput
from visavis.model.config import ModelConfig

CHANNELS = ("exp0", "exp1", "exp2", "exp3", "jawOpen", "headYaw")
UNITS = ("1", "1", "1", "1", "1", "rad")


class RecordingEngine:
    """Channel 0: the turn's number, 1: level of the agent per frame, 2: of the user, 3: turns in the slot so far."""

    def __init__(self, turn_frames: int = 5, lag: int = 7, lookahead: int = 2, normalised: bool = False) -> None:
        numbers = (turn_frames, lag, lookahead, 40, 5, 0.0)
        self._info = ModelInfo("recording", CHANNELS, UNITS, *numbers, normalised_audio=normalised)
        self.turns: list[TurnInput] = []
        self.open_slots: dict[int, int] = {}
        self.n_failures = 0  # of the next steps

    @property
    def info(self) -> ModelInfo:
        return self._info

    @property
    def config(self) -> ModelConfig:
        return ModelConfig()

    def open(self) -> int:
        slot = max(self.open_slots, default=-1) + 1
        self.open_slots[slot] = 0
        return slot

    def close(self, slot: int) -> None:
        del self.open_slots[slot]

    def reset(self, slot: int) -> None:
        self.open_slots[slot] = 0

    def step(self, inputs: Sequence[TurnInput]) -> list[TurnOutput]:
        if self.n_failures:
            self.n_failures -= 1
            raise RuntimeError("the engine is out of order")
        return [self._turn(turn) for turn in inputs]

    def _turn(self, turn: TurnInput) -> TurnOutput:
        n_frames = self._info.turn_frames
        self.turns.append(turn)
        motion = np.zeros((n_frames, len(CHANNELS)), np.float32)
        motion[:, 0] = -1 if turn.turn is None else turn.turn
        for column, audio in ((1, turn.agent_audio), (2, turn.user_audio)):
            if audio is not None:
                motion[:, column] = np.abs(audio[: n_frames * 640]).reshape(n_frames, 640).mean(axis=1)
        motion[:, 3] = self.open_slots[turn.slot]
        motion[:, 4] = np.linspace(-1, 2, n_frames)
        motion[:, 5] = 9
        self.open_slots[turn.slot] += 1
        return TurnOutput(motion, {"speech": 3, "backbone": 2, "denoise": 1}, 5)

    def agent_audio(self) -> np.ndarray:
        """All turns' own agent samples in a row."""
        n = self._info.turn_frames * 640
        silence = np.zeros(n, np.float32)
        return np.concatenate([silence if t.agent_audio is None else t.agent_audio[:n] for t in self.turns])

    def user_audio(self) -> np.ndarray:
        """All turns' user samples in a row; they begin `lag` frames before the session."""
        silence = np.zeros(self._info.turn_frames * 640, np.float32)
        return np.concatenate([silence if t.user_audio is None else t.user_audio for t in self.turns])
