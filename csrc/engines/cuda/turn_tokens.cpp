#include "engines/cuda/turn_tokens.h"

#include <algorithm>

#include "error.h"

namespace visavis::cuda {
namespace {

constexpr int kSpeech = 0, kMotion = 1, kAgent = 2;  // streams: user's speech and motion, then the agent's

template <class At>
RowMap rows_at(Arena& arena, int n_turns, int n_rows, At at) {
    std::vector<std::int32_t> offsets;
    for (int turn = 0; turn < n_turns; ++turn) {
        for (int row = 0; row < n_rows; ++row) offsets.push_back(static_cast<std::int32_t>(at(turn, row)));
    }
    return {0, arena.upload(offsets)};
}

}  // namespace

Normalisation::Normalisation(const WeightReader& reader) {
    const int channels = reader.config().n_channels;
    host_mean = reader.values("motion_mean", {channels});
    host_std = reader.values("motion_std", {channels});
    host_mask = reader.values("motion_weight", {channels});
    for (float& weight : host_mask) weight = weight > 0 ? 1.0F : 0.0F;
    for (const float value : host_std) {
        if (!(value > 0)) {
            throw Error(Status::kModelFile,
                        "model file: motion_std holds " + std::to_string(value) + "; expected over 0");
        }
    }
    mean = reader.upload(host_mean);
    std = reader.upload(host_std);
    mask = reader.upload(host_mask);
}

TurnTokens::TurnTokens(const WeightReader& reader)
    : frames_(reader.config().turn_frames),
      token_width_(reader.config().token_width),
      width_(reader.config().width),
      n_channels_(reader.config().n_channels),
      n_styles_(reader.config().n_styles()),
      fused_(reader.config().layout == Layout::kFused),
      speech_projection_(reader.linear("speech_projection", token_width_, reader.config().speech_width)),
      motion_in_(reader.linear("motion_encoder.0", token_width_ / 2, n_channels_)),
      motion_out_(reader.linear("motion_encoder.2", token_width_, token_width_ / 2)),
      to_model_(reader.linear("z_proj", width_, token_width_)),
      fake_(reader.floats("fake_latent", {1, token_width_})) {
    const ModelConfig& config = reader.config();
    const int n_tokens = config.tokens_per_turn();
    const std::vector<float> mask_token = reader.values("mask_token", {1, 1, width_});
    mask_token_ = reader.upload(mask_token);
    if (fused_) {
        user_to_model_ = reader.linear("z_proj_user", width_, token_width_);
        std::vector<float> bias = reader.values("z_proj.bias", {width_});
        for (std::size_t i = 0; i < bias.size(); ++i) bias[i] += mask_token[i];
        masked_bias_ = reader.upload(bias);
    } else {
        markers_ = reader.floats("sep_tok_emb.weight", {kMarkers, token_width_});
    }
    if (n_styles_ > 0) {
        style_ = reader.pack(reader.values("style_proj.weight", {width_, n_styles_}), {}, width_, n_styles_);
    }
    // Rows are gathered in the order of the turn's tokens; fused: the user's frames, then the agent's.
    for (const int kind : fused_ ? std::vector<int>{kUserFrame, kAgentFrame} : std::vector<int>{-1}) {
        for (int frame = 0; frame < (fused_ ? frames_ : 1); ++frame) {
            for (int token = 0; token < n_tokens; ++token) {
                const int found = config.layout_kind[static_cast<std::size_t>(token)];
                const int of_frame = config.layout_frame[static_cast<std::size_t>(token)];
                if (fused_ && (found != kind || of_frame != frame)) continue;
                kinds_.push_back(found);
                frames_of_.push_back(of_frame);
                tokens_of_.push_back(token);
            }
        }
    }
    device_kinds_ = reader.upload(kinds_);
    device_frames_ = reader.upload(frames_of_);
}

void TurnTokens::allocate(Arena& arena, int n_turns) {
    const std::int64_t frames = std::int64_t{n_turns} * frames_;
    const auto n_tokens = static_cast<std::int64_t>(tokens_of_.size());
    const std::int64_t motion_pitch = pitch_of(n_channels_), gathered_pitch = pitch_of(token_width_);
    motion_ = arena.take_of<std::uint16_t>(2 * frames * motion_pitch);
    motion_hidden_ = arena.take_of<std::uint16_t>(2 * frames * pitch_of(token_width_ / 2));
    gathered_ = arena.take_of<std::uint16_t>(n_turns * n_tokens * gathered_pitch);
    streams_ = arena.take_of<float>(4 * frames * token_width_);
    embedded_ = arena.take_of<float>(n_turns * n_tokens * width_);
    const auto side = [this](int row) { return row / frames_ % 2; };
    speech_out_ = rows_at(arena, n_turns, 2 * frames_, [&](int turn, int row) {
        return stream_row(turn, kSpeech + side(row) * kAgent, row % frames_);
    });
    motion_out_both_ = rows_at(arena, n_turns, 2 * frames_, [&](int turn, int row) {
        return stream_row(turn, kMotion + side(row) * kAgent, row % frames_);
    });
    motion_out_user_ =
        rows_at(arena, n_turns, frames_, [&](int turn, int row) { return stream_row(turn, kMotion, row); });
    motion_user_ =
        rows_at(arena, n_turns, frames_, [&](int turn, int row) { return (turn * 2 * frames_ + row) * motion_pitch; });
    const auto token = [&](std::ptrdiff_t first) {
        return [this, first, n_tokens](int turn, int row) {
            return (turn * n_tokens + tokens_of_[static_cast<std::size_t>(first + row)]) * width_;
        };
    };
    const auto agent =
        std::ranges::find_if(kinds_, [](int kind) { return kind == kAgentMotion || kind == kAgentFrame; });
    agent_tokens_ = rows_at(arena, n_turns, frames_, token(agent - kinds_.begin()));
    if (n_styles_ > 0) {
        styles_ = rows_at(arena, n_turns, frames_, [&](int turn, int) { return turn * pitch_of(n_styles_); });
    }
    if (fused_) {
        gathered_frames_ = rows_at(arena, n_turns, frames_,
                                   [&](int turn, int row) { return (turn * n_tokens + row) * gathered_pitch; });
        user_tokens_ = rows_at(arena, n_turns, frames_, token(0));
    } else {
        const int rows = static_cast<int>(n_tokens);
        tokens_ = dense(width_);
        unmasked_tokens_ = rows_at(arena, n_turns, rows, [&](int turn, int row) {
            const bool masked = kinds_[static_cast<std::size_t>(row)] == kAgentMotion;
            return masked ? -1 : (turn * n_tokens + row) * width_;
        });
    }
}

void TurnTokens::set_speech(const Compute& compute, const Batch& batch, const Features& features) const {
    compute.to_float(compute.product(speech_projection_, batch.rows(2 * frames_), features.values, features.rows),
                     streams_, speech_out_);
}

void TurnTokens::set_motion(const Compute& compute, const Batch& batch, const Normalisation& normalisation,
                            bool with_own) const {
    MotionRowsParams p;
    p.count = batch.rows(frames_);
    p.turns = batch.turns;
    p.user = batch.user_motion;
    p.present = batch.present;
    p.mean = normalisation.mean;
    p.std = normalisation.std;
    p.mask = normalisation.mask;
    p.n_channels = n_channels_;
    p.with_own = with_own;
    p.out = motion_;
    p.pitch = pitch_of(n_channels_);
    motion_rows(compute.launcher, compute.half, p);
    const Count rows = batch.rows(with_own ? 2 * frames_ : frames_);
    const RowMap hidden = dense(pitch_of(token_width_ / 2));
    const GemmParams in = compute.product(motion_in_, rows, motion_, with_own ? dense(p.pitch) : motion_user_);
    compute.to_half(with(in, Activation::kRelu), motion_hidden_, hidden);
    const GemmParams out = compute.product(motion_out_, rows, motion_hidden_, hidden);
    compute.to_float(with(out, Activation::kRelu), streams_, with_own ? motion_out_both_ : motion_out_user_);
}

void TurnTokens::embed(const Compute& compute, const Batch& batch, bool unconditional, bool masked) const {
    GatherParams p;
    p.count = batch.rows(static_cast<int>(tokens_of_.size()));
    p.streams = streams_;
    p.present = batch.present;
    p.fake = fake_;
    p.markers = markers_;
    p.kinds = device_kinds_;
    p.frames = device_frames_;
    p.n_frames = frames_;
    p.token_width = token_width_;
    p.unconditional = unconditional;
    p.masked = masked;
    p.out = gathered_;
    p.pitch = pitch_of(token_width_);
    p.mask_token = mask_token_;
    p.embedded = embedded_;
    p.width = width_;
    gather_tokens(compute.launcher, compute.half, p);
    const Count frames = batch.rows(frames_);
    if (fused_) {
        compute.to_float(compute.product(user_to_model_, frames, gathered_, gathered_frames_), embedded_, user_tokens_);
        const auto* agent = static_cast<const std::uint16_t*>(gathered_) + frames_ * p.pitch;
        GemmParams g = compute.product(to_model_, frames, agent, gathered_frames_);
        if (masked) g.bias = masked_bias_;
        compute.to_float(g, embedded_, agent_tokens_);
    } else {
        compute.to_float(compute.product(to_model_, p.count, gathered_, dense(p.pitch)), embedded_,
                         masked ? unmasked_tokens_ : tokens_);
    }
    if (n_styles_ == 0) return;
    compute.to_float(accumulating(compute.product(style_, frames, batch.styles, styles_)), embedded_, agent_tokens_);
}

}  // namespace visavis::cuda
