"""Live Link Face, VMC and iFacialMocap as bytes: against decoders of others, and what must be refused."""

import math
import re
import struct
from collections.abc import Callable
from fractions import Fraction

import numpy as np
import pytest
from pylivelinkface import FaceBlendShape, PyLiveLinkFace
from pythonosc.osc_bundle import OscBundle
from pythonosc.osc_bundle_builder import IMMEDIATELY, OscBundleBuilder
from pythonosc.osc_message import OscMessage
from pythonosc.osc_message_builder import OscMessageBuilder
from scipy.spatial.transform import Rotation

from visavis.bridge.outside import ifacialmocap, live_link_face, osc, vmc
from visavis.bridge.outside.face import Face, face_of, unity_angles, unity_quaternion
from visavis.errors import InvalidArgument
from visavis.motion_space import ARKIT55, ARKIT_SHAPES


def some_face(seed: int = 4) -> Face:
    rng = np.random.default_rng(seed)
    motion = rng.uniform(0, 1, 55).astype(np.float32)
    motion[52:] = rng.uniform(-0.5, 0.5, 3)
    return face_of(motion)


def test_the_columns_are_those_of_live_link_face() -> None:
    theirs = [shape.name for shape in FaceBlendShape]
    assert [name[0].lower() + name[1:] for name in theirs[:55]] == list(ARKIT55.channels)
    assert theirs[55:] == [f"{side}Eye{angle}" for side in ("Left", "Right") for angle in ("Yaw", "Pitch", "Roll")]


# ------------------------------------------------------------------------------------------------- Live Link Face


def test_live_link_face_is_read_by_others() -> None:
    face, subject = some_face(), "npc-one"
    device = live_link_face.device_id(subject)
    datagram = live_link_face.encode(live_link_face.Packet(device, subject, face, 1_234_567, 0.25, Fraction(60)))
    assert len(datagram) == 313 and len(device) == 36
    found, theirs = PyLiveLinkFace.decode(datagram)
    assert found and (theirs.name, theirs.uuid, theirs.fps) == (subject, "$" + device, 60)
    assert (theirs._frames, theirs._sub_frame, theirs._denominator) == (1_234_567, 0.25, 1)
    angles = [*face.head, *face.left_eye, *face.right_eye]
    np.testing.assert_allclose(theirs._blend_shapes, [*face.weights, *angles], atol=1e-7)


def test_what_others_send_as_live_link_face_is_read() -> None:
    theirs = PyLiveLinkFace("Phone", "01234567-89AB-CDEF-0123-456789ABCDEF", fps=60)
    for shape in FaceBlendShape:
        theirs.set_blendshape(shape, shape.value / 100, no_filter=True)
    packet = live_link_face.decode(theirs.encode())
    assert (packet.subject, packet.device, packet.rate) == ("Phone", theirs.uuid[1:], 60)
    assert packet.face is not None
    np.testing.assert_allclose(packet.face.weights, np.arange(52) / 100, atol=1e-7)
    assert packet.face.head == pytest.approx((0.52, 0.53, 0.54)) and packet.face.right_eye[2] == pytest.approx(0.6)


def test_live_link_face_by_the_layout_alone() -> None:
    """The bytes as the documents of the format describe them, with an id and names of other lengths."""
    head = b"\x06" + struct.pack(">i", 3) + b"abc" + struct.pack(">i", 4) + "Zoë".encode()
    packet = live_link_face.decode(head)
    assert (packet.device, packet.subject, packet.face) == ("abc", "Zoë", None)
    assert live_link_face.encode(packet) == head, "no face: the header alone"
    values = [i / 61 for i in range(61)]
    datagram = head + struct.pack(">ifii", 77, 0.5, 30_000, 1001) + b"\x3d" + struct.pack(">61f", *values)
    packet = live_link_face.decode(datagram)
    assert packet.seconds == pytest.approx(77.5 * 1001 / 30_000) and packet.rate == Fraction(30_000, 1001)
    assert live_link_face.encode(packet) == datagram


LIVE_LINK = live_link_face.encode(live_link_face.Packet("d" * 36, "npc", some_face(), 5, 0.5, Fraction(60)))
TIME_AT = len(LIVE_LINK) - 61 * 4 - 17


def patched(at: int, layout: str, *values: object) -> bytes:
    raw = bytearray(LIVE_LINK)
    struct.pack_into(layout, raw, at, *values)
    return bytes(raw)


MALFORMED = {
    "empty": (b"", "version missing"),
    "another version": (b"\x05" + LIVE_LINK[1:], "version 5"),
    "id without end": (patched(1, ">i", 1 << 30), "device id of 1073741824 bytes"),
    "id of negative length": (patched(1, ">i", -1), "device id of -1 bytes"),
    "name beyond the datagram": (patched(41, ">i", 300), "subject name of 300 bytes"),
    "no text": (patched(5, ">B", 0xFF), "not UTF-8"),
    "other count": (patched(TIME_AT + 16, ">B", 60), "60 values"),
    "truncated": (LIVE_LINK[:-1], "behind the names"),
    "longer": (LIVE_LINK + b"\0", "behind the names"),
    "only a version": (LIVE_LINK[:3], "ends before the device id"),
    "not a number": (patched(TIME_AT + 17, ">f", math.nan), "no number"),
    "infinite": (patched(TIME_AT + 17, ">f", math.inf), "no number"),
    "huge": (patched(TIME_AT + 17, ">f", 1e30), "no number"),
    "part is no part": (patched(TIME_AT + 4, ">f", math.nan), "expected a time"),
    "no rate": (patched(TIME_AT + 12, ">i", 0), "expected a time"),
    "oversized": (LIVE_LINK + bytes(1000), "at most 774"),
}


@pytest.mark.parametrize("case", MALFORMED)
def test_malformed_live_link_face_is_refused(case: str) -> None:
    datagram, message = MALFORMED[case]
    with pytest.raises(InvalidArgument, match=message):
        live_link_face.decode(datagram)


# ------------------------------------------------------------------------------------------------------------ VMC


def their_messages(datagrams: list[bytes]) -> list[tuple[str, list[object]]]:
    """Addresses and arguments by python-osc, in order."""
    assert all(OscBundle.dgram_is_bundle(datagram) for datagram in datagrams)
    contents = [content for datagram in datagrams for content in OscBundle(datagram)]
    assert all(isinstance(content, OscMessage) for content in contents)
    return [(content.address, list(content)) for content in contents]


def test_vmc_is_read_by_others_in_datagrams_below_the_mtu_with_apply_last() -> None:
    face = some_face()
    for names in vmc.NAMES:
        datagrams = vmc.Encoder(names).encode(face, 12.5)
        assert len(datagrams) == 3 and max(map(len, datagrams)) <= 1400 and all(len(d) % 4 == 0 for d in datagrams)
        messages = their_messages(datagrams)
        assert messages[0] == ("/VMC/Ext/OK", [1]) and messages[1] == ("/VMC/Ext/T", [12.5])
        assert messages[-1] == ("/VMC/Ext/Blend/Apply", [])
        assert [address for address, _ in messages].count("/VMC/Ext/Blend/Apply") == 1
        weights = {a[0]: a[1] for address, a in messages if address == "/VMC/Ext/Blend/Val"}
        assert list(weights) == list(vmc.NAMES[names]) and len(weights) == 52
        np.testing.assert_allclose(list(weights.values()), face.weights, atol=1e-7)
        bones = {a[0]: a[1:] for address, a in messages if address == "/VMC/Ext/Bone/Pos"}
        assert bones["Head"] == pytest.approx([0, 0, 0, *unity_quaternion(face.head)], abs=1e-6)
        assert set(bones) == {"Head", "LeftEye", "RightEye"}
    assert vmc.NAMES["perfect-sync"][17] == "JawOpen" and vmc.NAMES["arkit"] == ARKIT_SHAPES


def theirs(address: str, *arguments: object) -> OscMessage:
    builder = OscMessageBuilder(address=address)
    for argument in arguments:
        builder.add_arg(argument)
    return builder.build()


def test_what_others_send_as_vmc_is_read() -> None:
    decoder, turn = vmc.Decoder(), unity_quaternion((0.3, -0.2, 0.1))
    first, second = OscBundleBuilder(IMMEDIATELY), OscBundleBuilder(IMMEDIATELY)
    first.add_content(theirs("/VMC/Ext/T", 3.5))
    first.add_content(theirs("/VMC/Ext/Bone/Pos", "Head", 0.0, 1.5, 0.0, *turn))
    first.add_content(theirs("/VMC/Ext/Blend/Val", "JawOpen", 0.25))
    second.add_content(theirs("/VMC/Ext/Blend/Val", "mouthsmileleft", 2.0))
    second.add_content(theirs("/VMC/Ext/Blend/Val", "Joy", 1.0))
    second.add_content(theirs("/VMC/Ext/Blend/Apply"))
    assert decoder.decode(first.build().dgram) == []
    ((seconds, face),) = decoder.decode(second.build().dgram)
    assert seconds == 3.5 and face.head == pytest.approx((0.3, -0.2, 0.1), abs=1e-6)
    expected = {"jawOpen": 0.25, "mouthSmileLeft": 1.0}
    assert {n: v for n, v in zip(ARKIT_SHAPES, face.weights, strict=True) if v} == expected
    ((_, again),) = decoder.decode(theirs("/VMC/Ext/Blend/Apply").dgram)
    np.testing.assert_array_equal(again.weights, face.weights)


def test_osc_arguments_of_every_type_are_read_as_others_write_them() -> None:
    arguments = [1, 2.5, "text", b"blob!", True, False, None]
    ((address, ours),) = osc.decode(theirs("/a/b", *arguments).dgram)
    assert address == "/a/b" and list(ours) == arguments
    assert list(osc.decode(osc.padded(b"/bare"))) == [("/bare", ())]


APPLY = osc.message("/VMC/Ext/Blend/Apply")
NESTED = APPLY
for _ in range(6):
    NESTED = osc.bundles([NESTED], 9999)[0]
BAD_OSC = {
    "empty": b"",
    "no address": b"text\0\0\0\0",
    "no end": b"/abc",
    "not UTF-8": b"/\xff\xfe\0",
    "no comma": osc.padded(b"/a") + osc.padded(b"f") + bytes(4),
    "unknown tag": osc.padded(b"/a") + osc.padded(b",Q"),
    "short float": osc.padded(b"/a") + osc.padded(b",f") + b"\0\0",
    "blob beyond": osc.padded(b"/a") + osc.padded(b",b") + struct.pack(">i", 1 << 30),
    "negative blob": osc.padded(b"/a") + osc.padded(b",b") + struct.pack(">i", -4),
    "too many tags": osc.padded(b"/a") + osc.padded(b"," + b"T" * 65),
    "rest": APPLY + bytes(4),
    "bundle cut": osc.BUNDLE + b"\0\0",
    "element cut": osc.BUNDLE + osc.AT_ONCE + b"\0\0",
    "element beyond": osc.BUNDLE + osc.AT_ONCE + struct.pack(">i", 400),
    "element of 0": osc.BUNDLE + osc.AT_ONCE + bytes(4),
    "element odd": osc.BUNDLE + osc.AT_ONCE + struct.pack(">i", 3) + bytes(4),
    "deep": NESTED,
    "weight is text": osc.message("/VMC/Ext/Blend/Val", "ss", "JawOpen", "x"),
    "weight is NaN": osc.message("/VMC/Ext/Blend/Val", "sf", "JawOpen", math.nan),
    "bone of zeros": osc.message("/VMC/Ext/Bone/Pos", "sfffffff", "Head", *[0.0] * 7),
    "bone is short": osc.message("/VMC/Ext/Bone/Pos", "sf", "Head", 0.0),
    "bone is NaN": osc.message("/VMC/Ext/Bone/Pos", "sfffffff", "Head", *[math.nan] * 7),
}


@pytest.mark.parametrize("case", BAD_OSC)
def test_malformed_vmc_is_refused_and_nothing_of_it_kept(case: str) -> None:
    decoder = vmc.Decoder()
    whole = osc.bundles([osc.message("/VMC/Ext/Blend/Val", "sf", "JawOpen", 0.5), BAD_OSC[case] or b"x" * 4], 70_000)[0]
    for datagram in (BAD_OSC[case], whole):
        with pytest.raises(InvalidArgument):
            decoder.decode(datagram)
    ((_, face),) = decoder.decode(APPLY)
    assert not face.weights.any() and face.head == (0, 0, 0)


# --------------------------------------------------------------------------------------------------- iFacialMocap


def test_ifacialmocap_is_the_documented_text() -> None:
    face = some_face()
    text = ifacialmocap.encode(face).decode()
    shapes, _, angles = text.partition("|=")
    weights = {name: int(value) for name, value in re.findall(r"([A-Za-z_]+)-([0-9]+)", shapes)}
    assert len(weights) == 52 and len(text) < 1400
    for name, weight in zip(ARKIT_SHAPES, face.weights, strict=True):
        side = re.fullmatch(r"(\w+?)(Left|Right)", name)
        told = name if side is None or name[:3] == "jaw" or name in ("mouthLeft", "mouthRight") else ""
        assert weights[told or f"{side[1]}_{side[2][0]}"] == pytest.approx(100 * weight, abs=0.5)  # type: ignore[index]
    assert {"jawLeft", "mouthRight", "mouthSmile_R", "eyeLookIn_L", "tongueOut"} <= set(weights)
    parts = dict(re.findall(r"(head|rightEye|leftEye)#([-0-9.,]+)\|", angles))
    head = [float(number) for number in parts["head"].split(",")]
    yaw, pitch, roll = (math.degrees(angle) for angle in face.head)
    assert head == pytest.approx([pitch, yaw, roll, 0, 0, 0], abs=1e-4)
    assert [float(x) for x in parts["leftEye"].split(",")[:2]] == pytest.approx(
        [math.degrees(face.left_eye[1]), math.degrees(face.left_eye[0])], abs=1e-4
    )


# ---------------------------------------------------------------------------------------------------------- angles


def test_unitys_quaternion_is_the_mirrored_rotation_and_comes_back() -> None:
    rng = np.random.default_rng(2)
    mirror = np.diag([-1, 1, 1])
    for _ in range(200):
        angles = tuple(rng.uniform(-1.4, 1.4, 3))
        ours = Rotation.from_euler("YXZ", angles).as_matrix()
        quaternion = unity_quaternion(angles)
        np.testing.assert_allclose(Rotation.from_quat(quaternion).as_matrix(), mirror @ ours @ mirror, atol=1e-12)
        scaled = tuple(-3 * part for part in quaternion)
        assert unity_angles(scaled) == pytest.approx(angles, abs=1e-9)  # type: ignore[arg-type]


LOOKS: list[tuple[str, Callable[[Face], float], float]] = [
    ("eyeLookOutLeft", lambda face: face.left_eye[0], math.radians(40)),
    ("eyeLookInRight", lambda face: face.right_eye[0], math.radians(40)),
    ("eyeLookInLeft", lambda face: face.left_eye[0], -math.radians(40)),
    ("eyeLookDownRight", lambda face: face.right_eye[1], math.radians(35)),
    ("eyeLookUpLeft", lambda face: face.left_eye[1], -math.radians(30)),
]


@pytest.mark.parametrize(("shape", "angle", "expected"), LOOKS)
def test_the_eyes_turn_as_their_shapes_say(shape: str, angle: Callable[[Face], float], expected: float) -> None:
    motion = np.zeros(55, np.float32)
    motion[ARKIT55.index(shape)] = 1
    assert angle(face_of(motion)) == pytest.approx(expected)
