"""The default suite: one model as it ships, the user's face absent, on conversations, real voices and sounds.

`run_suite` makes the motion and takes the measures; suite_report.py writes them down.  Targets stand in TARGETS.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from visavis.constants import FRAME_RATE
from visavis.data.voices.folder import Reel, VoiceClip, read_voices, reels
from visavis.evaluation import conversation, lips, sounds
from visavis.evaluation.checks import Clip
from visavis.evaluation.generate import Generate, Scene
from visavis.evaluation.measures import Array, Measure, measure, require
from visavis.evaluation.perturb import add_noise
from visavis.evaluation.run import Evaluation, evaluate
from visavis.motion_space import MotionSpace

Floats = npt.NDArray[np.float32]
SUITES = ("default",)
# Wanted of the shipped model, on real English voice unless said otherwise.
MOUTH_R = 0.65  # a plain convolution reached 0.61; 0.72 with the speaker's own data
CLOSED, FALSELY_CLOSED = 0.90, 0.05
OFFSET_MS = 20.0
ACTIVITY = 0.05  # of the mouth's travel while speaking, in silence and music
SOUND_S = 60.0
WINDOW_S = 5  # units of a sound
LEAK, SOFT_VOICE = "the other's voice leaking in", "the same voice alone, nobody else is heard"
SEEDS, SEED_CLIPS = 4, 6  # of the measure of diversity; as many clips show the styles
LANGUAGE_MINUTES = 4.0  # of each voice but the English one and the held-out neural one
HALF_OF_SPLIT = {"test": "report"}  # all other splits: dev


class Make(Protocol):
    """What generates motion with a seed and the settings that ship."""

    def __call__(self, seed: int, style: Mapping[str, float] | None = None) -> Generate:
        """`style`: of the agent, for models with styles."""


@dataclass
class Section:
    """A table of the report."""

    title: str
    about: str
    measures: list[Measure]


@dataclass
class Suite:
    """What was found.  `voices`: by voice and condition; `curves`: what the plots draw."""

    evaluation: Evaluation
    sections: list[Section]
    voices: dict[str, dict[str, Measure]] = field(default_factory=dict)
    curves: dict[str, Any] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)


def run_suite(
    make: Make,
    data: Path,
    split: str,
    space: MotionSpace,
    mean_face: Floats,
    voices: Path | None,
    turn_frames: int,
    seed: int = 1,
    minutes: float | None = None,
    say: Callable[[str], None] = lambda text: None,
    workers: int = 1,
    styles: Sequence[str] = (),
) -> Suite:
    """The whole suite, of the motion that `make` generates.

    `turn_frames`, `styles`: of the model.  `minutes`: of conversations, and of each voice.  Without `voices` (a folder
    of `visavis corpus voices`) the real voices are left out, and the result says so.
    """
    generate = make(seed)
    result = evaluate(generate, data, split, space, mean_face, minutes, say=say, workers=workers)
    clips = result.clips
    say("other seeds")
    spread, takes = _over_seeds(make, clips, seed)
    styled = _styles(make, styles, clips, seed, say)
    say("silence and music")
    activity, sound_curves = _activity(generate, clips)
    suite = Suite(result, [])
    suite.curves |= {"takes": takes, **sound_curves}
    if voices is None:
        suite.left_out.append("real voices (give --voices, a folder of `visavis corpus voices`)")
    else:
        _voices(suite, generate, read_voices(voices, HALF_OF_SPLIT.get(split, "dev")), turn_frames, minutes, say)
    response = conversation.response_measures(clips)
    suite.sections = [
        Section("Targets", "what the shipped model should reach", _targets(suite.voices, activity, response)),
        Section("Lips in conversations", "synthetic voices that were not trained on",
                conversation.lip_measures(clips, mean_face)),
        Section("Places in the turn", f"lips in conversations, turns of {turn_frames} frames",
                conversation.place_measures(clips, turn_frames)),
        Section("Answers to the partner", "against the same moments with another conversation's user", response),
        Section("Head and smiles", "published ranges: docs/suite.md", conversation.head_measures(clips)),
        Section("Eyes", "published ranges: docs/suite.md", conversation.eye_measures(clips)),
        Section("Turns", "where one's own utterances begin and end", conversation.turn_measures(clips)),
        Section("Sounds that are no speech", "travel of the mouth, as a share of that while speaking", activity),
        Section("Diversity", f"the first {len(takes[0])} clips", spread),
        *([Section("Styles", f"a style at 1 over the same at -1, the first {len(takes[0])} clips", styled)]
          if styled else []),
        Section("Metrics", "DualTalk protocol, mean over clips", conversation.metric_measures(result.by_clip)),
    ]  # fmt: skip
    times, curve = conversation.response_curve([c.motion for c in clips], clips)
    suite.curves["response"] = {
        "times": times,
        "model": curve,
        "another user's voice": conversation.response_curve([_other_user(c) for c in clips], clips)[1],
        "performer": conversation.response_curve([c.truth for c in clips], clips)[1],
    }
    return suite


def _other_user(clip: Clip) -> Floats:
    assert clip.other_user is not None
    return np.asarray(clip.other_user, np.float32)


def _scene_of(clip: Clip) -> Scene:
    return Scene(clip.agent.audio.astype(np.float32), clip.user.audio.astype(np.float32))


def _styles(
    make: Make, styles: Sequence[str], clips: Sequence[Clip], seed: int, say: Callable[[str], None]
) -> list[Measure]:
    """What the ends of each style do to the first clips."""
    chosen = list(clips[:SEED_CLIPS])
    found = []
    for name in styles:
        say(f"style {name}")
        ends = [make(seed, {name: value})([_scene_of(c) for c in chosen]) for value in (-1.0, 1.0)]
        low, high = ([m[: len(c.motion)] for m, c in zip(end, chosen, strict=True)] for end in ends)
        found += conversation.style_measures(name, low, high, chosen)
    return found


def _over_seeds(make: Make, clips: Sequence[Clip], seed: int) -> tuple[list[Measure], list[list[Any]]]:
    """Diversity over SEEDS seeds of the first clips, and their motions by seed."""
    chosen = list(clips[:SEED_CLIPS])
    takes: list[list[Any]] = [[c.motion for c in chosen]]
    for i in range(1, SEEDS):
        motions = make(seed + 1000 * i)([_scene_of(c) for c in chosen])
        takes.append([m[: len(c.motion)] for m, c in zip(motions, chosen, strict=True)])
    return conversation.diversity_measures(takes, chosen), takes


def _activity(generate: Generate, clips: Sequence[Clip]) -> tuple[list[Measure], dict[str, Any]]:
    """Travel of the mouth under sounds in place of a voice, and under the other's voice leaking in.

    That voice as loud, with nobody on the other side, might be a soft one of the agent's own: it has a row besides.
    """
    travel = [lips.travel(c.motion) for c in clips]
    talks = [c.agent.labels["speaking"][1 : len(t) + 1].astype(bool) for c, t in zip(clips, travel, strict=True)]
    speaking = float(np.concatenate([t[s] for t, s in zip(travel, talks, strict=True)]).mean())
    other = clips[0].user.audio[: int(SOUND_S * 16_000)].astype(np.float32)
    tracks = {
        "digital silence": sounds.silence(SOUND_S),
        "a quiet room": sounds.room(SOUND_S),
        "music: chords": sounds.chords(SOUND_S),
        "music: drums": sounds.drums(SOUND_S),
        "music: chords and drums": sounds.band(SOUND_S),
        LEAK: other * np.float32(10 ** (sounds.BLEED_DB / 20)),
        SOFT_VOICE: other * np.float32(10 ** (sounds.BLEED_DB / 20)),
    }
    users = [other if name == LEAK else sounds.silence(SOUND_S) for name in tracks]
    motions = generate([Scene(track, _fit(user, track)) for track, user in zip(tracks.values(), users, strict=True)])
    found = []
    for name, motion in zip(tracks, motions, strict=True):
        moved = lips.travel(motion)
        windows = [moved[i : i + WINDOW_S * FRAME_RATE] for i in range(0, len(moved), WINDOW_S * FRAME_RATE)]
        share = measure(name, [[w.sum(), speaking * len(w)] for w in windows])
        found.append(share if name in (LEAK, SOFT_VOICE) else require(share, high=ACTIVITY))
    return found, {"sounds": dict(zip(tracks, motions, strict=True))}


def _fit(track: Floats, like: Floats) -> Floats:
    return np.resize(track, like.shape)


def _voices(
    suite: Suite,
    generate: Generate,
    found: dict[str, list[VoiceClip]],
    turn_frames: int,
    minutes: float | None,
    say: Callable[[str], None],
) -> None:
    """Measures of each voice, of the English one under each condition as well."""
    for voice, clips in found.items():
        chosen = at_most(clips, minutes if voice in ("en", "joe") else min(LANGUAGE_MINUTES, minutes or np.inf))
        others = next((found[v] for v in ("it", "joe", "ru") if v in found and v != voice), chosen)
        for name, scenes, parts in _conditions(reels(chosen), others, voice == "en"):
            label = voice if name == "clean" else f"{voice}, {name}"
            say(f"voice {label}: {len(chosen)} clips")
            motions = [m for reel, motion in zip(parts, generate(scenes), strict=True) for m in reel.parts(motion)]
            persons = [c.person for c in chosen]
            if chosen[0].aligned:
                starts = [start for reel in parts for start in reel.starts]
                placed = lips.by_place(motions, persons, starts, turn_frames)
                suite.voices[label] = {**lips.against_reference(motions, persons), **placed}
            if name == "clean":
                counts = [c.bilabials for c in chosen]
                own = {f"loudness_{k}": m for k, m in lips.against_loudness(motions, persons, counts).items()}
                suite.voices.setdefault(label, {}).update(own)
                if voice == "en":
                    reference = lips.against_loudness([p.motion for p in persons], persons, counts)
                    suite.voices["en, the reference itself"] = {f"loudness_{k}": m for k, m in reference.items()}
                    suite.curves["en"] = {"clips": chosen, "motions": motions}


def at_most(clips: list[VoiceClip], minutes: float | None) -> list[VoiceClip]:
    """Every k-th clip, about `minutes` of them (None: all)."""
    if minutes is None:
        return clips
    total = sum(len(c.person.motion) for c in clips) / FRAME_RATE / 60
    return clips[:: max(1, round(total / minutes))]


def _conditions(parts: list[Reel], others: list[VoiceClip], spoilt: bool) -> list[tuple[str, list[Scene], list[Reel]]]:
    """(name, scenes, reels): the clean voice alone, or also with noise, through a telephone, with another's voice."""

    def scenes(change: Callable[[Floats, int], Floats], user: Floats | None = None) -> list[Scene]:
        return [
            Scene(change(reel.audio, i), np.zeros_like(reel.audio) if user is None else _fit(user, reel.audio))
            for i, reel in enumerate(parts)
        ]

    found = [("clean", scenes(lambda audio, i: audio), parts)]
    if spoilt:
        other = np.concatenate([c.person.audio for c in others[:20]]).astype(np.float32)
        for snr_db in (10.0, 0.0):
            noisy = scenes(lambda audio, i, db=snr_db: add_noise(audio, db, np.random.default_rng(i)))  # type: ignore[misc]
            found.append((f"noise {snr_db:g} dB", noisy, parts))
        found.append(("telephone", scenes(lambda audio, i: sounds.phone_band(audio)), parts))
        found.append(
            ("another's voice", scenes(lambda audio, i: sounds.bleed(audio, _fit(other, audio)), other), parts)
        )
    return found


def _targets(voices: dict[str, dict[str, Measure]], activity: list[Measure], response: list[Measure]) -> list[Measure]:
    """The lines by which the shipped model is judged; those of real voices where there are any."""
    targets = []
    if "en" in voices:
        english = voices["en"]
        require(english["r"], low=MOUTH_R)
        require(english["closed"], low=CLOSED)
        require(english["false"], high=FALSELY_CLOSED)
        require(english["lag"], -OFFSET_MS, OFFSET_MS)
        targets += [
            _named(f"real English voice: {english[k].name}", english[k]) for k in ("r", "closed", "false", "lag")
        ]
    quiet = [m for m in activity if m.required]
    worst = max(quiet, key=lambda m: m.value)
    targets.append(_named(f"mouth in silence and music, the most ({worst.name})", worst))
    return targets + response


def _named(name: str, found: Measure) -> Measure:
    return Measure(**{**vars(found), "name": name})


def curve_of(motions: Sequence[Array], channel: int) -> tuple[Array, Array]:
    """Mean spectrum of a channel over motions of at least 5 s."""
    from visavis.evaluation import events

    long = [m for m in motions if len(m) >= 5 * FRAME_RATE]
    spectra = [events.spectrum(m[:, channel]) for m in long]
    return spectra[0][0], np.mean([power for _, power in spectra], axis=0)
