"""The clock drive's promises in simulated conversations (simulator.py): random worlds, and ten minutes of drift."""

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from simulator import MS, F, Simulation, World, percentile

from visavis.session import FrameState
from visavis.turn_report import LateAction

FAST, SLOW_MS = 8.0, 260.0  # a turn lasts 200 ms


def random_world(seed: int) -> World:
    """Policies, leads, stalls, drift, an engine that is slow for a while; drawn from the seed."""
    rng = np.random.default_rng(10_000 + seed)
    slow_from, slow_until, slow_ms = rng.uniform(2, 8), rng.uniform(8, 12), rng.choice([0, 30, 120, SLOW_MS])

    def cost_ms(rng: np.random.Generator, now_s: float, steps: int) -> float:
        return float(rng.uniform(2, 12) + (slow_ms * steps / 5 if slow_from < now_s < slow_until else 0))

    options: dict[str, Any] = {
        "late": rng.choice(["hold", "fewer_steps", "idle"]),
        "agent_audio": rng.choice(["ahead", "live"]),
        "lead_ns": int(rng.choice([20, 40, 80, 200])) * MS,
    }
    return World(
        seed=seed,
        options={name: value if name == "lead_ns" else str(value) for name, value in options.items()},
        tick_ms=(5, float(rng.choice([12, 25, 60]))),
        cost_ms=cost_ms,
        drift_ppm=float(rng.uniform(-200, 200)),
        stall_s=(0.1, 1.5),
        stall_every_s=float(rng.choice([0, 4])),
        barge_in=float(rng.choice([0, 0.7])),
        lag=int(rng.choice([0, 7])),
    )


def check_promises(run: Simulation) -> None:
    """What holds whatever happens; that no frame comes twice or out of order the simulator has seen."""
    stats, numbers = run.session.stats, run.engine.numbers
    assert [report.turn for report in run.reports] == numbers
    assert stats["turns"] == len(numbers)
    skipped = [number - before - 1 for before, number in zip([-1, *numbers], numbers, strict=False)]
    assert min(skipped) >= 0, "turns enter the history in order"
    assert skipped == [report.skipped_turns for report in run.reports]
    waiting = stats["skipped_turns"] - sum(skipped)  # before a turn that is still to come
    assert waiting >= 0
    ends = [report.end_ns for report in run.reports]
    assert all(r.due_ns <= r.begin_ns <= r.end_ns for r in run.reports) and ends == sorted(ends)
    actions = [report.action for report in run.reports]
    for action in (LateAction.FEWER_STEPS, LateAction.IDLE):
        assert actions.count(action) == stats[f"{action.name.lower()}_turns"]
    assert all(report.steps < 5 for report in run.reports if report.action == LateAction.FEWER_STEPS)
    check_frames(run)


def check_frames(run: Simulation) -> None:
    stats = run.session.stats
    last = max(run.shown)
    missing = set(range(last + 1)) - set(run.shown)
    assert not run.withdrawn & set(range(last + 1)) - missing
    lost = stats["dropped_frames"] + stats["skipped_turns"] * F
    over = [k for k in run.withdrawn if k <= last]  # withdrawn, and too late for others in their place
    assert len(missing) - len(over) <= lost and (stats["idle_turns"] or len(missing) - len(over) >= lost - F)
    assert stats["frames"] + stats["replaced_frames"] - stats["withdrawn_frames"] == len(run.shown)
    assert stats["replaced_frames"] == stats["withdrawn_frames"] - len(run.withdrawn)
    for shown in run.shown.values():
        assert np.isfinite(shown.frame.values).all() and 0 <= shown.frame.values[0] <= 0.91
        late_ns = shown.at_ns - shown.time_ns
        assert (late_ns <= 0) or FrameState.LATE in shown.frame.state or late_ns < 320 * MS


@pytest.mark.parametrize("seed", range(24))
def test_random_worlds_keep_every_promise(seed: int) -> None:
    check_promises(Simulation(random_world(seed)).run())


@pytest.mark.parametrize("seed", range(4))
def test_the_same_world_gives_the_same_bytes(seed: int) -> None:
    one, two = (Simulation(replace(random_world(seed), seconds=10)).run() for _ in range(2))
    assert list(one.shown) == list(two.shown) and one.reports == two.reports
    assert all(one.shown[k].frame.values.tobytes() == two.shown[k].frame.values.tobytes() for k in one.shown)


LONG = {
    "tts in bursts, drift of +200 ppm, barge-ins": World(seconds=600, drift_ppm=200, barge_in=0.4),
    "actor, drift of -200 ppm": World(seconds=600, drift_ppm=-200, options={"agent_audio": "live"}),
    "tts, a stall of the caller each 20 s": World(seconds=600, stall_s=(0.2, 0.8), stall_every_s=20),
}


@pytest.mark.parametrize("name", LONG)
def test_voice_and_face_stay_together_for_ten_minutes(name: str) -> None:
    run = Simulation(replace(LONG[name], seed=3)).run()
    check_promises(run)
    offsets, delays = run.offsets_ms(), run.user_delays_ms()
    assert len(offsets) > 5000 and percentile(offsets, 99) <= 20
    assert len(delays) > 11_000 and percentile(delays, 100) <= 45
    if not run.world.stall_every_s:
        assert list(run.shown) == sorted(run.shown) == list(range(len(run.shown)))
        assert percentile(offsets, 99) < 1
    user = run.session.stats["user"]
    assert user["inserted"] + user["dropped"] <= 2 * 1300 and user["gap"] == user["replaced"] == 0


def test_an_engine_that_is_slow_gets_fewer_steps_until_it_is_fast_again() -> None:
    world = World(
        seconds=40,
        options={"late": "fewer_steps", "lead_ns": 80 * MS},
        cost_ms=lambda rng, now_s, steps: 60 * steps if 5 < now_s < 20 else FAST,
    )
    run = Simulation(world).run()
    check_promises(run)
    steps = {report.turn: report.steps for report in run.reports}
    assert {steps[turn] for turn in range(1, 24)} == {5}  # the very first is due before the session begins
    assert np.mean([steps[turn] for turn in range(40, 100)]) < 1.5  # one step takes 60 ms, two 120
    assert {steps[turn] for turn in range(160, 199)} == {5}
    late = [k for k, shown in run.shown.items() if FrameState.LATE in shown.frame.state and k > 40 * F]
    assert len(late) <= 4 * F  # of those turns that tried what had been too slow
    assert run.session.stats["skipped_turns"] == 0 and run.session.stats["dropped_frames"] <= 5 * F


def test_an_engine_that_is_slow_leaves_an_idle_face_in_time() -> None:
    world = World(
        seconds=20, options={"late": "idle"}, cost_ms=lambda rng, now_s, steps: SLOW_MS if 5 < now_s < 12 else FAST
    )
    run = Simulation(world).run()
    check_promises(run)
    slow = [run.shown[k] for k in range(140, 295)]  # all are there
    assert max(shown.at_ns - shown.time_ns for shown in slow) <= 0
    assert max(shown.frame.values[0] for shown in slow) == 0  # at rest, whatever the voice does
    values = np.array([run.shown[k].frame.values[[0, 5]] for k in sorted(run.shown)])
    back = [k for k in run.shown if k > 330 and run.engine.agent[k] > 0.3]
    assert back and all(run.shown[k].frame.values[0] == pytest.approx(run.engine.agent[k]) for k in back)
    assert np.abs(np.diff(values[:, 1])).max() < 0.022  # the head never jumps: 0.1 rad at most, in ten frames
    assert run.session.stats["idle_turns"] > 5


def test_an_engine_that_is_slow_loses_frames_but_not_the_order_when_it_holds() -> None:
    world = World(seconds=20, cost_ms=lambda rng, now_s, steps: SLOW_MS if 5 < now_s < 12 else FAST)
    run = Simulation(world).run()
    check_promises(run)
    stats = run.session.stats
    assert stats["dropped_frames"] > 20 and stats["skipped_turns"] > 3
    assert {report.action for report in run.reports} == {LateAction.IN_TIME, LateAction.HELD}
    assert set(range(310, 490)) <= set(run.shown)  # and it recovers


def test_an_interrupted_face_eases_to_listening_and_no_frame_is_missing() -> None:
    run = Simulation(World(seed=5, seconds=60, barge_in=1.0)).run()
    check_promises(run)
    assert list(run.shown) == list(range(len(run.shown))) and len(run.cuts) > 8
    values = np.array([run.shown[k].frame.values for k in range(len(run.shown))])
    n_loud = 0
    for cut_ns in run.cuts:
        first = -(-cut_ns // (40 * MS))  # the first frame after the cut
        if first + 12 >= len(values) or values[first - 1, 0] < 0.2:
            continue
        n_loud += 1
        after = values[first - 1 : first + 10, 0]
        assert (np.diff(after) <= 1e-6).all() and after[-1] < 0.03 * after[0]
        assert np.abs(np.diff(after)).max() < 0.25 * after[0]
        assert FrameState.LISTENING in run.shown[first + 5].frame.state
        np.testing.assert_allclose(values[first - 1 : first + 10, 5], 0.1)  # the head goes on
    assert n_loud > 5


@pytest.mark.parametrize(("agent_audio", "lag", "expected"), [("ahead", 0, 7), ("live", 0, 0), ("ahead", 9, 9)])
def test_models_without_a_lag_see_the_live_user(agent_audio: str, lag: int, expected: int) -> None:
    run = Simulation(World(options={"agent_audio": agent_audio}, lag=lag)).run()
    check_promises(run)
    assert run.session.user_lag_frames == expected
    assert run.session.delay_ns == (7 * 40 * MS if agent_audio == "live" else 0)
    assert percentile(run.user_delays_ms(), 100) < 1
    heard = [run.engine.user[k] for k in range(10, len(run.engine.user))]
    assert all(heard), "the user is never absent"
    assert run.session.stats["user"]["missing"] == 0


@pytest.mark.parametrize("lead_ms", [0, 40, 100, 240])
def test_a_longer_lead_takes_the_user_as_of_earlier(lead_ms: int) -> None:
    run = Simulation(World(options={"lead_ns": lead_ms * MS})).run()
    check_promises(run)
    assert run.session.user_lag_frames == {0: 7, 40: 7, 100: 9, 240: 12}[lead_ms]
    assert run.session.stats["user"]["missing"] == 0
