// What the harness's scenes share: the game's tick, waits that it must not have, a talk that is interrupted.
#pragma once

#include <functional>
#include <string>

#include "Stub/Engine.h"
#include "VisavisHeadComponent.h"
#include "json.h"

constexpr double TickSeconds = 1.0 / 60.0;
extern Stub::FLiveLink* LiveLink;
/** The longest wait inside a piece of the game thread, in milliseconds.  A piece that only lost the processor to others
 *  did not wait: the thread gave nothing up. */
extern double LongestWaitMs;

void OnGameThread(const std::function<void()>& Work);
/** Ticks at 60 Hz for so long, and for up to 20 s more until it is done: a busy machine may be late with everything. */
void Play(
    double Seconds, const std::function<void(double)>& Tick, const std::function<bool()>& Done = [] { return true; });
void PrintLiveLink(Json& Out);

inline FString Text(const char* Utf8) { return FString(UTF8_TO_TCHAR(Utf8)); }
inline std::string Text(const FString& Value) { return TCHAR_TO_UTF8(*Value); }

/** Half a second of listening after the interruption: then a talk is over. */
struct FTalk {
    double SpokeAt = -1.0, HeardAt = -1.0, InterruptedAt = -1.0, QuietSince = -1.0;
    bool bOver = false;
    /** True once: the voice has been heard for so long. */
    bool Interrupts(const UVisavisHeadComponent& Head, double Time, double After) {
        if (HeardAt < 0 && Head.IsSpeaking()) HeardAt = Time;
        if (HeardAt >= 0 && Time > HeardAt + After && InterruptedAt < 0) return InterruptedAt = Time, true;
        if (Head.IsSpeaking() || InterruptedAt < 0) QuietSince = Time;
        bOver = InterruptedAt >= 0 && Time > QuietSince + 0.5;
        return false;
    }
};

// stream ENDPOINT HEAD SECONDS [talk|disconnect]
void RunStream(int Count, char** Words, Json& Out);
// character PLUGIN SECONDS VOICE [HEADS]: heads in this process; all of them say VOICE, the first one is interrupted
void RunCharacter(int Count, char** Words, Json& Out);
