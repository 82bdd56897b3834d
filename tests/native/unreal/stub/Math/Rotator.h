// Stand-in for tests, see README.md: rotations about Z (yaw), Y (pitch), X (roll) of a left-handed frame, in degrees.
#pragma once

#include "Math/UnrealMathUtility.h"

struct FQuat {
    double X = 0, Y = 0, Z = 0, W = 1;
    /** The right one first. */
    FQuat operator*(const FQuat& B) const {
        return {W * B.X + X * B.W + Y * B.Z - Z * B.Y, W * B.Y - X * B.Z + Y * B.W + Z * B.X,
                W * B.Z + X * B.Y - Y * B.X + Z * B.W, W * B.W - X * B.X - Y * B.Y - Z * B.Z};
    }
};
struct FRotator {
    double Pitch = 0, Yaw = 0, Roll = 0;
    FRotator() = default;
    FRotator(double InPitch, double InYaw, double InRoll) : Pitch(InPitch), Yaw(InYaw), Roll(InRoll) {}
    /** Pitch lifts X towards Z, roll lowers Y: both negative turns by the frame's axes. */
    FQuat Quaternion() const {
        const double P = FMath::DegreesToRadians(Pitch) / 2, Q = FMath::DegreesToRadians(Yaw) / 2,
                     R = FMath::DegreesToRadians(Roll) / 2;
        return FQuat{0, 0, std::sin(Q), std::cos(Q)} * FQuat{0, -std::sin(P), 0, std::cos(P)} *
               FQuat{-std::sin(R), 0, 0, std::cos(R)};
    }
    static const FRotator ZeroRotator;
};
inline const FRotator FRotator::ZeroRotator;
