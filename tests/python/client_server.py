"""Messages of a head as its server would publish them, on any clock, and a publisher of them over real ZeroMQ."""

import json
from collections import Counter
from types import TracebackType
from typing import Any

import zmq

from visavis import _core
from visavis.motion_space import ARKIT55

FRAME_NS = 40_000_000


class FakeHead:
    """Encodes messages of one head; every kind has its own sequence."""

    def __init__(self, name: str = "npc", epoch: int = 7, dtype: str = "f32") -> None:
        self.name, self.epoch, self.dtype = name, epoch, dtype
        self._sequences: Counter[str] = Counter()

    def motion(self, frame: int, values: list[float] | float, publish_ns: int, **fields: Any) -> bytes:
        """Frame k; one number stands for all 55 values."""
        values = [values] * 55 if isinstance(values, float) else values
        defaults = {"dtype": self.dtype, "state": 2, "schema_hash": 0xC4F7F0CAC81CD3C2, "rate": 25, "flags": 1}
        fields = {**defaults, "presentation_ns": frame * FRAME_NS, **fields}
        units = ARKIT55.units if fields["dtype"] == "norm16" and len(values) == 55 else ()
        units = fields.pop("units", units)
        return self.message("VVM1", values, frame=frame, publish_ns=publish_ns, units=units, **fields)

    def voice(self, first: int, samples: Any, rate: int, session_ns: int, publish_ns: int, dtype: str = "f32") -> bytes:
        """A packet of the agent's voice; `first` counts its samples."""
        fields = {"frame": first, "presentation_ns": session_ns, "publish_ns": publish_ns, "flags": 1}
        return self.message("VVA1", samples, dtype=dtype, rate=rate, **fields)

    def cut(self, from_ns: int, publish_ns: int) -> bytes:
        """Barge-in."""
        fields = {"frame": -(-from_ns // FRAME_NS), "presentation_ns": from_ns, "publish_ns": publish_ns}
        return self.message("VVC1", dtype="none", **fields)

    def describe(self, session_ns: int, publish_ns: int, **facts: Any) -> bytes:
        """The description, with both clocks."""
        names, units = facts.pop("channels", ARKIT55.channels), facts.pop("units", ARKIT55.units)
        schema = _core.wire.schema_hash(list(names), list(units))
        text = json.dumps({"protocol": 1, "head": self.name, "channels": list(names), "units": list(units), **facts})
        fields = {"presentation_ns": session_ns, "publish_ns": publish_ns, "schema_hash": schema, "rate": 25}
        return self.message("VVD1", json=text, dtype="json", channels=len(names), frame=-1, **fields)

    def message(self, magic: str, values: Any = None, **fields: Any) -> bytes:
        """Any message with this head's next sequence number."""
        sequence = fields.pop("sequence", self._sequences[magic])
        self._sequences[magic] = sequence + 1
        return _core.wire.encode(magic, self.name, values, sequence=sequence, epoch=self.epoch, **fields)


class Publisher:
    """A PUB socket on loopback; use in a `with` block."""

    def __init__(self, port: int = 0, **options: Any) -> None:
        self._context = zmq.Context()
        self.socket = self._context.socket(zmq.PUB)
        self.socket.linger = 0
        for name, value in options.items():
            setattr(self.socket, name, value)
        if port:
            self.socket.bind(f"tcp://127.0.0.1:{port}")
        self.port = port or self.socket.bind_to_random_port("tcp://127.0.0.1", 15_000, 30_000)
        self.endpoint = f"tcp://127.0.0.1:{self.port}"

    def send(self, message: bytes) -> None:
        """Publish."""
        self.socket.send(message)

    def close(self) -> None:
        """Close socket and context at once."""
        self._context.destroy(linger=0)

    def __enter__(self) -> "Publisher":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()
