"""Turns through engines of profile `trt` on a GPU: what is remembered stays there, a turn is one launch.

A slot has its ring of keys and values, its own motion, and its turn as a recorded graph: inputs up, speech, backbone,
head, motion down.  What a turn adds to the past goes to its place when the next turn begins, because a step may still
fail in another slot: then this turn counts for nothing and is made again.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from visavis.engine import FloatArray, TurnInput, TurnOutput
from visavis.engines.cuda_device import CudaDevice, Field, Memory, Staging
from visavis.engines.graphs import GRAPHS, Manifest
from visavis.engines.turns import Tails, checked_motion, checked_style, ring_ages
from visavis.model.config import ModelConfig

GIVEN = (
    "audio", "user_motion", "user_present", "user_heard", "own_masked", "style", "past_seen", "past_age", "noise",
    "temperature", "guidance",
)  # fmt: skip # inputs of each turn; what else goes in is on the GPU already
OWN = ("past_keys", "past_values", "own", "new_keys", "new_values", "own_next")  # of each slot


class Shared:
    """The tensors of a turn that no slot needs when it is over."""

    def __init__(self, device: CudaDevice, manifest: Manifest, config: ModelConfig) -> None:
        self.device, self.config = device, config
        self.fields = _fields(manifest)
        self.given = Staging(device, [self.fields[name] for name in GIVEN if name in self.fields])
        self.made = Staging(device, [self.fields["motion"]])
        for name in ("user_heard", "own_masked"):
            if name in self.given.host:
                self.given.host[name][:] = 1
        on_gpu = [name for name in self.fields if name not in (*GIVEN, *OWN, "motion")]
        self.memory = {name: device.zeros(*self.fields[name][1:]) for name in on_gpu}
        self.memory |= self.given.memory | self.made.memory
        self.no = device.zeros((1, 1), "float32")  # for user_heard and own_masked
        # What the backbone also gives where it runs for z, or for keys, alone.
        self.unread = {name: device.zeros(*self.fields[name][1:]) for name in ("z", "new_keys", "new_values")}
        self.inputs = {graph: [value["name"] for value in manifest.graphs[graph]["inputs"]] for graph in GRAPHS}
        self.outputs = {graph: [value["name"] for value in manifest.graphs[graph]["outputs"]] for graph in GRAPHS}


class History:
    """One session's memory on the GPU, and the turns that were recorded for it."""

    def __init__(self, shared: Shared) -> None:
        self._shared, self._device = shared, shared.device
        self.memory = {name: shared.device.zeros(*shared.fields[name][1:]) for name in OWN}
        self._recorded: dict[bool, Callable[[], None] | None] = {}  # with guidance, or without; None: cannot be
        self.n_turns = 0  # turns that are in the ring

    def move_on(self) -> None:
        """The last turn becomes the newest of the past."""
        config, device, memory = self._shared.config, self._device, self.memory
        place = self.n_turns % (config.context_turns - 1) * config.tokens_per_turn
        device.copy_rows(memory["past_keys"], place, memory["new_keys"])
        device.copy_rows(memory["past_values"], place, memory["new_values"])
        device.copy(memory["own"], memory["own_next"])
        self.n_turns += 1

    def run(self, guided: bool) -> None:
        """The turn that was given, as one launch; the motion is down when the device has been waited for."""
        if guided not in self._recorded:
            self._recorded[guided] = self._device.record(lambda: self.enqueue(guided))
        launch = self._recorded[guided]
        if launch is None:
            self.enqueue(guided)
        else:
            launch()

    def enqueue(self, guided: bool) -> None:
        """The turn's work, piece by piece."""
        shared = self._shared
        shared.given.upload()
        self._engine("speech")
        self._engine("backbone")
        if guided:
            self._engine("backbone", user_heard=shared.no, **{**shared.unread, "z": shared.memory["z_unheard"]})
        self._engine("head", z_unheard=shared.memory["z_unheard" if guided else "z"])
        if shared.config.own_past == "fed":  # its keys are of the motion that was generated
            self._engine("backbone", own=self.memory["own_next"], own_masked=shared.no, z=shared.unread["z"])
        shared.made.download()

    def _engine(self, name: str, **others: Memory) -> None:
        tensors = [*self._shared.inputs[name], *self._shared.outputs[name]]
        known = {**self._shared.memory, **self.memory, **others}
        self._device.enqueue(name, {tensor: known[tensor] for tensor in tensors})


@dataclass(frozen=True)
class DeviceSlot:
    """A session after so many turns."""

    history: History
    tails: Tails
    n_turns: int = 0


class DeviceTurns:
    """Makes turns on a GPU."""

    def __init__(self, device: CudaDevice, manifest: Manifest, config: ModelConfig) -> None:
        self._device, self.config = device, config
        self._shared = Shared(device, manifest, config)
        History(self._shared).enqueue(guided=False)  # compiles what is compiled at first
        device.wait()

    def new_slot(self) -> DeviceSlot:
        """An empty history."""
        with self._device.at_work("opening a session"):
            return DeviceSlot(History(self._shared), Tails.silent(self.config))

    def make(self, slot: DeviceSlot, turn: TurnInput, noise: FloatArray) -> tuple[DeviceSlot, TurnOutput]:
        """One turn of one session: what the slot becomes, and the motion."""
        begin_ns = time.perf_counter_ns()
        config, history = self.config, slot.history
        audio, tails = slot.tails.heard(config, turn)
        motion, present = checked_motion(turn, config.turn_frames, config.n_channels)
        style = checked_style(turn, config.styles)
        age, given = ring_ages(slot.n_turns, config.context_turns - 1), self._shared.given.host
        given["audio"][:], given["noise"][:] = audio, noise
        given["user_motion"][:], given["user_present"][:, 0] = motion, present
        given["past_seen"][:] = age <= slot.n_turns
        given["past_age"][:] = np.minimum(age, config.context_turns - 1)
        if config.styles:
            given["style"][0] = style
        given["temperature"][0], given["guidance"][0] = turn.temperature, turn.guidance
        with self._device.at_work("making a turn"):
            if history.n_turns < slot.n_turns:
                history.move_on()
            history.run(guided=turn.guidance != 1)
            self._device.wait()
        made = self._shared.made.host["motion"].copy()
        stages = {"turn": time.perf_counter_ns() - begin_ns}
        return DeviceSlot(history, tails, slot.n_turns + 1), TurnOutput(made, stages, config.steps)


def _fields(manifest: Manifest) -> dict[str, Field]:
    """Every tensor of the graphs by its name, which is the same in all of them."""
    values = [value for graph in GRAPHS for side in ("inputs", "outputs") for value in manifest.graphs[graph][side]]
    return {value["name"]: (str(value["name"]), tuple(value["shape"]), str(value["dtype"])) for value in values}
