"""Frame rates as exact fractions, frames on the session clock, and the time of day in frames."""

import math
import time
from fractions import Fraction

from visavis.errors import InvalidArgument
from visavis.timecode import RATES, SECOND_NS, Rate, Timecode

LEAST, MOST = 24, 60


def parse_rate(text: str) -> Fraction:
    """A rate of 24 to 60 a second: `60`, `29.97` (which is 30000/1001) or `30000/1001`.  Raises InvalidArgument."""
    try:
        rate = RATES[text].fps if text in RATES else Fraction(text)
    except (ValueError, ZeroDivisionError):
        rate = Fraction(0)
    if not (LEAST * Fraction(1000, 1001) <= rate <= MOST) or rate.denominator > 1001:
        raise InvalidArgument(
            f"rate {text!r}: expected {LEAST} to {MOST} frames a second, such as 60, 23.976, 29.97, 59.94 or 30000/1001"
        )
    return rate


def frames_of(time_ns: int, rate: Fraction) -> tuple[int, float]:
    """Number and part, in [0, 1), of the frame at a time."""
    code = Timecode.at(time_ns, Rate(str(rate), rate, math.ceil(rate)))
    return code.frame_number, float(code.subframe)


def frames_until(time_ns: int, rate: Fraction) -> int:
    """How many frames begin before a time: the number of the first one at or after it."""
    return -(-time_ns * rate.numerator // (SECOND_NS * rate.denominator))


def frame_ns(n: int, rate: Fraction) -> int:
    """When frame n begins, nanoseconds."""
    return n * rate.denominator * SECOND_NS // rate.numerator


def ns_of_day(wall_ns: int) -> int:
    """Nanoseconds since local midnight of a Unix time."""
    local = time.localtime(wall_ns // SECOND_NS)
    return (local.tm_hour * 3600 + local.tm_min * 60 + local.tm_sec) * SECOND_NS + wall_ns % SECOND_NS
