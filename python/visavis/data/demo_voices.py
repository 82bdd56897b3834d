"""Makes the conversation that `visavis demo` and `visavis serve --demo` play: two voices, a track each.

    python -m visavis.data.demo_voices --out python/visavis/assets        (needs the Debian package flite)

The text was written for this project.  The agent speaks with flite's voice slt, the user with rms (CMU, permissive
licence; see assets/SOURCES.md).  Synthesis and assembly are deterministic.
"""

import argparse
import subprocess
import tempfile
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from visavis.audio import read_audio
from visavis.constants import SAMPLE_RATE
from visavis.errors import FileError

VOICES = {"agent": ("slt", 1.0), "user": ("rms", 0.95)}  # flite voice, duration stretch
PEAK = 0.6
LEAD_IN_S = 0.6
TAIL_S = 1.5
# (who, start, text).  A start is the gap in seconds after everything said so far, or ("in", x): x seconds after the
# start of the line before, for backchannels and interruptions that overlap it.  The user's story has pauses: the agent
# listens, and a listener answers to those.
Start = float | tuple[str, float]
SCRIPT: tuple[tuple[str, Start, str], ...] = (
    ("agent", 0.0, "Oh good, you are back. Did you find the old lighthouse?"),
    ("user", 0.35, "I did. The door was open."),
    ("user", 1.3, "And somebody had left a lamp burning on the stairs."),
    ("agent", 1.1, "A lamp? Nobody has lived up there for twenty years, unless you count the"),
    ("user", -0.45, "Well, somebody does now."),
    ("user", 1.3, "There was warm bread on the table."),
    ("agent", ("in", 1.3), "Uh huh."),
    ("user", 1.3, "And a map of this harbour."),
    ("agent", 1.2, "Really? Then we should go back before dark. Please, walk quietly this time."),
    ("user", ("in", 2.6), "Yeah."),
    ("user", 0.3, "I am always quiet."),
    ("agent", 0.3, "You fell into the barrels."),
    ("user", 0.5, "That was one time."),
    ("agent", 1.2, "Fine. Meet me at the pier in an hour."),
)


def main() -> None:
    """Write demo_agent.flac and demo_user.flac into --out."""
    import soundfile

    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--out", type=Path, required=True, help="folder for demo_agent.flac and demo_user.flac")
    out: Path = parser.parse_args().out
    for who, track in assemble().items():
        path = out / f"demo_{who}.flac"
        soundfile.write(path, track, SAMPLE_RATE, subtype="PCM_16")
        print(f"{path}: {len(track) / SAMPLE_RATE:.2f} s, {path.stat().st_size / 1024:.0f} KiB")


def assemble() -> dict[str, NDArray[np.float32]]:
    """The two tracks, of one length."""
    placed: list[tuple[str, int, NDArray[np.float32]]] = []
    start = end = round(LEAD_IN_S * SAMPLE_RATE)
    for who, when, text in SCRIPT:
        line = speak(text, *VOICES[who])
        offset = start + round(when[1] * SAMPLE_RATE) if isinstance(when, tuple) else end + round(when * SAMPLE_RATE)
        placed.append((who, offset, line))
        if not isinstance(when, tuple):
            start = offset
        end = max(end, offset + len(line))
    tracks = {who: np.zeros(end + round(TAIL_S * SAMPLE_RATE), np.float32) for who in VOICES}
    for who, offset, line in placed:
        tracks[who][offset : offset + len(line)] += line
    return {who: (track * (PEAK / np.abs(track).max())).astype(np.float32) for who, track in tracks.items()}


def speak(text: str, voice: str, stretch: float) -> NDArray[np.float32]:
    """One line as flite says it, without the silence around it."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "line.wav"
        command = ["flite", "-voice", voice, "--setf", f"duration_stretch={stretch}", "-t", text, str(path)]
        try:
            subprocess.run(command, check=True, capture_output=True)
        except FileNotFoundError:
            raise FileError("program flite: not found; install the Debian package flite") from None
        samples, rate = read_audio(path)
    if rate != SAMPLE_RATE:
        raise FileError(f"flite voice {voice}: {rate} Hz; expected {SAMPLE_RATE} Hz")
    loud = np.flatnonzero(np.abs(samples) > 0.01 * np.abs(samples).max())
    margin = SAMPLE_RATE // 50  # 20 ms
    return samples[max(0, loud[0] - margin) : loud[-1] + margin]


if __name__ == "__main__":
    main()
