#include "engines/cpu/history.h"

#include <cstring>

namespace visavis::cpu {

History::History(const Kernels& kernels, Format format, const HistoryShape& shape)
    : heads_(shape.heads), width_(shape.width), head_width_(shape.width / shape.heads), tokens_(shape.tokens) {
    const int capacity = shape.places * tokens_;
    for (int i = 0; i < shape.depth * heads_; ++i) {
        keys_.emplace_back(kernels, format, capacity, head_width_);
        values_.emplace_back(kernels, format, head_width_, capacity);
    }
}

void History::write(Compute& compute, int layer, int place, Rows qkv) {
    if (keys_.front().format() == Format::kF32) {
        compute.share(heads_, [&](int, int head) {
            write_floats(index(layer, head), place, qkv.data + width_ + head * head_width_, qkv.stride);
        });
        return;
    }
    const Compute::Halved rows = compute.convert({qkv.data + width_, qkv.stride}, tokens_, 2 * width_);
    compute.share(heads_, [&](int, int head) {
        write_halves(index(layer, head), place, rows.data + head * head_width_, rows.stride);
    });
}

// key: of the first token and one head; its values lie `width` further on, the next token's `stride`.
void History::write_floats(std::size_t at, int place, const float* key, std::ptrdiff_t stride) {
    PackedMatrix &keys = keys_[at], &values = values_[at];
    const int panel = keys.panel();
    for (int token = 0; token < tokens_; ++token, key += stride) {
        const float* value = key + width_;
        const int column = place * tokens_ + token;
        float* out = keys.floats() + keys.offset(column, 0);
        for (int d = 0; d < head_width_; ++d) out[d * panel] = key[d];
        for (int d = 0; d < head_width_; d += panel) {
            std::copy_n(value + d, std::min(panel, head_width_ - d), values.floats() + values.offset(d, column));
        }
    }
}

void History::write_halves(std::size_t at, int place, const std::uint16_t* key, std::ptrdiff_t stride) {
    PackedMatrix &keys = keys_[at], &values = values_[at];
    const int panel = keys.panel();
    for (int token = 0; token < tokens_; ++token, key += stride) {
        const std::uint16_t* value = key + width_;
        const int column = place * tokens_ + token;
        std::uint16_t* out = keys.halves() + keys.offset(column, 0);
        for (int d = 0; d + 1 < head_width_; d += 2) std::memcpy(out + d * panel, key + d, 2 * sizeof *key);
        if (head_width_ % 2) keys.set(column, head_width_ - 1, key[head_width_ - 1]);
        for (int d = 0; d < head_width_; ++d) {
            if (d % panel == 0) out = values.halves() + values.offset(d, column);
            out[2 * (d % panel)] = value[d];
        }
    }
}

}  // namespace visavis::cpu
