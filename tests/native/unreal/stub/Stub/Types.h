// Stand-in for tests, see README.md: numbers, text literals, the engine's version.
#pragma once

#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <utility>

#ifndef VISAVIS_STUB_UE_MINOR
#error "define VISAVIS_STUB_UE_MINOR as 3 or 6"
#endif
#define ENGINE_MAJOR_VERSION 5
#define ENGINE_MINOR_VERSION VISAVIS_STUB_UE_MINOR

#ifndef VISAVIS_API
#define VISAVIS_API
#endif
#define UE_PI 3.1415926535897932f
#define INDEX_NONE (-1)
#define PLATFORM_WINDOWS 0
#define PLATFORM_MAC 0
#define PLATFORM_LINUX 1

using int8 = std::int8_t;
using uint8 = std::uint8_t;
using int16 = std::int16_t;
using uint16 = std::uint16_t;
using int32 = std::int32_t;
using uint32 = std::uint32_t;
using int64 = long long;
using uint64 = unsigned long long;
using SIZE_T = std::size_t;
using TCHAR = char16_t;
#define TEXT(Literal) u##Literal

struct FMemory {
    static void* Memcpy(void* To, const void* From, SIZE_T Bytes) { return std::memcpy(To, From, Bytes); }
};

/** Refuses what is not a movable lvalue, as the engine's does. */
template <typename T>
std::remove_reference_t<T>&& MoveTemp(T&& Value) {
    static_assert(std::is_lvalue_reference_v<T>, "MoveTemp of an rvalue");
    static_assert(!std::is_const_v<std::remove_reference_t<T>>, "MoveTemp of a const");
    return static_cast<std::remove_reference_t<T>&&>(Value);
}
