"""What Visavis takes of a game's thread: 100 heads beside a loop of 60 Hz, in process and through the client.

    python benchmarks/frame_spikes.py                      # ten minutes each; gcc; Linux
    python benchmarks/frame_spikes.py --seconds 60 --only stage

benchmarks/frame_spikes.c is the loop.  `wall` is what the calls of a frame took, whoever had the processor meanwhile;
`processor` what the thread itself used; `undisturbed` the wall time of the frames in which the system did not give the
processor to somebody else; `control` the wall time of 30 us of arithmetic in registers after each frame, which shows
what the machine itself adds (interrupts, a hypervisor); `microphones` (ten), `line` (one of two seconds of speech, in
every thirtieth frame) and `samples` (all heads) the processor time of a frame's parts.  Asked for: at most 200 us a
frame, no memory taken.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import psutil

import visavis

ROOT = Path(__file__).parents[1]
PACKAGE = Path(visavis.__file__).parent
MODEL = PACKAGE / "assets" / "default.gguf"


def compiled(folder: Path, library: str, *flags: str) -> Path:
    """The loop, with one of the two libraries that the package carries."""
    program, shared = folder / library, PACKAGE / "native" / f"lib{library}.so"
    command = ["gcc", "-O2", f"-I{ROOT / 'csrc' / 'include'}", *flags, str(ROOT / "benchmarks" / "frame_spikes.c")]
    rest = [str(shared), f"-Wl,-rpath,{shared.parent}", "-lm", "-lpthread", "-o", str(program)]
    subprocess.run([*command, *rest], check=True)
    return program


def served(port: int) -> "subprocess.Popen[bytes]":
    """A server with the default model; the loop asks for all heads but the first."""
    command = [sys.executable, "-m", "visavis", "serve", "--port", str(port), "--head", "head000", "--max-load", "1000"]
    return subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measured(program: Path, source: str, seconds: float, heads: int) -> dict[str, Any]:
    """What the loop found."""
    command = [str(program), source, str(seconds), str(heads)]
    found: dict[str, Any] = json.loads(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
    return found


def show(name: str, found: dict[str, Any]) -> None:
    """A block for people, a line of JSON for scripts."""
    print(f"{name}: {found['heads']} heads, {found['frames']} frames, {found['disturbed_frames']} of them disturbed")
    print(
        f"  one sample   p50 {found['sample_us']['p50']:.2f}  p99 {found['sample_us']['p99']:.2f} us, its memory near"
    )
    for kind in ("wall", "processor", "undisturbed", "control", "microphones", "line", "samples"):
        times = found.get(f"{kind}_us")
        if times:
            over = f"  ({times['over']} over the limit)" if times["over"] else ""
            print(f"  {kind:12} p50 {times['p50']:7.1f}  p99 {times['p99']:7.1f}  p99.9 {times['p99_9']:7.1f}  "
                  f"max {times['max']:9.1f} us{over}")  # fmt: skip
    print(f"  memory taken {found['allocations']}, live {found['live']:.3f}, process {found['cores']:.2f} cores")
    print(f"  {found['status']}")
    print(json.dumps({name: found}))


def main() -> None:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=float, default=600)
    parser.add_argument("--heads", type=int, default=100)
    parser.add_argument("--only", choices=["stage", "client"])
    parser.add_argument("--port", type=int, default=5670)
    options = parser.parse_args()
    print(f"{psutil.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if options.only != "client":
            show("stage", measured(compiled(folder, "visavis"), str(MODEL), options.seconds, options.heads))
        if options.only != "stage":
            program = compiled(folder, "visavis_client", "-DWITH_CLIENT")
            server = served(options.port)
            try:
                time.sleep(5)  # it opens its heads when the loop asks
                endpoint = f"tcp://127.0.0.1:{options.port}"
                show("client", measured(program, endpoint, options.seconds, options.heads))
            finally:
                server.terminate()
                server.wait(30)
    print(f"load {os.getloadavg()[0]:.1f}")


if __name__ == "__main__":
    main()
