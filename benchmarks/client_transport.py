"""The native client's figures: a sample, the processor, publish to sampled against libzmq, slow and killed peers.

    python benchmarks/client_transport.py                 # about two minutes; gcc; Linux
    python benchmarks/client_transport.py --seconds 60

100 heads at 25 frames a second in turns of five frames, over loopback from another process (pyzmq).  Both subscribers
run in one process at the same time, read by one loop that looks every 250 us.  What a stopped subscriber does to
a server is seen on ours, with 100 heads of the default model.
"""

import argparse
import ctypes.util
import json
import math
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


def serve(port: int) -> None:
    """The server, until killed; prints a line when its ports are bound."""
    import visavis
    from visavis.bridge.server import BridgeServer

    with BridgeServer(visavis.Runtime(max_load=math.inf), port=port) as server:
        print(time.monotonic_ns(), flush=True)
        for index in range(HEADS):
            server.open_head(f"head{index:03}")
            server.tick()
        server.run(lambda: False)


def started(port: int, what: str = "--publish") -> tuple["subprocess.Popen[str]", int]:
    """A publisher or a server in another process, and when it was bound."""
    process = subprocess.Popen([sys.executable, __file__, what, str(port)], stdout=subprocess.PIPE, text=True)
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


def slow_subscriber(program: Path, port: int) -> tuple[float, float, dict[str, Any]]:
    """MB by which the server grows while a subscriber stands still for 20 s, the cores it takes, what it reports."""
    from visavis.bridge.client import Client

    server, _ = started(port, "--serve")
    process = subprocess.Popen([program, "idle", f"127.0.0.1:{port}", str(HEADS), "90"], stdout=subprocess.DEVNULL)
    watched = psutil.Process(server.pid)
    try:
        time.sleep(12)  # until its heads' memory is full: the history goes back 8 s
        before, spent = watched.memory_info().rss, sum(watched.cpu_times()[:2])
        process.send_signal(signal.SIGSTOP)
        time.sleep(20)
        grown, used = (watched.memory_info().rss - before) / 1e6, sum(watched.cpu_times()[:2]) - spent
        with Client(f"tcp://127.0.0.1:{port}") as client:
            described = client.request("describe", timeout_s=10)
    finally:
        for child in (process, server):
            child.kill()
            child.communicate()
    counters = [head["counters"] for head in described["heads"]]
    sums = {name: sum(c[name] for c in counters) for name in ("turns", "late_turns", "dropped_frames", "skipped_turns")}
    return grown, used / 20, {**described["runtime"], **sums}


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
    parser.add_argument("--seconds", type=float, default=20, help="of each measurement, 5 or more (default: 20)")
    parser.add_argument("--port", type=int, default=15_570, help="port to publish on (default: 15570)")
    parser.add_argument("--publish", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--serve", type=int, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.publish:
        publish(options.publish)
    if options.serve:
        serve(options.serve)
    if options.seconds < 5:
        parser.error(f"--seconds {options.seconds:g}; expected 5 or more: the first 3 are for warming up")
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
        finally:
            publisher.kill()
            publisher.communicate()
        grown, cores, told = slow_subscriber(program, options.port + 6)
        print(
            f"the server, {HEADS} heads, a subscriber stopped: grows by {grown:.1f} MB, takes {cores:.2f} cores; {told}"
        )
        server_s, client_s = recovery(program, options.port + 3)
        print(f"server killed: {server_s:.2f} s from its port to a sampled frame; client killed: {client_s:.2f} s")


if __name__ == "__main__":
    main()
