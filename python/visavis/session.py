"""Sessions: a model, one character's conversation with it, and whole files at once.

    model = visavis.load()
    with model.session(seed=7) as session:
        session.push_agent_audio(samples, rate)
        session.push_user_audio(samples, rate)
        session.end()
        for frame in session.poll():
            mesh.apply(frame.values)

    motion = visavis.animate(agent="npc.wav", user="player.wav")

Times are nanoseconds of the session clock: frame k stands at k * 40 ms.  Offline ("push drive"), `poll` generates each
turn as soon as the voices cover it.  Live ("clock drive", from the first `advance` on), `advance` generates the turns
that are due with what has been pushed by then (docs/clock.md).  Sessions of one model share its engine and take turns
at it; they may be used from several threads.
"""

import threading
import warnings
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from enum import IntFlag
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, TypeAlias

import numpy as np
from numpy.typing import ArrayLike, NDArray

from visavis.constants import FRAME_NS, FRAME_RATE
from visavis.engine import Engine, load_engine, model_path
from visavis.engines.graphs import MANIFEST
from visavis.errors import InvalidArgument, StateError
from visavis.rig import STYLE_DIAL, Dial, as_dials, dial_setting, style_dials
from visavis.turn_report import LateAction, TurnReport

if TYPE_CHECKING:
    from visavis.runtime import Runtime
    from visavis.takes.recorder import TakeRecorder
    from visavis.trace import HeadTrace, Trace

AgentAudio: TypeAlias = Literal["ahead", "live"]
Voices: TypeAlias = Literal["both", "agent", "user"]
Late: TypeAlias = Literal["hold", "fewer_steps", "idle"]
Voice: TypeAlias = str | Path | tuple[ArrayLike, int]
CHUNK_SECONDS = 10  # of audio that `animate` pushes before it polls


class FrameState(IntFlag):
    """What a frame is; the values are those of the wire."""

    SPEAKING = 1  # the agent's voice is above -45 dBFS, or was less than 200 ms ago
    LISTENING = 2  # else
    LATE = 4  # was generated after its time, by one frame at most
    WITHDRAWN = 8  # cancelled: do not show it


@dataclass(frozen=True, slots=True)
class Frame:
    """One motion vector."""

    index: int  # number of the frame on the session clock
    time_ns: int  # when it is to be seen, on the session clock
    values: NDArray[np.float32]  # (C,) within the channels' ranges
    state: FrameState


def frames_of(
    index: NDArray[np.int64], time_ns: NDArray[np.int64], state: NDArray[np.uint16], values: NDArray[np.float32]
) -> list[Frame]:
    """Columns (n,) and values (n, C) as frames."""
    rows = zip(index.tolist(), time_ns.tolist(), state.tolist(), values, strict=True)
    return [Frame(i, t, row, FrameState(s)) for i, t, s, row in rows]


@dataclass(frozen=True)
class Motion:
    """The motion of a whole conversation."""

    values: NDArray[np.float32]  # (n, C)
    channels: tuple[str, ...]
    fps: float
    time_ns: NDArray[np.int64]  # (n,)


class Model:
    """A loaded model: its engine, shared by all its sessions."""

    def __init__(self, engine: Engine, path: Path | None = None, options: Mapping[str, Any] | None = None) -> None:
        """`path` and `options` say where the engine came from; takes note them."""
        self.engine, self.path, self.options = engine, path, dict(options or {})
        self.info = engine.info
        self._lock = threading.Lock()  # engines have one caller at a time

    @property
    def name(self) -> str:
        """The model's name."""
        return self.info.name

    @property
    def engine_name(self) -> str:
        """What executes it: cpu, torch, ..."""
        return type(self.engine).__name__.removesuffix("Engine").lower()

    @property
    def channels(self) -> tuple[str, ...]:
        """The names of the C channels of a frame."""
        return tuple(self.info.channels)

    @property
    def units(self) -> tuple[str, ...]:
        """Their units: "1" for a weight, "rad" for an angle."""
        return tuple(self.info.units)

    @property
    def styles(self) -> tuple[str, ...]:
        """The axes of a person's style that can be set; none for most models (docs/personas.md)."""
        return tuple(self.info.styles)

    @property
    def turn_frames(self) -> int:
        """F, the frames that are generated together."""
        return self.info.turn_frames

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
        clock: Callable[[], int] | None = None,
        take: str | Path | None = None,
        style: Mapping[str, float] | None = None,
    ) -> "Session":
        """Start a conversation; the same seed and audio give the same motion.

        `agent_audio`: "ahead", the voice is known before it plays (TTS), or "live", an actor speaks and both voice and
        face go out `Session.delay_ns` later.  `voices`: the voices there will be; the push drive waits for these alone.
        `temperature` scales the noise on top of the model's own scale (docs/model_format.md), `steps` is the number of
        denoising steps (None: the engine's).
        `lead_ns`: in the clock drive a turn is due this long before its first frame is to be seen.  `late`: what is
        done there about turns that cannot be in time: "hold" nothing, "fewer_steps" the next lower number of denoising
        steps until turns are in time, "idle" frames of the eye layer.  `clock`: monotonic nanoseconds by which the
        engine's work is measured (None: the system's).
        `take`: record everything into this file (.npz, docs/takes.md), which is there once the session is closed.
        `style`: who the character is, -1 to 1 for some of the model's `styles` (docs/personas.md).
        """
        options: dict[str, Any] = {
            "seed": _whole("seed", seed, 0, 2**64 - 1),
            "temperature": temperature,
            "guidance": guidance,
            "agent_audio": agent_audio,
            "voices": voices,
            "steps": 0 if steps is None else _whole("steps", steps, 1, 1000),
            "lead_ns": _whole("lead_ns", lead_ns, 0, 10 * 10**9),
            "late": late,
            "clock": clock,
        }
        session = Session(self, options, take)
        try:
            session.set_style(style or {})
        except BaseException:
            session.close()
            raise
        return session


class Session:
    """One character's conversation.  Close it, or use it in a `with` block, to give its place in the engine back."""

    def __init__(self, model: Model, options: dict[str, Any], take: str | Path | None = None) -> None:
        from visavis import _core

        self.model = model
        self.voices: Voices = options["voices"]
        self.recorder: TakeRecorder | None = None
        self._now_ns: int | None = None  # of the clock drive
        self._runtime: Runtime | None = None  # that advances it
        self._key = 0  # there
        self.origin_ns = 0  # of its runtime's clock, when the session clock shows 0
        self._lock = model._lock
        with self._lock:
            self._native: Any = _core.Session(model.engine, **options)
        self.delay_ns: int = self._native.delay_ns  # of the frames; the agent's voice must be played as much later
        if take is not None:
            self._record(take, {name: value for name, value in options.items() if name != "clock"})

    def _record(self, take: str | Path, settings: dict[str, Any]) -> None:
        from visavis.takes.recorder import TakeRecorder, about_session

        try:
            self.recorder = TakeRecorder(take, about_session(self.model, self, settings), self._native)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> "Session":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Give the session's place in the engine back; closing twice does nothing.

        Writes the take, if there is one.  Raises FileError if that failed; the session is closed all the same.
        """
        if write_take := self.release():
            write_take()

    def release(self) -> Callable[[], None] | None:
        """Close, but for the take: the function returned writes it, if there is one, in any thread."""
        recorder, self.recorder = self.recorder, None
        with self._lock:
            try:
                if recorder is not None:
                    recorder.stop()
            finally:
                if self._runtime is not None and self._native is not None:
                    self._runtime._leave(self._key)
                self._native = None
        return None if recorder is None else recorder.finish

    def _join(self, runtime: "Runtime", key: int, origin_ns: int) -> None:
        self._runtime, self._key, self.origin_ns = runtime, key, origin_ns

    def push_user_audio(self, samples: ArrayLike, rate: int, time_ns: int | None = None) -> int:
        """Queue the other party's voice: mono floats, full scale +-1, 8 to 192 kHz.  Returns the start time it got.

        Without a time it begins where the queue ends, or at the first sample not yet used where that is later.  Late
        samples are dropped, gaps are silence, overlaps replace what was queued, clock drift over 40 ms is corrected;
        all of it is counted in `stats`.
        """
        array, rate, time_ns = _samples("user audio", samples), _rate(rate), _time("time_ns", time_ns)
        with self._lock:
            return int(self._open().push_user_audio(array, rate, time_ns))

    def push_agent_audio(self, samples: ArrayLike, rate: int, time_ns: int | None = None) -> int:
        """Queue the character's own voice; as `push_user_audio`."""
        array, rate, time_ns = _samples("agent audio", samples), _rate(rate), _time("time_ns", time_ns)
        with self._lock:
            return int(self._open().push_agent_audio(array, rate, time_ns))

    def push_user_motion(self, values: ArrayLike, time_ns: int | None = None) -> int:
        """Queue the user's tracked face, frames (n, C) at 25 fps in the model's channels.  Returns the start time.

        Push it before the session reaches its time: what is not there when its turn is generated counts as absent.
        """
        array, time_ns = self._motion(values), _time("time_ns", time_ns)
        with self._lock:
            return int(self._open().push_user_motion(array, time_ns))

    def advance(self, now_ns: int) -> None:
        """Tell the session what time it is, and generate what is due; the first call starts the clock drive.

        No turn begins after 10 ms of work, so that frames can be polled; the next call goes on.  Call it every 20 ms.
        A session of a `Runtime` is advanced there: StateError.
        """
        if self._runtime is not None:
            raise StateError("this session is one of a Runtime: call Runtime.advance, which advances all of them")
        now = _time("now_ns", now_ns)
        with self._lock:
            self._now_ns = now
            try:
                self._open().advance(now)
            finally:
                if self.recorder is not None:
                    self.recorder.turns()

    def cancel(self, from_ns: int) -> int:
        """Barge-in: forget the agent's queued voice from a time on and withdraw the frames from then on.

        Withdrawn frames come out of `poll`, a second time if need be, with state WITHDRAWN, and after them frames in
        their place: the head goes on, the face eases to listening.  Returns how many were withdrawn.
        """
        start = _time("from_ns", from_ns)
        with self._lock:
            n_withdrawn = int(self._open().cancel(start))
            self._note_event("cancel", "", start)
            if self._runtime is not None:
                self._runtime._show(self._key)
        return n_withdrawn

    def cancel_user(self, from_ns: int) -> None:
        """Forget the user's voice queued from a time on: another character who was interrupted."""
        start = _time("from_ns", from_ns)
        with self._lock:
            self._open().cancel_user(start)
            self._note_event("cancel user", "", start)

    def set_temperature(self, temperature: float) -> None:
        """Scale the noise of the denoising steps from the next turn on."""
        with self._lock:
            self._open().set_temperature(temperature)
            self._note_event("dial", "temperature", temperature)

    def set_dial(self, name: str, value: float) -> None:
        """Set a dial of the rig (docs/rig.md): it acts from the next turn on, without a jump."""
        setting = dial_setting(name, value)
        with self._lock:
            self._open().set_dial(*setting)
            self._note_event("dial", *setting)

    def set_dials(self, dials: Mapping[str, float]) -> None:
        """Set several dials: all of them, or none on an error."""
        settings = [dial_setting(name, value) for name, value in dials.items()]
        with self._lock:
            native, before = self._open(), list[tuple[str, float]]()
            try:
                for name, value in settings:
                    before.append((name, native.dial(name)))
                    native.set_dial(name, value)
            except InvalidArgument:
                for name, value in reversed(before):
                    native.set_dial(name, value)
                raise
            for name, value in settings:
                self._note_event("dial", name, value)

    def set_style(self, style: Mapping[str, float]) -> None:
        """Make the character another person from the next turn on, in the axes named: all of them, or none on an error.

        Values are -1 to 1, 0 is the average person.  Raises InvalidArgument where the model has no such style.
        """
        self.set_dials(style_dials(style))

    @property
    def style(self) -> dict[str, float]:
        """Who the character is, by the model's `styles`."""
        with self._lock:
            return {name: float(self._open().dial(STYLE_DIAL + name)) for name in self.model.styles}

    def dial(self, name: str) -> float:
        """What a dial is set to."""
        with self._lock:
            return float(self._open().dial(name))

    def dials(self) -> list[Dial]:
        """All dials that this model's channels have, general ones first."""
        with self._lock:
            return as_dials(self._open().dials())

    def end(self) -> None:
        """No more voice will be pushed: the shorter one is padded with silence, `poll` gives out what is left."""
        with self._lock:
            self._open().end()

    def poll(self, max_frames: int | None = None) -> list[Frame]:
        """The frames that are ready, oldest first (at most `max_frames`)."""
        return frames_of(*self._poll_arrays(max_frames))

    def poll_turns(self) -> list[TurnReport]:
        """Reports of the turns that were not reported yet, oldest first; the last 64 are kept."""
        with self._lock:
            turns: list[dict[str, Any]] = self._open().poll_turns()
        return [TurnReport(**{**turn, "action": LateAction(turn["action"])}) for turn in turns]

    @property
    def user_lag_frames(self) -> int:
        """How far back a turn sees the user; in the clock drive, as near as what is live can be."""
        with self._lock:
            return int(self._open().user_lag_frames)

    @property
    def stats(self) -> dict[str, Any]:
        """Counters: turns, frames, what was late and what became of it, stage times, and per voice what was missing.

        `user` and `agent` count samples at 16 kHz, `user_motion` counts frames.
        """
        with self._lock:
            counted: dict[str, Any] = self._open().stats()
        return counted

    def _poll_arrays(self, max_frames: int | None) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        most = 2**62 if max_frames is None else _whole("max_frames", max_frames, 0, 2**62)
        with self._lock:
            if self._runtime is not None and self._native is not None:
                self._runtime._raise_failure(self._key)
            if self.recorder is None:
                arrays: tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]] = self._open().poll(most)
                return arrays
            return self._poll_recorded(most, self.recorder)

    def _poll_parts(self, trace: "HeadTrace | None") -> Iterator[tuple[NDArray[Any], ...]]:
        """All that is ready, in parts that are no longer than the turns that reports are kept of."""
        most = 32 * self.model.turn_frames
        while True:
            part = self._poll_arrays(None if trace is None else most)
            yield part
            if trace is not None:
                trace.turns(self.poll_turns())
            if trace is None or len(part[0]) < most:
                return

    def _poll_recorded(
        self, most: int, recorder: "TakeRecorder"
    ) -> tuple[NDArray[Any], NDArray[Any], NDArray[Any], NDArray[Any]]:
        """A turn at a time, so that the recording keeps up."""
        n_turn, parts = self.model.turn_frames, [self._open().poll(0)]
        while most > 0:
            try:
                part = self._open().poll(min(most, n_turn))
            except Exception:
                if len(parts) == 1:
                    raise
                break  # the frames that are out come first, the error with the next call
            recorder.frames(*part)
            parts.append(part)
            most -= len(part[0])
            if len(part[0]) < n_turn:
                break
        index, time_ns, state, values = (np.concatenate(column) for column in zip(*parts, strict=True))
        return index, time_ns, state, values

    def _note_event(self, kind: str, name: str, value: float) -> None:
        if self.recorder is not None:
            now_ns = self._now_ns if self._runtime is None else self._runtime.now_ns - self.origin_ns
            self.recorder.event(kind, name, value, now_ns)

    def _open(self) -> Any:
        if self._native is None:
            raise StateError("the session is closed; open a new one")
        return self._native

    def _motion(self, values: ArrayLike) -> NDArray[np.float32]:
        array = np.asarray(values)
        n_channels = len(self.model.channels)
        if array.ndim != 2 or array.shape[1] != n_channels or array.dtype.kind not in "fiu":
            raise InvalidArgument(
                f"user motion is {array.dtype} of shape {array.shape}; expected numbers (n, {n_channels})"
            )
        return np.ascontiguousarray(array, np.float32)


def load(path: str | Path | None = None, engine: str = "cpu", **engine_options: Any) -> Model:
    """Load a model file (None: the packaged default model) to hold conversations with.

    `engine` and the options are those of `load_engine`.
    """
    executes = load_engine(path, engine, **engine_options)
    engine_options.pop("graphs", None)
    file = Path(path) / MANIFEST if path is not None and Path(path).is_dir() else model_path(path)
    return Model(executes, file, engine_options)


def animate(
    agent: Voice | None = None,
    user: Voice | None = None,
    user_motion: str | Path | ArrayLike | None = None,
    model: Model | str | Path | None = None,
    engine: str = "cpu",
    seed: int = 0,
    temperature: float = 1.0,
    guidance: float = 1.0,
    progress: Callable[[float], object] | None = None,
    dials: Mapping[str, float] | None = None,
    take: str | Path | None = None,
    trace: "Trace | None" = None,
    style: Mapping[str, float] | None = None,
    **engine_options: Any,
) -> Motion:
    """The motion of the agent for a whole conversation.

    `agent` and `user` are audio files or (samples, rate); either may be None.  The shorter one is padded with silence.
    `user_motion` is the user's face: a motion file, or frames (n, C) at 25 fps.  `model` is a loaded model or a file.
    `progress` is told the share that is done, 0 to 1.  `dials` are those of the rig (docs/rig.md), by name.
    `style` is the character's, as of `Model.session`.
    `take`: record the conversation into this file, too (docs/takes.md).  `trace`: gets what each turn took; in a whole
    conversation turns begin when they would be due.
    """
    if agent is None and user is None:
        raise InvalidArgument("animate: neither agent nor user audio was given; expected at least one")
    voices: list[tuple[Literal["agent", "user"], NDArray[np.float32], int]] = []
    if agent is not None:
        voices.append(("agent", *read_voice("agent", agent)))
    if user is not None:
        voices.append(("user", *read_voice("user", user)))
    _say_lengths({name: len(samples) / rate for name, samples, rate in voices})
    loaded = model if isinstance(model, Model) else load(model, engine, **engine_options)
    face = None if user_motion is None else read_face(user_motion, loaded.channels)
    present: Voices = "both" if len(voices) == 2 else voices[0][0]
    parts: list[tuple[NDArray[Any], ...]] = []
    traced = None if trace is None else trace.head("agent", turn_frames=loaded.turn_frames)
    with loaded.session(seed, temperature, guidance, voices=present, take=take, style=style) as session:
        session.set_dials(dials or {})
        seconds = max(len(samples) / rate for _, samples, rate in voices)
        for start in range(0, int(np.ceil(seconds)), CHUNK_SECONDS):
            for name, samples, rate in voices:
                if len(chunk := samples[start * rate : (start + CHUNK_SECONDS) * rate]):
                    (session.push_agent_audio if name == "agent" else session.push_user_audio)(chunk, rate)
            if face is not None and len(rows := face[start * FRAME_RATE : (start + CHUNK_SECONDS) * FRAME_RATE]):
                session.push_user_motion(rows)
            parts += session._poll_parts(traced)
            if progress is not None:
                progress(min(1.0, (start + CHUNK_SECONDS) / seconds))
        session.end()
        parts += session._poll_parts(traced)
    time_ns = np.concatenate([part[1] for part in parts])
    return Motion(np.concatenate([part[3] for part in parts]), loaded.channels, float(FRAME_RATE), time_ns)


def _say_lengths(seconds: dict[str, float]) -> None:
    if len(seconds) == 2 and abs(seconds["agent"] - seconds["user"]) * FRAME_RATE > 1:
        shorter = min(seconds, key=lambda name: seconds[name])
        lengths = ", ".join(f"{name} {length:.2f} s" for name, length in seconds.items())
        warnings.warn(
            f"the voices differ in length ({lengths}): {shorter} is padded with silence", UserWarning, stacklevel=3
        )


def read_voice(name: str, voice: Voice) -> tuple[NDArray[np.float32], int]:
    """Mono samples and their rate, of an audio file or of an array."""
    if isinstance(voice, (str, Path)):
        from visavis.audio import read_audio

        return read_audio(voice)
    if not isinstance(voice, tuple) or len(voice) != 2:
        raise InvalidArgument(f"{name} is a {type(voice).__name__}; expected a path or a tuple (samples, rate)")
    samples = _samples(f"{name} audio", voice[0])
    if not len(samples):
        raise InvalidArgument(f"{name} audio has no samples; expected at least one")
    return samples, _rate(voice[1])


def read_face(motion: str | Path | ArrayLike, channels: tuple[str, ...]) -> NDArray[np.float32]:
    """A motion file, or frames, as frames (n, C) at 25 fps in the model's channels."""
    if not isinstance(motion, (str, Path)):
        return np.asarray(motion, np.float32)
    from visavis.motion_file import read_motion

    read = read_motion(motion)
    if missing := [name for name in channels if name not in read.channels]:
        raise InvalidArgument(
            f"motion file {motion} lacks {len(missing)} of the model's {len(channels)} channels, "
            f"such as {missing[0]}; expected {', '.join(channels)}"
        )
    values = read.values[:, [read.channels.index(name) for name in channels]]
    if read.fps == FRAME_RATE or not len(values):
        return values
    n_frames = max(1, round(len(values) * FRAME_RATE / read.fps))
    at = np.arange(n_frames) * read.fps / FRAME_RATE
    columns = [np.interp(at, np.arange(len(values)), column) for column in values.T]
    return np.stack(columns, axis=1).astype(np.float32)


def _samples(name: str, samples: ArrayLike) -> NDArray[np.float32]:
    array = np.asarray(samples)
    if array.ndim != 1 or array.dtype.kind != "f":
        raise InvalidArgument(
            f"{name} is {array.dtype} of shape {array.shape}; expected mono float samples (n,), full scale +-1"
        )
    return np.ascontiguousarray(array, np.float32)


def _rate(rate: Any) -> int:
    return _whole("sample rate", rate, 8_000, 192_000, " Hz")


def _time(name: str, time_ns: Any) -> Any:
    return None if time_ns is None and name == "time_ns" else _whole(name, time_ns, -(2**60), 2**60, " ns")


def _whole(name: str, value: Any, low: int, high: int, unit: str = "") -> int:
    try:
        whole = int(value)
    except (TypeError, ValueError, OverflowError):
        whole = low - 1
    if isinstance(value, bool) or whole != value or not low <= whole <= high:
        raise InvalidArgument(f"{name} is {value!r}; expected a whole number from {low} to {high}{unit}")
    return whole
