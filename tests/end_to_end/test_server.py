"""The server over real sockets, by docs/protocol.md: what it publishes, and what voices and faces do."""

import threading
import time

import numpy as np
import psutil
import pytest
from bench import Bench
from echo_engine import JAW, PITCH, SMILE, EchoEngine

from visavis.bridge import wire
from visavis.bridge.client import Client
from visavis.bridge.receiver import Receiver
from visavis.bridge.server import BridgeServer
from visavis.constants import FRAME_NS
from visavis.errors import InvalidArgument
from visavis.motion_space import ARKIT55
from visavis.runtime import Runtime
from visavis.session import Model


def tone(seconds: float, rate: int) -> np.ndarray:
    return (0.5 * np.sign(np.sin(np.arange(round(seconds * rate)) * 0.3))).astype(np.float32)


def test_motion_arrives_whole_in_order_and_with_every_field(bench: Bench) -> None:
    description = bench.open()
    bench.run_for(3)
    frames = bench.of("VVM1")
    assert len(frames) >= 70
    assert [m.frame for m in frames] == list(range(frames[0].frame, frames[0].frame + len(frames)))
    for message in frames:
        assert message.presentation_ns == message.frame * FRAME_NS and message.epoch == description["epoch"]
        assert (message.channels, message.rate, message.dtype, message.flags) == (55, 25, "f32", wire.TIMED)
        assert message.state & (wire.SPEAKING | wire.LISTENING) == wire.LISTENING
        assert f"{message.schema_hash:#018x}" == description["schema_hash"] == "0xc4f7f0cac81cd3c2"
    sequences = [m.sequence for m in frames]
    assert sequences == list(range(sequences[0], sequences[0] + len(sequences)))
    assert bench.track().counts["lost"] == bench.receiver.malformed == 0


def test_descriptions_come_once_a_second_and_tell_both_clocks(bench: Bench) -> None:
    bench.open()
    bench.run_for(4)
    descriptions = bench.of("VVD1")
    seconds = (descriptions[-1].publish_ns - descriptions[0].publish_ns) / 1e9
    assert len(descriptions) >= 4 and len(descriptions) - 1 == pytest.approx(seconds, abs=1)
    for message in descriptions:
        facts = message.description()
        assert (facts["session_ns"], facts["server_ns"]) == (message.presentation_ns, message.publish_ns)
        assert facts["channels"] == list(ARKIT55.channels) and facts["units"][-1] == "rad"
    assert len({m.publish_ns - m.presentation_ns for m in descriptions}) == 1


def test_the_agents_voice_comes_back_whole_ahead_of_its_motion(bench: Bench) -> None:
    bench.open()
    voice = (np.arange(44_100) % 1000 / 2000).astype(np.float32)
    bench.say(voice, 44_100)
    bench.wait(lambda: sum(len(m.values or ()) for m in bench.of("VVA1")) >= len(voice))
    bench.run_for(0.5)
    packets = bench.of("VVA1")
    np.testing.assert_array_equal(np.concatenate([m.values for m in packets]), voice)
    assert [m.frame for m in packets] == list(np.cumsum([0] + [len(m.values or ()) for m in packets[:-1]]))
    first_ns = packets[0].presentation_ns
    for message in packets:
        assert message.rate == 44_100
        assert message.presentation_ns == pytest.approx(first_ns + message.frame * 1e9 / 44_100, abs=1000)
        if message.presentation_ns < first_ns + 5 * FRAME_NS:
            continue  # of the turn at hand when the voice began: the rest of the burst may come after its frames
        frame = next(m for m in bench.of("VVM1") if m.presentation_ns + FRAME_NS > message.presentation_ns)
        assert bench.messages.index(message) < bench.messages.index(frame)
    loud = [m for m in bench.of("VVM1") if m.values and m.values[JAW] > 0.1]
    assert loud[0].presentation_ns == pytest.approx(first_ns, abs=2 * FRAME_NS)
    assert all(m.state & wire.SPEAKING for m in loud)


def test_a_live_agents_voice_and_face_go_out_later(bench: Bench) -> None:
    delay_ns = bench.open(agent_audio="live")["delay_ns"]
    assert delay_ns == 7 * FRAME_NS
    for _ in range(20):
        bench.client.send_agent_audio("npc", tone(0.1, 16_000), 16_000)
        bench.run_for(0.1)
    bench.run_for(1)
    voice, loud = bench.of("VVA1"), [m for m in bench.of("VVM1") if m.values and m.values[JAW] > 0.1]
    assert all(m.presentation_ns == m.frame * FRAME_NS + delay_ns for m in bench.of("VVM1"))
    assert loud[0].presentation_ns == pytest.approx(voice[0].presentation_ns, abs=2 * FRAME_NS)


def test_the_users_voice_and_face_reach_the_engine(bench: Bench) -> None:
    bench.open()
    face = np.zeros(55, np.float32)
    face[SMILE] = 0.75
    for _ in range(40):
        bench.client.send_user_audio("npc", tone(0.1, 48_000), 48_000)
        bench.client.send_user_motion("npc", face, ARKIT55.channels, ARKIT55.units)
        bench.run_for(0.1)
    assert max(bench.values(PITCH)) == pytest.approx(0.5, abs=0.05)
    assert max(bench.values(SMILE)) == 0.75
    counters = bench.counters()
    assert counters["user_pushed_ms"] == pytest.approx(4000, abs=5) and counters["dropped_inputs"] == 0


def test_an_unplugged_input_leaves_a_steady_head(bench: Bench) -> None:
    bench.open()
    with Client(bench.endpoint) as client:
        for _ in range(5):
            client.send_user_audio("npc", tone(0.1, 16_000), 16_000)
            bench.run_for(0.1)
    bench.run_for(1)
    n_before = len(bench.of("VVM1"))
    bench.run_for(3)
    frames = bench.of("VVM1")[n_before:]
    assert len(frames) >= 70
    assert np.diff([m.frame for m in frames]).tolist() == [1] * (len(frames) - 1)
    assert max(bench.values(PITCH)[:n_before]) > 0 and max(bench.values(PITCH)[n_before:]) == 0


def test_a_cut_withdraws_voice_and_face(bench: Bench) -> None:
    bench.open()
    bench.say(tone(20, 16_000), 16_000)
    bench.run_for(0.2)  # a quick server has published the first turn before its clock has moved
    bench.wait(lambda: max(bench.values(JAW), default=0) > 0.1)
    reply = bench.client.request("cancel", head="npc", from_ns=0)
    bench.wait(lambda: bool(bench.of("VVC1")))
    (cut,) = bench.of("VVC1")
    assert cut.presentation_ns == reply["from_ns"] > 0 and cut.dtype == "none"
    assert (cut.frame - 1) * FRAME_NS < cut.presentation_ns <= cut.frame * FRAME_NS
    at = bench.messages.index(cut)
    bench.run_for(2)
    assert not [m for m in bench.messages[at:] if m.magic == "VVA1"], "audio that was cut is published no more"
    quiet = [m for m in bench.messages[at:] if m.magic == "VVM1" and m.frame > cut.frame + 10]
    assert quiet and all(m.values and m.values[JAW] == 0 and m.state & wire.LISTENING for m in quiet)


def test_two_heads_do_not_hear_each_other(bench: Bench) -> None:
    one, two = bench.open("one"), bench.open("two", dtype="norm16", seed=3)
    assert one["epoch"] != two["epoch"]
    bench.say(tone(1, 16_000), 16_000, "two")
    bench.run_for(3)
    assert max(bench.values(JAW, "one")) == 0 and max(bench.values(JAW, "two")) == pytest.approx(0.5, abs=0.02)
    assert {m.dtype for m in bench.of("VVM1", "two")} == {"norm16"} and not bench.of("VVA1", "one")
    assert [h["head"] for h in bench.client.request("describe")["heads"]] == ["one", "two"]
    bench.client.request("close", head="one")
    bench.wait(lambda: bench.track("one").closed)
    n_before = len(bench.of("VVM1", "two"))
    bench.run_for(1)
    assert len(bench.of("VVM1", "two")) > n_before + 15


def test_paired_heads_hear_and_see_each_other(bench: Bench) -> None:
    bench.open("one")
    bench.run_for(0.3)  # the clocks of the two differ
    bench.open("two", dials={"emotion.joy": 0.6})
    assert bench.client.request("pair", heads=["one", "two"])["motion"] is True
    bench.say(tone(3, 16_000), 16_000, "one")
    bench.run_for(1.5)
    bench.client.request("cancel", head="one")
    bench.run_for(2)
    assert max(bench.values(JAW, "two")) == 0 and max(bench.values(PITCH, "one")) == pytest.approx(0, abs=0.1)
    smiles = bench.values(SMILE, "one")  # what it saw on the other's face
    assert smiles[0] == 0 and max(smiles) > 0.25
    heard = [m for m in bench.of("VVM1", "two") if m.values and m.values[PITCH] > 0.3]
    spoken = [m for m in bench.of("VVM1", "one") if m.values and m.values[JAW] > 0.3]
    first_heard, first_spoken = (
        min(m.presentation_ns for m in frames) + bench.server.heads[head].start_ns
        for head, frames in (("two", heard), ("one", spoken))
    )
    assert first_heard - first_spoken == pytest.approx(7 * FRAME_NS, abs=2 * FRAME_NS)
    assert 0 < len(heard) < 2 * 25 and bench.values(PITCH, "two")[-1] < 0.1, "the interrupted voice is not heard"
    for head, other in (("one", "two"), ("two", "one")):
        assert bench.client.request("describe", head=head)["heads"][0]["partner"] == other
    dropped = bench.counters("two")["dropped_inputs"]
    bench.client.send_user_audio("two", tone(0.1, 16_000), 16_000)
    bench.wait(lambda: bench.counters("two")["dropped_inputs"] > dropped)
    bench.client.request("close", head="one")
    assert bench.client.request("describe", head="two")["heads"][0]["partner"] is None


def test_heads_that_cannot_be_paired(bench: Bench) -> None:
    for name in ("one", "two", "three"):
        bench.open(name)
    request = bench.client.request
    with pytest.raises(InvalidArgument, match="with itself"):
        request("pair", heads=["one", "one"])
    with pytest.raises(InvalidArgument, match="expected an array of two names"):
        request("pair", heads=["one"])
    with pytest.raises(InvalidArgument, match="expected true or false"):
        request("pair", heads=["one", "two"], motion=1)
    with pytest.raises(InvalidArgument, match="is not open"):
        request("pair", heads=["one", "four"])
    assert request("pair", heads=["one", "two"], motion=False)["heads"] == ["one", "two"]
    with pytest.raises(InvalidArgument, match="paired with 'one' already"):
        request("pair", heads=["three", "two"])
    bench.run_for(0.5)
    assert bench.of("VVM1", "three")


def test_dials_act_from_the_next_turn(bench: Bench) -> None:
    bench.open(dials={"temperature": 0.25})
    bench.run_for(0.5)
    assert bench.engine.temperatures[-1] == 0.25
    reply = bench.client.request("dials", head="npc", set={"temperature": 1.5})
    assert reply["dials"]["temperature"] == {"value": 1.5, "min": 0.0, "max": 2.0, "default": 1.0}
    bench.run_for(0.5)
    assert bench.engine.temperatures[-1] == 1.5


def test_dials_of_the_rig_move_the_face(bench: Bench) -> None:
    bench.open(dials={"emotion.joy": 0.5, "headYaw.offset": 0.2})
    bench.run_for(0.5)
    smile, yaw = ARKIT55.index("mouthSmileLeft"), ARKIT55.index("headYaw")
    values = bench.of("VVM1", "npc")[-1].values
    assert values[smile] == pytest.approx(0.25) and values[yaw] == pytest.approx(0.2)
    reply = bench.client.request("dials", head="npc", set={"emotion.joy": 0, "headYaw.offset": 0, "eyes.layer": 1})
    assert reply["dials"]["emotion.joy"] == {"value": 0.0, "min": 0.0, "max": 1.0, "default": 0.0}
    assert "headYaw.offset" not in reply["dials"] and len(reply["dials"]) == 20
    bench.run_for(1.5)
    values = bench.of("VVM1", "npc")[-1].values
    assert values[smile] == values[yaw] == 0 and any(values[c] for c in ARKIT55.eye_layer)
    for changes in ({"emotion.joy": 1, "temperature": 9}, {"emotion.joy": 1, "headYaw.max": 9}):
        with pytest.raises(InvalidArgument, match="expected"):
            bench.client.request("dials", head="npc", set=changes)
    assert bench.client.request("dials", head="npc")["dials"]["emotion.joy"]["value"] == 0


def test_a_head_whose_engine_fails_goes_and_the_server_stays(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    bench.open("one")
    bench.run_for(0.5)
    bench.engine.fails_at = 0
    bench.wait(lambda: bench.track("one").closed)
    assert "out of order" in caplog.text and not bench.engine.open_slots
    bench.engine.fails_at = 1 << 62
    bench.open("two")
    bench.run_for(0.5)
    assert bench.of("VVM1", "two")


def test_a_head_that_the_processor_has_no_room_for_is_refused(bench: Bench) -> None:
    with (
        BridgeServer(Runtime(Model(bench.engine), max_load=1e-9), port=0) as server,
        Client(server.ports.endpoint) as client,
    ):
        server.open_head("one")  # alone it is in nobody's way
        stop = threading.Event()
        thread = threading.Thread(target=server.run, args=(stop.is_set,))
        thread.start()
        try:
            with pytest.raises(InvalidArgument, match=r"open was refused: 2 heads would take .* \(max_load\)"):
                client.request("open", head="two")
            report = client.request("describe")["runtime"]
            assert report["heads"] == 1 and report["max_load"] == 1e-9 and report["turn_ms"] > 0
        finally:
            stop.set()
            thread.join()


def test_a_receiver_survives_a_restarted_head(bench: Bench) -> None:
    bench.open()
    bench.run_for(0.5)
    bench.client.request("close", head="npc")
    bench.wait(lambda: bench.track().closed)
    bench.open()
    bench.run_for(0.5)
    assert bench.track().counts["restarts"] == 1 and not bench.track().closed
    assert bench.track().newest is not None and bench.track().counts["lost"] == 0


def test_receivers_come_and_go(bench: Bench) -> None:
    bench.open()
    for _ in range(20):
        with Receiver(bench.endpoint) as other:
            list(other.receive(5))
    bench.run_for(1)
    assert bench.track().counts["lost"] == 0


def test_a_server_starts_and_stops_twenty_times_and_leaves_nothing() -> None:
    process, engine = psutil.Process(), EchoEngine()
    left: set[tuple[int, int, int]] = set()

    def held() -> tuple[int, int, int]:
        return process.num_fds(), process.num_threads(), threading.active_count()

    for _ in range(20):
        with BridgeServer(Model(engine), port=0) as server, Client(server.ports.endpoint) as client:
            server.open_head("npc")
            client.send_user_audio("npc", tone(0.1, 16_000), 16_000)
            for _ in range(3):
                server.step()
        # The system lists a thread for a moment after it was joined.
        settled = time.monotonic() + (2.0 if left else 0.2)
        while held() not in left and time.monotonic() < settled:
            time.sleep(0.01)
        left.add(held())
    assert len(left) == 1 and not engine.open_slots


def test_the_clocks_of_both_sides_agree_in_real_time(bench: Bench) -> None:
    with BridgeServer(Model(bench.engine), port=0) as server, Client(server.ports.endpoint) as client:
        stop = threading.Event()
        thread = threading.Thread(target=server.run, args=(stop.is_set,))
        thread.start()
        try:
            assert abs(client.clock_offset_ns()) < 20_000_000
        finally:
            stop.set()
            thread.join()
