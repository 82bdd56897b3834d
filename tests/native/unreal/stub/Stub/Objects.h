// Stand-in for tests, see README.md: UObject and the macros of its reflection.  The tests' header tool (a few lines of
// Python) writes the *.generated.h files that give GENERATED_BODY its meaning, as UnrealHeaderTool does.
#pragma once

#include <memory>

#include "Stub/Names.h"

#define UCLASS(...)
#define USTRUCT(...)
#define UENUM(...)
#define UPROPERTY(...)
#define UFUNCTION(...)
#define STUB_JOIN_INNER(A, B, C, D) A##B##C##D
#define STUB_JOIN(A, B, C, D) STUB_JOIN_INNER(A, B, C, D)
#define GENERATED_BODY() STUB_JOIN(CURRENT_FILE_ID, _, __LINE__, _GENERATED_BODY)
#define PURE_VIRTUAL(Function, ...) {__VA_ARGS__}

class UObject;
class UClass {
  public:
    const char* Name;
    UObject* (*Make)() = nullptr;
};
class UScriptStruct {
  public:
    const char* Name;
};

class FObjectInitializer {
  public:
    static const FObjectInitializer& Get() {
        static const FObjectInitializer Initializer;
        return Initializer;
    }
};

class UObject {
  public:
    UObject() = default;
    UObject(const UObject&) = delete;
    UObject& operator=(const UObject&) = delete;
    virtual ~UObject() = default;
    FString GetName() const { return StubName; }
    FName GetFName() const { return FName(*StubName); }
    FString GetPathName() const {
        return StubOuter != nullptr ? StubOuter->GetPathName() + TEXT(".") + StubName : StubName;
    }
    UObject* GetOuter() const { return StubOuter; }

    FString StubName;
    UObject* StubOuter = nullptr;
};

template <typename T>
class TSubclassOf {
  public:
    TSubclassOf(UClass* InClass) : Class(InClass) {}
    UClass* Get() const { return Class; }

  private:
    UClass* Class;
};
template <typename T>
class TObjectPtr {
  public:
    TObjectPtr() = default;
    TObjectPtr(T* InObject) : Object(InObject) {}
    T* Get() const { return Object; }
    T* operator->() const { return Object; }
    operator T*() const { return Object; }

  private:
    T* Object = nullptr;
};

namespace Stub {
/** Every object that NewObject made; the world is emptied with CollectGarbage. */
void Keep(UObject* Object);
void CollectGarbage();
}  // namespace Stub

template <typename T>
T* NewObject(UObject* Outer, FName Name = NAME_None) {
    T* Object = nullptr;
    if constexpr (std::is_default_constructible_v<T>) {
        Object = new T();
    } else {
        Object = new T(FObjectInitializer::Get());
    }
    Object->StubOuter = Outer;
    Object->StubName = Name.IsNone() ? FString(TEXT("Object")) : Name.ToString();
    Stub::Keep(Object);
    return Object;
}
template <typename T>
const T* GetDefault() {
    static const std::unique_ptr<T> Default = std::make_unique<T>();
    return Default.get();
}
template <typename T>
T* GetMutableDefault() {
    return const_cast<T*>(GetDefault<T>());
}
template <typename T>
T* Cast(UObject* Object) {
    return dynamic_cast<T*>(Object);
}

template <typename T>
struct TWeakObjectPtr {
    TWeakObjectPtr() = default;
    TWeakObjectPtr(T* InObject) : Object(InObject) {}
    T* Get() const { return Object; }
    bool IsValid() const { return Object != nullptr; }

  private:
    T* Object = nullptr;
};

template <typename... A>
class TStubMulticast {
  public:
    void Broadcast(A... Arguments) const {
        for (const auto& Listener : Listeners) Listener(Arguments...);
    }
    std::vector<void (*)(A...)> Listeners;
};
#define DECLARE_DYNAMIC_MULTICAST_DELEGATE_OneParam(Name, Type, Parameter) using Name = TStubMulticast<Type>
