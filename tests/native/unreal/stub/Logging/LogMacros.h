// Stand-in for tests, see README.md.
#pragma once

#include "Stub/Text.h"

namespace ELogVerbosity {
enum Type { Fatal = 1, Error, Warning, Display, Log, Verbose };
}
struct FLogCategory {
    const char* Name;
};
namespace Stub {
void WriteLog(const FLogCategory& Category, ELogVerbosity::Type Verbosity, const char* Line);
}
#define DECLARE_LOG_CATEGORY_EXTERN(Category, Default, Compiled) extern FLogCategory Category
#define DEFINE_LOG_CATEGORY(Category) FLogCategory Category = {#Category}
#define UE_LOG(Category, Verbosity, Pattern, ...) \
    Stub::WriteLog(Category, ELogVerbosity::Verbosity, TCHAR_TO_UTF8(*FString::Printf(Pattern, ##__VA_ARGS__)))
