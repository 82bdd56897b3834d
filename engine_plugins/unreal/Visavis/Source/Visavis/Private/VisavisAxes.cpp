#include "VisavisAxes.h"

#include "Math/Rotator.h"
#include "Math/UnrealMathUtility.h"

FRotator VisavisAxes::ToRotator(const FVisavisFace& Face)
{
	return FRotator(FMath::RadiansToDegrees(-static_cast<double>(Face.Pitch)),
					FMath::RadiansToDegrees(-static_cast<double>(Face.Yaw)),
					FMath::RadiansToDegrees(static_cast<double>(Face.Roll)));
}

void VisavisAxes::FromRotator(const FRotator& Rotator, FVisavisFace& Face)
{
	Face.Pitch = static_cast<float>(FMath::DegreesToRadians(-Rotator.Pitch));
	Face.Yaw = static_cast<float>(FMath::DegreesToRadians(-Rotator.Yaw));
	Face.Roll = static_cast<float>(FMath::DegreesToRadians(Rotator.Roll));
}

float VisavisAxes::ToCurve(float Radians, EVisavisAngleUnit Unit)
{
	switch (Unit)
	{
		case EVisavisAngleUnit::Degrees: return FMath::RadiansToDegrees(Radians);
		case EVisavisAngleUnit::HalfTurns: return Radians / UE_PI;
		default: return Radians;
	}
}
