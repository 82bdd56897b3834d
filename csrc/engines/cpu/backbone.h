// The transformer over turns: embedded tokens of turns in, condition z of their frames out.
//
// A turn attends to itself in full and to the turns before it, whose keys and values the History holds.  The same
// routine therefore runs the current turn, commits a turn again (own past fed) and re-encodes a slid window.  Turns of
// different sessions, and successive ones of one session, go through it together.
#pragma once
#include <vector>

#include "engines/cpu/attention.h"
#include "engines/cpu/tensor_reader.h"

namespace visavis::cpu {

// The turn at `place` of the history, whose first `seen` places (its own included) are visible.  Absolute positions:
// the place is the position in the window.
struct BackboneTurn {
    History* history = nullptr;
    int place = 0, seen = 0;
    const float* tokens = nullptr;  // (T, D) embedded
};

class Backbone {
  public:
    explicit Backbone(const TensorReader& reader);

    struct Scratch {
        Buffer hidden, normed, qkv, mixed, expanded;  // (B * T, D), .., (B * T, 3D), (B * T, D), (B * T, ratio * D)
        std::vector<AttentionScratch> attention;      // (T, context_turns * T)
        int n_turns = 0;                              // B at most
    };
    Scratch scratch(Compute& compute, int n_turns) const;

    // z (B * F, D) may be null: then only the histories are written.
    void run(Compute& compute, Scratch& scratch, std::span<const BackboneTurn> turns, float* z) const;

  private:
    struct Block {
        Norm norm1, norm2;
        Linear qkv, projection, expand, contract;
        Buffer turn_bias;  // (heads, context_turns) by turn distance; empty with absolute positions
    };
    void embed(Compute& compute, Rows hidden, std::span<const BackboneTurn> turns) const;
    void keep_agent_rows(Rows rows, int n_turns, Rows spare) const;
    void mix(Compute& compute, Scratch& scratch, int layer, int tokens, std::span<const BackboneTurn> turns) const;
    void fill_bias(const Block& block, int head, const BackboneTurn& turn, float* bias) const;
    void read_out(Compute& compute, const Scratch& scratch, std::span<const BackboneTurn> turns, float* z) const;
    const float* positions(const Buffer& embedding, int place) const;

    int width_, heads_, tokens_, context_turns_;
    bool relative_;
    std::vector<int> agent_tokens_;  // (F) where z is read
    Buffer encoder_positions_, diffusion_positions_;
    Norm input_norm_, output_norm_;
    std::vector<Block> blocks_;
};

}  // namespace visavis::cpu
