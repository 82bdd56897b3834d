// Keys and values of the tokens that attention still sees: of each layer and head, as its two products take them.
#pragma once
#include <vector>

#include "engines/cpu/compute.h"

namespace visavis::cpu {

struct HistoryShape {
    int depth = 1, heads = 1, width = 0;
    int places = 1, tokens = 0;  // turns that it holds, tokens of a turn
};

// A turn's place in the ring is its index modulo the places.  Attention does not care for the order of keys, so that
// the ring is never shifted; turn distances are worked out from the places.
class History {
  public:
    History() = default;
    // Float32 or bfloat16.
    History(const Kernels& kernels, Format format, const HistoryShape& shape);

    // Writes a turn's keys and values, taken from its rows of (q, k, v), into `place`.
    void write(Compute& compute, int layer, int place, Rows qkv);

    // (places * T, head width) and (head width, places * T).
    const PackedMatrix& keys(int layer, int head) const { return keys_[index(layer, head)]; }
    const PackedMatrix& values(int layer, int head) const { return values_[index(layer, head)]; }
    int head_width() const { return head_width_; }

  private:
    std::size_t index(int layer, int head) const { return elements(layer, heads_) + elements(head); }
    void write_floats(std::size_t at, int place, const float* key, std::ptrdiff_t stride);
    void write_halves(std::size_t at, int place, const std::uint16_t* key, std::ptrdiff_t stride);

    int heads_ = 0, width_ = 0, head_width_ = 0, tokens_ = 0;
    std::vector<PackedMatrix> keys_, values_;
};

}  // namespace visavis::cpu
