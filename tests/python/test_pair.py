"""Two characters who talk to each other: what each hears and sees of the other, and when."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from recording_engine import RecordingEngine

import visavis
from visavis.constants import FRAME_NS
from visavis.errors import InvalidArgument, StateError
from visavis.session import Frame, FrameState, Model

F, LAG, MS, SECOND = 5, 7, 1_000_000, 10**9


def noise(seconds: float, seed: int) -> np.ndarray:
    rng = np.random.default_rng(seed)
    loudness = np.repeat(rng.uniform(0.1, 0.5, round(seconds * 25)), 640)
    return (rng.uniform(-1, 1, len(loudness)) * loudness).astype(np.float32)


VOICES = noise(4.0, seed=1), noise(3.0, seed=2)


def characters(lag: int = LAG, **options: Any) -> tuple[visavis.Pair, list[RecordingEngine]]:
    engines = [RecordingEngine(lag=lag), RecordingEngine(lag=lag)]
    motion = options.pop("motion", True)
    sessions = [Model(engine).session(seed=i, clock=lambda: 0, **options) for i, engine in enumerate(engines)]
    return visavis.pair(*sessions, motion=motion), engines


def talk(pair: visavis.Pair, chunk: int, polls: bool = True, first: int = 0) -> tuple[list[Frame], list[Frame]]:
    """The push drive: both voices in chunks, the frames of both."""
    frames: tuple[list[Frame], list[Frame]] = ([], [])
    for start in range(0, len(VOICES[0]), chunk):
        for who in (first, 1 - first):
            if len(samples := VOICES[who][start : start + chunk]):
                assert pair.push_agent_audio((pair.a, pair.b)[who], samples, 16000) == start * 62_500
        if polls:
            for kept, new in zip(frames, pair.poll(), strict=True):
                kept += new
    pair.end()
    for kept, new in zip(frames, pair.poll(), strict=True):
        kept += new
    return frames


def seen(engine: RecordingEngine, lag: int) -> dict[int, bytes]:
    """What an engine saw of the user, by the user's frame."""
    frames = {}
    for turn in engine.turns:
        if turn.user_motion is not None and turn.user_motion_present is not None and turn.turn is not None:
            for f in np.flatnonzero(turn.user_motion_present):
                frames[turn.turn * F + int(f) - lag] = turn.user_motion[f].tobytes()
    return frames


def test_each_hears_and_sees_the_other() -> None:
    pair, engines = characters()
    frames = talk(pair, 1600)
    silence = np.zeros(16000, np.float32)
    for who in (0, 1):
        assert [frame.index for frame in frames[who]] == list(range(100))
        other = np.concatenate([np.zeros(LAG * 640, np.float32), VOICES[1 - who], silence])
        assert engines[who].user_audio().tobytes() == other[: 100 * 640].tobytes()
        assert engines[who].agent_audio().tobytes() == np.concatenate([VOICES[who], silence])[: 100 * 640].tobytes()
        shown = {frame.index: frame.values.tobytes() for frame in frames[1 - who]}
        assert seen(engines[who], LAG) == {k: shown[k] for k in range(100 - LAG)}


@pytest.mark.parametrize("chunk", [640, 5000, 64000])
def test_neither_chunks_nor_polls_nor_order_change_a_byte(chunk: int) -> None:
    reference = talk(characters()[0], 1600)
    for polls, first in ((True, 1), (False, 0)):
        frames = talk(characters()[0], chunk, polls, first)
        for who in (0, 1):
            assert [f.values.tobytes() for f in frames[who]] == [f.values.tobytes() for f in reference[who]]


def test_swapped_characters_are_the_same_characters() -> None:
    pair, engines = characters()
    swapped, others = characters()
    talk(pair, 1600)
    other_way = visavis.pair(swapped.b, swapped.a)
    for session, voice in ((swapped.a, VOICES[0]), (swapped.b, VOICES[1])):
        other_way.push_agent_audio(session, voice, 16000)
    other_way.end()
    other_way.poll()
    for engine, other in zip(engines, others, strict=True):
        assert seen(engine, LAG) == seen(other, LAG) and engine.user_audio().tobytes() == other.user_audio().tobytes()


def test_models_without_a_lag_see_the_turn_before() -> None:
    pair, engines = characters(lag=0)
    frames = talk(pair, 1600)
    for who in (0, 1):
        shown = {frame.index + F: frame.values.tobytes() for frame in frames[1 - who]}
        assert seen(engines[who], 0) == {k: shown[k] for k in range(F, 100)}  # a turn never sees itself


def test_without_motion_they_only_hear() -> None:
    pair, engines = characters(motion=False)
    talk(pair, 1600)
    assert all(turn.user_motion is None for engine in engines for turn in engine.turns)
    assert all(engine.user_audio().any() for engine in engines)


def live(pair: visavis.Pair, until_ms: int, cut_ms: int | None = None) -> tuple[dict[int, Frame], dict[int, Frame]]:
    """The clock drive on 20 ms ticks: both speak in bursts; a is interrupted at `cut_ms`."""
    shown: tuple[dict[int, Frame], dict[int, Frame]] = ({}, {})
    for now in range(0, until_ms, 20):
        if now in (100, 1500):
            for session, voice in ((pair.a, VOICES[0]), (pair.b, VOICES[1])):
                pair.push_agent_audio(session, voice[now * 16 :][:19200], 16000)
        if now == cut_ms:
            assert pair.cancel(pair.a, (now + 20) * MS) > 0
        pair.advance(now * MS)
        for kept, frames in zip(shown, pair.poll(), strict=True):
            kept.update({frame.index: frame for frame in frames if FrameState.WITHDRAWN not in frame.state})
    return shown


@pytest.mark.parametrize("lag", [0, LAG, 9])
def test_live_characters_see_past_frames(lag: int) -> None:
    pair, engines = characters(lag=lag)
    shown = live(pair, 2960)
    lag = max(lag, LAG)
    for who in (0, 1):
        assert list(shown[who]) == list(range(75))
        others = {k: frame.values.tobytes() for k, frame in shown[1 - who].items()}
        assert seen(engines[who], lag) == {k: others[k] for k in range(75 - lag)}
        assert engines[who].user_audio()[lag * 640 :].tobytes() == (
            engines[1 - who].agent_audio()[: -lag * 640].tobytes()
        )


def test_an_actor_is_heard_when_the_voice_goes_out() -> None:
    engines = [RecordingEngine(), RecordingEngine()]
    actor = Model(engines[0]).session(agent_audio="live", clock=lambda: 0)
    pair = visavis.pair(actor, Model(engines[1]).session(clock=lambda: 0))
    for now in range(0, 2000, 20):
        if now >= 40:
            pair.push_agent_audio(actor, VOICES[0][(now - 40) * 16 :][:320], 16000, (now - 40) * MS)
        pair.advance(now * MS)
    frames, _ = pair.poll()
    assert frames[0].time_ns == actor.delay_ns == 7 * FRAME_NS
    heard = engines[1].user_audio()
    assert not heard[: 14 * 640].any() and heard[14 * 640 :].tobytes() == VOICES[0][: len(heard) - 14 * 640].tobytes()
    assert min(seen(engines[1], LAG)) == 7  # the first frame, when it is shown


def test_an_interrupted_character_falls_silent_for_the_other() -> None:
    pair, engines = characters()
    shown = live(pair, 2560, cut_ms=700)
    assert list(shown[0]) == list(range(65))
    heard = engines[1].user_audio()[LAG * 640 :]
    cut = 720 * 16
    assert heard[cut - 320 : cut].any() and not heard[cut : 1500 * 16].any() and heard[1600 * 16 :].any()
    others = {k: frame.values.tobytes() for k, frame in shown[0].items()}
    found = seen(engines[1], LAG)
    assert found == {k: others[k] for k in range(65 - LAG)}  # what took the place of withdrawn frames, too


def test_pairs_that_cannot_be() -> None:
    model = Model(RecordingEngine())
    one, alone = model.session(), model.session(voices="agent")
    with pytest.raises(InvalidArgument, match="one session with itself"):
        visavis.pair(one, one)
    with pytest.raises(InvalidArgument, match="expected 'both'"):
        visavis.pair(one, alone)
    engine = RecordingEngine()
    engine._info = replace(engine.info, channels=("exp0", "exp1", "exp2", "exp3", "jaw", "headYaw"))
    other = Model(engine).session()
    with pytest.raises(InvalidArgument, match="lacks 1 of 6 channels, such as jaw"):
        visavis.pair(one, other)
    with visavis.pair(one, other, motion=False) as pair, pytest.raises(InvalidArgument, match=r"pair\.a or pair\.b"):
        pair.push_agent_audio(alone, VOICES[0], 16000)
    with pytest.raises(StateError, match="closed"):
        one.poll()
