// Text that comes from outside (names in files and packets, paths): is it UTF-8, and how it is shown in an error.
#pragma once
#include <string>
#include <string_view>

namespace visavis {

// Strict UTF-8 (no overlong forms, surrogates or code points beyond U+10FFFF) without NUL.
bool is_utf8(std::string_view text) noexcept;

// The text in double quotes, control characters and stray bytes as \xNN, cut after 120 bytes: safe to print.
std::string quote(std::string_view text);

}  // namespace visavis
