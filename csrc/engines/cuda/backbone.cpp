#include "engines/cuda/backbone.h"

#include <cmath>
#include <string>

namespace visavis::cuda {

Backbone::Backbone(const WeightReader& reader)
    : width_(reader.config().width),
      heads_(reader.config().heads),
      stored_(stored_head_width(width_, heads_)),
      n_tokens_(reader.config().tokens_per_turn()),
      context_(reader.config().context_turns),
      hidden_width_(reader.config().mlp_ratio * width_),
      frames_(reader.config().turn_frames),
      relative_(reader.config().positions == Positions::kRelative),
      input_norm_(reader.norm("z_proj_ln", width_)),
      output_norm_(reader.norm("encoder_norm", width_)) {
    const ModelConfig& config = reader.config();
    const std::int64_t positions = std::int64_t{relative_ ? 1 : context_} * n_tokens_;
    encoder_positions_ = reader.floats("encoder_pos_embed_learned", {1, positions, width_});
    diffusion_positions_ = reader.floats("diffusion_pos_embed_learned", {1, positions, width_});
    std::vector<std::int32_t> agent_tokens(static_cast<std::size_t>(frames_));
    for (int i = 0; i < n_tokens_; ++i) {
        const int kind = config.layout_kind[static_cast<std::size_t>(i)];
        if (kind != kAgentMotion && kind != kAgentFrame) continue;
        agent_tokens[static_cast<std::size_t>(config.layout_frame[static_cast<std::size_t>(i)])] = i;
    }
    agent_tokens_ = reader.upload(agent_tokens);
    const float* turn_bias = relative_ ? reader.floats("turn_bias", {config.depth, heads_, context_}) : nullptr;
    for (int layer = 0; layer < config.depth; ++layer) {
        const std::string name = "encoder_blocks." + std::to_string(layer) + ".";
        blocks_.push_back({reader.norm(name + "norm1", width_), reader.norm(name + "norm2", width_),
                           reader.queries_keys_values(name + "attn.qkv", width_, heads_, stored_),
                           reader.projection(name + "attn.proj", width_, heads_, stored_),
                           reader.linear(name + "mlp.fc1", hidden_width_, width_),
                           reader.linear(name + "mlp.fc2", width_, hidden_width_),
                           turn_bias ? turn_bias + std::int64_t{layer} * heads_ * context_ : nullptr});
    }
}

std::size_t Backbone::history_bytes() const {
    const std::int64_t values = std::int64_t{2} * context_ * n_tokens_ * heads_ * stored_;
    return blocks_.size() * static_cast<std::size_t>(values) * 2;
}

void Backbone::allocate(Arena& arena, int n_turns) {
    const std::int64_t rows = std::int64_t{n_turns} * n_tokens_, stored = std::int64_t{heads_} * stored_;
    hidden_ = arena.take_of<float>(rows * width_);
    normed_ = arena.take_of<std::uint16_t>(rows * pitch_of(width_));
    queries_ = arena.take_of<std::uint16_t>(rows * stored);
    mixed_ = arena.take_of<std::uint16_t>(rows * stored);
    expanded_ = arena.take_of<std::uint16_t>(rows * pitch_of(hidden_width_));
}

void Backbone::norm_rows(const Compute& compute, const Count& rows, const Norm& norm) const {
    NormParams p;
    p.count = rows;
    p.in = hidden_;
    p.in_rows = dense(width_);
    p.width = width_;
    p.gain = norm.gain;
    p.bias = norm.bias;
    p.out_half = normed_;
    p.half_rows = dense(pitch_of(width_));
    cuda::norm(compute.launcher, compute.half, p);
}

void Backbone::attend(const Compute& compute, const Count& rows, const Turn* turns, int layer) const {
    const std::int64_t stored = std::int64_t{heads_} * stored_;
    AttentionParams p;
    p.count = rows;
    p.turns = turns;
    p.q = queries_;
    p.q_stride = stored;
    p.layer = layer * 2 * context_ * n_tokens_ * stored;
    p.heads = heads_;
    p.head_width = stored_;
    p.context = context_;
    p.scale = 1.0F / std::sqrt(static_cast<float>(width_ / heads_));
    p.turn_bias = blocks_[static_cast<std::size_t>(layer)].turn_bias;
    p.out = mixed_;
    p.out_stride = stored;
    attention(compute.launcher, compute.half, p);
}

void Backbone::run(const Compute& compute, const int* n_turns, int most, const Turn* turns,
                   const Condition* condition) const {
    const Count rows{n_turns, most, n_tokens_};
    const std::int64_t stored = std::int64_t{heads_} * stored_;
    const RowMap normed_rows = dense(pitch_of(width_)), expanded_rows = dense(pitch_of(hidden_width_));
    embed(compute.launcher,
          {rows, turns, width_, !relative_, encoder_positions_, input_norm_.gain, input_norm_.bias, hidden_});
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
        const Block& block = blocks_[i];
        norm_rows(compute, rows, block.norm1);
        GemmParams qkv = compute.product(block.qkv, rows, normed_, normed_rows);
        qkv.keys_values = {turns, n_tokens_, static_cast<int>(stored),
                           static_cast<std::int64_t>(i) * 2 * context_ * n_tokens_ * stored};
        compute.to_half(qkv, queries_, dense(stored));
        if (!condition && i + 1 == blocks_.size()) return;  // nobody reads what comes after the last keys
        attend(compute, rows, turns, static_cast<int>(i));
        compute.to_float(accumulating(compute.product(block.projection, rows, mixed_, dense(stored))), hidden_,
                         dense(width_));
        norm_rows(compute, rows, block.norm2);
        compute.to_half(with(compute.product(block.expand, rows, normed_, normed_rows), Activation::kGelu), expanded_,
                        expanded_rows);
        compute.to_float(accumulating(compute.product(block.contract, rows, expanded_, expanded_rows)), hidden_,
                         dense(width_));
    }
    ReadOutParams p;
    p.count = {n_turns, most, frames_};
    p.turns = turns;
    p.hidden = hidden_;
    p.tokens = agent_tokens_;
    p.n_tokens = n_tokens_;
    p.width = width_;
    p.absolute = !relative_;
    p.positions = diffusion_positions_;
    p.gain = output_norm_.gain;
    p.bias = output_norm_.bias;
    p.n_own = condition->n_own;
    p.own_from = condition->own_from;
    p.condition = condition->values;
    p.turn_stride = condition->turn_stride;
    p.frame_stride = condition->frame_stride;
    read_out(compute.launcher, p);
}

}  // namespace visavis::cuda
