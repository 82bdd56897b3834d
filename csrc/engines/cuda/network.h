// A model's weights on the GPU and the memory that its batches need.
#pragma once
#include <optional>

#include "engines/cuda/backbone.h"
#include "engines/cuda/denoiser.h"
#include "engines/cuda/log_mel_encoder.h"
#include "engines/cuda/turn_tokens.h"
#include "engines/cuda/wav2vec2_encoder.h"

namespace visavis::cuda {

// What batches may hold.
struct Capacity {
    int turns = 0;
    int backbone_turns = 0;  // of a pass that only writes keys and values
    int branches = 1;
    int steps = 1;

    bool holds(const Capacity& other) const {
        return turns >= other.turns && backbone_turns >= other.backbone_turns && branches >= other.branches &&
               steps >= other.steps;
    }
};

struct Network {
    // `options`: the file's configuration with those of the engine in force.
    Network(const WeightReader& reader, const ModelConfig& options, const std::vector<float>& guidance_shares,
            bool fuse)
        : normalisation(reader),
          tokens(reader),
          backbone(reader),
          denoiser(reader, options, normalisation, guidance_shares, fuse) {
        if (options.speech_encoder == SpeechEncoder::kWav2vec2) {
            wav2vec2.emplace(reader);
        } else {
            log_mel.emplace(reader);
        }
    }

    void allocate(Arena& arena, const Capacity& capacity) {
        if (log_mel) log_mel->allocate(arena, capacity.turns);
        if (wav2vec2) wav2vec2->allocate(arena, capacity.turns);
        tokens.allocate(arena, capacity.turns);
        backbone.allocate(arena, std::max(capacity.turns, capacity.backbone_turns));
        denoiser.allocate(arena, capacity.turns, capacity.branches, capacity.steps);
    }
    Features hear(const Compute& compute, const Batch& batch) const {
        return log_mel ? log_mel->encode(compute, batch) : wav2vec2->encode(compute, batch);
    }
    std::size_t voice_bytes() const { return log_mel ? log_mel->state_bytes() : 0; }

    Normalisation normalisation;
    std::optional<LogMelEncoder> log_mel;  // one of the two
    std::optional<Wav2Vec2Encoder> wav2vec2;
    TurnTokens tokens;
    Backbone backbone;
    Denoiser denoiser;
};

}  // namespace visavis::cuda
