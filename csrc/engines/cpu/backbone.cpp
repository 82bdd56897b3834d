#include "engines/cpu/backbone.h"

#include <algorithm>
#include <string>

namespace visavis::cpu {
namespace {

constexpr float kEps = 1e-6F;  // of all LayerNorms

}  // namespace

Backbone::Backbone(const TensorReader& reader)
    : width_(reader.config().width),
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
}

Backbone::Scratch Backbone::scratch(Compute& compute, int n_turns) const {
    const int rows = n_turns * tokens_, hidden = blocks_.front().expand.weight.n_out(), seen = context_turns_ * tokens_;
    Scratch scratch;
    scratch.hidden = Buffer(elements(rows, width_));
    scratch.normed = Buffer(elements(rows, width_));
    scratch.qkv = Buffer(elements(rows, 3 * width_));
    scratch.mixed = Buffer(elements(rows, width_));
    scratch.expanded = Buffer(elements(rows, hidden));
    scratch.attention = attention_scratch(compute, tokens_, seen, width_ / heads_);
    scratch.n_turns = n_turns;
    compute.reserve(rows, hidden);
    compute.reserve(tokens_, 2 * width_);
    return scratch;
}

void Backbone::run(Compute& compute, Scratch& scratch, std::span<const BackboneTurn> turns, float* z) const {
    const int n_turns = static_cast<int>(turns.size()), rows = n_turns * tokens_;
    int tokens = tokens_;  // of a turn
    Rows hidden{scratch.hidden.data(), rows, width_}, normed{scratch.normed.data(), rows, width_};
    const Rows qkv{scratch.qkv.data(), rows, 3 * width_};
    embed(compute, hidden, turns);
    for (std::size_t i = 0; i < blocks_.size(); ++i) {
        const Block& block = blocks_[i];
        const int layer = static_cast<int>(i);
        norm_rows(compute, block.norm1, kEps, hidden, normed);
        compute.apply(block.qkv, normed, qkv);
        for (int t = 0; t < n_turns; ++t) {
            const BackboneTurn& turn = turns[static_cast<std::size_t>(t)];
            turn.history->write(compute, layer, turn.place, {qkv.row(t * tokens_), tokens_, qkv.stride});
        }
        if (i + 1 == blocks_.size()) {  // of what comes after the last keys only z is read
            if (z == nullptr) return;
            keep_agent_rows(hidden, n_turns, normed);
            keep_agent_rows(qkv, n_turns, normed);  // q alone
            tokens = static_cast<int>(agent_tokens_.size());
            hidden.rows = normed.rows = n_turns * tokens;
        }
        mix(compute, scratch, layer, tokens, turns);
        compute.apply(block.projection, {scratch.mixed.data(), width_}, hidden, {.accumulate = true});
        norm_rows(compute, block.norm2, kEps, hidden, normed);
        const Rows expanded{scratch.expanded.data(), hidden.rows, block.expand.weight.n_out()};
        compute.apply(block.expand, normed, expanded, {.activation = Activation::kGelu});
        compute.apply(block.contract, expanded, hidden, {.accumulate = true});
    }
    read_out(compute, scratch, turns, z);
}

const float* Backbone::positions(const Buffer& embedding, int place) const {
    return embedding.data() + (relative_ ? 0 : elements(place, tokens_, width_));
}

// Adds the position to each token, then the input LayerNorm.
void Backbone::embed(Compute& compute, Rows hidden, std::span<const BackboneTurn> turns) const {
    const std::size_t size = elements(tokens_, width_);
    float* out = hidden.data;
    for (const BackboneTurn& turn : turns) {
        const float* position = positions(encoder_positions_, turn.place);
        for (std::size_t i = 0; i < size; ++i) *out++ = turn.tokens[i] + position[i];
    }
    norm_rows(compute, input_norm_, kEps, hidden, hidden);
}

// The first rows become those that z is read from, frame by frame and turn by turn; `spare` is overwritten.
void Backbone::keep_agent_rows(Rows rows, int n_turns, Rows spare) const {
    int kept = 0;
    for (int t = 0; t < n_turns; ++t) {
        for (const int token : agent_tokens_) {
            std::copy_n(rows.row(t * tokens_ + token), width_, spare.row(kept++));
        }
    }
    for (int i = 0; i < kept; ++i) std::copy_n(spare.row(i), width_, rows.row(i));
}

// Attention over the visible places, every head of every turn a task; so many tokens of a turn are left.
void Backbone::mix(Compute& compute, Scratch& scratch, int layer, int tokens,
                   std::span<const BackboneTurn> turns) const {
    const int head_width = width_ / heads_;
    compute.share(static_cast<int>(turns.size()) * heads_, [&](int worker, int task) {
        const int index = task / heads_, head = task % heads_;
        const BackboneTurn& turn = turns[static_cast<std::size_t>(index)];
        AttentionScratch& own = scratch.attention[static_cast<std::size_t>(worker)];
        fill_bias(blocks_[static_cast<std::size_t>(layer)], head, turn, own.bias.data());
        const ConstRows queries{scratch.qkv.data() + elements(index, tokens, 3, width_) + head * head_width,
                                3 * width_};
        float* mixed = scratch.mixed.data() + elements(index, tokens, width_) + head * head_width;
        attend(compute.own(worker), own, *turn.history, layer, head, turn.seen * tokens_, queries,
               {mixed, tokens, width_});
    });
}

void Backbone::fill_bias(const Block& block, int head, const BackboneTurn& turn, float* bias) const {
    if (!relative_) return;  // stays zero
    const float* by_distance = block.turn_bias.data() + head * context_turns_;
    for (int other = 0; other < turn.seen; ++other) {
        const int distance = (turn.place - other + context_turns_) % context_turns_;
        std::fill_n(bias + other * tokens_, tokens_, by_distance[distance]);
    }
}

// From the agent's rows alone.
void Backbone::read_out(Compute& compute, const Scratch& scratch, std::span<const BackboneTurn> turns, float* z) const {
    const float* hidden = scratch.hidden.data();
    for (const BackboneTurn& turn : turns) {
        const float* position = positions(diffusion_positions_, turn.place);
        for (const int token : agent_tokens_) {
            compute->layer_norm(z, hidden, output_norm_.gain.data(), output_norm_.bias.data(), kEps, width_);
            for (int d = 0; d < width_; ++d) z[d] += position[token * width_ + d];
            hidden += width_;
            z += width_;
        }
    }
}

}  // namespace visavis::cpu
