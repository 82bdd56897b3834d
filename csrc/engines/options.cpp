#include "engines/options.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "engines/cpu/schedule.h"
#include "error.h"

namespace visavis {

ModelConfig with_options(ModelConfig config, const EngineOptions& options) {
    const OwnPast trained = config.own_past;
    config.window = options.window.value_or(config.window);
    config.own_past = options.history.value_or(config.own_past);
    config.sampler = options.sampler.value_or(config.sampler);
    config.steps = options.steps.value_or(config.steps);
    if (config.own_past != trained && (config.own_past == OwnPast::kLagged || trained == OwnPast::kLagged)) {
        throw Error(Status::kUnsupported,
                    "history: a model trained with a lagged own past runs with that alone, and "
                    "no other model does; leave the option out");
    }
    cpu::check_steps(config.sampler, config.steps);
    check_config(config);
    return config;
}

std::vector<float> guidance_shares(const ModelConfig& config, const EngineOptions& options) {
    const int frames = config.turn_frames, passes = options.passes;
    if (passes < 1 || passes > frames) {
        throw Error(Status::kInvalidArgument, "passes is " + std::to_string(passes) + "; expected 1 to " +
                                                  std::to_string(frames) + ", the frames of a turn");
    }
    std::vector<float> shares(static_cast<std::size_t>(frames), 1.0F);
    if (options.guidance_schedule == GuidanceSchedule::kConstant || config.denoise_unit == DenoiseUnit::kTurn) {
        return shares;
    }
    for (int pass = 0, begin = 0; pass < passes; ++pass) {
        int hidden = 0;
        if (pass + 1 < passes) {
            const double angle = std::numbers::pi / 2 * (pass + 1) / passes;
            hidden = std::clamp(static_cast<int>(std::floor(frames * std::cos(angle))), 1, frames - begin - 1);
        }
        const float share = static_cast<float>(frames - hidden) / static_cast<float>(frames);
        for (; begin < frames - hidden; ++begin) shares[static_cast<std::size_t>(begin)] = share;
    }
    return shares;
}

}  // namespace visavis
