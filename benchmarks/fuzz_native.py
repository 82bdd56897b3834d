"""The native parsers of what comes over the network, under address and undefined-behaviour sanitizers.

    python benchmarks/fuzz_native.py                      # 1,000,000 mutations each; minutes
    python benchmarks/fuzz_native.py --mutations 5000000 --seed 2

Targets: `wire` (C++ codec), `client` (C client: messages, compared with what the C++ codec reads), `stream` (C client:
bytes of its connections, a tenth of the mutations: each is a whole conversation).  Needs g++, cmake, ninja.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
WIRE = ROOT / "tests" / "data" / "wire"
sys.path.insert(0, str(ROOT / "tests" / "python"))


def write_seeds(folder: Path) -> None:
    """The golden messages, and what servers write on their connections."""
    from client_streams import control_stream, motion_stream

    for kind, names in (("valid", ("outputs", "inputs")), ("invalid", ("malformed",))):
        (folder / kind).mkdir()
        for name in names:
            for entry in json.loads((WIRE / f"{name}.json").read_text("utf-8")):
                (folder / kind / entry["name"]).write_bytes(bytes.fromhex(entry["hex"]))
    (folder / "streams").mkdir()
    outputs = [path.read_bytes() for path in sorted((folder / "valid").iterdir())]
    (folder / "streams" / "motion").write_bytes(b"\0" + motion_stream(outputs))
    (folder / "streams" / "control").write_bytes(b"\1" + control_stream())


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=1_000_000, help="of each target (default: 1000000)")
    parser.add_argument("--seed", type=int, default=1, help="the same seed reads the same bytes (default: 1)")
    parser.add_argument("--build", type=Path, help="folder to build in (default: one that is removed)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as text:
        folder = Path(text)
        build = options.build or folder / "build"
        configure = [
            "-DVISAVIS_PYTHON=OFF",
            "-DVISAVIS_TESTS=ON",
            "-DVISAVIS_SANITIZE=address,undefined",
            "-G",
            "Ninja",
        ]
        subprocess.run(["cmake", "-S", ROOT, "-B", build, *configure], check=True, stdout=subprocess.DEVNULL)
        subprocess.run(["cmake", "--build", build, "--target", "fuzz"], check=True, stdout=subprocess.DEVNULL)
        write_seeds(folder)
        both = (folder / "valid", folder / "invalid")
        for target, folders, share in (("wire", both, 1), ("client", both, 1), ("stream", (folder / "streams",), 10)):
            command = [build / "tests" / "native" / "fuzz", target, str(options.mutations // share), str(options.seed)]
            found = subprocess.run([*command, *folders], check=True, capture_output=True, text=True).stdout
            print(f"{target}: {found.strip()}", flush=True)


if __name__ == "__main__":
    main()
