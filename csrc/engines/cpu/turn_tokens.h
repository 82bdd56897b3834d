// From signals to the tokens of one turn, as the backbone takes them (before positions), in both layouts.
//
// Fill the four streams with set_*(), then embed() as often as needed: conditional and unconditional, masked and fed.
#pragma once
#include <cstdint>
#include <span>
#include <vector>

#include "engines/cpu/normalisation.h"
#include "engines/cpu/tensor_reader.h"

namespace visavis::cpu {

enum class Branch { kConditional, kUnconditional };  // the latter: fake_latent in place of all the user's tokens

class TurnTokens {
  public:
    explicit TurnTokens(const TensorReader& reader);

    void set_user_speech(ConstRows features);   // (F, speech_width)
    void set_agent_speech(ConstRows features);  // (F, speech_width)
    // (F, C) raw units; a frame without its flag, or no motion at all, becomes fake_latent.  Empty flags: all present.
    void set_user_motion(const Normalisation& normalisation, std::span<const float> motion,
                         std::span<const std::uint8_t> present);
    void set_own_motion(const float* normed);  // (F, C)
    void mask_own_motion() { masked_ = true; }

    void embed(Branch branch, Rows x);  // x (T, D)

  private:
    Rows stream(int kind);
    const float* token(int kind, int frame, Branch branch);
    void encode_motion(const float* normed, Rows out);
    void embed_markers(Branch branch, Rows x);
    void embed_fused(Branch branch, int frame_kind, Rows x);

    const Kernels* kernels_;
    int frames_, token_width_, width_, n_channels_;
    bool fused_, masked_ = true;
    std::vector<int> kinds_, frames_of_;  // (T)
    Linear speech_projection_, motion_in_, motion_out_, to_model_, user_to_model_;
    Buffer markers_;     // (10, w)
    Buffer fake_;        // (w)
    Buffer mask_token_;  // (D)
    Buffer streams_;     // (4, F, w): user speech, user motion, agent speech, agent motion
    Buffer motion_, motion_hidden_, gathered_, projected_;
};

}  // namespace visavis::cpu
