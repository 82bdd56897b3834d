// Walks over a valid GGUF file and notes where its counts, lengths, types, dimensions, offsets and entries lie.
#include <array>

#include "fuzz.h"

namespace fuzz {
namespace {

constexpr std::size_t kTensorCountAt = 8;
constexpr std::size_t kMetadataCountAt = 16;
constexpr std::array<std::size_t, 13> kWidths = {1, 1, 2, 2, 4, 4, 4, 1, 0, 0, 8, 8, 8};  // by value type
constexpr std::uint64_t kString = 8;
constexpr std::uint64_t kArray = 9;

class Mapper {
  public:
    explicit Mapper(Bytes valid) { seed_.bytes = std::move(valid); }

    Seed run() {
        at_ = 4;
        number(4);
        const std::uint64_t n_tensors = number(8);
        const std::uint64_t n_metadata = number(8);
        for (std::uint64_t i = 0; i < n_metadata; ++i) metadata();
        for (std::uint64_t i = 0; i < n_tensors; ++i) tensor();
        return std::move(seed_);
    }

  private:
    std::uint64_t number(std::size_t n_bytes) {
        seed_.fields.push_back({at_, n_bytes});
        std::uint64_t value = 0;
        for (std::size_t i = 0; i < n_bytes; ++i) {
            value |= std::to_integer<std::uint64_t>(seed_.bytes[at_ + i]) << (8 * i);
        }
        at_ += n_bytes;
        return value;
    }

    void text() {
        const std::uint64_t length = number(8);
        at_ += static_cast<std::size_t>(length);
    }

    void value(std::uint64_t type) {
        if (type == kString) {
            text();
        } else if (type == kArray) {
            const std::uint64_t item_type = number(4);
            const std::uint64_t n_items = number(8);
            for (std::uint64_t i = 0; i < n_items; ++i) value(item_type);
        } else {
            number(kWidths[type]);
        }
    }

    void metadata() {
        const std::size_t begin = at_;
        text();
        value(number(4));
        seed_.entries.push_back({begin, at_, kMetadataCountAt});
    }

    void tensor() {
        const std::size_t begin = at_;
        text();
        const std::uint64_t rank = number(4);
        for (std::uint64_t i = 0; i < rank; ++i) number(8);
        number(4);
        number(8);
        seed_.entries.push_back({begin, at_, kTensorCountAt});
    }

    Seed seed_;
    std::size_t at_ = 0;
};

}  // namespace

Seed map_gguf(Bytes valid) { return Mapper(std::move(valid)).run(); }

}  // namespace fuzz
