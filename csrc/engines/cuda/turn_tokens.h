// From signals to the tokens of turns on the GPU; engines/cpu/turn_tokens.h says what is computed.
#pragma once
#include "engines/cuda/batch.h"

namespace visavis::cuda {

// The sums that bring normalised motion to raw units and back, and the channels that are generated at all.
struct Normalisation {
    explicit Normalisation(const WeightReader& reader);

    const float *mean = nullptr, *std = nullptr, *mask = nullptr;  // (C)
    std::vector<float> host_mean, host_std, host_mask;
};

class TurnTokens {
  public:
    explicit TurnTokens(const WeightReader& reader);

    void allocate(Arena& arena, int n_turns);
    const float* embedded() const { return embedded_; }  // (turns, T, D)

    // The streams: both voices, the user's face and, where asked for, the slots' own motion.
    void set_speech(const Compute& compute, const Batch& batch, const Features& features) const;
    void set_motion(const Compute& compute, const Batch& batch, const Normalisation& normalisation,
                    bool with_own) const;
    // Unconditional: fake_latent in place of all the user's tokens.  Masked: without own motion.
    void embed(const Compute& compute, const Batch& batch, bool unconditional, bool masked) const;

  private:
    std::int64_t stream_row(int turn, int stream, int frame) const {
        return ((std::int64_t{turn} * 4 + stream) * frames_ + frame) * token_width_;
    }

    int frames_, token_width_, width_, n_channels_, n_styles_;
    bool fused_;
    std::vector<std::int32_t> kinds_, frames_of_;  // of the rows that are gathered
    std::vector<std::int32_t> tokens_of_;          // and the tokens of the turn that they become
    Linear speech_projection_, motion_in_, motion_out_, to_model_, user_to_model_, style_;
    const float *masked_bias_ = nullptr, *fake_ = nullptr, *markers_ = nullptr, *mask_token_ = nullptr;
    const std::int32_t *device_kinds_ = nullptr, *device_frames_ = nullptr;

    void *motion_ = nullptr, *motion_hidden_ = nullptr, *gathered_ = nullptr;
    float *streams_ = nullptr, *embedded_ = nullptr;
    RowMap speech_out_;  // rows (turn, side, frame) to their streams
    RowMap motion_out_user_, motion_out_both_;
    RowMap motion_user_;                 // of the rows (turn, side, frame) the user's
    RowMap gathered_frames_;             // fused: of the rows (turn, side, frame) one side's
    RowMap user_tokens_, agent_tokens_;  // where a frame's token goes; the user's: fused
    RowMap styles_;                      // the turn's for each of its frames
    RowMap tokens_, unmasked_tokens_;    // markers: all, all but the masked ones
};

}  // namespace visavis::cuda
