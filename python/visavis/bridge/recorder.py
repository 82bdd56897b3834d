"""The demo's other process: subscribes to one head and writes the motion that came over the socket.

    python -m visavis.bridge.recorder tcp://127.0.0.1:5570 demo motion.npz

Talks to its parent in JSON lines: says {"ready": true} once the head's description has come, takes
{"start_ns", "end_ns"} (session clock) on standard input, reports while frames arrive, writes the file, says
{"done": true, ...}.
"""

import json
import sys
import time
from pathlib import Path
from typing import Any

import numpy as np

from visavis.bridge.receiver import Receiver
from visavis.bridge.track import Track
from visavis.bridge.wire import WITHDRAWN, Message
from visavis.errors import Error, StateError
from visavis.motion_file import MotionData, check_motion_path, write_motion

READY_TIMEOUT_S = 20.0
SILENCE_TIMEOUT_S = 5.0  # without any message: the server is gone
REPORT_S = 0.25


class Recording:
    """The frames of one head between two session times; a cut or a later frame of the same number replaces."""

    def __init__(self, start_ns: int, end_ns: int) -> None:
        self.start_ns, self.end_ns = start_ns, end_ns
        self.frames: dict[int, Message] = {}
        self.complete = False

    def take(self, message: Message) -> None:
        """Keep a motion frame, or obey a cut."""
        if message.magic == "VVC1":
            self.frames = {k: m for k, m in self.frames.items() if m.presentation_ns < message.presentation_ns}
        elif message.magic == "VVM1" and message.presentation_ns >= self.end_ns:
            self.complete = True
        elif message.magic == "VVM1" and message.presentation_ns >= self.start_ns and not message.state & WITHDRAWN:
            self.frames[message.frame] = message

    def motion(self, description: dict[str, Any]) -> MotionData:
        """The frames in order, times counted from the start."""
        if not self.frames:
            raise StateError("recorder: no frame arrived between start and end")
        ordered = [self.frames[k] for k in sorted(self.frames)]
        values = np.array([message.values for message in ordered], np.float32)
        times_ns = np.array([message.presentation_ns - self.start_ns for message in ordered], np.int64)
        return MotionData(values, tuple(description["channels"]), float(description["frame_rate"]), times_ns)


def record(endpoint: str, head: str, path: Path) -> None:
    """The whole life of the recorder."""
    check_motion_path(path)
    with Receiver(endpoint, head) as receiver:
        track = _wait_until_ready(receiver, head)
        _say({"ready": True})
        limits = json.loads(sys.stdin.readline() or "null")
        if limits is None:
            return  # the parent is gone
        recording = Recording(limits["start_ns"], limits["end_ns"])
        _receive(receiver, track, recording)
        write_motion(path, recording.motion(track.description))
        report = track.report(receiver.server_ns())
        _say({"done": True, "recorded_frames": len(recording.frames), "malformed": receiver.malformed, **report})


def _wait_until_ready(receiver: Receiver, head: str) -> Track:
    deadline = time.monotonic() + READY_TIMEOUT_S
    while time.monotonic() < deadline:
        for track, _ in receiver.receive(100):
            if track.description:
                return track
    raise StateError(f"recorder: no description of head {head!r} from {receiver.endpoint} in {READY_TIMEOUT_S:g} s")


def _receive(receiver: Receiver, track: Track, recording: Recording) -> None:
    reported = heard = time.monotonic()
    while not (recording.complete or track.closed):
        for _, message in receiver.receive(50):
            recording.take(message)
            heard = time.monotonic()
        now = time.monotonic()
        if now - heard > SILENCE_TIMEOUT_S:
            raise StateError(f"recorder: nothing came from {receiver.endpoint} for {SILENCE_TIMEOUT_S:g} s")
        if now - reported > REPORT_S:
            reported = now
            _say(track.report(receiver.server_ns()))


def _say(message: dict[str, Any]) -> None:
    print(json.dumps(message), flush=True)


def main() -> None:
    """Entry point of the process."""
    endpoint, head, path = sys.argv[1:]
    try:
        record(endpoint, head, Path(path))
    except Error as error:
        print(f"visavis: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
