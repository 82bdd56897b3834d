// Stand-in for tests, see README.md: ticks of 100 ns.
#pragma once

#include "Stub/Types.h"

struct FTimespan {
    explicit FTimespan(int64 InTicks = 0) : Ticks(InTicks) {}
    int64 GetTicks() const { return Ticks; }
    static FTimespan FromSeconds(double Seconds) { return FTimespan(static_cast<int64>(Seconds * 1e7)); }

  private:
    int64 Ticks;
};
