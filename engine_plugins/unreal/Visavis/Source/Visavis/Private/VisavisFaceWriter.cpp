#include "VisavisFaceWriter.h"

#include "Animation/MorphTarget.h"
#include "Components/SceneComponent.h"
#include "Components/SkeletalMeshComponent.h"
#include "Engine/SkeletalMesh.h"
#include "GameFramework/Actor.h"

#include "VisavisAxes.h"
#include "VisavisLocalSource.h"
#include "VisavisLog.h"
#include "VisavisShapes.h"

void FVisavisFaceWriter::FindMeshes(AActor& Owner, bool bMorphTargets, FName MeshTag, FName HeadComponent)
{
	TArray<USceneComponent*> Components;
	Owner.GetComponents(Components);
	Morphs.Empty();
	int32 NumMeshes = 0;
	for (USceneComponent* const Component : Components)
	{
		USkeletalMeshComponent* const Mesh = Cast<USkeletalMeshComponent>(Component);
		if (bMorphTargets && Mesh != nullptr && (MeshTag.IsNone() || Mesh->ComponentHasTag(MeshTag)))
		{
			NumMeshes += AddMorphs(*Mesh) > 0 ? 1 : 0;
		}
		if (!HeadComponent.IsNone() && Component->GetFName() == HeadComponent && !Turning.IsValid())
		{
			Turning = Component;
			Rest = Component->GetRelativeRotation();
		}
	}
	UE_LOG(LogVisavis, Log, TEXT("%s: %d morph targets of %d meshes follow the face"), *Owner.GetName(), Morphs.Num(),
		   NumMeshes);
	if (bMorphTargets && Morphs.Num() == 0 && SubjectName.IsNone())
	{
		UE_LOG(LogVisavis, Warning,
			   TEXT("%s: no morph target is named like an ARKit shape (jawOpen, JawOpen, eyeBlink_L, "
					"blendShape1.jawOpen): import the mesh with its morph targets, or, for a MetaHuman, set "
					"LiveLinkSubject and choose that subject as its ARKit face"),
			   *Owner.GetName());
	}
	if (!HeadComponent.IsNone() && !Turning.IsValid())
	{
		UE_LOG(LogVisavis, Warning, TEXT("%s: no scene component is called \"%s\": the head does not turn"),
			   *Owner.GetName(), *HeadComponent.ToString());
	}
}

int32 FVisavisFaceWriter::AddMorphs(USkeletalMeshComponent& Mesh)
{
	const USkeletalMesh* const Asset = Mesh.GetSkeletalMeshAsset();
	const int32 Before = Morphs.Num();
	if (Asset == nullptr)
	{
		return 0;
	}
	for (const UMorphTarget* const Target : Asset->GetMorphTargets())
	{
		const int32 Shape = Target != nullptr ? VisavisShapes::Find(Target->GetName()) : INDEX_NONE;
		if (Shape != INDEX_NONE)
		{
			Morphs.Add(FMorph{&Mesh, Target->GetFName(), Shape, 0.0f});
		}
	}
	return Morphs.Num() - Before;
}

void FVisavisFaceWriter::Write(const FVisavisFace& Face)
{
	for (FMorph& Morph : Morphs)
	{
		const float Weight = Face.Shapes[Morph.Shape];
		USkeletalMeshComponent* const Mesh = Morph.Mesh.Get();
		if (Mesh != nullptr && Weight != Morph.Written)
		{
			Mesh->SetMorphTarget(Morph.Name, Weight);
			Morph.Written = Weight;
		}
	}
	if (USceneComponent* const Component = Turning.Get())
	{
		// The head's own turn first, then its rest against its parent.
		Component->SetRelativeRotation(Rest.Quaternion() * VisavisAxes::ToRotator(Face).Quaternion());
	}
	PushSubject(Face);
}

void FVisavisFaceWriter::PushSubject(const FVisavisFace& Face)
{
	if (SubjectName.IsNone() || (Face.bNeutral && bNeutralPushed))
	{
		return;
	}
	if (!Subject.IsValid())
	{
		FVisavisConnection Layout;
		Layout.AngleUnit = AngleUnit;
		Subject = VisavisLocalSource::MakeSubject(SubjectName, Layout);
	}
	if (Subject.IsValid())
	{
		Subject->Push(Face);
		bNeutralPushed = Face.bNeutral;
	}
	else
	{
		SubjectName = NAME_None;  // the log has said why
	}
}

void FVisavisFaceWriter::RemoveSubject()
{
	if (Subject.IsValid())
	{
		Subject->Remove();
		Subject.Reset();
	}
}
