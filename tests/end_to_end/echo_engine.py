"""An engine for bridge tests that answers at once: jawOpen follows the agent's level, headPitch the user's."""

from collections.abc import Sequence

import numpy as np

from visavis.engine import ModelInfo, TurnInput, TurnOutput
from visavis.model.config import ModelConfig
from visavis.motion_space import ARKIT55

FRAMES = 5
JAW, PITCH, SMILE = (ARKIT55.index(name) for name in ("jawOpen", "headPitch", "mouthSmileLeft"))


class EchoEngine:
    """mouthSmileLeft is the user's smile where a face is tracked.  Raises from turn `fails_at` on."""

    def __init__(self) -> None:
        self.config = ModelConfig()
        self.info = ModelInfo("echo", ARKIT55.channels, ARKIT55.units, FRAMES, 7, 2, 40, 5, 0.0)
        self.fails_at = 1 << 62
        self.temperatures: list[float] = []
        self.open_slots: set[int] = set()

    def open(self) -> int:
        slot = max(self.open_slots, default=-1) + 1
        self.open_slots.add(slot)
        return slot

    def close(self, slot: int) -> None:
        self.open_slots.remove(slot)

    def reset(self, slot: int) -> None:
        pass

    def step(self, inputs: Sequence[TurnInput]) -> list[TurnOutput]:
        return [self._turn(turn) for turn in inputs]

    def _turn(self, turn: TurnInput) -> TurnOutput:
        if turn.turn is not None and turn.turn >= self.fails_at:
            raise RuntimeError("the engine is out of order")
        self.temperatures.append(turn.temperature)
        motion = np.zeros((FRAMES, len(ARKIT55.channels)), np.float32)
        for column, audio in ((JAW, turn.agent_audio), (PITCH, turn.user_audio)):
            if audio is not None:
                motion[:, column] = np.abs(audio[: FRAMES * 640]).reshape(FRAMES, 640).mean(axis=1)
        if turn.user_motion is not None:
            motion[:, SMILE] = turn.user_motion[:, SMILE]
        return TurnOutput(motion, {"speech": 1_000_000, "backbone": 2_000_000, "denoise": 3_000_000}, 5)
