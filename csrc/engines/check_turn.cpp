#include "engines/check_turn.h"

#include <algorithm>
#include <cmath>
#include <initializer_list>
#include <string>

#include "constants.h"
#include "error.h"

namespace visavis {
namespace {

[[noreturn]] void refuse(const std::string& what) { throw Error(Status::kInvalidArgument, what); }

void check_size(const char* name, std::size_t found, std::initializer_list<std::size_t> allowed, const char* layout) {
    if (std::find(allowed.begin(), allowed.end(), found) != allowed.end()) return;
    std::string expected;
    for (const std::size_t size : allowed) expected += (expected.empty() ? "" : " or ") + std::to_string(size);
    refuse(std::string(name) + " has " + std::to_string(found) + " values; expected " + expected + " (" + layout + ")");
}

void check_values(const char* name, std::span<const float> values, float limit) {
    const auto wrong = std::find_if(values.begin(), values.end(), [=](float v) { return !(std::abs(v) <= limit); });
    if (wrong == values.end()) return;
    const std::string at = " at value " + std::to_string(wrong - values.begin());
    if (!std::isfinite(*wrong)) refuse(std::string(name) + " holds NaN or infinity" + at + "; expected finite values");
    refuse(std::string(name) + " holds " + std::to_string(*wrong) + at + "; expected at most " +
           std::to_string(static_cast<int>(limit)) + " (audio: full scale is 1)");
}

void check_number(const char* name, float value, float least, float most) {
    if (value >= least && value <= most) return;
    refuse(std::string(name) + " is " + std::to_string(value) + "; expected " + std::to_string(least) + " to " +
           std::to_string(most));
}

void check_user_motion(const ModelConfig& config, const TurnInput& input) {
    const auto frames = static_cast<std::size_t>(config.turn_frames);
    const auto channels = static_cast<std::size_t>(config.n_channels);
    if (!input.user_motion.empty()) {
        check_size("user_motion", input.user_motion.size(), {frames * channels}, "frames x channels");
    }
    if (!input.user_motion_present.empty()) {
        check_size("user_motion_present", input.user_motion_present.size(), {frames}, "frames");
    }
    for (std::size_t f = 0; f < frames && !input.user_motion.empty(); ++f) {
        if (!input.user_motion_present.empty() && input.user_motion_present[f] == 0) continue;
        check_values("user_motion", input.user_motion.subspan(f * channels, channels), kMaxMotion);
    }
}

void check_style(const ModelConfig& config, std::span<const float> style) {
    if (style.empty()) return;
    if (config.styles.empty()) refuse("style: the model has none; expected a model trained with styles");
    check_size("style", style.size(), {config.styles.size()}, "one for each style of the model");
    for (std::size_t i = 0; i < style.size(); ++i) check_number(("style " + config.styles[i]).c_str(), style[i], -1, 1);
}

void check_turn(const ModelConfig& config, const TurnInput& input, const TurnOutput& output) {
    const auto turn = static_cast<std::size_t>(config.turn_samples());
    const auto ahead = static_cast<std::size_t>(config.agent_lookahead_frames * kSamplesPerFrame);
    const auto values = static_cast<std::size_t>(config.turn_frames * config.n_channels);
    const int steps = input.steps == 0 ? config.steps : input.steps;
    if (!input.user_audio.empty()) check_size("user_audio", input.user_audio.size(), {turn}, "samples of a turn");
    if (!input.agent_audio.empty()) {
        check_size("agent_audio", input.agent_audio.size(), {turn, turn + ahead},
                   "samples of a turn, or with lookahead");
    }
    check_values("user_audio", input.user_audio, kMaxSample);
    check_values("agent_audio", input.agent_audio, kMaxSample);
    check_user_motion(config, input);
    if (!input.noise.empty()) {
        check_size("noise", input.noise.size(), {(1 + static_cast<std::size_t>(steps)) * values},
                   "(1 + steps) x frames x channels");
        check_values("noise", input.noise, kMaxMotion);
    }
    check_number("temperature", input.temperature, 0, 100);
    check_number("guidance", input.guidance, -100, 100);
    check_style(config, input.style);
    if (input.turn < -1 || input.turn > (std::int64_t{1} << 40)) {
        refuse("turn is " + std::to_string(input.turn) + "; expected 0 to 2^40, or -1 for the slot's own count");
    }
    check_size("output motion", output.motion.size(), {values}, "frames x channels");
}

}  // namespace

void check_turns(const ModelConfig& config, std::span<const TurnInput> inputs, std::span<const TurnOutput> outputs) {
    if (inputs.size() != outputs.size()) {
        refuse("step: " + std::to_string(outputs.size()) + " outputs for " + std::to_string(inputs.size()) + " inputs");
    }
    for (std::size_t i = 0; i < inputs.size(); ++i) {
        for (std::size_t j = 0; j < i; ++j) {
            if (inputs[i].slot == inputs[j].slot) {
                refuse("slot " + std::to_string(inputs[i].slot) + " appears twice in one step");
            }
        }
        check_turn(config, inputs[i], outputs[i]);
    }
}

}  // namespace visavis
