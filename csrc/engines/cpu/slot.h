// One session's history inside the CPU engine.
#pragma once
#include <cstdint>

#include "engines/cpu/history.h"
#include "model_file/model_config.h"

namespace visavis::cpu {

struct Slot {
    // silence: the state of a voice that has not been heard (LogMelEncoder::silence).
    Slot(const Kernels& kernels, Format format, const ModelConfig& config, const Buffer& silence);

    void clear(const Buffer& silence);  // as at a session's start

    History history;
    Buffer user_voice, agent_voice;  // what the speech encoder keeps of them
    Buffer own;                      // (F, C) normalised motion of the turn before, zeros at the start
    Buffer embedded;                 // (context_turns, T, D) embedded past turns, a ring; empty with window ring
    std::int64_t n_turns = 0;
    int n_cached = 0;  // amortised: turns whose keys and values are valid, positions 0..n_cached
};

}  // namespace visavis::cpu
