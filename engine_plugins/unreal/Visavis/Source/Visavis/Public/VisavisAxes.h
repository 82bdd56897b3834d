// The one place that knows axes and units of angles.
//
//   Visavis (ARKit)   right-handed: x to the person's own left, y up, z out of the face; radians; order Y X Z
//   Unreal            left-handed: X out of the face, Y to the person's own right, Z up; degrees; order Z Y X
//
// So Unreal's X, Y, Z are ARKit's z, -x, y.  Yaw, pitch and roll turn about the same three lines in the same order in
// both; what differs is the sense: ARKit's yaw is positive to the person's left, Unreal's to the right; ARKit's pitch
// is positive chin down, Unreal's chin up; roll is positive towards the right shoulder in both.
#pragma once

#include "CoreMinimal.h"
#include "VisavisConnection.h"
#include "VisavisFace.h"

namespace VisavisAxes
{
	/** The head's rotation relative to its rest, for a component or bone whose X looks out of the face and Z up. */
	VISAVIS_API FRotator ToRotator(const FVisavisFace& Face);
	/** The inverse, for angles inside (-90, 90) degrees. */
	VISAVIS_API void FromRotator(const FRotator& Rotator, FVisavisFace& Face);
	/** An angle as a curve: ARKit's sense and order, as Live Link Face sends it, in the unit that the rig expects. */
	VISAVIS_API float ToCurve(float Radians, EVisavisAngleUnit Unit);
}  // namespace VisavisAxes
