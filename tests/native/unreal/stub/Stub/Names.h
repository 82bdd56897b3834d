// Stand-in for tests, see README.md: FName, without regard to case.
#pragma once

#include "Stub/Text.h"

class FName {
  public:
    FName() = default;
    FName(const TCHAR* InText) : Kept(InText) {}
    FString ToString() const { return IsNone() ? FString(TEXT("None")) : Kept; }
    bool IsNone() const { return Kept.IsEmpty(); }
    bool operator==(const FName& Other) const { return Kept == Other.Kept; }

  private:
    FString Kept;
};
inline const FName NAME_None;
