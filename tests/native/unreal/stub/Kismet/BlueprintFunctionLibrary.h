// Stand-in for tests, see README.md.
#pragma once

#include "CoreMinimal.h"

class UBlueprintFunctionLibrary : public UObject {};
