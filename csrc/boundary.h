// What every file of the C ABI shares: no exception passes, each failure has a text and goes into the log once, structs
// of older headers are shorter than ours.
#pragma once
#include <algorithm>
#include <cstring>
#include <new>
#include <string>

#include "error.h"
#include "session/session.h"
#include "visavis/visavis.h"

struct vv_engine {
    std::shared_ptr<visavis::Engine> engine;
};

namespace visavis {

// Says why, for vv_last_error and the log; takes no memory.  Gives the status back.
vv_status fail(vv_status status, const char* format, ...) noexcept
#if defined(__GNUC__)
    __attribute__((format(printf, 2, 3)))
#endif
    ;
void log_message(int level, const char* message) noexcept;
SessionConfig session_config(const vv_session_config& given);  // throws Error

template <class Call>
vv_status guarded(Call call) noexcept {
    try {
        call();
        return VV_OK;
    } catch (const Error& error) {
        return fail(static_cast<vv_status>(error.status()), "%s", error.what());
    } catch (const std::bad_alloc&) {
        return fail(VV_ERROR_OUT_OF_MEMORY, "out of memory");
    } catch (const std::exception& error) {
        return fail(VV_ERROR_INTERNAL, "%s", error.what());
    } catch (...) {
        return fail(VV_ERROR_INTERNAL, "an exception of unknown type");
    }
}

inline void require(const void* pointer, const char* name) {
    if (!pointer) throw Error(Status::kInvalidArgument, std::string(name) + " is NULL; expected a valid pointer");
}

[[noreturn]] inline void refuse_size(const char* name, std::uint32_t found) {
    throw Error(Status::kInvalidArgument, std::string(name) + ".struct_size is " + std::to_string(found) +
                                              "; expected the sizeof of the struct: use its default function");
}

// The caller's struct, which may be shorter than ours (an older header), over the defaults.
template <class Config>
Config merged(const Config* given, Config config, const char* name) {
    if (!given) return config;
    if (given->struct_size < sizeof given->struct_size || given->struct_size > 4096)
        refuse_size(name, given->struct_size);
    std::memcpy(&config, given, std::min<std::size_t>(given->struct_size, sizeof config));
    return config;
}

// Fills the caller's struct as far as it goes.
template <class Info>
void give(Info* out, Info info, const char* name) {
    const std::uint32_t size = out->struct_size;
    if (size < sizeof size || size > 4096) refuse_size(name, size);
    info.struct_size = size;
    std::memcpy(out, &info, std::min<std::size_t>(size, sizeof info));
}

inline void check_choice(const char* name, std::uint32_t value, std::uint32_t last) {
    if (value > last)
        throw Error(Status::kInvalidArgument,
                    std::string(name) + " is " + std::to_string(value) + "; expected 0 to " + std::to_string(last));
}

}  // namespace visavis
