// Stand-in for tests, see README.md.
#pragma once

#include "Stub/Text.h"

struct FPaths {
    static FString ConvertRelativePathToFull(const FString& Path) { return Path; }
};
