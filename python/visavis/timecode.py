"""SMPTE timecode: session time, frame counts and labels such as 01:00:00;02.250, exact to the nanosecond.

    rate = rate_named("29.97df")
    code = Timecode.at(81_500_000_000, rate, start=Timecode.parse("10:00:00;00", rate))
    str(code), code.frame_number, code.subframe, code.ns

Integers and Fractions, never floats.  A drop-frame label leaves out frame numbers (never frames): two of 29.97, four
of 59.94, at the start of every minute but each tenth, so that it keeps up with the clock.  Labels wrap after 24 h.
"""

import math
import re
from dataclasses import dataclass
from fractions import Fraction

from visavis.errors import InvalidArgument

SECOND_NS = 1_000_000_000
MINUTES_A_DAY = 24 * 60
LABEL = re.compile(r"(\d{2}):([0-5]\d):([0-5]\d)([:;])(\d{2,3})(?:\.(\d{1,9}))?", re.ASCII)


@dataclass(frozen=True)
class Rate:
    """A timecode rate."""

    name: str
    fps: Fraction  # frames of real time, 30000/1001 of 29.97
    nominal: int  # frame numbers a second of the label
    dropped: int = 0  # frame numbers that a minute leaves out, but for each tenth

    @property
    def frames_a_day(self) -> int:
        """Labels in 24 h of the label."""
        return self._labelled(MINUTES_A_DAY)

    def _labelled(self, minutes: int) -> int:
        """Frames before the label HH:MM:00 that is so many minutes after 00:00."""
        return minutes * 60 * self.nominal - self.dropped * (minutes - minutes // 10)

    def count(self, hours: int, minutes: int, seconds: int, frame: int) -> int:
        """The number of frames before a label.  Raises InvalidArgument for a label that the rate does not have."""
        if not (0 <= hours < 24 and 0 <= minutes < 60 and 0 <= seconds < 60 and 0 <= frame < self.nominal):
            raise InvalidArgument(
                f"timecode {hours:02}:{minutes:02}:{seconds:02}:{frame:02}: expected at most 23:59:59:"
                f"{self.nominal - 1:02} at {self.name}"
            )
        if seconds == 0 and frame < self.dropped and minutes % 10:
            raise InvalidArgument(
                f"timecode {hours:02}:{minutes:02}:00;{frame:02}: {self.name} drops frame numbers 0 to "
                f"{self.dropped - 1} of this minute; expected 00;{self.dropped:02} or later"
            )
        return self._labelled(hours * 60 + minutes) + seconds * self.nominal + frame

    def label(self, n_frames: int) -> tuple[int, int, int, int]:
        """Hours, minutes, seconds and frame number of the frame after `n_frames` others, wrapped at 24 h."""
        number = n_frames % self.frames_a_day
        tens, rest = divmod(number, self._labelled(10))
        # The first of ten minutes is whole; each other one lacks its first numbers.
        short_minutes = max(0, (rest - self.dropped) // (60 * self.nominal - self.dropped))
        number += self.dropped * (9 * tens + short_minutes)
        seconds, frame = divmod(number, self.nominal)
        return seconds // 3600, seconds // 60 % 60, seconds % 60, frame


_NTSC = Fraction(1000, 1001)
RATES: dict[str, Rate] = {
    rate.name: rate
    for rate in (
        Rate("23.976", 24 * _NTSC, 24),
        Rate("24", Fraction(24), 24),
        Rate("25", Fraction(25), 25),
        Rate("29.97", 30 * _NTSC, 30),
        Rate("29.97df", 30 * _NTSC, 30, dropped=2),
        Rate("30", Fraction(30), 30),
        Rate("50", Fraction(50), 50),
        Rate("59.94", 60 * _NTSC, 60),
        Rate("59.94df", 60 * _NTSC, 60, dropped=4),
        Rate("60", Fraction(60), 60),
    )
}


def rate_named(name: str) -> Rate:
    """The rate of that name: "25", "29.97df", "29.97 NDF", ...  Raises InvalidArgument with the known names."""
    plain = name.strip().lower().replace(" ", "").replace("-", "").removesuffix("fps").removesuffix("ndf")
    plain = {"23.98": "23.976"}.get(plain, plain)
    if plain not in RATES:
        raise InvalidArgument(f"timecode rate {name!r} is unknown; expected one of {', '.join(RATES)}")
    return RATES[plain]


@dataclass(frozen=True)
class Timecode:
    """A moment: frames since the label 00:00:00:00, with the fraction of a frame."""

    rate: Rate
    frames: Fraction

    @classmethod
    def at(cls, time_ns: int, rate: Rate, start: "Timecode | None" = None) -> "Timecode":
        """The timecode of a time, where time 0 has the timecode `start` (default: 00:00:00:00)."""
        return cls(rate, Fraction(time_ns) * rate.fps / SECOND_NS + (_of_rate(start, rate).frames if start else 0))

    @classmethod
    def parse(cls, text: str, rate: Rate) -> "Timecode":
        """Read HH:MM:SS:FF or HH:MM:SS:FF.sub; `;` before FF only at a drop-frame rate.  Raises InvalidArgument."""
        match = LABEL.fullmatch(text.strip())
        if match is None:
            raise InvalidArgument(f"timecode {text!r}: expected HH:MM:SS:FF or HH:MM:SS:FF.sub such as 01:00:00:12.500")
        hours, minutes, seconds, mark, frame, sub = match.groups()
        if mark == ";" and not rate.dropped:
            raise InvalidArgument(f"timecode {text!r}: `;` means drop-frame, which {rate.name} is not; expected `:`")
        fraction = Fraction(int(sub), 10 ** len(sub)) if sub else Fraction(0)
        return cls(rate, rate.count(int(hours), int(minutes), int(seconds), int(frame)) + fraction)

    @property
    def frame_number(self) -> int:
        """Whole frames since 00:00:00:00."""
        return math.floor(self.frames)

    @property
    def subframe(self) -> Fraction:
        """What is left of a frame, 0 to below 1."""
        return self.frames - self.frame_number

    @property
    def label(self) -> tuple[int, int, int, int]:
        """Hours, minutes, seconds and frame number, wrapped at 24 h."""
        return self.rate.label(self.frame_number)

    @property
    def ns(self) -> int:
        """The time from 00:00:00:00 on: the first nanosecond at or after the moment.  `at(t, rate).ns == t`."""
        return math.ceil(self.frames * SECOND_NS / self.rate.fps)

    def since_ns(self, start: "Timecode") -> int:
        """The time from `start` on, the inverse of `at(..., start)`."""
        return Timecode(self.rate, self.frames - _of_rate(start, self.rate).frames).ns

    def text(self, digits: int = 3, separator: str | None = None) -> str:
        """HH:MM:SS:FF with so many digits of sub-frames, rounded to the nearest; 0: the frame that the moment is in.

        `separator` stands before FF: `;` for drop-frame rates, else `:`, if not said otherwise.
        """
        whole, sub = divmod(round(self.frames * 10**digits) if digits else self.frame_number, 10**digits)
        hours, minutes, seconds, frame = self.rate.label(whole)
        mark = separator or (";" if self.rate.dropped else ":")
        return f"{hours:02}:{minutes:02}:{seconds:02}{mark}{frame:02}" + (f".{sub:0{digits}}" if digits else "")

    def __str__(self) -> str:
        return self.text(0) if self.subframe == 0 else self.text()


def _of_rate(code: Timecode, rate: Rate) -> Timecode:
    if code.rate != rate:
        raise InvalidArgument(f"timecode {code} is of rate {code.rate.name}; expected {rate.name}")
    return code
