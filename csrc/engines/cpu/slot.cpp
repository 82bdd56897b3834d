#include "engines/cpu/slot.h"

namespace visavis::cpu {

Slot::Slot(const Kernels& kernels, const ModelConfig& config)
    : history(kernels, config),
      user_tail(elements(config.context_samples())),
      agent_tail(elements(config.context_samples())),
      own(elements(config.turn_frames, config.n_channels)),
      embedded(
          config.window == Window::kRing ? 0 : elements(config.context_turns, config.tokens_per_turn(), config.width)) {
}

// Keys and values need no clearing: only those of turns that came since are read.
void Slot::clear() {
    user_tail.clear();
    agent_tail.clear();
    own.clear();
    n_turns = 0;
    n_cached = 0;
}

}  // namespace visavis::cpu
