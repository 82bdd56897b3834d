"""Many characters at once: one engine, and the sessions that it serves together.

    with visavis.Runtime(threads=2) as runtime:
        crowd = [runtime.session(seed=i) for i in range(100)]
        crowd[7].push_agent_audio(samples, rate)
        while playing:                              # about every 10 ms
            for session in runtime.advance():
                for frame in session.poll():
                    ...

Turns come due at 16 places in the length of a turn (200 ms), as many at each: the load is flat, and the turns of a
place are one step of the engine, shared by its threads.  A turn made so has the bytes of one made alone.  Sessions are
pushed to and polled as ever, in the clock drive (docs/clock.md); `Runtime.advance` takes the place of `advance`.
"""

import logging
import math
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from visavis.constants import FRAME_NS
from visavis.errors import FileError, FullError, InvalidArgument, StateError
from visavis.session import AgentAudio, Late, Model, Session, Voices, load

if TYPE_CHECKING:
    from visavis import _core

log = logging.getLogger("visavis")
WORK_NS = 10_000_000  # no step of the engine begins after so much work of an `advance`
REMEDY = "close one, or make turns cheaper with fewer steps, precision bf16 or more threads (docs/engines.md)"
MAX_LOAD = 0.8  # of the calling thread's core


class Runtime:
    """A model's engine with the sessions that it serves; one thread calls `session` and `advance`.

    What another session would cost is known before it is let in: what turns take of the processor is measured, before
    the first session and with every step.  Close it, or use it in a `with` block.
    """

    def __init__(
        self,
        model: Model | str | Path | None = None,
        engine: str = "cpu",
        *,
        threads: int | None = None,
        max_load: float = MAX_LOAD,
        clock: Callable[[], int] | None = None,
        **engine_options: Any,
    ) -> None:
        """`model`: a model file (None: the packaged one) for `load` with these options, or a model that is loaded.

        `threads` share the turns of a step (None: as the model was loaded, or 1).  `max_load`: the share of one
        processor core, the calling thread's, that all sessions may need together; math.inf lets every one in.
        `clock`: monotonic nanoseconds (None: time.monotonic_ns).  Raises InvalidArgument, and what `load` raises.
        """
        from visavis import _core

        if not max_load >= 0:
            raise InvalidArgument(f"max_load is {max_load!r}; expected 0 or more, of one processor core")
        self.model = _loaded(model, engine, threads, engine_options)
        self.max_load, self.clock = max_load, clock or time.monotonic_ns
        self._core_clock = None if self.clock is time.monotonic_ns else self.clock  # None: without Python
        self._sessions: dict[int, Session] = {}
        self._news: dict[int, None] = {}  # sessions with frames that no turn made
        self._n_opened = 0
        self.now_ns = self.clock()  # as `advance` was told last
        with self.model._lock:
            self._native: _core.Runtime | None = _core.Runtime(self.model.engine, self._core_clock)

    @property
    def sessions(self) -> tuple[Session, ...]:
        """The open ones, oldest first."""
        return tuple(self._sessions.values())

    @property
    def load(self) -> float:
        """The share of the calling thread's core that the open sessions need, as measured."""
        return self._open().load(len(self._sessions))

    @property
    def turn_cost_ns(self) -> int:
        """Processor time of a turn, as many of them as there are sessions sharing steps."""
        return self._open().turn_cost_ns(len(self._sessions))

    @property
    def next_due_ns(self) -> int:
        """When the next turn is due, on the runtime's clock; 2**62 without a session."""
        return min(self._open().next_due_ns(), 1 << 62)

    def session(
        self,
        seed: int = 0,
        temperature: float = 1.0,
        guidance: float = 1.0,
        agent_audio: AgentAudio = "ahead",
        voices: Voices = "both",
        steps: int | None = None,
        lead_ns: int = FRAME_NS,
        late: Late = "hold",
        take: str | Path | None = None,
        style: Mapping[str, float] | None = None,
    ) -> Session:
        """Start a conversation; the arguments are those of `Model.session`.

        Its clock starts within a turn from now (`Session.origin_ns`, on the runtime's clock).  Raises FullError where
        all sessions together would then need more than `max_load`: those that are open stay in time.  The first one is
        let in all the same, since it can only be late itself; a line in the log says so.
        """
        native = self._open()
        if overload := native.overload(len(self._sessions) + 1, self.max_load):
            if self._sessions:
                raise FullError(f"{overload} (max_load): {REMEDY}")
            log.warning("%s (max_load): turns will be late; %s", overload, REMEDY)
        session = self.model.session(
            seed, temperature, guidance, agent_audio, voices, steps, lead_ns, late, self._core_clock, take, style
        )
        key, self._n_opened = self._n_opened, self._n_opened + 1
        with self.model._lock:
            session._join(self, key, native.add(session._open(), key, self.clock()))
            self._sessions[key] = session
        return session

    def advance(self, now_ns: int | None = None) -> list[Session]:
        """Tell all sessions what time it is on the runtime's clock (None: `clock()`) and make the turns that are due.

        Returns the sessions that have something to `poll`: frames, or the error with which the engine failed (raised by
        `poll`; the others are not affected, and the turn is tried again a second later).  No step begins after 10 ms of
        work, so that frames can be polled; the next call goes on.  Call it about every 10 ms.  Raises InvalidArgument
        for a clock that goes back.
        """
        native, now = self._open(), self.clock() if now_ns is None else now_ns
        with self.model._lock:
            keys = native.advance(now, WORK_NS)
            self.now_ns = now
            news = [self._sessions[key] for key in self._news | dict.fromkeys(keys)]
            self._news.clear()
            for session in news:
                if session.recorder is not None:
                    session.recorder.turns()
        return news

    def charge(self, ns: int, turns: int) -> None:
        """Processor time that the caller took for what so many turns made, such as publishing: it counts as load."""
        self._open().charge(ns, turns)

    def report(self) -> dict[str, Any]:
        """What is going on, as JSON: open sessions, what they need of a core and may need, what a turn takes of it."""
        most = self.max_load if math.isfinite(self.max_load) else None
        n_sessions, load = len(self._sessions), round(self.load, 3)
        return {"heads": n_sessions, "load": load, "max_load": most, "turn_ms": round(self.turn_cost_ns / 1e6, 3)}

    def close(self) -> None:
        """Close the sessions; the model stays.  Raises FileError if a take could not be written."""
        failures = []
        for session in self.sessions:
            try:
                session.close()
            except FileError as error:
                failures.append(error)
        self._native = None
        if failures:
            raise failures[0]

    def _open(self) -> "_core.Runtime":
        if self._native is None:
            raise StateError("the runtime is closed; make another")
        return self._native

    def _raise_failure(self, key: int) -> None:
        """What the engine said to the session's last turn, once.  The model's lock is held."""
        self._open().raise_failure(key)

    def _show(self, key: int) -> None:
        """The session has frames for the next `advance` to tell of.  The model's lock is held."""
        self._news[key] = None

    def _leave(self, key: int) -> None:
        """The session closes.  The model's lock is held."""
        self._open().remove(key)
        self._news.pop(key, None)
        del self._sessions[key]

    def __enter__(self) -> "Runtime":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _loaded(model: Model | str | Path | None, engine: str, threads: int | None, options: dict[str, Any]) -> Model:
    if not isinstance(model, Model):
        return load(model, engine, **options, **({} if threads is None else {"threads": threads}))
    if options:
        raise InvalidArgument(f"{', '.join(options)}: the model is loaded; give these to visavis.load, or a file here")
    if threads not in (None, found := getattr(model.engine, "threads", 1)):
        raise InvalidArgument(
            f"threads is {threads}; the model was loaded with {found}: load it with threads={threads}, or give its file"
        )
    return model
