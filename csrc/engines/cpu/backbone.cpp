#include "engines/cpu/backbone.h"

#include <algorithm>
#include <cmath>
#include <string>

namespace visavis::cpu {

Backbone::Backbone(const TensorReader& reader)
    : kernels_(&reader.kernels()),
      width_(reader.config().width),
      heads_(reader.config().heads),
      tokens_(reader.config().tokens_per_turn()),
      context_turns_(reader.config().context_turns),
      relative_(reader.config().positions == Positions::kRelative),
      input_norm_(reader.norm("z_proj_ln", width_)),
      output_norm_(reader.norm("encoder_norm", width_)) {
    const ModelConfig& config = reader.config();
    const int positions = (relative_ ? 1 : context_turns_) * tokens_;
    encoder_positions_ = reader.buffer("encoder_pos_embed_learned", {1, positions, width_});
    diffusion_positions_ = reader.buffer("diffusion_pos_embed_learned", {1, positions, width_});
    agent_tokens_.resize(static_cast<std::size_t>(config.turn_frames));
    for (int i = 0; i < tokens_; ++i) {
        const int kind = config.layout_kind[static_cast<std::size_t>(i)];
        if (kind != kAgentMotion && kind != kAgentFrame) continue;
        agent_tokens_[static_cast<std::size_t>(config.layout_frame[static_cast<std::size_t>(i)])] = i;
    }
    const int hidden = config.mlp_ratio * width_;
    std::vector<float> turn_bias;
    if (relative_) turn_bias = reader.values("turn_bias", {config.depth, heads_, context_turns_});
    for (int layer = 0; layer < config.depth; ++layer) {
        const std::string name = "encoder_blocks." + std::to_string(layer) + ".";
        Block block{reader.norm(name + "norm1", width_),
                    reader.norm(name + "norm2", width_),
                    reader.linear(name + "attn.qkv", 3 * width_, width_),
                    reader.linear(name + "attn.proj", width_, width_),
                    reader.linear(name + "mlp.fc1", hidden, width_),
                    reader.linear(name + "mlp.fc2", width_, hidden),
                    Buffer()};
        if (relative_) {
            block.turn_bias = Buffer(elements(heads_, context_turns_));
            std::copy_n(turn_bias.data() + elements(layer, heads_, context_turns_), block.turn_bias.size(),
                        block.turn_bias.data());
        }
        blocks_.push_back(std::move(block));
    }
    hidden_ = Buffer(elements(tokens_, width_));
    normed_ = Buffer(elements(tokens_, width_));
    qkv_ = Buffer(elements(tokens_, 3 * width_));
    mixed_ = Buffer(elements(tokens_, width_));
    expanded_ = Buffer(elements(tokens_, hidden));
    logits_ = Buffer(elements(tokens_, context_turns_ * tokens_));
    bias_ = Buffer(elements(context_turns_ * tokens_));
}

void Backbone::run(History& history, int place, int seen, ConstRows x, float* z) {
    embed(place, x);
    const Rows hidden{hidden_.data(), tokens_, width_};
    const Rows normed{normed_.data(), tokens_, width_};
    const Rows qkv{qkv_.data(), tokens_, 3 * width_};
    for (std::size_t layer = 0; layer < blocks_.size(); ++layer) {
        const Block& block = blocks_[layer];
        norm_rows(block.norm1, hidden, normed);
        apply(*kernels_, block.qkv, normed, qkv);
        history.write(static_cast<int>(layer), place, qkv);
        if (z == nullptr && layer + 1 == blocks_.size()) return;  // nobody reads what comes after the last keys
        attend(history, static_cast<int>(layer), place, seen);
        apply(*kernels_, block.projection, {mixed_.data(), width_}, hidden, Store::kAdd);
        norm_rows(block.norm2, hidden, normed);
        const Rows expanded{expanded_.data(), tokens_, block.expand.weight.n_out()};
        apply(*kernels_, block.expand, normed, expanded);
        for (int i = 0; i < tokens_; ++i) kernels_->gelu(expanded.row(i), block.expand.weight.n_out());
        apply(*kernels_, block.contract, expanded, hidden, Store::kAdd);
    }
    read_out(place, z);
}

const float* Backbone::positions(const Buffer& embedding, int place) const {
    return embedding.data() + (relative_ ? 0 : elements(place, tokens_, width_));
}

void Backbone::norm_rows(const Norm& norm, Rows in, Rows out) const {
    for (int i = 0; i < in.rows; ++i) {
        kernels_->layer_norm(out.row(i), in.row(i), norm.gain.data(), norm.bias.data(), width_);
    }
}

// Adds the position to each token, then the input LayerNorm.
void Backbone::embed(int place, ConstRows x) {
    const float* position = positions(encoder_positions_, place);
    const Rows hidden{hidden_.data(), tokens_, width_};
    for (int i = 0; i < tokens_; ++i) {
        const float* token = x.data + i * x.stride;
        for (int d = 0; d < width_; ++d) hidden.row(i)[d] = token[d] + position[i * width_ + d];
    }
    norm_rows(input_norm_, hidden, hidden);
}

// mixed = softmax(q k^T / sqrt(d) + turn bias) v, head by head, over the visible places.
void Backbone::attend(const History& history, int layer, int place, int seen) {
    const int head_width = width_ / heads_, columns = seen * tokens_;
    const float scale = 1.0F / std::sqrt(static_cast<float>(head_width));
    const Rows logits{logits_.data(), tokens_, columns};
    for (int head = 0; head < heads_; ++head) {
        fill_bias(blocks_[static_cast<std::size_t>(layer)], head, place, seen);
        const ConstRows queries{qkv_.data() + head * head_width, 3 * width_};
        multiply(*kernels_, history.keys(layer, head), columns, head_width, queries, logits);
        for (int i = 0; i < tokens_; ++i) kernels_->softmax(logits.row(i), bias_.data(), scale, columns);
        const Rows mixed{mixed_.data() + head * head_width, tokens_, width_};
        multiply(*kernels_, history.values(layer, head), head_width, columns, logits, mixed);
    }
}

void Backbone::fill_bias(const Block& block, int head, int place, int seen) {
    if (!relative_) return;  // stays zero
    const float* by_distance = block.turn_bias.data() + head * context_turns_;
    for (int other = 0; other < seen; ++other) {
        const int distance = (place - other + context_turns_) % context_turns_;
        std::fill_n(bias_.data() + other * tokens_, tokens_, by_distance[distance]);
    }
}

void Backbone::read_out(int place, float* z) {
    const float* position = positions(diffusion_positions_, place);
    for (std::size_t f = 0; f < agent_tokens_.size(); ++f) {
        const int token = agent_tokens_[f];
        float* row = z + elements(f, width_);
        kernels_->layer_norm(row, hidden_.data() + token * width_, output_norm_.gain.data(), output_norm_.bias.data(),
                             width_);
        for (int d = 0; d < width_; ++d) row[d] += position[token * width_ + d];
    }
}

}  // namespace visavis::cpu
