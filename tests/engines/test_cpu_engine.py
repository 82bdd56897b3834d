"""The native CPU engine keeps the engine contract: slots, batches, noise, instruction sets, errors."""

import threading
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from engine_cases import random_turns, write_model
from small_models import small_config

import visavis
from visavis import _core
from visavis.engine import Engine, TurnInput
from visavis.errors import InvalidArgument, ModelFileError, StateError, Unsupported
from visavis.model.config import ModelConfig, live_config, paper_config

CONFIG = small_config()
F, C, SIZE = CONFIG.turn_frames, CONFIG.n_channels, CONFIG.turn_samples
ALL_ISAS = ("base", "neon", "avx2", "avx512", "avx512bf16")


@pytest.fixture(scope="module")
def path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_model(tmp_path_factory.mktemp("models") / "small.gguf", CONFIG)


@pytest.fixture(params=["f32", "auto"])
def engine(path: Path, request: pytest.FixtureRequest) -> Engine:
    return visavis.load_engine(path, precision=request.param)


def run(engine: Engine, slot: int, turns: Sequence[TurnInput]) -> np.ndarray:
    return np.stack([engine.step([replace(turn, slot=slot)])[0].motion for turn in turns])


def session(seed: int, n_turns: int = 9, config: ModelConfig = CONFIG) -> list[TurnInput]:
    return list(random_turns(config, n_turns, seed))


def runnable_isas(path: Path, monkeypatch: pytest.MonkeyPatch) -> list[str]:
    found = []
    for isa in ALL_ISAS:
        monkeypatch.setenv("VISAVIS_ISA", isa)
        try:
            found.append(_core.CpuEngine(path).isa)
        except Unsupported as error:
            assert f'VISAVIS_ISA is "{isa}"' in str(error)
    monkeypatch.delenv("VISAVIS_ISA")
    return found


# ---- slots and batches


def test_output_has_motion_stages_and_steps(engine: Engine) -> None:
    out = engine.step([TurnInput(engine.open(), np.zeros(SIZE, np.float32), steps=3)])[0]
    assert out.motion.shape == (F, C) and out.motion.dtype == np.float32 and np.isfinite(out.motion).all()
    assert set(out.stage_ns) == {"speech", "backbone", "denoise"} and min(out.stage_ns.values()) > 0
    assert out.steps == 3
    assert isinstance(engine, Engine) and engine.info.name == "random" and engine.config == CONFIG


def test_reset_close_and_reopen_begin_a_session_anew(engine: Engine) -> None:
    turns = session(1)
    first = engine.open()
    motion = run(engine, first, turns)
    assert not np.array_equal(run(engine, first, turns), motion)  # it remembers
    engine.reset(first)
    assert run(engine, first, turns).tobytes() == motion.tobytes()
    second = engine.open()
    engine.close(first)
    again = engine.open()
    assert {first, second} == {0, 1} and again == 0
    assert run(engine, again, turns).tobytes() == motion.tobytes()
    assert run(engine, second, turns).tobytes() == motion.tobytes()


def test_a_batch_gives_the_bytes_of_one_by_one(engine: Engine) -> None:
    sessions = [session(seed) for seed in range(4)]
    slots = [engine.open() for _ in sessions]
    alone = [run(engine, slot, turns) for slot, turns in zip(slots, sessions, strict=True)]
    for slot in slots:
        engine.reset(slot)
    for t in range(9):
        order = [(t + i) % 4 for i in range(4 - t % 2)]  # some turns come later, alone
        inputs = [replace(sessions[i][t], slot=slots[i]) for i in order]
        for i, out in zip(order, engine.step(inputs), strict=True):
            assert out.motion.tobytes() == alone[i][t].tobytes()
        for i in set(range(4)) - set(order):
            assert run(engine, slots[i], [sessions[i][t]])[0].tobytes() == alone[i][t].tobytes()
    assert engine.step([]) == []


@pytest.mark.parametrize("precision", ["f32", "auto"])
def test_any_number_of_threads_gives_the_bytes_of_one(path: Path, precision: str) -> None:
    """More turns than go into one group, some with guidance or steps of their own."""
    turns = [
        [replace(turn, guidance=1.5 if (t + i) % 9 == 0 else 1.0, steps=3 if (t + i) % 7 == 0 else None)
         for t, turn in enumerate(session(i, 6))]
        for i in range(30)
    ]  # fmt: skip
    motions = set()
    for threads in (1, 2, 5):
        engine = visavis.load_engine(path, precision=precision, threads=threads)
        slots = [engine.open() for _ in turns]
        steps = [engine.step([replace(turns[i][t], slot=slots[i]) for i in range(30)]) for t in range(6)]
        motions.add(b"".join(out.motion.tobytes() for step in steps for out in step))
        assert all(min(out.stage_ns.values()) > 0 for step in steps for out in step)
    assert len(motions) == 1


def test_a_ring_forgets_what_left_it(tmp_path: Path) -> None:
    """4 visible turns, one layer, nothing fed back: after 4 turns and the audio's context the past is gone."""
    config = small_config(depth=1, own_past="masked", head_context_frames=0)
    engine = visavis.load_engine(write_model(tmp_path / "m.gguf", config))
    long, short = session(3, 40, config), session(4, 20, config)
    for turn in (*long, *short):
        turn.turn = 0  # the same noise in every turn
    long[20:] = short
    one, other = run(engine, engine.open(), long)[20:], run(engine, engine.open(), short)
    np.testing.assert_allclose(one[6:], other[6:], rtol=0, atol=1e-5)
    assert np.abs(one[:3] - other[:3]).max() > 1e-3


def test_a_refused_batch_moves_no_slot(engine: Engine) -> None:
    turns = session(5)
    one, two = engine.open(), engine.open()
    motion = run(engine, one, turns)
    engine.reset(one)
    run(engine, one, turns[:4])
    broken = replace(turns[4], slot=two, user_audio=np.full(SIZE, np.nan, np.float32))
    with pytest.raises(InvalidArgument):
        engine.step([replace(turns[4], slot=one), broken])
    assert run(engine, one, turns[4:]).tobytes() == motion[4:].tobytes()


def test_a_second_thread_is_refused_not_raced(path: Path) -> None:
    engine = visavis.load_engine(path, steps=1000)
    slots = [engine.open(), engine.open()]
    refusals: list[str] = []

    def work(slot: int) -> None:
        for _ in range(20):
            try:
                engine.step([TurnInput(slot)])
            except StateError as error:
                refusals.append(str(error))

    threads = [threading.Thread(target=work, args=(slot,)) for slot in slots]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert refusals and all("expected one caller at a time" in text for text in refusals)
    engine.step([TurnInput(slots[0])])


# ---- noise


def test_explicit_noise_is_the_philox_noise_of_the_same_turn(tmp_path: Path) -> None:
    config = small_config(noise_coherence=0.8)
    engine = visavis.load_engine(write_model(tmp_path / "m.gguf", config))
    turns = session(6, config=config)
    given = [
        replace(turn, noise=_core.noise(turn.seed, t * F, F, C, config.steps, 0.8), seed=99)
        for t, turn in enumerate(turns)
    ]
    motion = run(engine, engine.open(), turns)
    assert run(engine, engine.open(), given).tobytes() == motion.tobytes()
    shifted = [replace(turn, turn=t + 3) for t, turn in enumerate(turns)]
    assert run(engine, engine.open(), shifted).tobytes() != motion.tobytes()
    counted = [replace(turn, turn=t) for t, turn in enumerate(turns)]
    assert run(engine, engine.open(), counted).tobytes() == motion.tobytes()


def test_temperature_scales_the_step_noise_alone(engine: Engine) -> None:
    noise = np.random.default_rng(0).standard_normal((1 + CONFIG.steps, F, C)).astype(np.float32)
    quiet = noise.copy()
    quiet[1:] = 0
    half = noise.copy()
    half[1:] *= 0.5

    def one(noise: np.ndarray, temperature: float) -> np.ndarray:
        return engine.step([TurnInput(engine.open(), noise=noise, temperature=temperature)])[0].motion

    assert one(noise, 0.0).tobytes() == one(quiet, 1.0).tobytes()
    np.testing.assert_allclose(one(noise, 0.5), one(half, 1.0), rtol=0, atol=1e-6)
    assert not np.array_equal(one(noise, 1.0), one(noise, 0.0))
    unused = noise.copy()
    unused[-1] = 9
    assert one(unused, 1.0).tobytes() == one(noise, 1.0).tobytes()


def test_channels_of_the_eye_layer_are_exactly_zero(engine: Engine) -> None:
    motion = run(engine, engine.open(), session(7))
    eyes = list(CONFIG.space.eye_layer)
    assert not motion[..., eyes].any()
    assert (np.delete(motion, eyes, axis=-1) != 0).all()


def test_absent_streams(engine: Engine) -> None:
    def one(**streams: Any) -> bytes:
        return bytes(engine.step([TurnInput(engine.open(), **streams)])[0].motion.tobytes())

    silence, still = np.zeros(SIZE, np.float32), np.zeros((F, C), np.float32)
    absent = one()
    assert one(user_audio=silence, agent_audio=silence) == absent
    assert one(agent_audio=np.zeros(SIZE + 1280, np.float32)) == absent
    assert one(user_motion=still) != absent
    nowhere = np.full((F, C), np.nan, np.float32)
    assert one(user_motion=nowhere, user_motion_present=np.zeros(F, bool)) == absent
    assert one(user_motion=still, user_motion_present=np.ones(F, bool)) == one(user_motion=still)


# ---- instruction sets


def test_instruction_sets_agree_and_repeat_their_bytes(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    isas = runnable_isas(path, monkeypatch)
    assert "base" in isas
    turns = session(8, 50)
    motions = {}
    for isa in isas:
        monkeypatch.setenv("VISAVIS_ISA", isa)
        engine = _core.CpuEngine(path)
        assert engine.isa == isa
        motions[isa] = run(engine, engine.open(), turns)
        other = _core.CpuEngine(path)
        assert run(other, other.open(), turns).tobytes() == motions[isa].tobytes()
    for motion in motions.values():
        np.testing.assert_allclose(motion, motions["base"], rtol=0, atol=2e-5)


def test_bf16_is_taken_where_the_processor_has_it_and_refused_elsewhere(
    path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    precisions = {}
    for isa in runnable_isas(path, monkeypatch):
        monkeypatch.setenv("VISAVIS_ISA", isa)
        engine = _core.CpuEngine(path, precision="auto")
        precisions[isa] = engine.precision
        assert engine.isa == isa and _core.CpuEngine(path).precision == "f32"
        if isa != "avx512bf16":
            with pytest.raises(Unsupported, match=f'needs a processor.*instead of "{isa}"; take auto or f32'):
                _core.CpuEngine(path, precision="bf16")
    assert precisions == {isa: "bf16" if isa == "avx512bf16" else "f32" for isa in precisions}
    monkeypatch.delenv("VISAVIS_ISA")
    best = _core.CpuEngine(path, precision="auto")
    assert best.precision == ("bf16" if "avx512bf16" in precisions else "f32")
    assert _core.CpuEngine(path).isa != "avx512bf16"


def test_the_own_past_can_be_given(path: Path) -> None:
    one, other = _core.CpuEngine(path), _core.CpuEngine(path)
    turns = session(12)
    motion = run(one, one.open(), turns)
    other.open()
    for t, turn in enumerate(turns):
        if t > 0:
            other.set_own_motion(0, motion[t - 1])
        np.testing.assert_allclose(other.step([turn])[0].motion, motion[t], rtol=0, atol=1e-5)
    other.set_own_motion(0, motion[0])  # not what came last
    again = session(12, 10)[9]
    assert not np.allclose(other.step([again])[0].motion, one.step([again])[0].motion, rtol=0, atol=1e-4)
    with pytest.raises(InvalidArgument, match=r"own motion has 55 values; expected 275 \(frames x channels\)"):
        other.set_own_motion(0, motion[0, :1])


def test_an_unknown_instruction_set_is_refused(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VISAVIS_ISA", "sse9")
    with pytest.raises(Unsupported, match=r'VISAVIS_ISA is "sse9"; this processor and build run .*base'):
        visavis.load_engine(path)


# ---- bad input

ZEROS = np.zeros(SIZE, np.float32)


def spoilt(shape: tuple[int, ...], value: float) -> np.ndarray:
    array = np.zeros(shape, np.float32)
    array.flat[7] = value
    return array


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"user_audio": ZEROS[:-1]}, r"user_audio has shape \(3199,\); expected \(3200,\)"),
        ({"agent_audio": ZEROS[:640]}, r"agent_audio has shape \(640,\); expected \(3200,\) or \(4480,\)"),
        ({"agent_audio": ZEROS[None]}, r"agent_audio has shape \(1, 3200\)"),
        ({"user_audio": ZEROS[:0]}, r"user_audio has shape \(0,\)"),
        ({"user_audio": spoilt((SIZE,), np.nan)}, "user_audio holds NaN or infinity at value 7"),
        ({"agent_audio": spoilt((SIZE,), -np.inf)}, "agent_audio holds NaN or infinity at value 7"),
        ({"user_audio": spoilt((SIZE,), 32767)}, r"user_audio holds 32767.0* at value 7; expected at most 1000"),
        ({"user_audio": ZEROS.astype(np.int16)}, "user_audio holds int16; expected float32"),
        ({"user_motion": np.zeros((F, C + 1), np.float32)}, r"user_motion has shape \(5, 56\); expected \(5, 55\)"),
        ({"user_motion": spoilt((F, C), np.nan)}, "user_motion holds NaN or infinity at value 7"),
        ({"user_motion_present": np.ones(F + 1, bool)}, r"user_motion_present has shape \(6,\); expected \(5,\)"),
        ({"user_motion_present": np.ones(F, np.float32)}, "user_motion_present holds float32; expected bool"),
        ({"noise": np.zeros((5, F, C), np.float32)}, r"noise has shape \(5, 5, 55\); expected \(6, 5, 55\)"),
        (
            {"noise": np.zeros((6, F, C), np.float32), "steps": 4},
            r"noise has shape \(6, 5, 55\); expected \(5, 5, 55\)",
        ),
        ({"noise": spoilt((6, F, C), np.nan)}, "noise holds NaN or infinity"),
        ({"temperature": -0.1}, "temperature is -0.1"),
        ({"temperature": float("nan")}, "temperature is nan"),
        ({"guidance": float("inf")}, "guidance is inf"),
        ({"steps": 1}, "ancestral sampling takes 2 to 1000 steps, not 1"),
        ({"steps": 0}, "steps is 0; expected a whole number of at least 1"),
        ({"turn": -1}, "turn is -1; expected a whole number of at least 0"),
        ({"slot": 9}, "slot 9 is not open; open ones: 0"),
        ({"slot": -1}, "slot -1 is not open"),
    ],
    ids=str,
)
def test_bad_turns_name_the_thing(engine: Engine, fields: dict[str, Any], message: str) -> None:
    turn = replace(TurnInput(engine.open()), **fields)
    with pytest.raises(InvalidArgument, match=message):
        engine.step([turn])


def test_a_session_lives_on_after_samples_that_no_engine_takes(path: Path) -> None:
    with visavis.load(path).session() as session:
        integers = np.full(16000, 20000.0, np.float32)  # 16-bit integers that nobody scaled
        with pytest.raises(InvalidArgument, match="sample 0 of 16000 is 20000.*full scale at"):
            session.push_agent_audio(integers, 48000)
        with pytest.raises(InvalidArgument, match="user motion: frame 0, channel 7"):
            session.push_user_motion(spoilt((1, C), 1e20))
        loud = 99 * np.sign(np.random.default_rng(0).standard_normal(16000)).astype(np.float32)
        session.push_agent_audio(loud, 16000)
        session.push_user_audio(loud, 44100)
        session.end()
        assert len(session.poll()) == 25


def test_bad_slots_name_the_slot(engine: Engine) -> None:
    slot = engine.open()
    with pytest.raises(InvalidArgument, match="slot 0 appears twice in one step"):
        engine.step([TurnInput(slot), TurnInput(slot)])
    engine.close(slot)
    for call in (engine.close, engine.reset, lambda slot: engine.step([TurnInput(slot)])):
        with pytest.raises(InvalidArgument, match="slot 0 is not open; open ones: none"):
            call(slot)


@pytest.mark.parametrize(
    ("options", "kind", "message"),
    [
        ({"history": "masked"}, Unsupported, "lagged own past"),
        ({"window": "exact"}, InvalidArgument, "relative positions go with window ring"),
        ({"passes": 6}, InvalidArgument, "passes is 6; expected 1 to 5, the frames of a turn"),
        ({"steps": 1}, InvalidArgument, "ancestral sampling takes 2 to 1000 steps, not 1"),
        ({"threads": 257}, InvalidArgument, "threads is 257; expected 1 to 256"),
        ({"engine": "torch", "precision": "bf16"}, Unsupported, "engine torch runs in f32"),
        ({"engine": "torch", "threads": 2}, Unsupported, "engine torch runs in f32"),
        ({"speech_encoder": "folder"}, Unsupported, "takes wav2vec2 from the model file"),
    ],
)
def test_options_that_do_not_fit_the_model(
    path: Path, options: dict[str, Any], kind: type[Exception], message: str
) -> None:
    with pytest.raises(kind, match=message):
        visavis.load_engine(path, **options)


def test_a_model_whose_file_lacks_its_wav2vec2_is_refused_with_the_remedy(tmp_path: Path) -> None:
    config = paper_config(width=16, depth=1, heads=2, token_width=8, head_width=16, head_depth=1, speech_width=8)
    with pytest.raises(Unsupported, match="its file does not carry; import it with its speech encoder"):
        visavis.load_engine(write_model(tmp_path / "m.gguf", config))


def test_a_model_file_without_a_tensor_is_refused(path: Path, tmp_path: Path) -> None:
    foreign = tmp_path / "foreign.gguf"
    foreign.write_bytes(path.read_bytes().replace(b"mask_token", b"musk_token"))
    with pytest.raises(ModelFileError, match='"mask_token" is missing'):
        visavis.load_engine(foreign)


def test_the_live_default_is_far_below_real_time(tmp_path: Path) -> None:
    """Processor time of the calling thread, which is the only one that works; `visavis bench` tells more."""
    config = live_config()
    engine = visavis.load_engine(write_model(tmp_path / "live.gguf", config))
    engine.open()
    spent_ms = []
    for turn in random_turns(config, 2 * config.context_turns):
        start = time.thread_time_ns()
        engine.step([turn])
        spent_ms.append((time.thread_time_ns() - start) / 1e6)
    full_ring = sorted(spent_ms[config.context_turns :])
    assert full_ring[len(full_ring) // 2] < 0.05 * 200
