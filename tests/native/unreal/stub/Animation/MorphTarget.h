// Stand-in for tests, see README.md.
#pragma once

#include "CoreMinimal.h"

class UMorphTarget : public UObject {};
