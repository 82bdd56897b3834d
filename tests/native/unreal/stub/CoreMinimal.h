// Stand-in for tests, see README.md: what a module gets from CoreMinimal.h.
#pragma once

#include "Logging/LogMacros.h"
#include "Math/Rotator.h"
#include "Math/UnrealMathUtility.h"
#include "Misc/Guid.h"
#include "Stub/Containers.h"
#include "Stub/Names.h"
#include "Stub/Objects.h"
#include "Stub/Pointers.h"
#include "Stub/Text.h"
#include "Stub/Types.h"
