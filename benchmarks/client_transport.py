"""The native client's figures: a sample, the processor, publish to sampled against libzmq, slow and killed peers.

    python benchmarks/client_transport.py                 # about a minute; gcc, cmake, ninja; Linux
    python benchmarks/client_transport.py --seconds 60

100 heads at 25 frames a second in turns of five frames, over loopback from another process (pyzmq).  Both subscribers
run in one process at the same time, read by one loop that looks every 250 us.
"""

import argparse
import ctypes.util
import json
import os
import platform
import signal
import struct
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil
import zmq

ROOT = Path(__file__).parents[1]
HEADS = 100
HEADER = struct.Struct("<4s16sHHQQqqqIHHBBHI")
SCHEMA = 0xC4F7F0CAC81CD3C2
QUEUE = 2_000  # as the server's: messages that wait for one slow subscriber


def publish(port: int) -> None:
    """Every 2 ms the next head's turn, until killed; prints a line when the port is bound."""
    socket = zmq.Context().socket(zmq.PUB)
    socket.sndhwm = QUEUE
    socket.bind(f"tcp://127.0.0.1:{port}")
    print(time.monotonic_ns(), flush=True)
    epoch, start, turn = time.time_ns() // 1_000_000 % 2**32, time.monotonic(), 0
    while True:
        for index in range(HEADS):
            time.sleep(max(0.0, start + (turn * HEADS + index) * 0.2 / HEADS - time.monotonic()))
            for frame in range(5 * turn, 5 * turn + 5):
                now_ns = time.monotonic_ns()
                head = HEADER.pack(b"VVM1", f"head{index:03}".encode(), 80, 1, SCHEMA, frame, frame, frame * 40_000_000,
                                   now_ns, epoch, 2, 55, 1, 0, 0, 25)  # fmt: skip
                stamp = (now_ns // 1_000_000 % 4096, now_ns // 1000 % 1000, 0.0)
                socket.send(head + bytes(208) + struct.pack("<3f", *stamp))
        turn += 1


def started(port: int) -> tuple["subprocess.Popen[str]", int]:
    """A publisher in another process, and when it was bound."""
    process = subprocess.Popen([sys.executable, __file__, "--publish", str(port)], stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    return process, int(process.stdout.readline())


def compiled(folder: Path) -> Path:
    """The measuring program, with the client inside."""
    program = folder / "client_transport"
    sources = [ROOT / "benchmarks" / "client_transport.c", *sorted((ROOT / "csrc" / "client").glob("*.c"))]
    flags = ["-O2", "-std=c99", "-DVVC_STATIC", f"-I{ROOT / 'csrc'}", f"-I{ROOT / 'csrc' / 'include'}"]
    subprocess.run(["gcc", *flags, *map(str, sources), "-lm", "-lpthread", "-ldl", "-o", str(program)], check=True)
    return program


def libzmq() -> str:
    """The library that pyzmq brought along, or the system's."""
    beside = Path(zmq.__file__).parents[1] / "pyzmq.libs"
    found = sorted(beside.glob("libzmq*.so*"))
    return str(found[0]) if found else str(ctypes.util.find_library("zmq"))


def measured(program: Path, *arguments: object) -> Any:
    """One line of JSON."""
    command = [str(program), *map(str, arguments)]
    environment = {**os.environ, "ENDPOINT": str(arguments[1]) if len(arguments) > 1 else ""}
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout)


def slow_subscriber(program: Path, port: int, publisher: "subprocess.Popen[str]") -> float:
    """MB by which the publisher grows while a subscriber stands still for 10 s."""
    process = subprocess.Popen([program, "idle", f"127.0.0.1:{port}", str(HEADS), "60"], stdout=subprocess.DEVNULL)
    time.sleep(2)
    before = psutil.Process(publisher.pid).memory_info().rss
    process.send_signal(signal.SIGSTOP)
    time.sleep(10)
    after = psutil.Process(publisher.pid).memory_info().rss
    process.kill()
    process.wait()
    return (after - before) / 1e6


def recovery(program: Path, port: int) -> tuple[float, float]:
    """Seconds to the first sampled frame: of a client behind a server killed and started anew; of a new client."""
    publisher, _ = started(port)
    command = [str(program), "first", f"127.0.0.1:{port}", "30"]
    client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    client.stdout.readline()
    publisher.kill()
    publisher.wait()
    time.sleep(1.5)
    publisher, bound_ns = started(port)
    server_s = (json.loads(client.stdout.readline())["sampled_ns"] - bound_ns) / 1e9
    client.kill()
    client.communicate()
    began_ns = time.monotonic_ns()
    client = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert client.stdout is not None
    client_s = (json.loads(client.stdout.readline())["sampled_ns"] - began_ns) / 1e9
    for process in (client, publisher):
        process.kill()
        process.communicate()
    return server_s, client_s


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=20, help="length of the measurements (default: 20)")
    parser.add_argument("--port", type=int, default=15_570, help="port to publish on (default: 15570)")
    parser.add_argument("--publish", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        publish(options.publish)
    with tempfile.TemporaryDirectory() as folder:
        program = compiled(Path(folder))
        load = os.getloadavg()[0]
        print(f"{platform.machine()}, {os.cpu_count()} cores, load {load:.1f}; {HEADS} heads x 25 frames a second")
        print("vvc_sample, ns:", measured(program, "sample")["sample_ns"])
        publisher, _ = started(options.port)
        endpoint = f"tcp://127.0.0.1:{options.port}"
        try:
            print("client's thread:", measured(program, "idle", endpoint, HEADS, options.seconds))
            race = measured(program, "race", endpoint, HEADS, options.seconds, libzmq())
            for name, found in race.items():
                print(f"publish to sampled, {name}: {found}")
            print(f"p99 against libzmq's: {race['client_us']['p99'] / race['libzmq_us']['p99']:.2f}")
            print(
                f"server grows by {slow_subscriber(program, options.port, publisher):.1f} MB for a stopped subscriber"
            )
        finally:
            publisher.kill()
            publisher.communicate()
        server_s, client_s = recovery(program, options.port + 3)
        print(f"server killed: {server_s:.2f} s from its port to a sampled frame; client killed: {client_s:.2f} s")


if __name__ == "__main__":
    main()
