"""One line spoken (or read as IPA) by espeak-ng or Pico in a process of its own: both keep hidden state.

Run as a script with one JSON argument; writes a JSON header line {"rate", "marks"} and 16-bit samples to stdout.
Imports as little as it can, because it is started once for every line.
"""

import ctypes
import json
import sys
from typing import Any


class _Id(ctypes.Union):
    _fields_ = [("number", ctypes.c_int), ("name", ctypes.c_char_p), ("string", ctypes.c_char * 8)]


class _Event(ctypes.Structure):
    _fields_ = [
        ("type", ctypes.c_int),
        ("unique_identifier", ctypes.c_uint),
        ("text_position", ctypes.c_int),
        ("length", ctypes.c_int),
        ("audio_position", ctypes.c_int),
        ("sample", ctypes.c_int),
        ("user_data", ctypes.c_void_p),
        ("id", _Id),
    ]


_CALLBACK = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_short), ctypes.c_int, ctypes.POINTER(_Event))
_PHONEME_EVENT = 7  # espeak_events: espeakEVENT_PHONEME
_INIT_FLAGS = 0x1 | 0x2 | 0x8000  # phoneme events, IPA names, never exit the process
_RATE, _PITCH = 1, 3  # espeak_PARAMETER


def espeak(task: dict[str, Any]) -> tuple[int, list[tuple[int, str]], bytes]:
    """Rate, (sample, IPA) marks and samples of a line."""
    library = ctypes.CDLL(task["library"])
    rate = library.espeak_Initialize(2, 0, task["data"].encode(), _INIT_FLAGS)
    library.espeak_ng_SetRandSeed(ctypes.c_long(1))  # it seeds its noise from the clock otherwise
    chunks: list[bytes] = []
    marks: list[tuple[int, str]] = []

    def heard(samples: Any, n_samples: int, events: Any) -> int:
        if samples and n_samples > 0:
            chunks.append(ctypes.string_at(samples, 2 * n_samples))
        i = 0
        while events[i].type != 0:
            if events[i].type == _PHONEME_EVENT:
                marks.append((events[i].sample, events[i].id.string.decode("utf8", "ignore")))
            i += 1
        return 0

    callback = _CALLBACK(heard)
    library.espeak_SetSynthCallback(callback)
    if library.espeak_SetVoiceByName(task["voice"].encode()) != 0:
        sys.exit(f"voice {task['voice']} not found; expected en-us or en-us+VARIANT of its voices/!v folder")
    library.espeak_SetParameter(_RATE, task["words_a_minute"], 0)
    library.espeak_SetParameter(_PITCH, task["pitch"], 0)
    data = task["text"].encode() + b"\0"
    library.espeak_Synth(data, len(data), 0, 0, 0, 0x1 | 0x1000, None, None)  # UTF-8, pause after the sentence
    library.espeak_Synchronize()
    return rate, marks, b"".join(chunks)


def ipa(task: dict[str, Any]) -> tuple[int, list[tuple[int, str]], bytes]:
    """No rate and no samples; (place in the list, IPA) of some texts, spoken as espeak-ng reads them."""
    library = ctypes.CDLL(task["library"])
    library.espeak_Initialize(2, 0, task["data"].encode(), _INIT_FLAGS)
    if library.espeak_SetVoiceByName(task["voice"].encode()) != 0:
        sys.exit(f"voice {task['voice']} not found; expected en-us")
    library.espeak_TextToPhonemes.restype = ctypes.c_char_p
    marks = []
    for i, text in enumerate(task["texts"]):
        data = ctypes.create_string_buffer(text.encode())
        rest, parts = ctypes.c_void_p(ctypes.addressof(data)), []
        while rest.value:
            parts.append(library.espeak_TextToPhonemes(ctypes.byref(rest), 1, 0x02).decode("utf8", "ignore"))
        marks.append((i, " ".join(parts)))
    return 0, marks, b""


def pico(task: dict[str, Any]) -> tuple[int, list[tuple[int, str]], bytes]:
    """Rate, no marks and samples of a line."""
    import py_nanotts

    raw = py_nanotts.NanoTTS().speak(task["text"], voice=task["voice"], speed=task["speed"], pitch=task["pitch"])
    return 16_000, [], raw


if __name__ == "__main__":
    request = json.loads(sys.argv[1])
    rate, marks, samples = {"espeak": espeak, "ipa": ipa, "pico": pico}[request["engine"]](request)
    sys.stdout.buffer.write(json.dumps({"rate": rate, "marks": marks}).encode() + b"\n" + samples)
