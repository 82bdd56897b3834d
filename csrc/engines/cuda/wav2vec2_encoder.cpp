#include "engines/cuda/wav2vec2_encoder.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "constants.h"

namespace visavis::cuda {
namespace {

const std::string kPrefix = "speech_encoder.";
constexpr float kConvEps = 1e-5F;  // of the norms inside the convolutions
constexpr int kTurnsAtOnce = 8;    // whose convolutions run together

}  // namespace

Wav2Vec2Encoder::Wav2Vec2Encoder(const WeightReader& reader)
    : config_(reader.wav2vec2()),
      frames_(reader.config().turn_frames),
      stored_(stored_head_width(config_.width, config_.heads)) {
    const int width = config_.width, last = config_.conv_widths.back();
    int n_in = 1, rows = frames_ * kSamplesPerFrame;
    for (std::size_t i = 0; i < config_.conv_widths.size(); ++i) {
        const std::string number = std::to_string(i);
        Layer layer;
        layer.n_out = config_.conv_widths[i];
        layer.kernel = config_.conv_kernels[i];
        layer.stride = config_.conv_strides[i];
        layer.n_rows = rows = (rows - layer.kernel) / layer.stride + 1;
        if (i == 0 || !config_.group_norm) layer.norm = reader.norm(kPrefix + "conv_norm." + number, layer.n_out);
        if (i > 0) {
            layer.linear =
                reader.convolution(kPrefix + "conv." + number, layer.n_out, n_in, layer.kernel, config_.conv_bias);
        }
        n_in = layer.n_out;
        layers_.push_back(layer);
    }
    // The first one has a channel in: (kernel, width), float32.
    const Layer& first = layers_.front();
    const std::vector<float> weight = reader.values(kPrefix + "conv.0.weight", {first.n_out, 1, first.kernel});
    std::vector<float> taps(weight.size());
    for (std::size_t i = 0; i < weight.size(); ++i) {
        const auto kernel = static_cast<std::size_t>(first.kernel), n_out = static_cast<std::size_t>(first.n_out);
        taps[i % kernel * n_out + i / kernel] = weight[i];
    }
    first_weight_ = reader.upload(taps);
    if (config_.conv_bias) first_bias_ = reader.floats(kPrefix + "conv.0.bias", {first.n_out});
    feature_norm_ = reader.norm(kPrefix + "feature_norm", last);
    feature_projection_ = reader.linear(kPrefix + "feature_projection", width, last);
    read_positions(reader);
    norm_ = reader.norm(kPrefix + "norm", width);
    for (int i = 0; i < config_.depth; ++i) {
        const std::string name = kPrefix + "blocks." + std::to_string(i);
        blocks_.push_back({reader.norm(name + ".norm1", width), reader.norm(name + ".norm2", width),
                           reader.queries_keys_values(name + ".attn.qkv", width, config_.heads, stored_),
                           reader.projection(name + ".attn.proj", width, config_.heads, stored_),
                           reader.linear(name + ".mlp.fc1", config_.mlp_width, width),
                           reader.linear(name + ".mlp.fc2", width, config_.mlp_width)});
    }
}

// Each group's convolution over the frames, with only those taps that ever meet a frame: of 128 for 25 frames 49.
void Wav2Vec2Encoder::read_positions(const WeightReader& reader) {
    const int width = config_.width, group = width / config_.position_groups, kernel = config_.position_kernel;
    const int first = std::max(kernel / 2 - (frames_ - 1), 0), end = std::min(kernel / 2 + frames_, kernel);
    before_ = kernel / 2 - first;
    position_rows_ = frames_ + end - first - 1;
    const std::vector<float> all = reader.values(kPrefix + "positions.weight", {width, group, kernel});
    const std::int64_t pitch = pitch_of(group), k = (end - first) * pitch;
    std::vector<std::uint16_t> packed;
    for (int g = 0; g < config_.position_groups; ++g) {
        std::vector<float> weight(static_cast<std::size_t>(group * k));
        for (int out = 0; out < group; ++out) {
            for (int in = 0; in < group; ++in) {
                for (int tap = first; tap < end; ++tap) {
                    const std::int64_t from = (std::int64_t{g * group + out} * group + in) * kernel + tap;
                    weight[static_cast<std::size_t>(out * k + (tap - first) * pitch + in)] =
                        all[static_cast<std::size_t>(from)];
                }
            }
        }
        const auto part = pack(reader.half(), weight, group, static_cast<int>(k));
        packed.insert(packed.end(), part.begin(), part.end());
    }
    positions_.weight = {reader.upload(packed), group, static_cast<int>(k)};
    positions_.bias = reader.floats(kPrefix + "positions.bias", {width});
}

void Wav2Vec2Encoder::allocate(Arena& arena, int n_turns) {
    turns_at_once_ = std::min(n_turns, kTurnsAtOnce);
    const std::int64_t voices = 2 * turns_at_once_;
    std::int64_t largest = 0, sums = 1, in_rows = 0, in_pitch = 0;
    for (Layer& layer : layers_) {
        largest = std::max(largest, layer.n_rows * pitch_of(layer.n_out));
        if (&layer != &layers_.front()) {
            if (layer.norm.gain) sums = std::max(sums, std::int64_t{layer.n_rows} * layer.n_out);
            std::vector<std::int32_t> offsets;
            for (int voice = 0; voice < voices; ++voice) {
                for (int row = 0; row < layer.n_rows; ++row) {
                    offsets.push_back(static_cast<std::int32_t>((voice * in_rows + row * layer.stride) * in_pitch));
                }
            }
            layer.windows = {layer.stride * in_pitch, arena.upload(offsets)};
        }
        in_rows = layer.n_rows;
        in_pitch = pitch_of(layer.n_out);
    }
    for (void*& buffer : convolved_) buffer = arena.zeros<std::uint16_t>(voices * largest);
    sums_ = arena.take_of<float>(voices * sums);
    moments_ = arena.take_of<float>(voices * layers_.front().n_out * 2);
    const std::int64_t rows = std::int64_t{2} * n_turns * frames_, width = config_.width;
    const std::int64_t group_pitch = pitch_of(width / config_.position_groups), groups = config_.position_groups;
    features_ = arena.take_of<std::uint16_t>(rows * pitch_of(config_.conv_widths.back()));
    hidden_ = arena.take_of<float>(rows * width);
    normed_ = arena.take_of<std::uint16_t>(rows * pitch_of(width));
    placed_ = arena.zeros<std::uint16_t>(2 * n_turns * groups * position_rows_ * group_pitch);
    qkv_ = arena.take_of<std::uint16_t>(rows * 3 * config_.heads * stored_);
    mixed_ = arena.take_of<std::uint16_t>(rows * config_.heads * stored_);
    expanded_ = arena.take_of<std::uint16_t>(rows * pitch_of(config_.mlp_width));
    std::vector<std::int32_t> offsets;
    for (std::int64_t row = 0; row < rows; ++row) {
        const std::int64_t voice = row / frames_ * groups * position_rows_;
        offsets.push_back(static_cast<std::int32_t>((voice + row % frames_) * group_pitch));
    }
    position_windows_ = {group_pitch, arena.upload(offsets)};
}

// The convolutions of some turns, and their features at the motion's frames.
void Wav2Vec2Encoder::convolve(const Compute& compute, const Batch& batch, int first_turn) const {
    const auto rows = [&](int of_turn) {
        return Count{batch.n_turns, std::min(turns_at_once_, batch.most - first_turn), of_turn, first_turn};
    };
    const Layer& first = layers_.front();
    FirstConvolutionParams f;
    f.count = rows(2);
    f.turns = batch.turns;
    f.samples = batch.samples;
    f.samples_stride = batch.samples_stride;
    f.user_samples = batch.user_samples;
    f.weight = first_weight_;
    f.bias = first_bias_;
    f.gain = first.norm.gain;
    f.shift = first.norm.bias;
    f.kernel = first.kernel;
    f.stride = first.stride;
    f.width = first.n_out;
    f.n_rows = first.n_rows;
    f.group_norm = config_.group_norm;
    f.moments = moments_;
    f.out = convolved_[0];
    f.pitch = pitch_of(first.n_out);
    first_convolution(compute.launcher, compute.half, f);
    for (std::size_t i = 1; i < layers_.size(); ++i) {
        const Layer& layer = layers_[i];
        const Count count = rows(2 * layer.n_rows);
        void* out = convolved_[i % 2];
        const GemmParams p = compute.product(layer.linear, count, convolved_[(i + 1) % 2], layer.windows);
        const RowMap out_rows = dense(pitch_of(layer.n_out));
        if (!layer.norm.gain) {
            compute.to_half(with(p, Activation::kGelu), out, out_rows);
            continue;
        }
        compute.to_float(p, sums_, dense(layer.n_out));
        NormParams n;
        n.count = count;
        n.in = sums_;
        n.in_rows = dense(layer.n_out);
        n.width = layer.n_out;
        n.eps = kConvEps;
        n.gain = layer.norm.gain;
        n.bias = layer.norm.bias;
        n.activation = Activation::kGelu;
        n.out_half = out;
        n.half_rows = out_rows;
        norm(compute.launcher, compute.half, n);
    }
    InterpolateParams p;
    p.count = rows(2 * frames_);
    p.in = convolved_[(layers_.size() - 1) % 2];
    p.pitch = pitch_of(layers_.back().n_out);
    p.n_rows = layers_.back().n_rows;
    p.n_frames = frames_;
    p.width = layers_.back().n_out;
    p.eps = static_cast<float>(config_.eps);
    p.gain = feature_norm_.gain;
    p.bias = feature_norm_.bias;
    p.out = features_;
    p.out_pitch = p.pitch;
    interpolate(compute.launcher, compute.half, p);
}

// hidden += gelu(convolution over the frames), group by group.
void Wav2Vec2Encoder::add_positions(const Compute& compute, const Batch& batch) const {
    const int width = config_.width, groups = config_.position_groups;
    PlaceGroupsParams p;
    p.count = batch.rows(2);
    p.hidden = hidden_;
    p.n_frames = frames_;
    p.width = width;
    p.groups = groups;
    p.before = before_;
    p.n_rows = position_rows_;
    p.out = placed_;
    p.pitch = pitch_of(width / groups);
    place_groups(compute.launcher, compute.half, p);
    GemmParams g = compute.product(positions_, batch.rows(2 * frames_), placed_, position_windows_);
    g.n_batches = groups;
    g.a_batch = position_rows_ * p.pitch;
    g.c_batch = width / groups;
    compute.to_float(accumulating(with(g, Activation::kGelu)), hidden_, dense(width));
}

// normed = LN(hidden); in place: hidden, too.
void Wav2Vec2Encoder::norm_rows(const Compute& compute, const Count& rows, const Norm& norm, bool in_place) const {
    NormParams p;
    p.count = rows;
    p.in = hidden_;
    p.in_rows = dense(config_.width);
    p.width = config_.width;
    p.eps = static_cast<float>(config_.eps);
    p.gain = norm.gain;
    p.bias = norm.bias;
    if (in_place) p.out = hidden_;
    p.out_rows = p.in_rows;
    p.out_half = normed_;
    p.half_rows = dense(pitch_of(config_.width));
    cuda::norm(compute.launcher, compute.half, p);
}

void Wav2Vec2Encoder::run_block(const Compute& compute, const Batch& batch, const Block& block) const {
    const Count rows = batch.rows(2 * frames_);
    const int width = config_.width, heads = config_.heads, stored = heads * stored_;
    const RowMap normed_rows = dense(pitch_of(width)), expanded_rows = dense(pitch_of(config_.mlp_width));
    if (config_.pre_norm) norm_rows(compute, rows, block.norm1, false);
    compute.to_half(compute.product(block.qkv, rows, normed_, normed_rows), qkv_, dense(3 * stored));
    AttentionParams p;
    p.count = batch.rows(frames_);
    p.sequences = 2;  // voices
    p.q = qkv_;
    p.q_stride = 3 * stored;
    p.heads = heads;
    p.head_width = stored_;
    p.scale = 1.0F / std::sqrt(static_cast<float>(width / heads));
    p.out = mixed_;
    p.out_stride = stored;
    attention(compute.launcher, compute.half, p);
    compute.to_float(accumulating(compute.product(block.projection, rows, mixed_, dense(stored))), hidden_,
                     dense(width));
    norm_rows(compute, rows, config_.pre_norm ? block.norm2 : block.norm1, !config_.pre_norm);
    compute.to_half(with(compute.product(block.expand, rows, normed_, normed_rows), Activation::kGelu), expanded_,
                    expanded_rows);
    compute.to_float(accumulating(compute.product(block.contract, rows, expanded_, expanded_rows)), hidden_,
                     dense(width));
    if (!config_.pre_norm) norm_rows(compute, rows, block.norm2, true);
}

Features Wav2Vec2Encoder::encode(const Compute& compute, const Batch& batch) const {
    const Count rows = batch.rows(2 * frames_);
    for (int turn = 0; turn < batch.most; turn += turns_at_once_) convolve(compute, batch, turn);
    const RowMap feature_rows = dense(pitch_of(config_.conv_widths.back()));
    compute.to_float(compute.product(feature_projection_, rows, features_, feature_rows), hidden_,
                     dense(config_.width));
    add_positions(compute, batch);
    if (!config_.pre_norm) norm_rows(compute, rows, norm_, true);
    for (const Block& block : blocks_) run_block(compute, batch, block);
    if (config_.pre_norm) norm_rows(compute, rows, norm_, false);
    return {normed_, dense(pitch_of(config_.width))};
}

}  // namespace visavis::cuda
