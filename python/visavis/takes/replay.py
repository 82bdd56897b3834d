"""Replay: a take's conversation once more, turn by turn, with what each turn saw then.

The engine gets the recorded voices, faces, steps, temperatures and seed, the rig the recorded dials.  Where nothing has
changed since the recording (engine cpu, version, instruction set, model file), the same bytes come out.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

import visavis
from visavis.engine import TurnInput
from visavis.errors import InvalidArgument, Unsupported
from visavis.motion_file import MotionData
from visavis.rig import STYLE_DIAL
from visavis.takes.recorder import precision_of, sha256_of
from visavis.takes.take import WITHDRAWN, Floats, Take

if TYPE_CHECKING:
    from visavis import _core
    from visavis.session import Model

ENGINE_OPTIONS = ("window", "history", "steps", "passes", "sampler", "guidance_schedule")  # taken from the take
TOLERANCE = 1e-3  # of a weight, or radians, where the model is the same and bytes are not promised


@dataclass(frozen=True)
class Replay:
    """What came out, and how it compares with the recording."""

    motion: MotionData  # the frames that were to be seen, made anew
    n_turns: int
    n_frames: int  # that were compared
    n_kept: int  # frames that the session eased over: taken as they were recorded
    largest_before_rig: float  # differences
    largest_after_rig: float
    changes: tuple[str, ...]  # since the recording, in words
    promise: str  # "bytes", "tolerance" or "none"

    @property
    def same_bytes(self) -> bool:
        """Whether every value compared is the recorded one."""
        return self.largest_before_rig == 0 and self.largest_after_rig == 0

    @property
    def kept_promise(self) -> bool:
        """Whether the replay is as near to the recording as docs/takes.md promises."""
        if self.promise == "bytes":
            return self.same_bytes
        return self.promise == "none" or max(self.largest_before_rig, self.largest_after_rig) <= TOLERANCE


def replay(
    take: Take,
    model: "Model | str | Path | None" = None,
    engine: str | None = None,
    dials: Mapping[str, float] | None = None,
    progress: Callable[[float], object] | None = None,
) -> Replay:
    """Run the model again over a take.

    `model` is a loaded model or a file (default: the packaged one), `engine` its engine (default: the take's).  `dials`
    of the rig, and of the model's styles, are set from the start, in place of those that the take has under the same
    names.
    """
    if not len(take.turn):
        raise InvalidArgument("the take has no turns to run again: it holds only what a server published; play it back")
    loaded = _load(take, model, engine)
    _check_fits(take, loaded)
    changes, promise = _changes(take, loaded)
    if dials:
        changes, promise = (*changes, f"dials {', '.join(dials)} are set"), "none"
    before = _run_turns(take, loaded, _styles(take, loaded.styles, dials or {}), progress)
    after = _run_rig(take, _joined(take, before, loaded.info.turn_join), loaded.styles, dials or {})
    values, compared = take.values.copy(), np.isin(take.frame, take.rig_frame[~take.rig_eased]) & ~take.replaced
    at = np.searchsorted(take.rig_frame, take.frame[compared])
    values[compared] = after[at]
    shown = (take.state & WITHDRAWN) == 0
    return Replay(
        MotionData(values[shown], take.channels, take.fps, take.time_ns[shown]),
        n_turns=len(take.turn),
        n_frames=int(compared.sum()),
        n_kept=int((~compared).sum()),
        largest_before_rig=_largest(before, take.turn_motion),
        largest_after_rig=_largest(values, take.values),
        changes=changes,
        promise=promise,
    )


def _largest(a: NDArray[Any], b: NDArray[Any]) -> float:
    return float(np.abs(a - b).max()) if a.size else 0.0


def _load(take: Take, model: "Model | str | Path | None", engine: str | None) -> "Model":
    from visavis.session import Model

    if isinstance(model, Model):
        return model
    options = {name: value for name, value in take.about.engine_options.items() if name in ENGINE_OPTIONS}
    precision = {"bfloat16": "bf16", "int8": "int8"}.get(take.about.precision)
    if precision and (engine or take.about.engine) == "cpu":
        with suppress(Unsupported):  # as it was, on processors that can
            return visavis.load(model, "cpu", **options, precision=precision)
    return visavis.load(model, engine or take.about.engine, **options)


def _check_fits(take: Take, model: "Model") -> None:
    about, info = take.about, model.info
    lookahead = 0 if about.agent_audio == "live" else info.agent_lookahead_frames
    fits = {
        f"{len(about.channels)} channels ({about.channels[0]}, ...)": about.channels == tuple(info.channels),
        f"turns of {about.turn_frames} frames": about.turn_frames == info.turn_frames,
        f"a lookahead of {about.lookahead_frames} frames": about.lookahead_frames == lookahead,
    }
    for what, fit in fits.items():
        if not fit:
            raise InvalidArgument(
                f"model {model.name} does not fit the take, which has {what}; expected a model like {about.model!r} "
                f"({about.model_file or 'no file'}), with which it was recorded"
            )


def _changes(take: Take, model: "Model") -> tuple[tuple[str, ...], str]:
    """What is not as it was, in words, and what a replay then promises."""
    about = take.about
    sha256 = sha256_of(model.path) if model.path else ""
    now = {
        "engine": (about.engine, model.engine_name),
        "instruction set": (about.isa, str(getattr(model.engine, "isa", ""))),
        "version": (about.version, visavis.__version__),
        "precision": (about.precision, precision_of(model.engine)),
        "engine options": (_kept(about.engine_options), _kept(model.options)),
    }
    changes = [f"{what} was {was or 'none'}, is {is_ or 'none'}" for what, (was, is_) in now.items() if was != is_]
    if not sha256 or about.model_sha256 != sha256:
        was, is_ = (text[:12] or "unknown" for text in (about.model_sha256, sha256))
        return (f"the model has changed: hash was {was}..., is {is_}...", *changes), "none"
    if about.engine_options != {} and "engine options" in " ".join(changes):
        return tuple(changes), "none"
    if about.precision != precision_of(model.engine):
        return tuple(changes), "none"
    return tuple(changes), "bytes" if not changes and about.engine == "cpu" else "tolerance"


def _kept(options: dict[str, Any]) -> dict[str, Any]:
    """Engine options that change what is computed; the precision has a line of its own."""
    return {
        name: value for name, value in options.items() if value is not None and name not in ("precision", "threads")
    }


def _styles(take: Take, names: tuple[str, ...], dials: Mapping[str, float]) -> Floats:
    """The style of each turn (T, S) in the model's axes: what `dials` say, else what was recorded, else 0."""
    styles = np.zeros((len(take.turn), len(names)), np.float32)
    for place, name in enumerate(names):
        if name in take.about.styles:
            styles[:, place] = take.turn_style[:, take.about.styles.index(name)]
        styles[:, place] = dials.get(STYLE_DIAL + name, styles[:, place])
    return styles


def _run_turns(take: Take, model: "Model", styles: Floats, progress: Callable[[float], object] | None) -> Floats:
    """The motion before the rig (T, F, C)."""
    from visavis import _core

    before, engine = np.zeros_like(take.turn_motion), model.engine
    levels = (_core.VoiceLevel(), _core.VoiceLevel()) if model.info.normalised_audio else None
    slot = engine.open()
    try:
        for row in range(len(take.turn)):
            turn = _normalised(_turn_input(take, row, slot), levels)
            turn.style = styles[row] if styles.size else None
            before[row] = engine.step([turn])[0].motion
            if progress is not None:
                progress((row + 1) / len(take.turn))
    finally:
        engine.close(slot)
    return before


def _turn_input(take: Take, row: int, slot: int) -> TurnInput:
    voice, face, there = take.user_slice(row)
    seen = bool(there.any())
    return TurnInput(
        slot,
        user_audio=voice if take.turn_user_heard[row] else None,
        agent_audio=take.agent_slice(row) if take.turn_agent_heard[row] else None,
        user_motion=face if seen else None,
        user_motion_present=there if seen else None,
        seed=take.about.seed,
        temperature=float(take.turn_temperature[row]),
        guidance=float(take.turn_guidance[row]),
        turn=int(take.turn[row]),
        steps=int(take.turn_steps[row]),
    )


def _normalised(turn: TurnInput, levels: "tuple[_core.VoiceLevel, _core.VoiceLevel] | None") -> TurnInput:
    """The voices as a session hands them to models that want zero mean and unit variance."""
    if levels is not None:
        user, agent = levels
        turn.user_audio = None if turn.user_audio is None else user.normalise(turn.user_audio)
        turn.agent_audio = None if turn.agent_audio is None else agent.normalise(turn.agent_audio)
    return turn


def _joined(take: Take, before: Floats, share: float) -> Floats:
    """The turns (T, F, C) as the session hands them to the rig; none is joined that begins while the session eases."""
    from visavis import _core

    join = _core.TurnJoin(take.about.channels, take.about.turn_frames, share)
    shown = ~np.isin(take.turn * take.about.turn_frames, take.rig_frame[take.rig_eased])
    return np.stack([join.apply(int(turn), before[i], bool(shown[i])) for i, turn in enumerate(take.turn)])


def _run_rig(take: Take, before: Floats, styles: tuple[str, ...], dials: Mapping[str, float]) -> Floats:
    """The frames that went through the rig, (R, C), once more."""
    from visavis import _core

    about, n = take.about, take.about.turn_frames
    rig = _core.Rig(about.channels, about.units, seed=about.seed, eye_layer=about.eye_layer, styles=styles)
    for name, value in dials.items():
        rig.set_dial(name, value)
    motion = np.zeros((len(take.rig_frame), len(about.channels)), np.float32)
    rows = np.minimum(np.searchsorted(take.turn, take.rig_frame // n), len(take.turn) - 1)
    made = (take.turn[rows] == take.rig_frame // n) & ~take.rig_idle
    motion[made] = before[rows[made], take.rig_frame[made] % n]
    after = np.zeros_like(motion)
    for begin, end, changes in _runs(take):
        for name, value in changes:
            foreign = name.startswith(STYLE_DIAL) and name.removeprefix(STYLE_DIAL) not in styles
            if name not in dials and name != "temperature" and not foreign:
                rig.set_dial(name, value)
        if end > begin:
            after[begin:end] = rig.process(motion[begin:end], take.rig_speaking[begin:end], int(take.rig_frame[begin]))
    return after


def _runs(take: Take) -> Iterator[tuple[int, int, list[tuple[str, float]]]]:
    """Stretches of adjacent frames with no change inside, and the dials that are set before each."""
    n_frames, changes = len(take.rig_frame), dict[int, list[tuple[str, float]]]()
    for kind, name, value, at in zip(
        take.event_kind, take.event_name, take.event_value, take.event_rig_frames, strict=True
    ):
        if kind == "dial":
            changes.setdefault(min(int(at), n_frames), []).append((str(name), float(value)))
    jumps = np.flatnonzero(np.diff(take.rig_frame) != 1) + 1
    borders = sorted({0, n_frames, *changes, *jumps.tolist()})
    for begin, end in zip(borders, [*borders[1:], n_frames], strict=True):
        yield begin, end, changes.get(begin, [])
