// The transformer over turns: embedded tokens of one turn in, condition z of its frames out.
//
// A turn attends to itself in full and to the turns before it, whose keys and values the History holds.  The same
// routine therefore runs the current turn, commits a turn again (own past fed) and re-encodes a slid window.
#pragma once
#include <vector>

#include "engines/cpu/history.h"
#include "engines/cpu/tensor_reader.h"

namespace visavis::cpu {

class Backbone {
  public:
    explicit Backbone(const TensorReader& reader);

    // Embedded tokens x (T, D) of the turn at `place` of the history, whose first `seen` places (its own included) are
    // visible.  Absolute positions: the place is the position in the window.  z (F, D) may be null: then only the
    // history is written.
    void run(History& history, int place, int seen, ConstRows x, float* z);

  private:
    struct Block {
        Norm norm1, norm2;
        Linear qkv, projection, expand, contract;
        Buffer turn_bias;  // (heads, context_turns) by turn distance; empty with absolute positions
    };
    void embed(int place, ConstRows x);
    void attend(const History& history, int layer, int place, int seen);
    void fill_bias(const Block& block, int head, int place, int seen);
    void read_out(int place, float* z);
    const float* positions(const Buffer& embedding, int place) const;
    void norm_rows(const Norm& norm, Rows in, Rows out) const;

    const Kernels* kernels_;
    int width_, heads_, tokens_, context_turns_;
    bool relative_;
    std::vector<int> agent_tokens_;  // (F) where z is read
    Buffer encoder_positions_, diffusion_positions_;
    Norm input_norm_, output_norm_;
    std::vector<Block> blocks_;
    Buffer hidden_, normed_, qkv_, mixed_, expanded_;  // (T, D), (T, D), (T, 3D), (T, D), (T, ratio * D)
    Buffer logits_, bias_;                             // (T, context_turns * T), (context_turns * T)
};

}  // namespace visavis::cpu
