"""Takes from the outside: the verbs, a server that records, playback on the wire, kill -9."""

import json
import signal
import subprocess
import threading
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile
from echo_engine import EchoEngine
from test_commands import VISAVIS, Refusals, run, running

from visavis.bridge.client import Client
from visavis.bridge.demo_run import SteppedClock
from visavis.bridge.keys import ClientKeys, ServerKeys, new_keys
from visavis.bridge.played import START_NS, PlayedRuntime, TakeVoices, play
from visavis.bridge.receiver import MAGICS, Receiver
from visavis.bridge.server import BridgeServer
from visavis.errors import InvalidArgument
from visavis.runtime import Runtime
from visavis.session import Model
from visavis.takes.export import voices_in_sync
from visavis.takes.file import load_take
from visavis.takes.replay import replay
from visavis.takes.take import Take
from visavis.takes.wire import record_from_server

FRAME_NS, RATE = 40_000_000, 24_000


@pytest.fixture(scope="module")
def voices(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    rng, folder = np.random.default_rng(0), tmp_path_factory.mktemp("voices")
    for name, seconds in (("agent", 30.0), ("user", 30.0)):
        loud = np.repeat(rng.uniform(0, 1, 300) > 0.4, RATE // 10)[: round(seconds * RATE)]
        soundfile.write(folder / f"{name}.wav", 0.2 * rng.standard_normal(len(loud)) * loud, RATE)
    return folder / "agent.wav", folder / "user.wav"


@pytest.fixture
def short(voices: tuple[Path, Path], tmp_path: Path) -> tuple[Path, Path]:
    """The first two seconds of both."""
    paths = tmp_path / "a.wav", tmp_path / "u.wav"
    for source, path in zip(voices, paths, strict=True):
        soundfile.write(path, soundfile.read(source)[0][: 2 * RATE], RATE)
    return paths


@pytest.fixture(scope="module")
def take(tmp_path_factory: pytest.TempPathFactory) -> Take:
    """2 s of a quick engine: the jaw follows the agent, the pitch the user."""
    path, rng = tmp_path_factory.mktemp("take") / "t.npz", np.random.default_rng(1)
    with Model(EchoEngine()).session(take=path) as session:
        session.push_agent_audio(0.2 * rng.standard_normal(32_000).astype(np.float32), 16_000)
        session.push_user_audio(0.2 * rng.standard_normal(32_000).astype(np.float32), 16_000)
        session.end()
        session.poll()
    return load_take(path)


@pytest.fixture
def refused(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Refusals:
    return Refusals(capsys, monkeypatch)


def test_record_replay_and_export(short: tuple[Path, Path], tmp_path: Path, model_file: Path) -> None:
    out = tmp_path / "t.npz"
    files = ("--agent", short[0], "--user", short[1], "--model", model_file)
    recorded = run("record", *files, "--seed", 3, "--dial", "emotion.joy=0.4", "--out", out)
    assert recorded.returncode == 0, recorded.stderr
    assert recorded.stdout == f"{out}: 2.00 s, 50 frames of 55 channels, 10 turns\n"
    again = run("replay", out, "--model", model_file, "--out", tmp_path / "again.npz")
    assert again.returncode == 0 and "byte for byte, before and after the rig" in again.stdout
    assert "promised: the recorded bytes; kept" in again.stdout and (tmp_path / "again.npz").is_file()
    other = run("replay", out)  # the packaged model
    assert other.returncode == 0 and other.stdout.startswith("the model has changed: hash was ")
    for to, suffix in (("livelink-csv", ".csv"), ("gltf", ".glb"), ("wav", ".wav"), ("npz", ".motion.npz")):
        done = run("take", "export", out, "--to", to)
        assert done.returncode == 0 and done.stdout == f"{tmp_path / 't'}{suffix}\n", done.stderr
        assert (tmp_path / f"t{suffix}").is_file()
    info = run("take", "info", out)
    assert "dial emotion.joy 0.4" in info.stdout and "sha256" in info.stdout


def test_animate_and_demo_record_too(short: tuple[Path, Path], tmp_path: Path, model_file: Path) -> None:
    done = run("animate", "--agent", short[0], "--model", model_file, "--out", tmp_path / "m.npz", "--take",
               tmp_path / "t.npz", "--quiet")  # fmt: skip
    assert done.returncode == 0 and len(load_take(tmp_path / "t.npz").frame) == 50
    done = run("demo", "--fast", "--model", model_file, "--out", tmp_path / "demo", "--take", tmp_path / "d.npz")
    assert done.returncode == 0, done.stderr
    demo = load_take(tmp_path / "d.npz")
    assert demo.seconds > 32 and demo.about.complete and replay(demo, model_file).same_bytes


def test_a_recording_that_is_killed_opens_up_to_its_last_full_second(
    voices: tuple[Path, Path], tmp_path: Path, model_file: Path
) -> None:
    out = tmp_path / "t.npz"
    journal = tmp_path / "t.npz.journal"
    files = ("--agent", voices[0], "--user", voices[1], "--model", model_file)
    command = [*VISAVIS, *map(str, ("record", *files, "--real-time", "--out", out))]
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
    try:
        while not (journal.exists() and journal.stat().st_size > 10_000):  # until the first turn
            assert process.poll() is None
            time.sleep(0.01)
        began = time.monotonic()
        time.sleep(2.7)
        lasted = time.monotonic() - began
    finally:
        process.send_signal(signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert not out.exists()
    kept = load_take(journal)
    assert kept.seconds >= int(lasted) and len(kept.frame) >= 25 * int(lasted)
    assert not kept.about.complete and replay(kept, model_file).same_bytes
    told = run("replay", journal, "--model", model_file)
    assert told.returncode == 0 and "the recording did not come to its end; what there is of it: " in told.stdout
    blocked = run("record", *files, "--out", out)
    assert blocked.returncode == 2 and "exists already: another recording writes it or was killed" in blocked.stderr


def test_a_server_records_its_heads(tmp_path: Path) -> None:
    clock = SteppedClock()
    with BridgeServer(Runtime(Model(EchoEngine()), clock=clock), port=0, record=tmp_path / "takes") as server:
        head = server.open_head("../npc 1")
        for tick in range(150):
            clock.now_ns += 20_000_000
            if tick % 5 == 0:
                head.push_user_audio(np.full(1_600, 0.1, np.float32), 16_000)
            if tick == 40:
                head.push_agent_audio(np.full(16_000, 0.3, np.float32), 16_000)
            if tick == 60:
                server.set_dials("../npc 1", {"emotion.joy": 0.5, "temperature": 0.7})
            if tick == 70:
                server.cancel("../npc 1")
            server.tick()
        assert len(list((tmp_path / "takes").glob("*.journal"))) == 1
        server.close_head("../npc 1")
        assert not list(server.open_head("other").messages())
    (path,) = (tmp_path / "takes").iterdir()  # the other one had no turn
    assert path.name.startswith("___npc_1-2") and path.suffix == ".npz"
    take = load_take(path)
    assert take.about.complete and take.seconds >= 3.0 and len(take.frame) > 70
    names = take.event_name.tolist()
    assert "emotion.joy" in names and "temperature" in names and "cancel" in take.event_kind.tolist()
    assert np.abs(take.agent_audio).max() == pytest.approx(0.3, abs=0.02) and take.user_audio.any()


def test_a_killed_server_leaves_its_take(tmp_path: Path, model_file: Path) -> None:
    arguments = ("serve", "--port", 0, "--demo", "--model", model_file, "--record", tmp_path)
    with running(*arguments) as (process, line):
        assert "heads: demo" in line
        time.sleep(1.6)
        process.kill()
    (journal,) = tmp_path.iterdir()
    assert load_take(journal).seconds >= 1 and load_take(journal).about.seed == 0


def test_a_take_plays_on_the_wire_with_both_voices(take: Take) -> None:
    clock, messages = SteppedClock(), list[tuple[str, object]]()
    with (
        BridgeServer(PlayedRuntime(take, clock), port=0, max_heads=1) as server,
        Receiver(server.ports.endpoint, magics=(*MAGICS, "VVU1")) as receiver,
        Client(server.ports.endpoint) as client,
    ):
        head = server.open_head("npc")
        server.owned_heads.add("npc")
        server.feeders.append(TakeVoices(server, head, take))
        for _ in range(25):  # the subscription arrives within the time before the take's 0
            server.tick()
            messages += [(m.magic, m) for _, m in receiver.receive(10)]
        for _ in range(150):
            clock.now_ns += 20_000_000
            server.tick()
            messages += [(m.magic, m) for _, m in receiver.receive(2)]
        deadline = time.monotonic() + 5
        while sum(magic == "VVM1" for magic, _ in messages) < 50 and time.monotonic() < deadline:
            messages += [(m.magic, m) for _, m in receiver.receive(20)]
        assert _refusal(client, server, "cancel", head="npc") == "unsupported"
        assert _refusal(client, server, "dials", head="npc", set={"emotion.joy": 1}) == "unknown_dial"
        assert _refusal(client, server, "open", head="two") == "full"
        assert _refusal(client, server, "close", head="npc") == "unsupported"
    frames = [m for magic, m in messages if magic == "VVM1"]
    np.testing.assert_array_equal([f.values for f in frames], take.values)
    assert [f.presentation_ns - START_NS for f in frames] == take.time_ns.tolist()
    for magic, voice in zip(("VVA1", "VVU1"), voices_in_sync(take), strict=True):
        pieces = [m for m_magic, m in messages if m_magic == magic]
        np.testing.assert_array_equal(np.concatenate([p.values for p in pieces]), voice)
        assert pieces[0].presentation_ns == START_NS and {p.rate for p in pieces} == {16_000}


def _refusal(client: Client, server: BridgeServer, request: str, **members: object) -> str:
    client._control.send(json.dumps({"request": request, "id": 1, **members}).encode())
    for _ in range(200):
        server.tick()
        if client._control.poll(5):
            return str(json.loads(client._control.recv())["error"]["code"])
    raise AssertionError("no answer")


def test_play_once_and_record_what_arrives(take: Take, tmp_path: Path) -> None:
    """In real time, through `visavis record --from`'s recorder: what is recorded is what was played."""
    lines: list[str] = []
    ready = threading.Event()

    def serve() -> None:
        for line in play(take, "npc", 0, loop=True, stop=done.is_set):
            lines.append(line)
            ready.set()

    done = threading.Event()
    server = threading.Thread(target=serve)
    server.start()
    try:
        assert ready.wait(10)
        endpoint = lines[0].split(" on ")[1].split(",")[0]
        record_from_server(endpoint, "npc", tmp_path / "w.npz", lambda: False)  # until the head closes
    finally:
        done.set()
        server.join()
    got = load_take(tmp_path / "w.npz")
    assert got.about.source == "wire" and got.about.head == "npc" and got.about.complete and not len(got.turn)
    began_ns = int(got.event_value[got.event_kind == "began"][0])
    first = (began_ns + int(got.time_ns[0]) - START_NS) // FRAME_NS
    np.testing.assert_array_equal(got.values, take.values[first : first + len(got.values)])
    assert len(got.values) >= 40
    at = (began_ns - START_NS) * 16 // 1_000_000
    for theirs, ours in ((got.agent_audio, take.agent_audio), (got.user_audio, take.user_audio)):
        n = min(len(theirs), len(ours) - at)
        assert n > 16_000 and np.array_equal(theirs[max(0, -at) : n], ours[max(0, at) : at + n])
    with pytest.raises(InvalidArgument, match="has no turns to run again"):
        replay(got)


def test_wrong_uses_are_refused(refused: Refusals, tmp_path: Path, voices: tuple[Path, Path]) -> None:
    refused("neither agent nor user", "record", "--out", tmp_path / "t.npz")
    refused("neither agent nor user", "record", "--real-time", "--out", tmp_path / "t.npz")
    refused("expected .npz", "record", "--agent", voices[0], "--out", tmp_path / "t.wav")
    refused("expected no --agent", "record", "--from", "x:1", "--agent", voices[0], "--out", tmp_path / "t.npz")
    refused("--seconds goes with", "record", "--agent", voices[0], "--seconds", 1, "--out", tmp_path / "t.npz")
    refused("nothing listens on", "record", "--from", "127.0.0.1:1", "--out", tmp_path / "t.npz")
    refused("not found", "replay", tmp_path / "none.npz")
    refused("expected a take", "take", "info", voices[0])
    refused("--to-wire plays what was recorded", "replay", voices[0], "--to-wire", "--out", tmp_path / "m.npz")
    refused("timecode rate '26' is unknown", "take", "export", voices[0], "--to", "wav", "--rate", "26")
    refused("cannot be made", "serve", "--port", 0, "--record", voices[0])


def test_a_server_with_keys_is_recorded_by_those_who_have_one(take: Take, tmp_path: Path) -> None:
    new_keys(tmp_path / "keys", ["alice"])
    stop, got = threading.Event(), tmp_path / "w.npz"
    with BridgeServer(PlayedRuntime(take), port=0, max_heads=1, keys=ServerKeys(tmp_path / "keys")) as server:
        head = server.open_head("npc")
        server.feeders.append(TakeVoices(server, head, take))
        thread = threading.Thread(target=lambda: server.run(stop.is_set))
        thread.start()
        try:
            keys, begun = ClientKeys.load(tmp_path / "keys" / "alice.key"), time.monotonic()
            record_from_server(server.ports.endpoint, None, got, lambda: time.monotonic() > begun + 1.5, keys=keys)
        finally:
            stop.set()
            thread.join()
    assert len(load_take(got).frame) > 10 and load_take(got).user_audio.any()
