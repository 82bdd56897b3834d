"""Turns through graphs of profiles `portable` and `trt`: what a game engine that runs them has to do around them.

speech    both voices of the turn, with the samples before it  -> speech tokens
backbone  tokens, faces, ring of past keys                     -> z, keys to keep   (a second time for guidance,
                                                                  and to commit where the own past is `fed`)
head      z, own motion of the last turn, noise                -> motion
"""

import time
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from visavis.engine import FloatArray, TurnInput, TurnOutput
from visavis.engines.graphs import Arrays, GraphFolder
from visavis.engines.turns import Tails, checked_motion, checked_style, ring_ages
from visavis.model.config import ModelConfig

Array = npt.NDArray[Any]


@dataclass(frozen=True)
class Slot:
    """One session's history."""

    keys: Array  # (depth, H, P*T, d), P past turns
    values: Array
    own: FloatArray  # (F, C) normalised motion of the last turn, zeros before the first
    tails: Tails
    n_turns: int = 0


class PlainTurns:
    """Runs the three graphs one after the other, with new arrays each time."""

    def __init__(self, graphs: GraphFolder, config: ModelConfig) -> None:
        self._graphs, self.config, self.manifest = graphs, config, graphs.manifest
        self._ring_shape = graphs.shape("backbone", "past_keys")

    def new_slot(self) -> Slot:
        """An empty history."""
        keys = np.zeros(self._ring_shape, self.manifest.dtype)
        own = np.zeros((self.config.turn_frames, self.config.n_channels), np.float32)
        return Slot(keys=keys, values=keys, own=own, tails=Tails.silent(self.config))

    def make(self, slot: Slot, turn: TurnInput, noise: FloatArray) -> tuple[Slot, TurnOutput]:
        """One turn of one session: what the slot becomes, and the motion."""
        start_ns = time.perf_counter_ns()
        audio, tails = slot.tails.heard(self.config, turn)
        speech = self._graphs.run("speech", audio=audio)["speech"]
        heard_ns = time.perf_counter_ns()
        seen = self._seen(slot, turn, speech)
        heard = self._graphs.run("backbone", **seen)
        unheard = heard["z"]
        if turn.guidance != 1:
            unheard = self._graphs.run("backbone", **{**seen, "user_heard": np.zeros((1, 1), np.float32)})["z"]
        seen_ns = time.perf_counter_ns()
        made = self._graphs.run(
            "head",
            z=heard["z"],
            z_unheard=unheard,
            own=slot.own,
            noise=noise,
            temperature=np.array([turn.temperature], np.float32),
            guidance=np.array([turn.guidance], np.float32),
        )
        denoised_ns = time.perf_counter_ns()
        if self.config.own_past == "fed":
            nothing_masked = np.zeros((1, 1), np.float32)
            heard = self._graphs.run("backbone", **{**seen, "own": made["own_next"], "own_masked": nothing_masked})
        slot = replace(self._committed(slot, heard), own=made["own_next"], tails=tails, n_turns=slot.n_turns + 1)
        stages = {
            "speech": heard_ns - start_ns,
            "backbone": seen_ns - heard_ns + time.perf_counter_ns() - denoised_ns,
            "denoise": denoised_ns - seen_ns,
        }
        return slot, TurnOutput(made["motion"], stages, self.config.steps)

    def _seen(self, slot: Slot, turn: TurnInput, speech: Array) -> Arrays:
        """The inputs of graph `backbone`."""
        motion, present = checked_motion(turn, self.config.turn_frames, self.config.n_channels)
        n_past = self.config.context_turns - 1
        age = self._ages(slot)
        inputs: Arrays = {
            "speech": speech,
            "user_motion": motion,
            "user_present": present[:, None].astype(np.float32),
            "user_heard": np.ones((1, 1), np.float32),
            "own": slot.own,
            "past_seen": (age <= slot.n_turns).astype(np.float32),
            "past_keys": slot.keys,
            "past_values": slot.values,
        }
        style = checked_style(turn, self.config.styles)
        if self.config.styles:
            inputs["style"] = style[None]
        if self.manifest.config.own_past != "lagged":
            inputs["own_masked"] = np.ones((1, 1), np.float32)
        if self.manifest.ring == "slots":
            inputs["past_age"] = np.minimum(age, n_past).astype(np.int32)
        return inputs

    def _ages(self, slot: Slot) -> npt.NDArray[np.int64]:
        """(P,) how many turns ago each place of the ring was written."""
        n_past = self.config.context_turns - 1
        if self.manifest.ring == "shift":
            return np.arange(n_past, 0, -1)
        return ring_ages(slot.n_turns, n_past)

    def _committed(self, slot: Slot, heard: Arrays) -> Slot:
        """The slot with the turn's keys in its ring."""
        if self.manifest.ring == "shift":
            return replace(slot, keys=heard["keys"], values=heard["values"])
        T, n_past = self.config.tokens_per_turn, self.config.context_turns - 1
        place = slot.n_turns % n_past * T
        rings = []
        for old, new in ((slot.keys, heard["new_keys"]), (slot.values, heard["new_values"])):
            ring = old.copy()
            ring[:, :, place : place + T] = new
            rings.append(ring)
        return replace(slot, keys=rings[0], values=rings[1])
