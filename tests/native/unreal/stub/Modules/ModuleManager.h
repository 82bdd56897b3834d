// Stand-in for tests, see README.md: one module, which the test starts and shuts down.
#pragma once

#include "Stub/Types.h"

class IModuleInterface {
  public:
    virtual ~IModuleInterface() = default;
    virtual void StartupModule() {}
    virtual void ShutdownModule() {}
};
namespace Stub {
IModuleInterface& Module();
}
#define IMPLEMENT_MODULE(Class, Name)  \
    IModuleInterface& Stub::Module() { \
        static Class Only;             \
        return Only;                   \
    }
