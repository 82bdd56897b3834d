"""What a take holds: both voices and the user's face as the session's timeline saw them, the agent's motion before and
after the rig, what became of each turn, dials with their times, and all that a replay must know (docs/takes.md).

Voices are float32 at 16 kHz.  Times are nanoseconds of the session clock; sample n stands at n / 16 000 s, frame k at
k * 40 ms.  A live agent's frames are seen, and its voice heard, `about.delay_ns` later.
"""

from dataclasses import asdict, dataclass, field, fields
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from visavis.constants import FRAME_NS, FRAME_RATE, SAMPLES_PER_FRAME
from visavis.motion_file import MotionData

FORMAT = 1
WITHDRAWN = 8  # of a frame's state
MAX_SECONDS = 2 * 3600  # a recording stops here: its arrays stay within what readers take
MAX_FRAMES = MAX_SECONDS * FRAME_RATE
LONGEST_TEXT = 256  # characters of an event's kind or name
ACTIONS = ("in time", "held", "fewer steps", "idle")  # by value of `turn_action`

Floats = NDArray[np.float32]
Whole = NDArray[np.int64]
Flags = NDArray[np.bool_]


@dataclass(frozen=True)
class About:
    """Where a take comes from, and what must be the same for a replay to give the same bytes."""

    channels: tuple[str, ...]  # C names, and as many units
    units: tuple[str, ...]
    motion_space: str = "arkit55"
    turn_frames: int = 5  # F
    lookahead_frames: int = 0  # of the agent's voice past each turn
    delay_ns: int = 0
    seed: int = 0
    agent_audio: str = "ahead"
    voices: str = "both"
    eye_layer: bool = False  # the model leaves the eyes to the rig
    engine: str = ""
    engine_options: dict[str, Any] = field(default_factory=dict)
    isa: str = ""  # instruction set of engine cpu
    precision: str = "float32"
    version: str = ""  # of Visavis
    model: str = ""  # name
    model_file: str = ""  # without its folder
    model_sha256: str = ""
    settings: dict[str, Any] = field(default_factory=dict)  # temperature, guidance, steps, lead_ns, ...
    recorded: str = ""  # when it began, UTC
    head: str = ""  # on a server
    source: str = "session"  # or "wire": only what a server published
    styles: tuple[str, ...] = ()  # of the model: the axes of the person's style
    complete: bool = False  # ended as it should; not so when the recording process was killed

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return asdict(self)


ABOUT_FIELDS = {item.name: item for item in fields(About)}


class ArraySpec(NamedTuple):
    """Type and shape of an array; letters are lengths that arrays share."""

    kinds: str  # numpy's letters
    dtype: str  # as it is written
    shape: tuple[str | int, ...]


# N frames given out, S and V samples, M of the user's frames, T turns, R frames that went through the rig, E events.
ARRAYS: dict[str, ArraySpec] = {
    "values": ArraySpec("f", "f4", ("N", "C")),  # the agent's motion, after the rig
    "channels": ArraySpec("U", "U", ("C",)),
    "fps": ArraySpec("fiu", "f8", ()),
    "time_ns": ArraySpec("i", "i8", ("N",)),
    "frame": ArraySpec("i", "i8", ("N",)),
    "state": ArraySpec("u", "u2", ("N",)),  # FrameState
    "replaced": ArraySpec("b", "b1", ("N",)),  # a barge-in withdrew the frame that was there before
    "agent_audio": ArraySpec("f", "f4", ("S",)),
    "user_audio": ArraySpec("f", "f4", ("V",)),
    "user_motion": ArraySpec("f", "f4", ("M", "C")),
    "user_motion_there": ArraySpec("b", "b1", ("M",)),
    "turn": ArraySpec("i", "i8", ("T",)),  # number of the turn; its frames are turn * F to turn * F + F - 1
    "turn_motion": ArraySpec("f", "f4", ("T", "F", "C")),  # the agent's motion, before the rig
    "turn_user_frame": ArraySpec("i", "i8", ("T",)),  # first of the user's F frames that the turn saw
    "turn_agent_heard": ArraySpec("b", "b1", ("T",)),  # False: the voice was absent
    "turn_user_heard": ArraySpec("b", "b1", ("T",)),
    "turn_lookahead": ArraySpec("f", "f4", ("T", "L")),  # the agent's voice past the turn, as far as it was known then
    "turn_steps": ArraySpec("i", "i4", ("T",)),
    "turn_temperature": ArraySpec("f", "f4", ("T",)),
    "turn_guidance": ArraySpec("f", "f4", ("T",)),
    "turn_style": ArraySpec("f", "f4", ("T", "P")),  # P styles; takes of models without any may lack it
    "turn_stage_ns": ArraySpec("i", "i8", ("T", 3)),  # speech, backbone, denoise
    "turn_clock_ns": ArraySpec("i", "i8", ("T", 3)),  # due, begin and end of the engine's work, session clock
    "turn_action": ArraySpec("u", "u1", ("T",)),  # ACTIONS
    "turn_dropped_frames": ArraySpec("i", "i4", ("T",)),  # over one frame late
    "rig_frame": ArraySpec("i", "i8", ("R",)),  # in the order in which they went through the rig
    "rig_speaking": ArraySpec("b", "b1", ("R",)),
    "rig_idle": ArraySpec("b", "b1", ("R",)),  # made of no turn's motion: the engine was late
    "rig_eased": ArraySpec("b", "b1", ("R",)),  # mixed, behind the rig, with the frame before
    "event_time_ns": ArraySpec("i", "i8", ("E",)),
    "event_kind": ArraySpec("U", "U", ("E",)),  # "dial", "cancel"
    "event_name": ArraySpec("U", "U", ("E",)),  # of the dial
    "event_value": ArraySpec("f", "f8", ("E",)),  # of the dial, or from when on (ns) was cancelled
    "event_rig_frames": ArraySpec("i", "i8", ("E",)),  # how many frames had gone through the rig before
}


@dataclass(frozen=True, eq=False)
class Take:
    """One recording; the arrays are those of `ARRAYS`."""

    about: About
    values: Floats
    time_ns: Whole
    frame: Whole
    state: NDArray[np.uint16]
    replaced: Flags
    agent_audio: Floats
    user_audio: Floats
    user_motion: Floats
    user_motion_there: Flags
    turn: Whole
    turn_motion: Floats
    turn_user_frame: Whole
    turn_agent_heard: Flags
    turn_user_heard: Flags
    turn_lookahead: Floats
    turn_steps: NDArray[np.int32]
    turn_temperature: Floats
    turn_guidance: Floats
    turn_style: Floats
    turn_stage_ns: Whole
    turn_clock_ns: Whole
    turn_action: NDArray[np.uint8]
    turn_dropped_frames: NDArray[np.int32]
    rig_frame: Whole
    rig_speaking: Flags
    rig_idle: Flags
    rig_eased: Flags
    event_time_ns: Whole
    event_kind: NDArray[np.str_]
    event_name: NDArray[np.str_]
    event_value: NDArray[np.float64]
    event_rig_frames: Whole

    @property
    def channels(self) -> tuple[str, ...]:
        """The C channel names."""
        return self.about.channels

    @property
    def fps(self) -> float:
        """Frames a second."""
        return float(FRAME_RATE)

    @property
    def seconds(self) -> float:
        """How long it is: from time 0 to the end of its last frame or turn."""
        ends_ns = [0]
        if len(self.time_ns):
            ends_ns.append(int(self.time_ns[-1]) + FRAME_NS)
        if len(self.turn):
            ends_ns.append((int(self.turn[-1]) + 1) * self.about.turn_frames * FRAME_NS + self.about.delay_ns)
        return max(ends_ns) / 1e9

    def shown(self) -> MotionData:
        """The motion that was to be seen: without the frames that a barge-in withdrew."""
        keep = (self.state & WITHDRAWN) == 0
        return MotionData(self.values[keep], self.channels, self.fps, self.time_ns[keep])

    def user_slice(self, row: int) -> tuple[Floats, Floats, Flags]:
        """The user's voice (F*640,), face (F, C) and which of its frames are there (F,), as turn `row` saw them."""
        first, n = int(self.turn_user_frame[row]), self.about.turn_frames
        voice = cut(self.user_audio, first * SAMPLES_PER_FRAME, n * SAMPLES_PER_FRAME)
        return voice, cut(self.user_motion, first, n), cut(self.user_motion_there, first, n)

    def agent_slice(self, row: int) -> Floats:
        """The agent's voice as turn `row` saw it: ((F + lookahead) * 640,)."""
        n = self.about.turn_frames * SAMPLES_PER_FRAME
        return np.concatenate([cut(self.agent_audio, int(self.turn[row]) * n, n), self.turn_lookahead[row]])


def cut(array: NDArray[Any], first: int, n: int) -> NDArray[Any]:
    """Rows [first, first + n), zeros where the array has none."""
    out = np.zeros((n, *array.shape[1:]), array.dtype)
    begin, end = min(max(first, 0), len(array)), min(max(first + n, 0), len(array))
    if end > begin:
        out[begin - first : end - first] = array[begin:end]
    return out
