#include "mutation.h"

#include <algorithm>
#include <array>

namespace fuzz {
namespace {

std::uint64_t load(const Bytes& bytes, Field field) {
    std::uint64_t value = 0;
    for (std::size_t i = 0; i < field.n_bytes; ++i) {
        value |= std::to_integer<std::uint64_t>(bytes[field.at + i]) << (8 * i);
    }
    return value;
}

void store(Bytes& bytes, Field field, std::uint64_t value) {
    for (std::size_t i = 0; i < field.n_bytes; ++i) bytes[field.at + i] = static_cast<std::byte>(value >> (8 * i));
}

std::uint64_t interesting(Random& random, std::uint64_t present, std::size_t n_total) {
    const std::uint64_t power = std::uint64_t{1} << below(random, 64);
    const std::array<std::uint64_t, 14> choices = {
        0,           1,           ~std::uint64_t{0}, ~std::uint64_t{0} - 31, power,   power - 1, power + 1,
        present + 1, present - 1, present * 2,       present ^ power,        n_total, random(),  below(random, 40)};
    return choices[below(random, choices.size())];
}

void change_number(Random& random, Bytes& bytes, const Seed& seed) {
    const Field field = seed.fields[below(random, seed.fields.size())];
    if (field.at + field.n_bytes > bytes.size()) return;
    store(bytes, field, interesting(random, load(bytes, field), bytes.size()));
}

void change_entries(Random& random, Bytes& bytes, const Seed& seed) {
    if (seed.entries.empty()) return;
    const Entry entry = seed.entries[below(random, seed.entries.size())];
    if (entry.end > bytes.size()) return;
    const auto at = [&bytes](std::size_t offset) { return bytes.begin() + static_cast<std::ptrdiff_t>(offset); };
    const Bytes copy(at(entry.begin), at(entry.end));
    const bool drop = below(random, 2) == 0;
    if (drop) {
        bytes.erase(at(entry.begin), at(entry.end));
    } else {
        const Entry& where = seed.entries[below(random, seed.entries.size())];
        bytes.insert(at(std::min(where.begin, bytes.size())), copy.begin(), copy.end());
    }
    if (below(random, 2) == 0) {
        const Field counter{entry.count_at, 8};
        store(bytes, counter, load(bytes, counter) + (drop ? ~std::uint64_t{0} : 1));
    }
}

void flip_byte(Random& random, Bytes& bytes) {
    if (bytes.empty()) return;
    const std::array<std::size_t, 6> choices = {0, 1, 0x7F, 0x80, 0xFF, below(random, 256)};
    bytes[below(random, bytes.size())] = static_cast<std::byte>(choices[below(random, choices.size())]);
}

void change_length(Random& random, Bytes& bytes) {
    const std::size_t n_bytes =
        below(random, 2) == 0 ? below(random, bytes.size() + 1) : bytes.size() + 1 + below(random, 64);
    bytes.resize(n_bytes, static_cast<std::byte>(below(random, 256)));
}

}  // namespace

std::size_t below(Random& random, std::size_t bound) { return static_cast<std::size_t>(random() % bound); }

Bytes mutate(Random& random, const Seed& seed) {
    Bytes bytes = seed.bytes;
    for (std::size_t n = 1 + below(random, 4); n > 0; --n) {
        const std::size_t how = below(random, 16);
        if (how < 8) {
            change_number(random, bytes, seed);
        } else if (how < 11) {
            change_entries(random, bytes, seed);
        } else if (how < 15) {
            flip_byte(random, bytes);
        } else {
            change_length(random, bytes);
        }
    }
    return bytes;
}

}  // namespace fuzz
