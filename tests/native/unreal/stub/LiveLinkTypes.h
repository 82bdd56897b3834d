// Stand-in for tests, see README.md.
#pragma once

#include "CoreMinimal.h"
#include "Misc/QualifiedFrameTime.h"

struct FLiveLinkSubjectName {
    FName Name;
    FLiveLinkSubjectName(FName InName) : Name(InName) {}
};
struct FLiveLinkSubjectKey {
    FGuid Source;
    FLiveLinkSubjectName SubjectName;
    FLiveLinkSubjectKey(const FGuid& InSource, const FLiveLinkSubjectName& InName)
        : Source(InSource), SubjectName(InName) {}
};
struct FLiveLinkWorldTime {
    explicit FLiveLinkWorldTime(double InTime) : Time(InTime) {}
    FLiveLinkWorldTime() = default;
    double GetSourceTime() const { return Time; }

  private:
    double Time = 0;
};
struct FLiveLinkMetaData {
    TMap<FName, FString> StringMetaData;
    FQualifiedFrameTime SceneTime;
};
struct FLiveLinkBaseStaticData {
    static UScriptStruct* StaticStruct() {
        static UScriptStruct Struct{"LiveLinkBaseStaticData"};
        return &Struct;
    }
    TArray<FName> PropertyNames;
};
struct FLiveLinkBaseFrameData {
    static UScriptStruct* StaticStruct() {
        static UScriptStruct Struct{"LiveLinkBaseFrameData"};
        return &Struct;
    }
    FLiveLinkWorldTime WorldTime;
    FLiveLinkMetaData MetaData;
    TArray<float> PropertyValues;
};

namespace Stub {
/** Moves only, as the engine's. */
template <typename T>
class TDataStruct {
  public:
    explicit TDataStruct(const UScriptStruct* InStruct) : Struct(InStruct) {}
    TDataStruct(TDataStruct&&) = default;
    TDataStruct& operator=(TDataStruct&&) = default;
    template <typename O>
    O* Cast() {
        return Struct == O::StaticStruct() ? Data.get() : nullptr;
    }

  private:
    const UScriptStruct* Struct;
    std::unique_ptr<T> Data = std::make_unique<T>();
};
}  // namespace Stub
using FLiveLinkStaticDataStruct = Stub::TDataStruct<FLiveLinkBaseStaticData>;
using FLiveLinkFrameDataStruct = Stub::TDataStruct<FLiveLinkBaseFrameData>;
