"""Records what a server publishes of one head: its frames and voices as they arrive, into a take without turns.

Time 0 of the take is the first frame that arrives; the event `began` says where that was on the head's clock.
"""

import logging
import time
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import Any

import numpy as np

import visavis
from visavis import _core
from visavis.bridge.client import Client
from visavis.bridge.keys import ClientKeys
from visavis.bridge.receiver import MAGICS, Receiver, why_nothing
from visavis.bridge.track import Track
from visavis.bridge.wire import END, WITHDRAWN, Message
from visavis.constants import FRAME_NS, SAMPLE_RATE
from visavis.errors import InvalidArgument, StateError
from visavis.takes.file import load_take, write_take
from visavis.takes.journal import JournalWriter, journal_path
from visavis.takes.take import MAX_FRAMES, About, Floats

log = logging.getLogger("visavis.takes")
ANSWER_S = 0.7  # for the control port
FIRST_S = 2.5  # for a description: one comes each second
PATIENCE_S = 5.0  # without any message: the server is gone
REPORT_S = 5.0
SEAM_NS = 1_000_000  # voices that follow each other this closely are one


def record_from_server(
    endpoint: str,
    head: str | None,
    path: Path,
    stop: Callable[[], bool],
    say: Callable[[str], object] | None = None,
    keys: ClientKeys | None = None,
) -> None:
    """Record until `stop()`, until the head closes or the server goes.  Raises StateError where nothing comes."""
    with Receiver(endpoint, head, keys, (*MAGICS, "VVU1")) as receiver:
        track = _find(receiver, head, stop, keys)
        recording = WireRecording(path, track)
        if say:
            say(f"recording head {track.head} of {receiver.endpoint}; stop with Ctrl-C")
        try:
            _receive(receiver, track, recording, stop, say)
        finally:
            recording.finish()


def _find(receiver: Receiver, head: str | None, stop: Callable[[], bool], keys: ClientKeys | None) -> Track:
    """The head's track with its description, asked for, or as it comes once a second."""
    try:
        with Client(receiver.endpoint, keys) as client:
            for told in client.request("describe", timeout_s=ANSWER_S)["heads"]:
                receiver.tracks.setdefault(told["head"], Track(told["head"])).description = told
    except StateError:
        log.debug("no answer on the control port; waiting for a description")
    deadline = time.monotonic() + FIRST_S
    while not stop() and time.monotonic() < deadline:
        described = {name: track for name, track in receiver.tracks.items() if track.description}
        if head is None and len(described) > 1:
            raise InvalidArgument(f"the server has heads {', '.join(described)}; expected one of them as --head")
        if described and (head is None or head in described):
            return described[head or next(iter(described))]
        for _ in receiver.receive(100):
            pass
    raise StateError(f"record: {why_nothing(receiver.endpoint, keys)}")


def _receive(
    receiver: Receiver,
    track: Track,
    recording: "WireRecording",
    stop: Callable[[], bool],
    say: Callable[[str], object] | None,
) -> None:
    epoch, heard, told = track.description["epoch"], time.monotonic(), time.monotonic()
    while not (stop() or recording.ended):
        for of, message in receiver.receive(50):
            heard = time.monotonic()
            if of is not track:
                continue
            if message.epoch != epoch:
                return  # the server began anew: another conversation
            recording.take(message)
        now = time.monotonic()
        if now - heard > PATIENCE_S:
            return
        if say and now - told > REPORT_S:
            told = now
            say(f"{recording.n_frames} frames, {track.counts['lost']} messages lost")


class WireRecording:
    """Messages of one head in, a take out."""

    def __init__(self, path: Path, track: Track) -> None:
        self.path, self.n_frames, self.ended = path, 0, False
        self._journal = JournalWriter(journal_path(path), _about(track))
        self._origin_ns: int | None = None
        self._dials: dict[str, float] = {}
        self._voices = {"VVA1": VoiceTo16k(self._add(True)), "VVU1": VoiceTo16k(self._add(False))}

    def _add(self, agent: bool) -> Callable[[int, Floats], None]:
        return lambda first, samples: self._journal.add_voice(agent, first, samples)

    def take(self, message: Message) -> None:
        """One message, in the order of arrival."""
        if self._origin_ns is None and message.magic in ("VVM1", *self._voices):  # a frame's voice comes before it
            self._origin_ns = message.presentation_ns // FRAME_NS * FRAME_NS
            self._journal.add_event("began", "", self._origin_ns, 0)
        if self._origin_ns is None:
            return
        time_ns = message.presentation_ns - self._origin_ns
        if message.magic == "VVM1":
            self._take_motion(message, time_ns)
        elif message.magic in self._voices and message.values is not None:
            self._voices[message.magic].push(np.asarray(message.values, np.float32), message.rate, time_ns)
        elif message.magic == "VVC1":
            self._journal.add_event("cancel", "", time_ns, time_ns)
        elif message.magic == "VVD1":
            self._note_dials(message.description().get("dials", {}), time_ns)

    def _take_motion(self, message: Message, time_ns: int) -> None:
        self.ended = bool(message.flags & END) or time_ns // FRAME_NS >= MAX_FRAMES
        if self.ended or message.values is None or message.state & WITHDRAWN or time_ns < 0:
            return
        self.n_frames += 1
        row = np.asarray(message.values, np.float32).reshape(1, -1)
        index = np.array([round(time_ns / FRAME_NS)])
        self._journal.add_frames(index, np.array([time_ns]), np.array([message.state]), row)

    def _note_dials(self, dials: dict[str, Any], time_ns: int) -> None:
        now = {name: float(dial["value"]) for name, dial in dials.items()}
        for name, value in now.items():
            if self._dials.get(name, dials[name].get("default")) != value:
                self._journal.add_event("dial", name, value, max(0, time_ns))
        self._dials = now

    def finish(self) -> None:
        """Write the take.  Raises StateError if no frame came."""
        for voice in self._voices.values():
            voice.finish()
        self._journal.close(complete=True)
        if not self.n_frames:
            self._journal.path.unlink()
            raise StateError("record: no frame came from the server")
        write_take(self.path, load_take(self._journal.path))
        self._journal.path.unlink()


def _about(track: Track) -> About:
    told = track.description
    return About(
        channels=tuple(told["channels"]),
        units=tuple(told["units"]),
        motion_space=str(told.get("motion_space", "")),
        turn_frames=int(told.get("turn_frames", 1)),
        agent_audio=str(told.get("agent_audio", "ahead")),
        engine=str(told.get("engine", "")),
        model=str(told.get("model", "")),
        version=visavis.__version__,
        recorded=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
        head=track.head,
        source="wire",
    )


class VoiceTo16k:
    """A voice in timed pieces of any rate, out at 16 kHz at its places."""

    def __init__(self, add: Callable[[int, Floats], None]) -> None:
        self._add = add
        self._resampler: _core.Resampler | None = None
        self._rate = self._at = self._next_ns = 0

    def push(self, samples: Floats, rate: int, time_ns: int) -> None:
        """The next piece."""
        if self._resampler is None or rate != self._rate or abs(time_ns - self._next_ns) > SEAM_NS:
            self.finish()
            self._resampler, self._rate, self._next_ns = _core.Resampler(rate), rate, time_ns
            self._at = round(time_ns * SAMPLE_RATE / 1e9)
        self._put(self._resampler.push(samples))
        self._next_ns += round(len(samples) * 1e9 / rate)

    def finish(self) -> None:
        """The last samples of what was pushed."""
        if self._resampler is not None:
            self._put(self._resampler.finish())
            self._resampler = None

    def _put(self, samples: Floats) -> None:
        if len(samples):
            self._add(self._at, samples)
            self._at += len(samples)
