// Writes a face where it is to be seen: morph targets, a scene component that turns, a Live Link subject.  Game thread.
#pragma once

#include "CoreMinimal.h"
#include "UObject/WeakObjectPtrTemplates.h"

#include "VisavisConnection.h"
#include "VisavisFace.h"
#include "VisavisSubject.h"

class AActor;
class USceneComponent;
class USkeletalMeshComponent;

class FVisavisFaceWriter
{
public:
	FVisavisFaceWriter(FName InSubject, EVisavisAngleUnit InUnit) : SubjectName(InSubject), AngleUnit(InUnit) {}
	void FindMeshes(AActor& Owner, bool bMorphTargets, FName MeshTag, FName HeadComponent);
	void Write(const FVisavisFace& Face);
	void RemoveSubject();

private:
	struct FMorph
	{
		TWeakObjectPtr<USkeletalMeshComponent> Mesh;
		FName Name;
		int32 Shape;
		float Written;
	};

	int32 AddMorphs(USkeletalMeshComponent& Mesh);
	void PushSubject(const FVisavisFace& Face);

	FName SubjectName;
	EVisavisAngleUnit AngleUnit;
	TArray<FMorph> Morphs;
	TWeakObjectPtr<USceneComponent> Turning;
	FRotator Rest = FRotator::ZeroRotator;
	TUniquePtr<FVisavisSubject> Subject;
	bool bNeutralPushed = false;
};
