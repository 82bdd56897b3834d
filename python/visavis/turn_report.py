"""What became of each turn of a session: the engine's time and steps, and what was done if the turn was late."""

from dataclasses import dataclass
from enum import IntEnum


class LateAction(IntEnum):
    """What was done about a turn; the values are those of the C ABI."""

    IN_TIME = 0
    HELD = 1  # it was late, and its frames with it
    FEWER_STEPS = 2  # it got fewer denoising steps than wanted
    IDLE = 3  # its frames had gone out idle; it entered the history alone


@dataclass(frozen=True, slots=True)
class TurnReport:
    """One turn.  Times are nanoseconds of the session clock; in the push drive a turn begins when it would be due."""

    turn: int  # its frames are turn * F to turn * F + F - 1
    skipped_turns: int  # turns before this one that were never generated
    due_ns: int  # the lead before its first frame is to be seen
    begin_ns: int  # the engine's work
    end_ns: int
    speech_ns: int  # parts of that work
    backbone_ns: int
    denoise_ns: int
    steps: int  # denoising steps that were run
    action: LateAction
    dropped_frames: int  # over one frame late
