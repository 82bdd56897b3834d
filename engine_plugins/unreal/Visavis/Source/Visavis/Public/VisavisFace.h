// A face at one moment: what every source of frames gives and everything that shows one takes.
#pragma once

#include "CoreMinimal.h"

struct FVisavisFace
{
	static constexpr int32 NumShapes = 52;

	/** Weights, 0 to 1, in the order of VisavisShapes::Name. */
	float Shapes[NumShapes] = {};
	/** Radians about ARKit's axes; VisavisAxes.h says how they become Unreal's. */
	float Yaw = 0.0f;
	float Pitch = 0.0f;
	float Roll = 0.0f;
	/** Session time that is shown, in nanoseconds, and the session clock's number; 0: nothing has come yet. */
	int64 SessionNs = 0;
	uint32 Epoch = 0;
	bool bSpeaking = false;
	/** All is zero: nothing has come yet, or it stopped coming and the face has eased. */
	bool bNeutral = true;
};
