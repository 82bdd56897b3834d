"""Records a session while it runs: a journal beside the take, turned into the take at the end.

A fault of the disk never stops the session: the recording ends there, `failure` says why, and `finish` raises it.
"""

import hashlib
import logging
from collections.abc import Callable
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from visavis.constants import FRAME_NS, SAMPLE_RATE, SAMPLES_PER_FRAME
from visavis.errors import FileError, InvalidArgument
from visavis.motion_file import check_output_path
from visavis.takes.file import load_take, write_take
from visavis.takes.journal import JournalWriter, journal_path
from visavis.takes.take import MAX_FRAMES, MAX_SECONDS, About

if TYPE_CHECKING:
    from visavis.session import Model, Session

log = logging.getLogger("visavis.takes")
REST_SAMPLES = SAMPLE_RATE  # of the user's voice behind the last turn: the model's lag, at most a second


def check_take_path(path: str | Path) -> Path:
    """The path as a Path; raises before any work is done if a take cannot be recorded there."""
    path = Path(path)
    if path.suffix.lower() != ".npz":
        raise InvalidArgument(f"take file {path}: suffix {path.suffix!r}; expected .npz")
    check_output_path(path, "take")
    return path


def about_session(model: "Model", session: "Session", settings: dict[str, Any]) -> About:
    """What a take must say of a session that begins now."""
    import visavis

    info, engine = model.info, model.engine
    live = settings["agent_audio"] == "live"
    return About(
        channels=tuple(info.channels),
        units=tuple(info.units),
        motion_space=engine.config.motion_space,
        turn_frames=info.turn_frames,
        lookahead_frames=0 if live else info.agent_lookahead_frames,
        delay_ns=session.delay_ns,
        seed=settings["seed"],
        agent_audio=settings["agent_audio"],
        voices=settings["voices"],
        eye_layer=info.eye_layer,
        engine=model.engine_name,
        engine_options={name: _plain(value) for name, value in model.options.items()},
        isa=str(getattr(engine, "isa", "")),
        precision=precision_of(engine),
        version=visavis.__version__,
        model=info.name,
        styles=tuple(info.styles),
        model_file=model.path.name if model.path else "",
        model_sha256=sha256_of(model.path) if model.path else "",
        settings={name: _plain(value) for name, value in settings.items()},
        recorded=datetime.now(timezone.utc).isoformat(timespec="milliseconds"),
    )


def precision_of(engine: object) -> str:
    """What its large products are computed in."""
    return {"bf16": "bfloat16", "f16": "float16", "int8": "int8"}.get(str(getattr(engine, "precision", "")), "float32")


def _plain(value: Any) -> Any:
    return value if isinstance(value, (bool, int, float, str, type(None))) else str(value)


def sha256_of(path: Path) -> str:
    """The hash of a file, in hexadecimal."""
    try:
        with path.open("rb") as file:
            return _digest(file.read)
    except OSError as error:
        raise FileError(f"model file {path}: cannot be read ({error.strerror or error})") from None


def _digest(read: Callable[[int], bytes]) -> str:
    digest = hashlib.sha256()
    while block := read(1 << 20):
        digest.update(block)
    return digest.hexdigest()


class TakeRecorder:
    """Of one session, from its first turn on; one caller at a time."""

    def __init__(self, path: str | Path, about: About, native: Any) -> None:
        from visavis import _core

        self.path = check_take_path(path)
        self.failure: FileError | None = None
        self._native: Any = native
        self._journal = JournalWriter(journal_path(self.path), about)
        self._tap = _core.start_tap(native)
        self._voice_end = 0  # first of the user's samples that no turn saw
        self._about = about
        self._n_turns, self._next_ns = 0, about.delay_ns

    @property
    def journal(self) -> Path:
        """The file that grows while the take is recorded."""
        return self._journal.path

    def note(self, write: Callable[[JournalWriter], object]) -> None:
        """Write what the session did since the last call, then what `write` adds."""
        turns, (index, flags) = self._tap.take_turns(), self._tap.take_frames()
        if self.failure is not None:
            return
        try:
            for turn in turns:
                self._journal.add_turn(turn)
                self._n_turns += 1
                self._voice_end = (turn["user_frame"] + self._about.turn_frames) * SAMPLES_PER_FRAME
            if len(index):
                if index[-1] >= MAX_FRAMES:
                    raise FileError(f"take {self.path}: {MAX_SECONDS} s are recorded, the most that a take holds")
                self._journal.add_rig(index, flags)
                self._next_ns = (int(index[-1]) + 1) * FRAME_NS + self._about.delay_ns
            write(self._journal)
        except FileError as error:
            self.failure = error
            log.error("%s: the recording ends here, the session goes on", error)

    def turns(self) -> None:
        """The session may have made turns."""
        self.note(lambda journal: None)

    def frames(
        self, index: NDArray[Any], time_ns: NDArray[Any], state: NDArray[Any], values: NDArray[np.float32]
    ) -> None:
        """The session gave frames out."""
        if len(index):
            self.note(lambda journal: journal.add_frames(index, time_ns, state, values))

    def event(self, kind: str, name: str, value: float, now_ns: int | None) -> None:
        """A dial was set, or the agent interrupted; without a clock at the time of the next frame."""
        self.note(lambda journal: journal.add_event(kind, name, value, self._next_ns if now_ns is None else now_ns))

    def stop(self) -> None:
        """The session is about to close: the last that it knows goes into the journal."""
        from visavis import _core

        begin = max(0, self._voice_end)
        rest = _core.queued_voice(self._native, False, begin, begin + REST_SAMPLES)
        self._native = None
        self.note(lambda journal: journal.add_voice(False, begin, rest) if len(rest) else None)
        try:
            self._journal.close(complete=self.failure is None)
        except (FileError, OSError) as error:
            self.failure = self.failure or FileError(f"take {self.path}: cannot be written ({error})")

    def finish(self) -> None:
        """Turn the journal into the take, if there was a turn.  Raises FileError; the journal then stays."""
        if not self._n_turns and self.failure is None:
            self.journal.unlink(missing_ok=True)
            return
        try:
            write_take(self.path, load_take(self.journal))
        except FileError as error:
            self.failure = self.failure or error
        if self.failure is not None:
            raise FileError(f"{self.failure}; what was recorded before is in {self.journal}")
        self.journal.unlink(missing_ok=True)
