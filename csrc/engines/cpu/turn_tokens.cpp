#include "engines/cpu/turn_tokens.h"

#include <algorithm>

namespace visavis::cpu {

TurnTokens::TurnTokens(const TensorReader& reader)
    : kernels_(&reader.kernels()),
      frames_(reader.config().turn_frames),
      token_width_(reader.config().token_width),
      width_(reader.config().width),
      n_channels_(reader.config().n_channels),
      fused_(reader.config().layout == Layout::kFused),
      kinds_(reader.config().layout_kind),
      frames_of_(reader.config().layout_frame),
      speech_projection_(reader.linear("speech_projection", token_width_, reader.config().speech_width)),
      motion_in_(reader.linear("motion_encoder.0", token_width_ / 2, n_channels_)),
      motion_out_(reader.linear("motion_encoder.2", token_width_, token_width_ / 2)),
      to_model_(reader.linear("z_proj", width_, token_width_)),
      fake_(reader.buffer("fake_latent", {1, token_width_})),
      mask_token_(reader.buffer("mask_token", {1, 1, width_})),
      streams_(elements(4, frames_, token_width_)),
      motion_(elements(frames_, n_channels_)),
      motion_hidden_(elements(frames_, token_width_ / 2)),
      gathered_(elements(kinds_.size(), token_width_)),
      projected_(elements(frames_, width_)) {
    if (fused_) {
        user_to_model_ = reader.linear("z_proj_user", width_, token_width_);
    } else {
        markers_ = reader.buffer("sep_tok_emb.weight", {kMarkers, token_width_});
    }
}

// The F tokens (w) of one of the four streams, by its kind.
Rows TurnTokens::stream(int kind) {
    return {streams_.data() + elements(kind - kUserSpeech, frames_, token_width_), frames_, token_width_};
}

void TurnTokens::set_user_speech(ConstRows features) {
    apply(*kernels_, speech_projection_, features, stream(kUserSpeech));
}

void TurnTokens::set_agent_speech(ConstRows features) {
    apply(*kernels_, speech_projection_, features, stream(kAgentSpeech));
}

void TurnTokens::encode_motion(const float* normed, Rows out) {
    const int half = token_width_ / 2;
    apply(*kernels_, motion_in_, {normed, n_channels_}, {motion_hidden_.data(), frames_, half});
    for (float& x : motion_hidden_.span()) x = std::max(x, 0.0F);
    apply(*kernels_, motion_out_, {motion_hidden_.data(), half}, out);
    for (int f = 0; f < frames_; ++f) {
        for (int i = 0; i < token_width_; ++i) out.row(f)[i] = std::max(out.row(f)[i], 0.0F);
    }
}

void TurnTokens::set_user_motion(const Normalisation& normalisation, std::span<const float> motion,
                                 std::span<const std::uint8_t> present) {
    const auto is_present = [&](int f) {
        return !motion.empty() && (present.empty() || present[static_cast<std::size_t>(f)] != 0);
    };
    motion_.clear();
    for (int f = 0; f < frames_; ++f) {
        const std::size_t at = elements(f, n_channels_);
        if (is_present(f)) normalisation.normalise(motion.data() + at, motion_.data() + at, 1);
    }
    const Rows tokens = stream(kUserMotion);
    encode_motion(motion_.data(), tokens);
    for (int f = 0; f < frames_; ++f) {
        if (!is_present(f)) std::copy_n(fake_.data(), token_width_, tokens.row(f));
    }
}

void TurnTokens::set_own_motion(const float* normed) {
    encode_motion(normed, stream(kAgentMotion));
    masked_ = false;
}

const float* TurnTokens::token(int kind, int frame, Branch branch) {
    if (kind < kMarkers) return markers_.data() + elements(kind, token_width_);
    const bool of_user = kind == kUserSpeech || kind == kUserMotion;
    return of_user && branch == Branch::kUnconditional ? fake_.data() : stream(kind).row(frame);
}

void TurnTokens::embed(Branch branch, Rows x) {
    if (fused_) {
        embed_fused(branch, kUserFrame, x);
        embed_fused(branch, kAgentFrame, x);
    } else {
        embed_markers(branch, x);
    }
}

// Every token through z_proj; masked agent motion is replaced afterwards.
void TurnTokens::embed_markers(Branch branch, Rows x) {
    for (std::size_t i = 0; i < kinds_.size(); ++i) {
        const float* source = token(kinds_[i], frames_of_[i], branch);
        std::copy_n(source, token_width_, gathered_.data() + elements(i, token_width_));
    }
    apply(*kernels_, to_model_, {gathered_.data(), token_width_}, x);
    if (!masked_) return;
    for (int i = 0; i < x.rows; ++i) {
        if (kinds_[static_cast<std::size_t>(i)] == kAgentMotion) std::copy_n(mask_token_.data(), width_, x.row(i));
    }
}

// One token per frame: speech plus motion, projected; masked own motion is left out of the sum.
void TurnTokens::embed_fused(Branch branch, int frame_kind, Rows x) {
    const bool user = frame_kind == kUserFrame;
    const bool masked = masked_ && !user;
    for (int f = 0; f < frames_; ++f) {
        const float* speech = token(user ? kUserSpeech : kAgentSpeech, f, branch);
        const float* motion = token(user ? kUserMotion : kAgentMotion, f, branch);
        float* sum = gathered_.data() + elements(f, token_width_);
        for (int i = 0; i < token_width_; ++i) sum[i] = masked ? speech[i] : speech[i] + motion[i];
    }
    const Rows projected{projected_.data(), frames_, width_};
    apply(*kernels_, user ? user_to_model_ : to_model_, {gathered_.data(), token_width_}, projected);
    for (int i = 0; i < x.rows; ++i) {
        if (kinds_[static_cast<std::size_t>(i)] != frame_kind) continue;
        const float* row = projected.row(frames_of_[static_cast<std::size_t>(i)]);
        for (int d = 0; d < width_; ++d) x.row(i)[d] = masked ? row[d] + mask_token_.data()[d] : row[d];
    }
}

}  // namespace visavis::cpu
