// The game's tick of the harness.
#include "play.h"

#include <sys/resource.h>

#include <chrono>

#include "HAL/PlatformTime.h"

Stub::FLiveLink* LiveLink = nullptr;
double LongestWaitMs = 0.0;

static long GivenUp() {
    rusage Usage{};
    getrusage(RUSAGE_THREAD, &Usage);
    return Usage.ru_nvcsw;
}
void OnGameThread(const std::function<void()>& Work) {
    const double Began = FPlatformTime::Seconds();
    const long Before = GivenUp();
    Work();
    if (GivenUp() != Before) LongestWaitMs = std::max(LongestWaitMs, (FPlatformTime::Seconds() - Began) * 1e3);
}

void Play(double Seconds, const std::function<void(double)>& Tick, const std::function<bool()>& Done) {
    const auto Began = std::chrono::steady_clock::now();
    for (int Index = 0;; ++Index) {
        const double Time = Index * TickSeconds;
        if (Time >= Seconds && (Done() || Time >= Seconds + 20.0)) return;
        std::this_thread::sleep_until(Began + std::chrono::nanoseconds(static_cast<int64>(Time * 1e9)));
        OnGameThread([&] {
            LiveLink->Tick();
            Tick(Time);
        });
    }
}

void PrintLiveLink(Json& Out) {
    Out.Key("faults").Strings(LiveLink->Faults());
    Out.Key("subjects").Open('[');
    for (const Stub::FSubject& Subject : LiveLink->Subjects()) {
        Out.Open('{').Key("name").String(Subject.Name).Key("static").Number(Subject.NumStatic);
        Out.Key("removed")
            .Number(Subject.bRemoved)
            .Key("properties")
            .Strings(Subject.Properties)
            .Key("frames")
            .Open('[');
        for (const Stub::FFrame& Frame : Subject.Frames) {
            Out.Open('{').Key("world").Number(Frame.WorldTime).Key("frame").Number(Frame.Frame);
            Out.Key("sub").Number(Frame.SubFrame).Key("rate").Number(Frame.Rate.AsDecimal());
            Out.Key("state").String(Frame.State).Key("session").Number(Frame.SessionTime);
            Out.Key("values").Numbers(Frame.Values).Close('}');
        }
        Out.Close(']').Close('}');
    }
    Out.Close(']');
}
