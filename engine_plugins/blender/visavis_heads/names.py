"""The 52 ARKit shapes and three angles, and how meshes and bones may spell them.  Knows no Blender."""

import re

SHAPES = (
    "eyeBlinkLeft", "eyeLookDownLeft", "eyeLookInLeft", "eyeLookOutLeft", "eyeLookUpLeft", "eyeSquintLeft",
    "eyeWideLeft", "eyeBlinkRight", "eyeLookDownRight", "eyeLookInRight", "eyeLookOutRight", "eyeLookUpRight",
    "eyeSquintRight", "eyeWideRight", "jawForward", "jawLeft", "jawRight", "jawOpen", "mouthClose", "mouthFunnel",
    "mouthPucker", "mouthLeft", "mouthRight", "mouthSmileLeft", "mouthSmileRight", "mouthFrownLeft", "mouthFrownRight",
    "mouthDimpleLeft", "mouthDimpleRight", "mouthStretchLeft", "mouthStretchRight", "mouthRollLower", "mouthRollUpper",
    "mouthShrugLower", "mouthShrugUpper", "mouthPressLeft", "mouthPressRight", "mouthLowerDownLeft",
    "mouthLowerDownRight", "mouthUpperUpLeft", "mouthUpperUpRight", "browDownLeft", "browDownRight", "browInnerUp",
    "browOuterUpLeft", "browOuterUpRight", "cheekPuff", "cheekSquintLeft", "cheekSquintRight", "noseSneerLeft",
    "noseSneerRight", "tongueOut",
)  # fmt: skip
ANGLES = ("headYaw", "headPitch", "headRoll")
CHANNELS = SHAPES + ANGLES  # 55: a frame of motion
NEUTRAL = (0.0,) * len(CHANNELS)

_SIDE = re.compile(r"(?:[ _.-]([LRlr])|(?<=[a-z])([LR]))$")
_SIDES = {"l": "Left", "r": "Right"}
_INDEX = {name.lower(): index for index, name in enumerate(CHANNELS)}


def _plain(name):
    return re.sub(r"[ _.-]", "", name).lower()


def channel_of(name):
    """The channel (0 to 54) that a shape key of that name shows, or None: jawOpen, JawOpen, jaw_open, eyeBlink_L,
    EyeBlinkLeft, EyeBlinkL, eye_blink_left, blendShape1.jawOpen, Face|browDown_R.
    """
    for tail in (name, re.split(r"[.|:](?![LRlr]$)", name)[-1]):
        sided = _SIDE.sub(lambda found: _SIDES[(found[1] or found[2]).lower()], tail)
        for spelled in (tail, sided):
            if _plain(spelled) in _INDEX:
                return _INDEX[_plain(spelled)]
    return None


def find_bone(names, word):
    """The bone that is called so ("head", "neck"), whatever its rig puts before: Head, mixamorig:Head, CC_Base_Head,
    c_head.x, J_Bip_C_Head.  The shortest such name, or "".
    """
    found = [name for name in names if re.search(rf"(^|[^a-z]){word}([ _.-]?(x|01|1))?$", name, re.IGNORECASE)]
    return min(found, key=lambda name: (len(name), name), default="")
