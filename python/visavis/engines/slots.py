"""What the engines written in Python share: their slots, and a step that is all turns or none."""

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Generic, TypeVar

from visavis.engine import TurnInput, TurnOutput
from visavis.errors import InvalidArgument

Slot = TypeVar("Slot")


class SlotEngine(ABC, Generic[Slot]):
    """Keeps one history (a value that is replaced, never changed) for each open slot.  One caller at a time."""

    def __init__(self) -> None:
        self._slots: dict[int, Slot] = {}
        self._n_opened = 0

    @abstractmethod
    def _empty(self) -> Slot:
        """The history of a session that begins."""

    @abstractmethod
    def _turn(self, slot: Slot, turn: TurnInput) -> tuple[Slot, TurnOutput]:
        """One turn of one session: what the slot becomes, and the motion."""

    def open(self) -> int:
        """A new slot: one session's history."""
        slot = self._n_opened
        self._n_opened += 1
        self._slots[slot] = self._empty()
        return slot

    def close(self, slot: int) -> None:
        """Give the slot back."""
        self._find(slot)
        del self._slots[slot]

    def reset(self, slot: int) -> None:
        """Forget the slot's history."""
        self._find(slot)
        self._slots[slot] = self._empty()

    def step(self, inputs: Sequence[TurnInput]) -> list[TurnOutput]:
        """Generate one turn for each input, each of another slot; on an error no slot has moved on."""
        slots = [turn.slot for turn in inputs]
        if len(set(slots)) != len(slots):
            raise InvalidArgument(f"slots {slots}: a slot appears twice in one step")
        results = [self._turn(self._find(turn.slot), turn) for turn in inputs]
        self._slots.update(zip(slots, [slot for slot, _ in results], strict=True))
        return [output for _, output in results]

    def _find(self, slot: int) -> Slot:
        if slot not in self._slots:
            raise InvalidArgument(f"slot {slot} is not open; open ones: {', '.join(map(str, self._slots)) or 'none'}")
        return self._slots[slot]
