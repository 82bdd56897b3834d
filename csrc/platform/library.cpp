#include "platform/library.h"

#include <utility>

#include "error.h"
#include "platform/mapped_file.h"

#if defined(_WIN32)
#define WIN32_LEAN_AND_MEAN
#ifndef NOMINMAX
#define NOMINMAX
#endif
#include <windows.h>

#include <system_error>
#else
#include <dlfcn.h>
#endif

namespace visavis {
namespace {

[[noreturn]] void fail(const std::string& name, const std::string& reason) {
    throw Error(Status::kUnsupported, "library " + name + ": " + reason);
}

#if defined(_WIN32)
std::string last_error() { return std::system_category().message(static_cast<int>(GetLastError())); }
#else
std::string last_error() {
    const char* text = dlerror();
    return text ? text : "unknown";
}
#endif

}  // namespace

Library Library::open(const std::filesystem::path& path) {
#if defined(_WIN32)
    void* handle = LoadLibraryW(path.c_str());
#else
    void* handle = dlopen(path.c_str(), RTLD_NOW | RTLD_LOCAL);
#endif
    if (!handle) fail(quote_path(path), last_error());
    return {handle, quote_path(path)};
}

void* Library::find(const char* symbol) const {
#if defined(_WIN32)
    void* found = reinterpret_cast<void*>(GetProcAddress(static_cast<HMODULE>(handle_), symbol));
#else
    void* found = dlsym(handle_, symbol);
#endif
    if (!found) fail(name_, last_error());
    return found;
}

std::filesystem::path own_folder() {
#if defined(_WIN32)
    HMODULE module = nullptr;
    constexpr DWORD kOfAddress = GET_MODULE_HANDLE_EX_FLAG_FROM_ADDRESS | GET_MODULE_HANDLE_EX_FLAG_UNCHANGED_REFCOUNT;
    wchar_t name[32768];
    if (!GetModuleHandleExW(kOfAddress, reinterpret_cast<LPCWSTR>(&own_folder), &module)) return {};
    if (GetModuleFileNameW(module, name, static_cast<DWORD>(std::size(name))) == 0) return {};
    return std::filesystem::path(name).parent_path();
#else
    Dl_info info{};
    if (!dladdr(reinterpret_cast<const void*>(&own_folder), &info) || !info.dli_fname) return {};
    return std::filesystem::path(info.dli_fname).parent_path();
#endif
}

}  // namespace visavis
