"""Statistics of a dialogue and of a whole corpus, to be held against the published numbers."""

from collections.abc import Iterable
from itertools import pairwise
from typing import Any

import numpy as np

from visavis.constants import FRAME_RATE
from visavis.data.corpus.dialogue import Phrase
from visavis.data.corpus.performer import Performance

GAP_BINS_S = np.arange(-2.0, 3.01, 0.1)


def dialogue_statistics(
    phrases: tuple[list[Phrase], list[Phrase]], played: tuple[Performance, Performance]
) -> dict[str, Any]:
    """Counts and seconds of one dialogue, which add up over dialogues."""
    a, b = played[0].speaking, played[1].speaking
    turns = sorted((p for person in phrases for p in person if p.line.kind != "backchannel"), key=lambda p: p.start)
    owners = {id(p): i for i in (0, 1) for p in phrases[i]}
    gaps = [
        after.speech_start - before.speech_end
        for before, after in pairwise(turns)
        if owners[id(before)] != owners[id(after)]
    ]
    silent = [int((~played[i].speaking & played[1 - i].speaking).sum()) / FRAME_RATE for i in (0, 1)]
    events = [event.kind for person in played for event in person.events]
    return {
        "seconds": len(a) / FRAME_RATE,
        "speech_s": [float(a.sum()) / FRAME_RATE, float(b.sum()) / FRAME_RATE],
        "both_s": float((a & b).sum()) / FRAME_RATE,
        "neither_s": float((~a & ~b).sum()) / FRAME_RATE,
        "listening_s": sum(silent),
        "gaps": np.histogram(np.clip(gaps, -1.99, 2.99), GAP_BINS_S)[0].tolist(),
        "overlapped_changes": int(sum(g < 0 for g in gaps)),
        "phrases": sum(len(p) for p in phrases),
        "backchannels": sum(p.line.kind == "backchannel" for person in phrases for p in person),
        "cues": sum(p.is_cue for person in phrases for p in person),
        "nods": events.count("nod"),
        "smiles": events.count("smile"),
    }


def summary(parts: Iterable[dict[str, Any]]) -> dict[str, Any]:
    """One table for a split or a corpus."""
    rows = list(parts)
    if not rows:
        return {"dialogues": 0, "hours": 0.0}

    def total(name: str) -> float:
        return float(sum(row[name] for row in rows))

    gaps = np.sum([row["gaps"] for row in rows], axis=0)
    shares = sorted(row["speech_s"][0] / max(sum(row["speech_s"]), 1e-9) for row in rows)
    seconds, listening = total("seconds"), max(total("listening_s"), 1e-9)
    peak = int(gaps.argmax())
    return {
        "dialogues": len(rows),
        "hours": round(seconds / 3600, 4),
        "speech_share": round(sum(sum(row["speech_s"]) for row in rows) / seconds, 3),
        "overlap_share": round(total("both_s") / seconds, 4),
        "silence_share": round(total("neither_s") / seconds, 4),
        "talk_share_range": [round(shares[0], 3), round(shares[-1], 3)],
        "gap_mode_s": round(float(GAP_BINS_S[peak] + GAP_BINS_S[peak + 1]) / 2, 3),
        "overlapped_changes_share": round(total("overlapped_changes") / max(int(gaps.sum()), 1), 3),
        "backchannel_share_of_utterances": round(total("backchannels") / max(total("phrases"), 1), 3),
        "phrase_ends_per_minute": round(total("cues") / seconds * 60, 2),
        "nods_per_listening_minute": round(total("nods") / listening * 60, 2),
        "smiles_per_listening_minute": round(total("smiles") / listening * 60, 2),
    }
