"""How the live page runs in Chromium without a window: pictures a second, lag of the picture, way from server to page.

    python benchmarks/view_page.py --seconds 30 --quality low

Runs `visavis view` with the shipped conversation.  Drawn in software unless --gpu: a slow way to draw, made for tests.
Expected at low quality on an idle machine of two cores: 30 pictures a second and more, lag p50 at most 30 ms and p99 at
most 80 ms, no gaps; exit code 1 if it is worse.
"""

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "end_to_end"))
from chromium import Chromium

WARM_UP_S = 3
NUMBERS = """JSON.stringify({
  work_ms: visavis.frames.work.at(50),
  lag: [50, 99].map((p) => visavis.guest.lag.at(p)), wire: [50, 99].map((p) => visavis.guest.wire.at(p)),
  drawn: visavis.frames.drawn, head: visavis.guest.head.counters, server: visavis.guest.head.description.counters})"""


def main() -> int:
    """Measure, print, judge."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--seconds", type=float, default=30, help="how long (default: 30)")
    parser.add_argument("--quality", default="low", help="high, medium or low (default: low)")
    parser.add_argument("--size", default="960x640", help="of the window (default: 960x640)")
    parser.add_argument("--pair", action="store_true", help="two heads")
    parser.add_argument("--gpu", action="store_true", help="draw with the graphics card")
    options = parser.parse_args()
    width, height = map(int, options.size.split("x"))
    command = [sys.executable, "-m", "visavis", "view", "--web", "0", "--no-browser", "--quality", options.quality]
    command += ["--pair"] if options.pair else []
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as view, tempfile.TemporaryDirectory() as folder:
        assert view.stdout is not None
        try:
            url = next(line.split()[3] for line in view.stdout if "the page is" in line)
            with Chromium(Path(folder), width=width, height=height, software=not options.gpu) as browser:
                told = measure(browser, url, options.seconds)
        finally:
            view.terminate()
    return report(told, options.seconds)


def measure(browser: Chromium, url: str, seconds: float) -> dict:
    """The page's own numbers after so many seconds."""
    browser.open(url)
    browser.wait("window.visavis?.frames.drawn > 2 && !!window.visavis.guest?.face")
    time.sleep(WARM_UP_S)
    browser.run(
        "(() => { for (const part of [visavis.frames.rate, visavis.frames.work, visavis.guest.lag, visavis.guest.wire])"
        " part.clear(); })()"
    )
    before = json.loads(browser.run(NUMBERS))
    time.sleep(seconds)
    told = json.loads(browser.run(NUMBERS))
    for counters in ("head", "server"):
        told[counters] = {name: value - before[counters].get(name, 0) for name, value in told[counters].items()}
    told["mean_fps"] = (told["drawn"] - before["drawn"]) / seconds
    told["errors"] = browser.errors
    return told


def report(told: dict, seconds: float) -> int:
    """Print; 0 if it is as expected."""
    head, server = told["head"], told["server"]
    gaps = head["lost"] + head["jumps"]
    print(f"{seconds:g} s, load {os.getloadavg()[0]:.1f} on {os.cpu_count()} processors")
    print(f"pictures: {told['mean_fps']:.1f} a second; one takes {told['work_ms']:.1f} ms")
    print(f"picture behind the session clock: p50 {told['lag'][0]:.1f} ms, p99 {told['lag'][1]:.1f} ms")
    print(f"server to page: p50 {told['wire'][0]:.1f} ms, p99 {told['wire'][1]:.1f} ms")
    print(f"{head['frames']} frames, {head['lost']} lost, {head['jumps']} gaps, {server['late_frames']} made late")
    for error in told["errors"]:
        print(f"error of the page: {error}")
    good = told["mean_fps"] >= 30 and told["lag"][0] <= 30 and told["lag"][1] <= 80 and not gaps and not told["errors"]
    print("as expected" if good else "NOT as expected: 30 pictures a second, lag 30 and 80 ms, no gaps")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
