// Stand-in for tests, see README.md.
#pragma once

#include <cassert>

#include "Misc/FrameRate.h"

struct FFrameNumber {
    int32 Value = 0;
    FFrameNumber() = default;
    FFrameNumber(int32 InValue) : Value(InValue) {}
};
struct FFrameTime {
    FFrameNumber FrameNumber;
    FFrameTime() = default;
    FFrameTime(FFrameNumber InNumber, float InSubFrame) : FrameNumber(InNumber), SubFrame(InSubFrame) {
        assert(InSubFrame >= 0.0f && InSubFrame < 1.0f);
    }
    float GetSubFrame() const { return SubFrame; }

  private:
    float SubFrame = 0;
};
struct FQualifiedFrameTime {
    FFrameTime Time;
    FFrameRate Rate = FFrameRate(24, 1);
    FQualifiedFrameTime() = default;
    FQualifiedFrameTime(const FFrameTime& InTime, const FFrameRate& InRate) : Time(InTime), Rate(InRate) {}
};
