// What every native engine demands of its inputs, checked before any slot moves on.
#pragma once
#include <span>

#include "engines/engine.h"
#include "model_file/model_config.h"

namespace visavis {

// Throws Error(kInvalidArgument) that names the field, what was found and what was expected.  Slots and steps are
// the engine's own to check.
void check_turns(const ModelConfig& config, std::span<const TurnInput> inputs, std::span<const TurnOutput> outputs);

}  // namespace visavis
