// What a test sees of the stand-in engine, see README.md: its log, its Live Link, its audio thread, its clock of
// stalls.
#pragma once

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

#include "ILiveLinkClient.h"
#include "ILiveLinkSource.h"

class UAudioComponent;

namespace Stub {
/** "Warning: text" of every line so far; any thread. */
std::vector<std::string> TakeLog();

struct FFrame {
    double WorldTime;
    int32 Frame;
    float SubFrame;
    FFrameRate Rate;
    std::string State;
    double SessionTime;
    std::vector<float> Values;
};
struct FSubject {
    std::string Name;
    std::vector<std::string> Properties;
    int NumStatic = 0;
    bool bRemoved = false;
    std::vector<FFrame> Frames;
};

/** Records what sources push, and behaves to them as Live Link does: one tick, one owner, shut down by asking again. */
class FLiveLink : public ILiveLinkClient {
  public:
    FGuid AddSource(TSharedPtr<ILiveLinkSource> Source) override;
    void RemoveSource(FGuid Source) override;
    void PushSubjectStaticData_AnyThread(const FLiveLinkSubjectKey& Key, TSubclassOf<ULiveLinkRole> Role,
                                         FLiveLinkStaticDataStruct&& StaticData) override;
    void PushSubjectFrameData_AnyThread(const FLiveLinkSubjectKey& Key, FLiveLinkFrameDataStruct&& FrameData) override;
    void RemoveSubject_AnyThread(const FLiveLinkSubjectKey& Key) override;
    /** Updates sources, forgets those that are done. */
    void Tick();
    int32 NumSources() const { return Sources.Num(); }
    ILiveLinkSource* Source(int32 Index) const { return Sources[Index].Source.Get(); }
    ULiveLinkSourceSettings* Settings(int32 Index) const { return Sources[Index].Settings; }
    std::vector<FSubject> Subjects();
    /** What broke the rules of pushing. */
    std::vector<std::string> Faults();

  private:
    struct FEntry {
        FGuid Guid;
        TSharedPtr<ILiveLinkSource> Source;
        ULiveLinkSourceSettings* Settings;
        bool bEnding = false;
    };
    FSubject* Find(const FLiveLinkSubjectKey& Key);
    void Check(bool bGood, const char* Fault);

    TArray<FEntry> Sources;
    uint32 NextGuid = 1;
    std::mutex Lock;
    std::vector<FSubject> Recorded;
    std::vector<FGuid> Alive;
    std::vector<std::string> Broken;
};

/** Asks the sounds that play for 1024 samples at a time, in real time, on a thread of its own. */
class FAudioThread {
  public:
    FAudioThread();
    ~FAudioThread();
    static void Start(UAudioComponent* Player);
    static void Stop(UAudioComponent* Player);
    /** The loudest of every block since the last call, of all sounds. */
    static std::vector<float> TakeLevels();

  private:
    std::atomic<bool> bStop{false};
    std::thread Thread;
};
}  // namespace Stub
