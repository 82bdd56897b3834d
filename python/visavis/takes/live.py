"""A conversation of voice files spoken in real time into a session on the clock, as a game would: lateness and all."""

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis.constants import FRAME_NS
from visavis.errors import InvalidArgument
from visavis.session import read_face, read_voice

if TYPE_CHECKING:
    from visavis.session import Model, Session, Voices

AHEAD_NS = 500_000_000  # the agent's voice is known so long before it plays, as a TTS delivers it
TICK_S = 0.01


@dataclass
class _Stream:
    """Rows of something, pushed as time passes."""

    rows: NDArray[np.float32]
    rate: float
    ahead_ns: int
    push: Callable[[NDArray[np.float32], int], object]  # rows, time
    n_pushed: int = 0

    @property
    def length_ns(self) -> int:
        return round(len(self.rows) * 1e9 / self.rate)

    def feed(self, now_ns: int) -> None:
        until = min(len(self.rows), int((now_ns + self.ahead_ns) * self.rate / 1e9))
        if until > self.n_pushed:
            self.push(self.rows[self.n_pushed : until], round(self.n_pushed * 1e9 / self.rate))
            self.n_pushed = until


def record_in_real_time(
    model: "Model",
    take: Path,
    agent: Path | None,
    user: Path | None,
    user_motion: Path | None = None,
    *,
    dials: Mapping[str, float] | None = None,
    stop: Callable[[], bool] = lambda: False,
    progress: Callable[[float], object] | None = None,
    **options: Any,
) -> dict[str, Any]:
    """Speak the files into a session that records itself; returns its `stats`.  `options` are those of a session.

    `progress` is told the share that is done, 0 to 1.
    """
    if agent is None and user is None:
        raise InvalidArgument("record: neither agent nor user audio was given; expected at least one")
    voices = {name: read_voice(name, path) for name, path in (("agent", agent), ("user", user)) if path is not None}
    face = None if user_motion is None else read_face(user_motion, model.channels)
    present: Voices = "both" if len(voices) == 2 else "agent" if "agent" in voices else "user"
    with model.session(voices=present, take=take, **options) as session:
        session.set_dials(dials or {})
        streams = [_voice_stream(session, name, *voice) for name, voice in voices.items()]
        if face is not None:
            streams.append(_Stream(face, 25.0, 0, session.push_user_motion))
        length_ns, start_ns = max(stream.length_ns for stream in streams), time.monotonic_ns()
        while (now_ns := time.monotonic_ns() - start_ns) < length_ns + FRAME_NS and not stop():
            for stream in streams:
                stream.feed(now_ns)
            session.advance(now_ns)
            session.poll()
            if progress is not None:
                progress(now_ns / length_ns)
            time.sleep(TICK_S)
        session.end()
        session.poll()
        return session.stats


def _voice_stream(session: "Session", name: str, samples: NDArray[np.float32], rate: int) -> _Stream:
    push = session.push_agent_audio if name == "agent" else session.push_user_audio
    return _Stream(samples, rate, AHEAD_NS if name == "agent" else 0, lambda rows, time_ns: push(rows, rate, time_ns))
