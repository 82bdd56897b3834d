// Keys and values of the turns that a session still sees: one ring of context_turns turns per layer.
#pragma once
#include <vector>

#include "engines/cpu/matrix.h"
#include "model_file/model_config.h"

namespace visavis::cpu {

// A turn's place in the ring is its index modulo context_turns.  Attention does not care for the order of keys, so
// that the ring is never shifted; turn distances are worked out from the places.
class History {
  public:
    History(const Kernels& kernels, const ModelConfig& config);

    // Writes a turn's keys and values, taken from its rows of (q, k, v), into `place`.
    void write(int layer, int place, Rows qkv);

    // (context_turns * T, head width) and (head width, context_turns * T): as the two attention products take them.
    const PackedMatrix& keys(int layer, int head) const { return keys_[index(layer, head)]; }
    const PackedMatrix& values(int layer, int head) const { return values_[index(layer, head)]; }

  private:
    std::size_t index(int layer, int head) const { return elements(layer, heads_) + elements(head); }
    int heads_, width_, head_width_, tokens_;
    std::vector<PackedMatrix> keys_, values_;
};

}  // namespace visavis::cpu
