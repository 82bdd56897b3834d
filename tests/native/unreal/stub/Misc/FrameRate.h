// Stand-in for tests, see README.md.
#pragma once

#include "Stub/Types.h"

struct FFrameRate {
    int32 Numerator = 60000;
    int32 Denominator = 1001;
    FFrameRate() = default;
    FFrameRate(uint32 InNumerator, uint32 InDenominator)
        : Numerator(static_cast<int32>(InNumerator)), Denominator(static_cast<int32>(InDenominator)) {}
    double AsDecimal() const { return static_cast<double>(Numerator) / Denominator; }
};
