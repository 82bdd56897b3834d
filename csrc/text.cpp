// UTF-8 check and quoting for error messages.
#include "text.h"

#include <cstddef>
#include <cstdint>

namespace visavis {
namespace {

constexpr std::size_t kShownBytes = 120;

// Bytes of the valid UTF-8 character at the start of the text, 0 if there is none.
std::size_t character_length(std::string_view text) noexcept {
    const auto at = [&](std::size_t i) { return static_cast<std::uint8_t>(text[i]); };
    const std::uint8_t lead = at(0);
    if (lead < 0x80) return lead == 0 ? 0 : 1;
    const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : 2;
    if (lead < 0xC2 || lead > 0xF4 || length > text.size()) return 0;
    for (std::size_t i = 1; i < length; ++i) {
        if ((at(i) & 0xC0) != 0x80) return 0;
    }
    const std::uint8_t second = at(1);
    if ((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second > 0x9F)) return 0;  // overlong, surrogate
    if ((lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second > 0x8F)) return 0;  // overlong, beyond U+10FFFF
    return length;
}

}  // namespace

bool is_utf8(std::string_view text) noexcept {
    while (!text.empty()) {
        const std::size_t length = character_length(text);
        if (length == 0) return false;
        text.remove_prefix(length);
    }
    return true;
}

std::string quote(std::string_view text) {
    constexpr char kHex[] = "0123456789abcdef";
    std::string shown = "\"";
    while (!text.empty() && shown.size() < kShownBytes) {
        const std::size_t length = character_length(text);
        const auto byte = static_cast<std::uint8_t>(text[0]);
        if (length == 0 || byte < 0x20 || byte == 0x7F) {
            shown += {'\\', 'x', kHex[byte >> 4], kHex[byte & 15]};
            text.remove_prefix(1);
        } else {
            shown += text.substr(0, length);
            text.remove_prefix(length);
        }
    }
    return shown + (text.empty() ? "\"" : "\"...");
}

}  // namespace visavis
