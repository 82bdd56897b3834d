// One session's history inside the CPU engine.
#pragma once
#include <cstdint>

#include "engines/cpu/history.h"

namespace visavis::cpu {

struct Slot {
    Slot(const Kernels& kernels, const ModelConfig& config);

    void clear();  // as at a session's start

    History history;
    Buffer user_tail, agent_tail;  // the last context_samples samples before the turn
    Buffer own;                    // (F, C) normalised motion of the turn before, zeros at the start
    Buffer embedded;               // (context_turns, T, D) embedded past turns, a ring; empty with window ring
    std::int64_t n_turns = 0;
    int n_cached = 0;  // amortised: turns whose keys and values are valid, positions 0..n_cached
};

}  // namespace visavis::cpu
