// Stand-in for tests, see README.md: shared, weak and unique pointers over the standard library's.
#pragma once

#include <memory>

#include "Stub/Types.h"

template <typename T>
class TSharedPtr {
  public:
    TSharedPtr() = default;
    TSharedPtr(std::nullptr_t) {}
    explicit TSharedPtr(std::shared_ptr<T> Pointer) : Kept(std::move(Pointer)) {}
    template <typename O>
        requires std::is_convertible_v<O*, T*>
    TSharedPtr(const TSharedPtr<O>& Other) : Kept(Other.Kept) {}
    bool IsValid() const { return Kept != nullptr; }
    T* Get() const { return Kept.get(); }
    T* operator->() const { return Kept.get(); }
    T& operator*() const { return *Kept; }
    void Reset() { Kept.reset(); }
    explicit operator bool() const { return IsValid(); }
    std::shared_ptr<T> Kept;
};

template <typename T>
class TWeakPtr {
  public:
    TWeakPtr() = default;
    TWeakPtr(const TSharedPtr<T>& Pointer) : Kept(Pointer.Kept) {}
    TSharedPtr<T> Pin() const { return TSharedPtr<T>(Kept.lock()); }

  private:
    std::weak_ptr<T> Kept;
};

template <typename T, typename... A>
TSharedPtr<T> MakeShared(A&&... Arguments) {
    return TSharedPtr<T>(std::make_shared<T>(std::forward<A>(Arguments)...));
}
namespace Stub {
template <typename T>
struct TProxy {
    T* Made;
    template <typename B>
    operator TSharedPtr<B>() const {
        return TSharedPtr<B>(std::shared_ptr<B>(Made));
    }
};
}  // namespace Stub
template <typename T>
Stub::TProxy<T> MakeShareable(T* Made) {
    return {Made};
}

template <typename T>
class TUniquePtr {
  public:
    TUniquePtr() = default;
    TUniquePtr(std::nullptr_t) {}
    explicit TUniquePtr(T* Pointer) : Kept(Pointer) {}
    bool IsValid() const { return Kept != nullptr; }
    T* Get() const { return Kept.get(); }
    T* operator->() const { return Kept.get(); }
    T& operator*() const { return *Kept; }
    void Reset() { Kept.reset(); }

  private:
    std::unique_ptr<T> Kept;
};
template <typename T, typename... A>
TUniquePtr<T> MakeUnique(A&&... Arguments) {
    return TUniquePtr<T>(new T(std::forward<A>(Arguments)...));
}
