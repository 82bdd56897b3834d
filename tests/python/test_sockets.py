import socket
import threading

import psutil
import pytest
import zmq

from visavis.bridge.sockets import ServerSockets, checked_address
from visavis.errors import InvalidArgument, StateError


@pytest.mark.parametrize("bind", ["127.0.0.1", "localhost", "127.0.0.53", "::1"])
def test_loopback_is_free(bind: str) -> None:
    assert checked_address(bind, insecure=False) in (bind, "127.0.0.1")


@pytest.mark.parametrize("bind", ["0.0.0.0", "*", "192.168.1.5", "::", "fd00::1"])
def test_others_can_reach_it_only_if_told_so(bind: str) -> None:
    with pytest.raises(InvalidArgument, match="--insecure"):
        checked_address(bind, insecure=False)
    assert checked_address(bind, insecure=True)


@pytest.mark.parametrize("bind", ["", "eth0", "example.org", "::z", "1.2.3"])
def test_what_is_no_address_is_refused(bind: str) -> None:
    with pytest.raises(InvalidArgument, match="expected a"):
        checked_address(bind, insecure=True)


def test_a_port_in_use_is_named_and_nothing_stays_open() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with pytest.raises(StateError, match=f"port {port} on 127.0.0.1: in use"):
            ServerSockets(port=port - 2)
    with pytest.raises(InvalidArgument, match="1024 to 65533"):
        ServerSockets(port=80)


def test_opening_and_closing_leaves_no_thread_and_no_descriptor() -> None:
    process = psutil.Process()
    with ServerSockets(port=0):
        pass
    before = process.num_fds(), process.num_threads(), threading.active_count()
    for _ in range(20):
        with ServerSockets(port=0) as sockets, ServerSockets(port=0) as more:
            assert sockets.ports.motion != more.ports.motion
    assert (process.num_fds(), process.num_threads(), threading.active_count()) == before


def test_a_server_and_its_clients_speak_ipv6() -> None:
    with ServerSockets("::1", 0) as sockets, zmq.Context() as context, context.socket(zmq.DEALER) as client:
        assert sockets.ports.endpoint == f"tcp://[::1]:{sockets.ports.motion}"
        client.linger, client.ipv6 = 0, True
        client.connect(f"tcp://[::1]:{sockets.ports.control}")
        client.send(b"hello")
        assert sockets.control.poll(3000) and sockets.control.recv_multipart()[-1] == b"hello"
