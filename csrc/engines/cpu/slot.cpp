#include "engines/cpu/slot.h"

namespace visavis::cpu {

Slot::Slot(const Kernels& kernels, Format format, const ModelConfig& config, const Buffer& silence)
    : history(kernels, format,
              {config.depth, config.heads, config.width, config.context_turns, config.tokens_per_turn()}),
      user_voice(silence.size()),
      agent_voice(silence.size()),
      own(elements(config.turn_frames, config.n_channels)),
      embedded(
          config.window == Window::kRing ? 0 : elements(config.context_turns, config.tokens_per_turn(), config.width)) {
    clear(silence);
}

// Keys and values need no clearing: only those of turns that came since are read.
void Slot::clear(const Buffer& silence) {
    std::copy_n(silence.data(), silence.size(), user_voice.data());
    std::copy_n(silence.data(), silence.size(), agent_voice.data());
    own.clear();
    n_turns = 0;
    n_cached = 0;
}

}  // namespace visavis::cpu
