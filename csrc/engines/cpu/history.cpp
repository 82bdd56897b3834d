#include "engines/cpu/history.h"

namespace visavis::cpu {

History::History(const Kernels& kernels, const ModelConfig& config)
    : heads_(config.heads),
      width_(config.width),
      head_width_(config.width / config.heads),
      tokens_(config.tokens_per_turn()) {
    const int capacity = config.context_turns * tokens_;
    for (int i = 0; i < config.depth * heads_; ++i) {
        keys_.emplace_back(kernels, capacity, head_width_);
        values_.emplace_back(kernels, head_width_, capacity);
    }
}

void History::write(int layer, int place, Rows qkv) {
    for (int head = 0; head < heads_; ++head) {
        PackedMatrix& keys = keys_[index(layer, head)];
        PackedMatrix& values = values_[index(layer, head)];
        for (int token = 0; token < tokens_; ++token) {
            const float* key = qkv.row(token) + width_ + head * head_width_;
            const int column = place * tokens_ + token;
            for (int d = 0; d < head_width_; ++d) keys.set(column, d, key[d]);
            values.set_outputs(0, head_width_, column, key + width_);
        }
    }
}

}  // namespace visavis::cpu
