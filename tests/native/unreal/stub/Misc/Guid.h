// Stand-in for tests, see README.md.
#pragma once

#include "Stub/Types.h"

struct FGuid {
    uint32 A = 0, B = 0, C = 0, D = 0;
    bool operator==(const FGuid& O) const { return A == O.A && B == O.B && C == O.C && D == O.D; }
};
