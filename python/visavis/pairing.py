"""Two characters who talk to each other: what one says and shows is what the other hears and sees.

    with visavis.pair(model.session(seed=1), model.session(seed=2)) as both:
        both.push_agent_audio(both.a, samples, rate)     # a speaks, b hears it
        both.push_agent_audio(both.b, others, rate)
        both.end()
        frames_a, frames_b = both.poll()

Both sessions stand on one clock.  Motion reaches the other one as frames of earlier turns alone: no turn of either
depends on itself, and it does not matter which of the two is generated first.
"""

from collections.abc import Sequence
from types import TracebackType

import numpy as np
from numpy.typing import ArrayLike

from visavis.constants import FRAME_NS
from visavis.errors import InvalidArgument
from visavis.session import Frame, FrameState, Session


class Link:
    """One direction of a pair.  `offset_ns` is the target's clock less the source's; one caller at a time."""

    def __init__(self, source: Session, target: Session, *, motion: bool, offset_ns: int = 0) -> None:
        if target.voices != "both" or source.voices == "user":
            raise InvalidArgument(
                f"pair: sessions with voices={source.voices!r} and {target.voices!r}; expected 'both' and 'both'"
            )
        self._source, self._target, self._motion, self._offset_ns = source, target, motion, offset_ns
        self._columns = _columns(source.model.channels, target.model.channels) if motion else []

    def voice(self, samples: ArrayLike, rate: int, start_ns: int) -> None:
        """The source speaks: the target hears it when it goes out."""
        self._target.push_user_audio(samples, rate, start_ns + self._source.delay_ns + self._offset_ns)

    def show(self, frames: Sequence[Frame]) -> None:
        """The source moves: the target sees it, but never a turn's frames within that turn."""
        if not self._motion:
            return
        later = max(0, self._target.model.turn_frames - self._target.user_lag_frames)
        for frame in frames:
            if FrameState.WITHDRAWN not in frame.state:
                values = frame.values[np.newaxis, self._columns]
                self._target.push_user_motion(values, frame.time_ns + self._offset_ns + later * FRAME_NS)

    def cut(self, from_ns: int) -> None:
        """The source was interrupted: what was queued of its voice from then on will not be heard."""
        self._target.cancel_user(from_ns + self._offset_ns)


class Pair:
    """Two sessions, driven together: push, advance, poll and cancel here, not there."""

    def __init__(self, a: Session, b: Session, *, motion: bool = True) -> None:
        if a is b:
            raise InvalidArgument("pair: one session with itself; expected two")
        self.a, self.b = a, b
        self._sessions = (a, b)
        self._links = (Link(a, b, motion=motion), Link(b, a, motion=motion))
        self._frames: tuple[list[Frame], list[Frame]] = ([], [])
        self._n_made = [0, 0]  # frames
        self._live = self._ended = False

    def _place(self, session: Session) -> int:
        if session not in self._sessions:
            raise InvalidArgument("pair: this session is not one of the two; expected pair.a or pair.b")
        return self._sessions.index(session)

    def push_agent_audio(self, session: Session, samples: ArrayLike, rate: int, time_ns: int | None = None) -> int:
        """One of the two speaks, the other hears it; as `Session.push_agent_audio`."""
        link = self._links[self._place(session)]
        start_ns = session.push_agent_audio(samples, rate, time_ns)
        link.voice(samples, rate, start_ns)
        return start_ns

    def cancel(self, session: Session, from_ns: int) -> int:
        """One of the two is interrupted, the other hears no more of it; as `Session.cancel`."""
        link = self._links[self._place(session)]
        n = session.cancel(from_ns)
        link.cut(from_ns)
        return n

    def advance(self, now_ns: int) -> None:
        """The clock drive of both; as `Session.advance`."""
        self._live = True
        for session in self._sessions:
            session.advance(now_ns)
        for who, session in enumerate(self._sessions):
            self._take(who, session.poll())

    def end(self) -> None:
        """No more voice will be pushed; `poll` gives out what is left."""
        self._live, self._ended = False, True
        for session in self._sessions:
            session.end()

    def poll(self) -> tuple[list[Frame], list[Frame]]:
        """The frames of both that are ready, oldest first."""
        if self._live:
            for who, session in enumerate(self._sessions):
                self._take(who, session.poll())
        else:
            while self._take_turn():
                pass
        frames = self._frames
        self._frames = ([], [])
        return frames

    def _take_turn(self) -> bool:
        """One turn, of the one that is behind: neither runs ahead of what it could see of the other."""
        ahead = int(self._n_made[1] > self._n_made[0])
        behind = 1 - ahead
        if self._poll_turn(behind):
            return True
        free = self._ended or self._n_made[0] == self._n_made[1]
        return free and self._poll_turn(ahead)

    def _poll_turn(self, who: int) -> bool:
        session = self._sessions[who]
        return self._take(who, session.poll(session.model.turn_frames))

    def _take(self, who: int, frames: list[Frame]) -> bool:
        self._links[who].show(frames)
        self._frames[who].extend(frames)
        if frames:
            self._n_made[who] = max(self._n_made[who], frames[-1].index + 1)
        return bool(frames)

    def close(self) -> None:
        """Close both sessions."""
        for session in self._sessions:
            session.close()

    def __enter__(self) -> "Pair":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def pair(a: Session, b: Session, motion: bool = True) -> Pair:
    """Let two characters talk to each other: the voice and, with `motion`, the face of each is the other's user.

    Both need both voices, and faces of the same channels (else: motion=False).
    """
    return Pair(a, b, motion=motion)


def _columns(source: tuple[str, ...], target: tuple[str, ...]) -> list[int]:
    """Where the target's channels lie among the source's."""
    if missing := [name for name in target if name not in source]:
        raise InvalidArgument(
            f"pair: the other's face lacks {len(missing)} of {len(target)} channels, such as {missing[0]}; expected "
            "models of one motion space, or motion=False"
        )
    return [source.index(name) for name in target]
