"""Live Link Face: the datagrams of the phone app that Unreal's Live Link reads (UDP 11111), as bytes and back.

Big-endian: u8 version 6, i32 length and device id, i32 length and subject name; with a face also i32 frame, f32 part of
a frame, i32 rate numerator, i32 denominator, u8 61 and 61 x f32: 52 weights, then yaw, pitch, roll of head, left eye
and right eye in radians.  Other decoders know device ids of 36 characters alone: ours always has 36.
"""

import struct
import uuid
from dataclasses import dataclass
from fractions import Fraction

import numpy as np

from visavis.bridge.outside.face import N_SHAPES, Face
from visavis.errors import InvalidArgument

VERSION = 6
N_VALUES = N_SHAPES + 9
LARGEST = 774  # bytes: what Unreal accepts
LONGEST_NAME = 256  # bytes
NAMESPACE = uuid.UUID("6f0c9f5e-0d0c-5d0e-9d52-2b0f5d3a7c11")
TIME = struct.Struct(">ifii")
MOST = 1e3  # beyond this no weight and no angle is meant


@dataclass(frozen=True)
class Packet:
    """One datagram.  `face` is None where the app sees none; then there is no time either."""

    device: str
    subject: str
    face: Face | None = None
    frame: int = 0
    part: float = 0.0  # of a frame, in [0, 1)
    rate: Fraction = Fraction(60)

    @property
    def seconds(self) -> float:
        """The time of the frame on the sender's clock."""
        return (self.frame + self.part) / float(self.rate)


def device_id(subject: str) -> str:
    """36 characters that stay the same for a name."""
    return str(uuid.uuid5(NAMESPACE, subject)).upper()


def encode(packet: Packet) -> bytes:
    """The bytes of a packet."""
    names = b"".join(struct.pack(">i", len(raw)) + raw for raw in (packet.device.encode(), packet.subject.encode()))
    head = bytes([VERSION]) + names
    if packet.face is None:
        return head
    face = packet.face
    time = TIME.pack(packet.frame, packet.part, packet.rate.numerator, packet.rate.denominator)
    angles = (*face.head, *face.left_eye, *face.right_eye)
    return head + time + struct.pack(f">B{N_VALUES}f", N_VALUES, *face.weights.tolist(), *angles)


def decode(datagram: bytes) -> Packet:
    """Takes a datagram apart; raises InvalidArgument that says what is malformed."""
    if len(datagram) > LARGEST:
        raise _malformed(f"{len(datagram)} bytes; expected at most {LARGEST}")
    if not datagram or datagram[0] != VERSION:
        raise _malformed(f"version {datagram[0] if datagram else 'missing'}; expected {VERSION}")
    device, at = _name(datagram, 1, "device id")
    subject, at = _name(datagram, at, "subject name")
    if at == len(datagram):
        return Packet(device, subject)
    expected = TIME.size + 1 + 4 * N_VALUES
    if len(datagram) - at != expected:
        raise _malformed(f"{len(datagram) - at} bytes behind the names; expected 0 or {expected}")
    frame, part, numerator, denominator = TIME.unpack_from(datagram, at)
    if datagram[at + TIME.size] != N_VALUES:
        raise _malformed(f"{datagram[at + TIME.size]} values; expected {N_VALUES}")
    if not 0 <= part <= 1 or not 0 < denominator <= 1_000_000 or not 0 < numerator <= 1000 * denominator or frame < 0:
        raise _malformed(f"frame {frame} + {part} at {numerator}/{denominator} a second; expected a time")
    values = np.frombuffer(datagram, ">f4", N_VALUES, at + TIME.size + 1).astype(np.float32)
    if not np.all(np.abs(values) <= MOST):
        raise _malformed("a value is no number or out of range")
    angles = [float(angle) for angle in values[N_SHAPES:]]
    face = Face(
        np.clip(values[:N_SHAPES], 0, 1),
        (angles[0], angles[1], angles[2]),
        (angles[3], angles[4], angles[5]),
        (angles[6], angles[7], angles[8]),
    )
    return Packet(device, subject, face, frame, part, Fraction(numerator, denominator))


def _name(datagram: bytes, at: int, what: str) -> tuple[str, int]:
    if len(datagram) < at + 4:
        raise _malformed(f"{len(datagram)} bytes; it ends before the {what}")
    (length,) = struct.unpack_from(">i", datagram, at)
    end = at + 4 + length
    if not 0 <= length <= LONGEST_NAME or end > len(datagram):
        raise _malformed(f"{what} of {length} bytes; expected at most {LONGEST_NAME}, inside the datagram")
    try:
        return datagram[at + 4 : end].decode("utf-8"), end
    except UnicodeDecodeError:
        raise _malformed(f"{what} is not UTF-8") from None


def _malformed(what: str) -> InvalidArgument:
    return InvalidArgument(f"Live Link Face datagram: {what}")
