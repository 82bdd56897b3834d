// Stand-in for tests, see README.md.
#pragma once

#include <algorithm>

#include "Stub/Types.h"

struct FMath {
    template <typename T>
    static T Max(T A, T B) {
        return std::max(A, B);
    }
    template <typename T>
    static T Min(T A, T B) {
        return std::min(A, B);
    }
    template <typename T>
    static T Clamp(T Value, T Low, T High) {
        return std::clamp(Value, Low, High);
    }
    template <typename T>
    static T Abs(T Value) {
        return Value < 0 ? -Value : Value;
    }
    static float Exp(float Value) { return std::exp(Value); }
    static float RadiansToDegrees(float Value) { return Value * (180.0f / UE_PI); }
    static double RadiansToDegrees(double Value) { return Value * (180.0 / 3.14159265358979323846); }
    static float DegreesToRadians(float Value) { return Value * (UE_PI / 180.0f); }
    static double DegreesToRadians(double Value) { return Value * (3.14159265358979323846 / 180.0); }
};
