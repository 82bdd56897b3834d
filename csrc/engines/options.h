// What load_engine may ask of the native engines alike; nothing: as the model file says.
#pragma once
#include <optional>
#include <vector>

#include "model_file/model_config.h"

namespace visavis {

enum class GuidanceSchedule { kConstant, kLinear };

struct EngineOptions {
    std::optional<Window> window;
    std::optional<OwnPast> history;
    std::optional<Sampler> sampler;
    std::optional<int> steps;
    int passes = 1;  // of masked decoding, frame unit; matters with linear guidance alone
    GuidanceSchedule guidance_schedule = GuidanceSchedule::kConstant;
};

// The file's configuration with the options in force.  Throws Error for what does not go together.
ModelConfig with_options(ModelConfig config, const EngineOptions& options);

// The share of its guidance that each frame (F) of a turn gets: all of it, or with the linear schedule the share of the
// turn that is decoded once the frame's pass is done.  Passes decode left to right, TIMAR's cosine schedule.
std::vector<float> guidance_shares(const ModelConfig& config, const EngineOptions& options);

}  // namespace visavis
