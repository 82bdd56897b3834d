"""One JSON of all that benchmarks/gpu_check.sh has found in a folder, with the targets and whether they were reached.

python benchmarks/gpu/report.py build/gpu_check --driver 580.95 --commit 1a2b3c4
"""

import argparse
import json
import xml.etree.ElementTree as ElementTree
from pathlib import Path
from typing import Any


def ratio(of: float, to: float) -> float:
    """How many times as fast."""
    return round(of / to, 3)


def targets(found: dict[str, dict[str, Any]]) -> list[dict[str, Any]]:
    """What was asked for, what was found, by p50 unless it says otherwise; what was not run is left out."""
    rows: list[dict[str, Any]] = []

    def add(what: str, value: float, expected: float, most: bool = False) -> None:
        reached = value <= expected if most else value >= expected
        rows.append({"target": what, "expected": expected, "found": value, "reached": reached})

    if exact := found.get("exact"):
        us = {name: figures["p50"] for name, figures in exact["us"].items()}
        add("exact: times as fast as eager fp32", ratio(us["eager fp32"], us["cuda"]), 10)
        add("exact: times as fast as eager bf16", ratio(us["eager bf16"], us["cuda"]), 4)
        add("exact: times as fast as torch.compile and a CUDA graph", ratio(us["compiled graph bf16"], us["cuda"]), 1)
    if amortised := found.get("amortised"):
        us = {name: figures["p50"] for name, figures in amortised["us"].items()}
        add("amortised: us of a cached turn", us["cuda"], 1300, most=True)
        add(
            "amortised: times as fast as torch.compile and a CUDA graph",
            ratio(us["compiled graph bf16"], us["cuda"]),
            1.5,
        )
    if denoiser := found.get("denoiser"):
        us = {name: figures["p50"] for name, figures in denoiser["us"].items()}
        add("denoiser: us of the stage", us["fused"], 100, most=True)
        add("denoiser: times as fast as the PyTorch loop", ratio(us["eager bf16"], us["fused"]), 5)
        add("denoiser: times as fast as that loop as a CUDA graph", ratio(us["graph bf16"], us["fused"]), 1.5)
    if sessions := found.get("sessions"):
        add("sessions of TIMAR-large in real time", sessions["in_real_time"], 600)
    if heads := found.get("heads"):
        add("heads of the packaged model in real time", heads["in_real_time"], 10_000)
    if renderer := found.get("renderer"):
        p99 = {name: figures["p99"] for name, figures in renderer["frame_us"].items()}
        for name in p99:
            if name != "alone":
                add(
                    f"frame p99 beside 50 heads ({name}), times that alone",
                    ratio(p99[name], p99["alone"]),
                    1.03,
                    most=True,
                )
    return rows


def tests(path: Path) -> dict[str, Any] | None:
    """What pytest wrote."""
    if not path.exists():
        return None
    suite = next(ElementTree.parse(path).getroot().iter("testsuite"))
    failed = [case.attrib["name"] for case in suite.iter("testcase") if case.find("failure") is not None]
    counts = {name: int(suite.attrib[name]) for name in ("tests", "failures", "errors", "skipped")}
    return {**counts, "failed": failed, "seconds": float(suite.attrib["time"])}


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path, help="where gpu_check.sh put its parts")
    parser.add_argument("--driver", default="unknown")
    parser.add_argument("--commit", default="unknown")
    options = parser.parse_args()
    found = {path.stem: json.loads(path.read_text()) for path in sorted(options.folder.glob("bench/*.json"))}
    report = {
        "driver": options.driver,
        "commit": options.commit,
        "gpu": next((part["gpu"] for part in found.values()), None),
        "tests": tests(options.folder / "tests.xml"),
        "targets": targets(found),
        "benchmarks": found,
    }
    out = options.folder / "gpu_check.json"
    out.write_text(json.dumps(report, indent=1) + "\n")
    for row in report["targets"]:
        verdict = "reached" if row["reached"] else "MISSED "
        print(f"{verdict}  {row['target']}: {row['found']:g} (target {row['expected']:g})")
    print(f"{out}: tests {report['tests']}, {len(found)} benchmarks")


if __name__ == "__main__":
    main()
