// Names of the 52 shapes: as curves of Live Link subjects, and as morph targets of meshes from any tool.
#pragma once

#include "CoreMinimal.h"

namespace VisavisShapes
{
	/** Curve name of shape 0 to 51, such as "JawOpen": the names of Unreal's own ARKit face. */
	FName Name(int32 Shape);
	/** Names of the 52 shapes, then HeadYaw, HeadPitch, HeadRoll: the properties of a subject. */
	const TArray<FName>& CurveNames();
	/** The shape that a morph target means, or INDEX_NONE: jawOpen, JawOpen, jaw_open, eyeBlink_L,
	 *  EyeBlinkL, blendShape1.jawOpen, head_jawOpen, Face|browDown_R. */
	int32 Find(const FString& MorphTarget);
}  // namespace VisavisShapes
