// Mutations of bytes that know where the numbers and the entries of a format lie.
#pragma once
#include <cstddef>
#include <cstdint>
#include <random>
#include <vector>

namespace fuzz {

using Bytes = std::vector<std::byte>;
using Random = std::mt19937_64;

struct Field {  // a little-endian number
    std::size_t at;
    std::size_t n_bytes;
};

struct Entry {  // something that can be dropped, doubled or moved; `count_at` is the u64 that counts such entries
    std::size_t begin;
    std::size_t end;
    std::size_t count_at;
};

struct Seed {
    Bytes bytes;
    std::vector<Field> fields;
    std::vector<Entry> entries;
};

std::size_t below(Random& random, std::size_t bound);  // uniform in [0, bound), bound >= 1

// One to four mutations: numbers set to values that break parsers, entries dropped, doubled or moved (their counter
// kept true half of the time), bytes flipped, the end cut or lengthened.
Bytes mutate(Random& random, const Seed& seed);

}  // namespace fuzz
