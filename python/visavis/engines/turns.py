"""What every Python engine does with a turn's input before it computes: checks, and arrays of one form."""

import math
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from visavis.constants import SAMPLES_PER_FRAME
from visavis.engine import FloatArray, TurnInput
from visavis.errors import InvalidArgument
from visavis.model.config import ModelConfig

NEVER = 1 << 20  # age of a ring's place that holds no turn


def check_numbers(turn: TurnInput) -> None:
    """Raises InvalidArgument for a temperature or guidance that means nothing."""
    if not (math.isfinite(turn.temperature) and turn.temperature >= 0):
        raise InvalidArgument(f"temperature is {turn.temperature}; expected a finite number of at least 0")
    if not math.isfinite(turn.guidance):
        raise InvalidArgument(f"guidance is {turn.guidance}; expected a finite number")


def checked(name: str, values: FloatArray, *shapes: tuple[int, ...]) -> FloatArray:
    """A float32 copy; raises InvalidArgument for another shape or values that are not finite."""
    array = np.array(values, dtype=np.float32)
    if array.shape not in shapes:
        raise InvalidArgument(f"{name} has shape {array.shape}; expected {' or '.join(map(str, shapes))}")
    if not np.isfinite(array).all():
        raise InvalidArgument(f"{name} holds NaN or infinity; expected finite values")
    return array


def checked_style(turn: TurnInput, styles: tuple[str, ...]) -> FloatArray:
    """The agent's style (S,); zeros, the average person, where none is given."""
    if turn.style is None:
        return np.zeros(len(styles), np.float32)
    if not styles:
        raise InvalidArgument("style: the model has none; expected None, or a model trained with styles")
    values = checked("style", turn.style, (len(styles),))
    if np.abs(values).max() > 1:
        raise InvalidArgument(f"style is {values.tolist()}; expected -1 to 1 for each of {', '.join(styles)}")
    return values


def checked_voices(turn: TurnInput, size: int, ahead: int) -> tuple[FloatArray, FloatArray]:
    """The user's voice (size,) and the agent's (size + ahead,); zeros where one is absent or not known yet."""
    user, agent = np.zeros(size, np.float32), np.zeros(size + ahead, np.float32)
    if turn.user_audio is not None:
        user[:] = checked("user_audio", turn.user_audio, (size,))
    if turn.agent_audio is not None:
        known = checked("agent_audio", turn.agent_audio, (size,), (size + ahead,))
        agent[: len(known)] = known
    return user, agent


def checked_motion(turn: TurnInput, n_frames: int, n_channels: int) -> tuple[FloatArray, npt.NDArray[np.bool_]]:
    """The user's motion (F, C), zeros where it is absent, and which frames are there (F,)."""
    if turn.user_motion is None:
        return np.zeros((n_frames, n_channels), np.float32), np.zeros(n_frames, bool)
    present = np.ones(n_frames, bool)
    if turn.user_motion_present is not None:
        present = np.array(turn.user_motion_present, dtype=bool)
        if present.shape != (n_frames,):
            raise InvalidArgument(f"user_motion_present has shape {present.shape}; expected {(n_frames,)}")
    values = np.array(turn.user_motion, dtype=np.float32)
    if values.shape == (n_frames, n_channels):
        values[~present] = 0  # absent frames may hold anything
    return checked("user_motion", values, (n_frames, n_channels)), present


@dataclass(frozen=True)
class Tails:
    """The audio before a turn, (context_samples,) of each voice."""

    user: FloatArray
    agent: FloatArray

    @classmethod
    def silent(cls, config: ModelConfig) -> "Tails":
        """Before the first turn."""
        silence = np.zeros(config.context_samples, np.float32)
        return cls(silence, silence)

    def heard(self, config: ModelConfig, turn: TurnInput) -> tuple[FloatArray, "Tails"]:
        """Both voices as graph `speech` takes them, (2, context + F*640), and what the next turn has before it.

        What is absent or not known yet is silence.
        """
        size, ahead = config.turn_samples, config.agent_lookahead_frames * SAMPLES_PER_FRAME
        user, agent = checked_voices(turn, size, ahead)
        user, agent = np.concatenate([self.user, user]), np.concatenate([self.agent, agent])
        return np.stack([user, agent[ahead:]]), Tails(user[size:], agent[size : len(agent) - ahead])


def ring_ages(n_turns: int, n_past: int) -> npt.NDArray[np.int64]:
    """(P,) how many turns ago each place of a ring was written, before turn `n_turns`; NEVER where none was."""
    age = (n_turns - 1 - np.arange(n_past)) % n_past + 1  # turn t lies in place t % n_past
    return np.where(age <= n_turns, age, NEVER)
