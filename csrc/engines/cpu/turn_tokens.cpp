#include "engines/cpu/turn_tokens.h"

#include <algorithm>

namespace visavis::cpu {

TurnTokens::TurnTokens(const TensorReader& reader)
    : frames_(reader.config().turn_frames),
      token_width_(reader.config().token_width),
      width_(reader.config().width),
      n_channels_(reader.config().n_channels),
      n_styles_(reader.config().n_styles()),
      fused_(reader.config().layout == Layout::kFused),
      kinds_(reader.config().layout_kind),
      frames_of_(reader.config().layout_frame),
      speech_projection_(reader.linear("speech_projection", token_width_, reader.config().speech_width)),
      motion_in_(reader.linear("motion_encoder.0", token_width_ / 2, n_channels_)),
      motion_out_(reader.linear("motion_encoder.2", token_width_, token_width_ / 2)),
      to_model_(reader.linear("z_proj", width_, token_width_)),
      fake_(reader.buffer("fake_latent", {1, token_width_})),
      mask_token_(reader.buffer("mask_token", {1, 1, width_})) {
    if (fused_) {
        user_to_model_ = reader.linear("z_proj_user", width_, token_width_);
    } else {
        markers_ = reader.buffer("sep_tok_emb.weight", {kMarkers, token_width_});
    }
    if (n_styles_ == 0) return;
    const std::vector<float> by_output = reader.values("style_proj.weight", {width_, n_styles_});
    style_ = Buffer(by_output.size());
    for (std::size_t i = 0; i < by_output.size(); ++i) {
        style_.data()[i % elements(n_styles_) * elements(width_) + i / elements(n_styles_)] = by_output[i];
    }
}

TurnTokens::Scratch TurnTokens::scratch(Compute& compute, int n_turns) const {
    const int frames = n_turns * frames_, tokens = n_turns * static_cast<int>(kinds_.size());
    Scratch scratch;
    scratch.streams = Buffer(elements(4, frames, token_width_));
    scratch.motion = Buffer(elements(frames, n_channels_));
    scratch.motion_hidden = Buffer(elements(frames, token_width_ / 2));
    scratch.gathered = Buffer(elements(tokens, token_width_));
    scratch.projected = Buffer(elements(frames, width_));
    if (n_styles_ > 0) scratch.style = Buffer(elements(n_turns, width_));
    compute.reserve(tokens, token_width_);
    compute.reserve(frames, std::max(n_channels_, speech_projection_.weight.n_in()));
    return scratch;
}

// The B * F tokens (w) of one of the four streams, by its kind.
Rows TurnTokens::stream(Scratch& scratch, int kind, int n_turns) const {
    const std::size_t size = scratch.streams.size() / 4;
    return {scratch.streams.data() + static_cast<std::size_t>(kind - kUserSpeech) * size, n_turns * frames_,
            token_width_};
}

void TurnTokens::set_speech(Compute& compute, Scratch& scratch, int kind, ConstRows features, int n_turns) const {
    compute.apply(speech_projection_, features, stream(scratch, kind, n_turns));
}

void TurnTokens::encode_motion(Compute& compute, Scratch& scratch, const float* normed, Rows out) const {
    const Rows hidden{scratch.motion_hidden.data(), out.rows, token_width_ / 2};
    compute.apply(motion_in_, {normed, n_channels_}, hidden, {.activation = Activation::kRelu});
    compute.apply(motion_out_, hidden, out, {.activation = Activation::kRelu});
}

void TurnTokens::set_user_motion(Compute& compute, Scratch& scratch, const Normalisation& normalisation,
                                 std::span<const UserMotion> turns) const {
    scratch.motion.clear();
    float* normed = scratch.motion.data();
    for (const UserMotion& turn : turns) {
        for (int f = 0; f < frames_; ++f, normed += n_channels_) {
            if (turn.has(f)) normalisation.normalise(turn.values.data() + elements(f, n_channels_), normed, 1);
        }
    }
    const Rows tokens = stream(scratch, kUserMotion, static_cast<int>(turns.size()));
    encode_motion(compute, scratch, scratch.motion.data(), tokens);
    for (int i = 0; i < tokens.rows; ++i) {
        if (!turns[static_cast<std::size_t>(i / frames_)].has(i % frames_)) {
            std::copy_n(fake_.data(), token_width_, tokens.row(i));
        }
    }
}

void TurnTokens::set_own_motion(Compute& compute, Scratch& scratch, const float* normed, int n_turns) const {
    encode_motion(compute, scratch, normed, stream(scratch, kAgentMotion, n_turns));
}

void TurnTokens::set_style(Scratch& scratch, int turn, std::span<const float> style) const {
    if (n_styles_ == 0) return;
    float* sum = scratch.style.data() + elements(turn, width_);
    std::fill_n(sum, width_, 0.0F);
    for (std::size_t s = 0; s < style.size(); ++s) {
        const float* axis = style_.data() + s * elements(width_);
        for (int d = 0; d < width_; ++d) sum[d] += style[s] * axis[d];
    }
}

// To the tokens where z is read.
void TurnTokens::add_style(const Scratch& scratch, Rows x) const {
    const int tokens = static_cast<int>(kinds_.size());
    for (int i = 0; i < x.rows; ++i) {
        const int kind = kinds_[static_cast<std::size_t>(i % tokens)];
        if (kind != kAgentMotion && kind != kAgentFrame) continue;
        const float* sum = scratch.style.data() + elements(i / tokens, width_);
        for (int d = 0; d < width_; ++d) x.row(i)[d] += sum[d];
    }
}

// frame: of all the turns' frames.
const float* TurnTokens::token(Scratch& scratch, int kind, int frame, Branch branch) const {
    if (kind < kMarkers) return markers_.data() + elements(kind, token_width_);
    const bool of_user = kind == kUserSpeech || kind == kUserMotion;
    return of_user && branch == Branch::kUnconditional ? fake_.data() : stream(scratch, kind, 0).row(frame);
}

void TurnTokens::embed(Compute& compute, Scratch& scratch, Branch branch, bool masked, int n_turns, Rows x) const {
    x.rows = n_turns * static_cast<int>(kinds_.size());
    if (fused_) {
        embed_fused(compute, scratch, branch, masked, kUserFrame, x);
        embed_fused(compute, scratch, branch, masked, kAgentFrame, x);
    } else {
        embed_markers(compute, scratch, branch, masked, x);
    }
    if (n_styles_ > 0) add_style(scratch, x);
}

// Every token through z_proj; masked agent motion is replaced afterwards.
void TurnTokens::embed_markers(Compute& compute, Scratch& scratch, Branch branch, bool masked, Rows x) const {
    const int tokens = static_cast<int>(kinds_.size());
    for (int i = 0; i < x.rows; ++i) {
        const auto t = static_cast<std::size_t>(i % tokens);
        const float* source = token(scratch, kinds_[t], i / tokens * frames_ + frames_of_[t], branch);
        std::copy_n(source, token_width_, scratch.gathered.data() + elements(i, token_width_));
    }
    compute.apply(to_model_, {scratch.gathered.data(), token_width_}, x);
    if (!masked) return;
    for (int i = 0; i < x.rows; ++i) {
        const int kind = kinds_[static_cast<std::size_t>(i % tokens)];
        if (kind == kAgentMotion) std::copy_n(mask_token_.data(), width_, x.row(i));
    }
}

// One token per frame: speech plus motion, projected; masked own motion is left out of the sum.
void TurnTokens::embed_fused(Compute& compute, Scratch& scratch, Branch branch, bool masked, int frame_kind,
                             Rows x) const {
    const bool user = frame_kind == kUserFrame;
    const bool without = masked && !user;
    const int tokens = static_cast<int>(kinds_.size()), frames = x.rows / tokens * frames_;
    for (int f = 0; f < frames; ++f) {
        const float* speech = token(scratch, user ? kUserSpeech : kAgentSpeech, f, branch);
        const float* motion = token(scratch, user ? kUserMotion : kAgentMotion, f, branch);
        float* sum = scratch.gathered.data() + elements(f, token_width_);
        for (int i = 0; i < token_width_; ++i) sum[i] = without ? speech[i] : speech[i] + motion[i];
    }
    const Rows projected{scratch.projected.data(), frames, width_};
    compute.apply(user ? user_to_model_ : to_model_, {scratch.gathered.data(), token_width_}, projected);
    for (int i = 0; i < x.rows; ++i) {
        const auto t = static_cast<std::size_t>(i % tokens);
        if (kinds_[t] != frame_kind) continue;
        const float* row = projected.row(i / tokens * frames_ + frames_of_[t]);
        for (int d = 0; d < width_; ++d) x.row(i)[d] = without ? row[d] + mask_token_.data()[d] : row[d];
    }
}

}  // namespace visavis::cpu
