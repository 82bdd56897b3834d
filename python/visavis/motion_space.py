"""Motion spaces: the names, units and groups of the channels of a motion vector.

`arkit55`: the 52 ARKit blendshapes in [0, 1] and headYaw, headPitch, headRoll in radians (YXZ), in the order of Live
Link Face (its first 55 of 61 columns).  `flame56`: FLAME expression (50), jaw axis-angle (3, rad), neck axis-angle
(3, rad), the order of the DualTalk protocol.
"""

from dataclasses import dataclass

from visavis.errors import InvalidArgument

_EYES = tuple(
    f"eye{what}{side}"
    for side in ("Left", "Right")
    for what in ("Blink", "LookDown", "LookIn", "LookOut", "LookUp", "Squint", "Wide")
)
_MOUTH = tuple(
    "jawForward jawLeft jawRight jawOpen mouthClose mouthFunnel mouthPucker mouthLeft mouthRight mouthSmileLeft"
    " mouthSmileRight mouthFrownLeft mouthFrownRight mouthDimpleLeft mouthDimpleRight mouthStretchLeft"
    " mouthStretchRight mouthRollLower mouthRollUpper mouthShrugLower mouthShrugUpper mouthPressLeft mouthPressRight"
    " mouthLowerDownLeft mouthLowerDownRight mouthUpperUpLeft mouthUpperUpRight".split()
)
_UPPER = tuple(
    "browDownLeft browDownRight browInnerUp browOuterUpLeft browOuterUpRight cheekPuff cheekSquintLeft"
    " cheekSquintRight noseSneerLeft noseSneerRight".split()
)
ARKIT_SHAPES = _EYES + _MOUTH + _UPPER + ("tongueOut",)
HEAD_ANGLES = ("headYaw", "headPitch", "headRoll")
FLAME_CHANNELS = (
    tuple(f"exp{i}" for i in range(50)) + tuple(f"jaw{a}" for a in "XYZ") + tuple(f"neck{a}" for a in "XYZ")
)


@dataclass(frozen=True)
class MotionSpace:
    """A motion space: channel names with their units ("1" for a weight, "rad") and the groups of the loss.

    `eye_layer` names the channels that the rig's eye layer owns when a model leaves the eyes to it.
    """

    name: str
    channels: tuple[str, ...]
    units: tuple[str, ...]
    groups: dict[str, tuple[int, ...]]
    eye_layer: tuple[int, ...]

    def index(self, channel: str) -> int:
        """Position of a channel; raises InvalidArgument with the valid names."""
        try:
            return self.channels.index(channel)
        except ValueError:
            raise InvalidArgument(
                f"motion space {self.name}: no channel {channel!r}; it has {', '.join(self.channels)}"
            ) from None


def _arkit55() -> MotionSpace:
    channels = ARKIT_SHAPES + HEAD_ANGLES
    at = channels.index
    eye_layer = tuple(i for i, name in enumerate(channels) if name.startswith(("eyeBlink", "eyeLook")))
    mouth = tuple(at(name) for name in _MOUTH) + (at("tongueOut"),)
    head = tuple(at(name) for name in HEAD_ANGLES)
    upper = tuple(i for i in range(len(channels)) if i not in mouth + head)
    units = ("1",) * len(ARKIT_SHAPES) + ("rad",) * 3
    groups = {"mouth": mouth, "upper": upper, "head": head}
    return MotionSpace("arkit55", channels, units, groups, eye_layer)


def _flame56() -> MotionSpace:
    groups = {"exp": tuple(range(50)), "jaw": tuple(range(50, 53)), "neck": tuple(range(53, 56))}
    return MotionSpace("flame56", FLAME_CHANNELS, ("1",) * 50 + ("rad",) * 6, groups, ())


ARKIT55 = _arkit55()
FLAME56 = _flame56()
MOTION_SPACES = {space.name: space for space in (ARKIT55, FLAME56)}


def motion_space(name: str) -> MotionSpace:
    """The motion space of that name; raises InvalidArgument with the known names."""
    if name not in MOTION_SPACES:
        raise InvalidArgument(f"motion space {name!r} is unknown; known: {', '.join(MOTION_SPACES)}")
    return MOTION_SPACES[name]
