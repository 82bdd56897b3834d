"""CURVE between the native client and libzmq: needs libsodium's headers (Debian: libsodium-dev)."""

import ctypes
import time
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import zmq
from client_server import FakeHead, Publisher
from native_client import CONNECTED, INVALID, NEXT, NO_CONTROL, OK, NativeClient, build, load
from zmq.auth.thread import ThreadAuthenticator

pytestmark = pytest.mark.system


@pytest.fixture(scope="module")
def curve_library(tmp_path_factory: pytest.TempPathFactory) -> ctypes.CDLL:
    return load(build(tmp_path_factory.mktemp("curve"), "-DVISAVIS_CURVE=ON"))


def wait(condition: Callable[[], bool], seconds: float = 5.0) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "waited too long"
        time.sleep(0.01)


def server_options(secret: bytes) -> dict[str, object]:
    return {"curve_secretkey": secret, "curve_server": True}


def test_frames_come_encrypted_of_every_size(curve_library: ctypes.CDLL) -> None:
    public, secret = zmq.curve_keypair()
    assert curve_library.vvc_has_curve()
    with (
        Publisher(**server_options(secret)) as publisher,
        NativeClient(curve_library, publisher.endpoint, flags=NO_CONTROL, server_key=public) as client,
    ):
        npc, head = client.follow("npc"), FakeHead()
        wait(lambda: client.stats().connection == CONNECTED)
        time.sleep(0.2)
        for frame in range(100):
            publisher.send(head.motion(frame, 0.5, time.monotonic_ns()))
        for n_samples in (1, 40, 60, 16_000, 16_364):
            publisher.send(head.voice(0, np.full(n_samples, 0.1), 16_000, 0, time.monotonic_ns()))
        wait(lambda: client.stats(npc).frames == 100 and client.stats(npc).audio_packets == 5)
        stats = client.stats(npc)
        assert stats.lost == stats.malformed == 0
        time.sleep(3.5)
        assert client.stats().n_connects == 1, "encrypted PING and PONG"


def test_voices_go_out_encrypted(curve_library: ctypes.CDLL) -> None:
    public, secret = zmq.curve_keypair()
    with zmq.Context() as context, Publisher(**server_options(secret)) as publisher:
        router = context.socket(zmq.ROUTER)
        router.linger, router.curve_secretkey, router.curve_server = 0, secret, True
        router.bind(f"tcp://127.0.0.1:{publisher.port + 2}")
        options = {"flags": NO_CONTROL, "server_key": public}
        with router, NativeClient(curve_library, publisher.endpoint, **options) as client:
            npc = client.follow("npc")
            voice = np.linspace(-1, 1, 20_000, dtype=np.float32)
            assert client.send("user_audio", npc, voice, 16_000, NEXT) == OK
            received = b""
            while len(received) < 80_000:
                assert router.poll(3000)
                _, message = router.recv_multipart()
                assert message.startswith(b"VVU1npc\0")
                received += message[80:]
        np.testing.assert_array_equal(np.frombuffer(received, "<f4"), voice)


def test_only_listed_keys_are_let_in(curve_library: ctypes.CDLL, tmp_path: Path) -> None:
    server_public, server_secret = zmq.curve_keypair()
    listed, stranger = zmq.curve_keypair(), zmq.curve_keypair()
    (tmp_path / "listed.key").write_text(f'metadata\ncurve\n    public-key = "{listed[0].decode()}"\n')
    context = zmq.Context()
    guard = ThreadAuthenticator(context)
    guard.start()
    guard.configure_curve(domain="*", location=str(tmp_path))
    socket = context.socket(zmq.PUB)
    socket.linger, socket.curve_secretkey, socket.curve_server = 0, server_secret, True
    endpoint = f"tcp://127.0.0.1:{socket.bind_to_random_port('tcp://127.0.0.1', 15_000, 30_000)}"
    try:
        for keys, text in ((listed, "connected to"), (stranger, "allow-list")):
            options = {"server_key": server_public, "public_key": keys[0], "secret_key": keys[1]}
            with NativeClient(curve_library, endpoint, flags=NO_CONTROL, **options) as client:
                wait(lambda client=client, text=text: text in client.status())
    finally:
        guard.stop()
        context.destroy(linger=0)


def test_mismatches_are_named(curve_library: ctypes.CDLL) -> None:
    public, secret = zmq.curve_keypair()
    other = zmq.curve_keypair()[0]
    with Publisher() as plain, Publisher(**server_options(secret)) as secured:
        for endpoint, keys, text in (
            (plain.endpoint, {"server_key": public}, "if it has no keys"),
            (secured.endpoint, {}, "if it has keys"),
            (secured.endpoint, {"server_key": other}, "is server_key its public key"),
        ):
            with NativeClient(curve_library, endpoint, flags=NO_CONTROL, **keys) as client:
                wait(lambda client=client, text=text: text in client.status())
                assert client.stats().n_connects == 0
    client_handle = ctypes.c_void_p()
    assert curve_library.vvc_open(b"tcp://", None, ctypes.byref(client_handle)) == INVALID
    for keys, text in (
        ({"server_key": b"short"}, "server_key: expected 40"),
        ({"server_key": public, "public_key": other}, "or both empty"),
        ({"server_key": public[:39] + b'"'}, "Z85"),
    ):
        with pytest.raises(ValueError, match=text):
            NativeClient(curve_library, **keys)
