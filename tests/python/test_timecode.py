"""Timecode against a clerk who writes down every label of a day, and against numbers that standards publish."""

import re
from collections.abc import Iterator
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st

from visavis.errors import InvalidArgument
from visavis.timecode import RATES, Rate, Timecode, rate_named

DF = RATES["29.97df"]
DAY_NS = 86_400 * 10**9


Label = tuple[int, int, int, int]


def labels_of_a_day(rate: Rate) -> Iterator[Label]:
    """Every label, by the rule as editors learn it: leave out ;00 and ;01 (59.94: to ;03) but each tenth minute."""
    left_out = {30: 2, 60: 4}[rate.nominal] if rate.name.endswith("df") else 0
    for hour in range(24):
        for minute in range(60):
            skips = left_out if minute not in (0, 10, 20, 30, 40, 50) else 0
            for second in range(60):
                for frame in range(skips if second == 0 else 0, rate.nominal):
                    yield hour, minute, second, frame


@pytest.mark.parametrize("name", ["29.97df", "59.94df", "25"])
def test_every_minute_of_a_day(name: str) -> None:
    rate, n_labels = RATES[name], 0
    for number, expected in enumerate(labels_of_a_day(rate)):
        n_labels += 1
        if expected[2] in (0, 59) and (expected[3] < 5 or expected[3] > rate.nominal - 3):
            assert rate.label(number) == expected and rate.count(*expected) == number
    assert n_labels == rate.frames_a_day
    assert rate.label(rate.frames_a_day) == (0, 0, 0, 0) and rate.label(-1) == (23, 59, 59, rate.nominal - 1)


def test_published_identities() -> None:
    assert Timecode.parse("00:10:00;00", DF).frames == 17_982
    assert Timecode.parse("01:00:00;00", DF).frames == 107_892
    assert DF.frames_a_day == 2_589_408
    assert (
        Timecode(DF, Fraction(1_800)).text(0) == "00:01:00;02"
        and Timecode(DF, Fraction(1_799)).text(0) == "00:00:59;29"
    )
    assert RATES["59.94df"].frames_a_day == 5_178_816 and RATES["23.976"].frames_a_day == 2_073_600
    # Drop-frame keeps up with the clock to 2.6 frames a day; non-drop-frame falls behind by 86.4 s.
    assert Timecode.at(DAY_NS, DF).frames - DF.frames_a_day == Fraction(2_592_000_000, 1001) - 2_589_408
    assert 86_313 < RATES["29.97"].frames_a_day / 30 / Fraction(1001, 1000) < 86_314
    assert Timecode.at(3_600 * 10**9, RATES["29.97"]).text(0) == "00:59:56:12"


@pytest.mark.parametrize("rate", RATES.values(), ids=RATES)
@given(time_ns=st.integers(0, 3 * DAY_NS), start=st.integers(0, 10**6))
def test_time_survives_the_round_trip(rate: Rate, time_ns: int, start: int) -> None:
    begin = Timecode(rate, Fraction(start, 7))
    code = Timecode.at(time_ns, rate, begin)
    assert code.since_ns(begin) == time_ns and Timecode.at(time_ns, rate).ns == time_ns
    assert code.frame_number + code.subframe == code.frames and 0 <= code.subframe < 1


@pytest.mark.parametrize("rate", RATES.values(), ids=RATES)
@given(number=st.integers(0, 5_184_000 - 1), sub=st.integers(0, 999))
def test_frames_survive_time_and_text(rate: Rate, number: int, sub: int) -> None:
    number %= rate.frames_a_day
    assert Timecode.at(Timecode(rate, Fraction(number)).ns, rate).frame_number == number
    code = Timecode(rate, number + Fraction(sub, 1000))
    assert Timecode.parse(code.text(), rate) == code and Timecode.parse(str(code), rate) == code
    assert rate.count(*code.label) == number


def test_sub_frames_are_exact_and_rounded_only_as_text() -> None:
    code = Timecode.at(1, RATES["29.97"])  # one nanosecond
    assert code.subframe == Fraction(30_000, 1001) / 10**9
    assert Timecode.at(40_000_000, RATES["24"]).text() == "00:00:00:00.960"
    almost = Timecode(RATES["25"], 24 + Fraction(9_999, 10_000))
    assert (
        almost.text() == "00:00:01:00.000" and almost.text(0) == "00:00:00:24" and almost.text(4) == "00:00:00:24.9999"
    )
    assert Timecode.at(0, DF).text(separator=":") == "00:00:00:00.000"


def test_names_of_rates() -> None:
    assert rate_named("29.97 DF") is DF and rate_named("29.97-ndf") is RATES["29.97"]
    assert rate_named("23.98") is RATES["23.976"] and rate_named("25fps").fps == 25
    with pytest.raises(InvalidArgument, match=r"'26' is unknown; expected one of 23\.976, 24, 25"):
        rate_named("26")


@pytest.mark.parametrize(
    ("text", "rate", "said"),
    [
        ("00:01:00;01", "29.97df", "drops frame numbers 0 to 1 of this minute"),
        ("00:59:00;03", "59.94df", "drops frame numbers 0 to 3"),
        ("00:00:00;00", "25", "`;` means drop-frame, which 25 is not"),
        ("00:00:00:25", "25", "expected at most 23:59:59:24 at 25"),
        ("24:00:00:00", "25", "expected at most 23:59:59:24"),
        ("00:60:00:00", "25", "expected HH:MM:SS:FF"),
        ("1:00:00:00", "25", "expected HH:MM:SS:FF"),
        ("00:00:00:00.", "25", "expected HH:MM:SS:FF"),
        ("\u0660\u0660:00:00:00", "25", "expected HH:MM:SS:FF"),
        ("", "25", "expected HH:MM:SS:FF"),
    ],
)
def test_a_bad_label_is_refused(text: str, rate: str, said: str) -> None:
    with pytest.raises(InvalidArgument, match=re.escape(said)):
        Timecode.parse(text, RATES[rate])


def test_rates_do_not_mix() -> None:
    with pytest.raises(InvalidArgument, match=r"is of rate 25; expected 24"):
        Timecode.at(0, RATES["24"], Timecode.at(0, RATES["25"]))
