// A model's weights and tables as the kernels take them: read only, shared by all threads of an engine.
#pragma once
#include <optional>
#include <vector>

#include "engines/cpu/backbone.h"
#include "engines/cpu/denoiser.h"
#include "engines/cpu/log_mel_encoder.h"
#include "engines/cpu/turn_tokens.h"
#include "engines/cpu/wav2vec2_encoder.h"

namespace visavis::cpu {

struct Network {
    // `options`: the file's configuration with those of the engine in force.
    Network(const TensorReader& reader, const ModelConfig& options, std::vector<float> shares)
        : config(options),
          guidance_shares(std::move(shares)),
          normalisation(reader),
          tokens(reader),
          backbone(reader),
          denoiser(reader, config.sampler, normalisation.mask()) {
        if (config.speech_encoder == SpeechEncoder::kWav2vec2) {
            wav2vec2.emplace(reader);
        } else {
            log_mel.emplace(reader);
        }
    }

    ModelConfig config;
    std::vector<float> guidance_shares;  // (F) of a frame's guidance, by the pass that decodes it
    Normalisation normalisation;
    std::optional<LogMelEncoder> log_mel;  // one of the two
    std::optional<Wav2Vec2Encoder> wav2vec2;
    TurnTokens tokens;
    Backbone backbone;
    Denoiser denoiser;
};

}  // namespace visavis::cpu
