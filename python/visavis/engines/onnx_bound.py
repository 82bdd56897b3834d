"""Turns through the graph of profile `ort`: memory that is bound to ONNX Runtime once a slot, and written in place.

The graph reads the slot's rings where they lie and writes what is new beside them.  That goes to its place when the
next turn begins, because a step may still fail in another slot: then this turn counts for nothing and is made again.
"""

import time
from dataclasses import dataclass
from typing import Any

import numpy.typing as npt

from visavis.constants import SAMPLES_PER_FRAME
from visavis.engine import FloatArray, TurnInput, TurnOutput
from visavis.engines.graphs import GraphFolder
from visavis.engines.turns import checked_motion, checked_style, checked_voices
from visavis.errors import Unsupported
from visavis.model.config import MEL_HOP, MEL_WINDOW, ModelConfig

BEFORE = MEL_WINDOW - MEL_HOP  # samples before a turn that its first mel frame sees


class Memory:
    """One session's history, and the run of the graph on it."""

    def __init__(self, graphs: GraphFolder, config: ModelConfig) -> None:
        self.config, self.n_turns = config, 0  # turns that are in the rings
        self.arrays, self.run = graphs.bound("turn")  # by the names of inputs and outputs
        if "own_masked" in self.arrays:
            self.arrays["own_masked"][:] = 1

    def take_voices(self, user: FloatArray, agent: FloatArray) -> None:
        """The turn's voices, each behind the samples before it."""
        audio = self.arrays["audio"].reshape(-1)
        audio[BEFORE : BEFORE + len(user)] = user
        audio[len(audio) - len(agent) :] = agent

    def take_ring_start(self) -> None:
        """Where the learned bias of the ring's turns begins (export/onnx/layer_rings.py), in tokens."""
        n, P = self.n_turns, self.config.context_turns - 1
        self.arrays["ring_start"][0] = (P - n % P if n >= P else 2 * P - n) * self.config.tokens_per_turn

    def keep_voices(self) -> None:
        """What the next turn needs of this one's voices."""
        audio, size = self.arrays["audio"].reshape(-1), self.config.turn_samples
        second = BEFORE + size  # where the agent's begins
        audio[:BEFORE] = audio[size:second]
        audio[second : second + BEFORE] = audio[second + size : second + size + BEFORE]
        for i in range(len(self.config.conv_kernels)):
            if (kept := self.arrays.get(f"kept_{i}")) is not None:
                kept[:] = self.arrays[f"keep_{i}"]

    def move_on(self) -> None:
        """The turn becomes the newest of the past."""
        self.keep_voices()
        T, H = self.config.tokens_per_turn, self.config.heads
        place = self.n_turns % (self.config.context_turns - 1) * T
        for what in ("keys", "values"):
            new = self.arrays[f"new_{what}"]
            for layer in range(self.config.depth):
                self.arrays[f"past_{what}_{layer}"][:, place : place + T] = new[layer * H : (layer + 1) * H]
        self.arrays["own"][:] = self.arrays["own_next"]
        self.n_turns += 1


@dataclass(frozen=True)
class BoundSlot:
    """A session after so many turns."""

    memory: Memory
    n_turns: int = 0


class BoundTurns:
    """Runs the graph on a slot's memory."""

    def __init__(self, graphs: GraphFolder, config: ModelConfig) -> None:
        if config.own_past == "fed":
            raise Unsupported("history=fed: graphs of profile ort run once a turn; expected masked, or another profile")
        self._graphs, self.config = graphs, config
        self._silence: dict[str, npt.NDArray[Any]] = {}  # kept features after silence without beginning
        memory = self.new_slot().memory
        for _ in range(-(-config.context_samples // config.turn_samples) + 1):
            memory.run()
            memory.keep_voices()
        self._silence = {name: array.copy() for name, array in memory.arrays.items() if name.startswith("kept_")}

    def new_slot(self) -> BoundSlot:
        """An empty history."""
        memory = Memory(self._graphs, self.config)
        for name, array in self._silence.items():
            memory.arrays[name][:] = array
        return BoundSlot(memory)

    def make(self, slot: BoundSlot, turn: TurnInput, noise: FloatArray) -> tuple[BoundSlot, TurnOutput]:
        """One turn of one session: what the slot becomes, and the motion."""
        if turn.guidance != 1:
            raise Unsupported(
                f"guidance is {turn.guidance}; graphs of profile ort have none: expected 1, or profile portable or trt"
            )
        config, memory, arrays = self.config, slot.memory, slot.memory.arrays
        voices = checked_voices(turn, config.turn_samples, config.agent_lookahead_frames * SAMPLES_PER_FRAME)
        motion, present = checked_motion(turn, config.turn_frames, config.n_channels)
        style = checked_style(turn, config.styles)
        begin_ns = time.perf_counter_ns()
        if memory.n_turns < slot.n_turns:
            memory.move_on()
        memory.take_voices(*voices)
        arrays["user_motion"][:], arrays["user_present"][:, 0] = motion, present
        arrays["noise"][:], arrays["temperature"][0] = noise, turn.temperature
        if config.styles:
            arrays["style"][0] = style
        memory.take_ring_start()
        memory.run()
        made = arrays["motion"].copy()
        stages = {"turn": time.perf_counter_ns() - begin_ns}
        return BoundSlot(memory, slot.n_turns + 1), TurnOutput(made, stages, config.steps)
