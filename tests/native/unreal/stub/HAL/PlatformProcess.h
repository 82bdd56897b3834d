// Stand-in for tests, see README.md.
#pragma once

#include "Stub/Text.h"

class FEvent;
struct FPlatformProcess {
    static FEvent* GetSynchEventFromPool(bool bIsManualReset);
    static void ReturnSynchEventToPool(FEvent* Event);
    static void* GetDllHandle(const TCHAR* Path);
    static void* GetDllExport(void* Library, const TCHAR* Name);
    static void FreeDllHandle(void* Library);
};
