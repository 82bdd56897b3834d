// From signals to the tokens of turns, as the backbone takes them (before positions), in both layouts; of several turns
// (B) of different sessions at once.
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

    struct Scratch {
        Buffer streams;  // (4, B * F, w): user speech, user motion, agent speech, agent motion
        Buffer motion, motion_hidden, gathered, projected;
        Buffer style;  // (B, D): what a turn's style adds to the agent's tokens
    };
    // (F, C) raw units; a frame without its flag, or no motion at all, becomes fake_latent.  Empty flags: all present.
    struct UserMotion {
        std::span<const float> values;
        std::span<const std::uint8_t> present;

        bool has(int frame) const {
            return !values.empty() && (present.empty() || present[static_cast<std::size_t>(frame)] != 0);
        }
    };
    Scratch scratch(Compute& compute, int n_turns) const;

    // kind: kUserSpeech or kAgentSpeech; features (B * F, speech_width).
    void set_speech(Compute& compute, Scratch& scratch, int kind, ConstRows features, int n_turns) const;
    void set_user_motion(Compute& compute, Scratch& scratch, const Normalisation& normalisation,
                         std::span<const UserMotion> turns) const;
    void set_own_motion(Compute& compute, Scratch& scratch, const float* normed, int n_turns) const;  // (B * F, C)
    // Of one turn of the B; empty: the average person.
    void set_style(Scratch& scratch, int turn, std::span<const float> style) const;

    // x (B * T, D).  Masked: without the agent's own motion.
    void embed(Compute& compute, Scratch& scratch, Branch branch, bool masked, int n_turns, Rows x) const;

  private:
    Rows stream(Scratch& scratch, int kind, int n_turns) const;
    const float* token(Scratch& scratch, int kind, int frame, Branch branch) const;
    void encode_motion(Compute& compute, Scratch& scratch, const float* normed, Rows out) const;
    void embed_markers(Compute& compute, Scratch& scratch, Branch branch, bool masked, Rows x) const;
    void embed_fused(Compute& compute, Scratch& scratch, Branch branch, bool masked, int frame_kind, Rows x) const;
    void add_style(const Scratch& scratch, Rows x) const;

    int frames_, token_width_, width_, n_channels_, n_styles_;
    bool fused_;
    std::vector<int> kinds_, frames_of_;  // (T)
    Linear speech_projection_, motion_in_, motion_out_, to_model_, user_to_model_;
    Buffer markers_;     // (10, w)
    Buffer fake_;        // (w)
    Buffer mask_token_;  // (D)
    Buffer style_;       // (S, D)
};

}  // namespace visavis::cpu
