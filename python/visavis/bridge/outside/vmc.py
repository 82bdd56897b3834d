"""VMC protocol (OSC over UDP, 39539): a face to datagrams, and datagrams to a face.

Out, for each frame: OK, T, the rotations of Head and both eyes, 52 weights, and Apply as the last message; in bundles
below an Ethernet frame.  In: the weights by name in any case, the rotation of Head; Apply completes a frame.
"""

import struct

import numpy as np

from visavis.bridge.outside import osc
from visavis.bridge.outside.face import N_SHAPES, NEUTRAL, Face, unity_angles, unity_quaternion
from visavis.errors import InvalidArgument
from visavis.motion_space import ARKIT_SHAPES

LARGEST = 1400  # bytes of a datagram sent: an Ethernet frame with room for tunnels
LARGEST_READ = 65_507
NAMES = {"perfect-sync": tuple(name[0].upper() + name[1:] for name in ARKIT_SHAPES), "arkit": ARKIT_SHAPES}
SHAPE_AT = {name.lower(): i for i, name in enumerate(ARKIT_SHAPES)}
APPLY = osc.message("/VMC/Ext/Blend/Apply")
NO_PLACE = (0.0, 0.0, 0.0)


class Encoder:
    """Makes the datagrams of one face; `names` is how the weights are called."""

    def __init__(self, names: str = "perfect-sync") -> None:
        self._prefixes = [  # of each weight's message: all but the float at its end
            osc.message("/VMC/Ext/Blend/Val", "sf", name, 0.0)[:-4] for name in NAMES[names]
        ]

    def encode(self, face: Face, seconds: float, tracked: bool = True) -> list[bytes]:
        """One frame; `seconds` is the sender's time, `tracked` whether there is a face at all."""
        messages = [osc.message("/VMC/Ext/OK", "i", int(tracked)), osc.message("/VMC/Ext/T", "f", seconds)]
        for bone, angles in (("Head", face.head), ("LeftEye", face.left_eye), ("RightEye", face.right_eye)):
            turn = unity_quaternion(angles)
            messages.append(osc.message("/VMC/Ext/Bone/Pos", "sfffffff", bone, *NO_PLACE, *turn))
        messages += [
            prefix + struct.pack(">f", weight)
            for prefix, weight in zip(self._prefixes, face.weights.tolist(), strict=True)
        ]
        return osc.bundles([*messages, APPLY], LARGEST)


class Decoder:
    """Gathers a face from datagrams."""

    def __init__(self) -> None:
        self._weights = NEUTRAL.weights.copy()  # (52,)
        self._head = NEUTRAL.head
        self._seconds: float | None = None

    def decode(self, datagram: bytes) -> list[tuple[float | None, Face]]:
        """The faces that the datagram completes, with the sender's time if it said one.

        Raises InvalidArgument for a malformed datagram; nothing of it is used then.
        """
        before = self._weights.copy(), self._head, self._seconds
        try:
            return self._gather(datagram)
        except InvalidArgument:
            self._weights, self._head, self._seconds = before
            raise

    def _gather(self, datagram: bytes) -> list[tuple[float | None, Face]]:
        faces: list[tuple[float | None, Face]] = []
        for address, arguments in osc.decode(datagram):
            if address == "/VMC/Ext/Blend/Val":
                self._weight(arguments)
            elif address == "/VMC/Ext/Bone/Pos":
                self._bone(arguments)
            elif address == "/VMC/Ext/T" and arguments and isinstance(arguments[0], float):
                self._seconds = arguments[0] if 0 <= arguments[0] < 1e9 else None
            elif address == "/VMC/Ext/Blend/Apply":
                faces.append((self._seconds, Face(self._weights.copy(), self._head)))
        return faces

    def _weight(self, arguments: tuple[osc.Argument, ...]) -> None:
        if len(arguments) != 2 or not isinstance(arguments[0], str) or not isinstance(arguments[1], float):
            raise InvalidArgument("VMC Blend/Val: expected a name and a float")
        value = arguments[1]
        if not abs(value) < 1e3:
            raise InvalidArgument(f"VMC Blend/Val {arguments[0][:40]!r}: {value}; expected 0 to 1")
        at = SHAPE_AT.get(arguments[0].lower(), N_SHAPES)
        if at < N_SHAPES:
            self._weights[at] = np.float32(min(max(value, 0.0), 1.0))

    def _bone(self, arguments: tuple[osc.Argument, ...]) -> None:
        if len(arguments) != 8 or not isinstance(arguments[0], str):
            raise InvalidArgument("VMC Bone/Pos: expected a name and seven floats")
        numbers = [value for value in arguments[1:] if isinstance(value, float) and abs(value) < 1e5]
        if len(numbers) != 7:
            raise InvalidArgument(f"VMC Bone/Pos {arguments[0][:40]!r}: expected seven floats")
        if arguments[0].lower() == "head":
            try:
                self._head = unity_angles((numbers[3], numbers[4], numbers[5], numbers[6]))
            except ValueError as error:
                raise InvalidArgument(f"VMC Bone/Pos Head: {error}") from None
