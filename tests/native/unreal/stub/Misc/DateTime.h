// Stand-in for tests, see README.md.
#pragma once

#include "Misc/Timespan.h"

struct FDateTime {
    static FDateTime Now();
    FTimespan GetTimeOfDay() const { return TimeOfDay; }

  private:
    FTimespan TimeOfDay;
};
