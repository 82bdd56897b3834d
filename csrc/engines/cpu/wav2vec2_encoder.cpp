#include "engines/cpu/wav2vec2_encoder.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "constants.h"

namespace visavis::cpu {
namespace {

constexpr double kConvEps = 1e-5;  // of the norms inside the convolutions
constexpr int kGeluCost = 16;      // operations a value

}  // namespace

Wav2Vec2Encoder::Wav2Vec2Encoder(const TensorReader& reader)
    : config_(reader.wav2vec2()),
      frames_(reader.config().turn_frames),
      history_format_(reader.fine_format()),
      first_tap_(std::max(config_.position_kernel / 2 - frames_ + 1, 0)),
      n_taps_(std::min(config_.position_kernel, config_.position_kernel / 2 + frames_) - first_tap_) {
    const std::string prefix = "speech_encoder.";
    const int width = config_.width, last = config_.conv_widths.back(), group = width / config_.position_groups;
    int n_in = 1;
    for (std::size_t i = 0; i < config_.conv_widths.size(); ++i) {
        Convolution layer;
        layer.n_in = n_in;
        layer.stride = config_.conv_strides[i];
        layer.kernel = config_.conv_kernels[i];
        const std::string name = prefix + "conv." + std::to_string(i);
        layer.linear =
            i == 0 ? reader.exact_convolution(name, config_.conv_widths[i], n_in, layer.kernel, config_.conv_bias)
                   : reader.convolution(name, config_.conv_widths[i], n_in, layer.kernel, config_.conv_bias);
        n_in = config_.conv_widths[i];
        if (i == 0 || !config_.group_norm) layer.norm = reader.norm(prefix + "conv_norm." + std::to_string(i), n_in);
        convolutions_.push_back(std::move(layer));
    }
    feature_norm_ = reader.norm(prefix + "feature_norm", last);
    feature_projection_ = reader.linear(prefix + "feature_projection", width, last);
    positions_ = reader.grouped_convolution(prefix + "positions.weight", width, group,
                                            {config_.position_kernel, first_tap_, n_taps_});
    position_bias_ = reader.buffer(prefix + "positions.bias", {width});
    norm_ = reader.norm(prefix + "norm", width);
    for (int i = 0; i < config_.depth; ++i) {
        const std::string name = prefix + "blocks." + std::to_string(i);
        blocks_.push_back({reader.norm(name + ".norm1", width), reader.norm(name + ".norm2", width),
                           reader.linear(name + ".attn.qkv", 3 * width, width),
                           reader.linear(name + ".attn.proj", width, width),
                           reader.linear(name + ".mlp.fc1", config_.mlp_width, width),
                           reader.linear(name + ".mlp.fc2", width, config_.mlp_width)});
    }
}

Wav2Vec2Encoder::Scratch Wav2Vec2Encoder::scratch(Compute& compute, int n_voices) const {
    Scratch scratch;
    std::size_t largest = elements(frames_, kSamplesPerFrame);
    int rows = frames_ * kSamplesPerFrame;
    for (const Convolution& layer : convolutions_) {
        rows = (rows - layer.kernel) / layer.stride + 1;
        largest = std::max(largest, elements(rows, layer.linear.weight.n_out()));
        if (layer.linear.weight.format() != Format::kF32) compute.reserve(rows, layer.linear.weight.n_in());
    }
    const int frames = n_voices * frames_, group = config_.width / config_.position_groups;
    scratch.inputs = Buffer(largest);
    scratch.outputs = Buffer(largest);
    scratch.features = Buffer(elements(frames, config_.conv_widths.back()));
    for (Buffer* buffer : {&scratch.normed, &scratch.hidden, &scratch.placed, &scratch.mixed}) {
        *buffer = Buffer(elements(frames, config_.width));
    }
    scratch.qkv = Buffer(elements(frames, 3, config_.width));
    scratch.expanded = Buffer(elements(frames, config_.mlp_width));
    for (int i = 0; i < compute.n_workers(); ++i) scratch.padded.emplace_back(elements(frames_ + n_taps_, group));
    for (int i = 0; i < n_voices; ++i) {
        scratch.voices.emplace_back(compute.kernels(), history_format_,
                                    HistoryShape{1, config_.heads, config_.width, 1, frames_});
    }
    scratch.attention = attention_scratch(compute, frames_, frames_, config_.width / config_.heads);
    compute.reserve(frames, std::max(config_.mlp_width, config_.conv_widths.back()));
    compute.reserve(frames_, std::max(2 * config_.width, n_taps_ * group));
    return scratch;
}

// The norm after a convolution: of each row, or of each channel over time.
void Wav2Vec2Encoder::normalise(Compute& compute, const Convolution& layer, Rows rows) const {
    if (!config_.group_norm) return norm_rows(compute, layer.norm, static_cast<float>(kConvEps), rows, rows);
    constexpr int kChannels = 16;  // of a task
    const int width = layer.linear.weight.n_out();
    compute.share((width + kChannels - 1) / kChannels, [&](int, int task) {
        const int first = task * kChannels, n = std::min(kChannels, width - first);
        double mean[kChannels] = {}, scale[kChannels] = {};
        for (int i = 0; i < rows.rows; ++i) {
            for (int c = 0; c < n; ++c) mean[c] += static_cast<double>(rows.row(i)[first + c]);
        }
        for (double& x : mean) x /= rows.rows;
        for (int i = 0; i < rows.rows; ++i) {
            for (int c = 0; c < n; ++c) {
                const double d = static_cast<double>(rows.row(i)[first + c]) - mean[c];
                scale[c] += d * d;
            }
        }
        for (double& x : scale) x = 1 / std::sqrt(x / rows.rows + kConvEps);
        const float *gain = layer.norm.gain.data() + first, *bias = layer.norm.bias.data() + first;
        for (int i = 0; i < rows.rows; ++i) {
            float* x = rows.row(i) + first;
            for (int c = 0; c < n; ++c) {
                x[c] = static_cast<float>((static_cast<double>(x[c]) - mean[c]) * scale[c]) * gain[c] + bias[c];
            }
        }
    });
}

// One turn's samples through the convolutions, into scratch.outputs; returns how many rows that are.
int Wav2Vec2Encoder::convolve(Compute& compute, Scratch& scratch, std::span<const float> samples) const {
    int rows = frames_ * kSamplesPerFrame;
    const std::size_t known = std::min(samples.size(), elements(rows));
    std::copy_n(samples.data(), known, scratch.outputs.data());
    std::fill_n(scratch.outputs.data() + known, elements(rows) - known, 0.0F);
    for (const Convolution& layer : convolutions_) {
        std::swap(scratch.inputs, scratch.outputs);
        rows = (rows - layer.kernel) / layer.stride + 1;
        const int width = layer.linear.weight.n_out();
        const bool norm = layer.norm.gain.size() != 0;
        const Rows out{scratch.outputs.data(), rows, width};
        compute.apply(layer.linear, {scratch.inputs.data(), static_cast<std::ptrdiff_t>(layer.stride) * layer.n_in},
                      out, {.activation = norm ? Activation::kNone : Activation::kGelu});
        if (!norm) continue;
        normalise(compute, layer, out);
        compute.share_rows(rows, kGeluCost * width, [&](int begin, int end) {
            for (int i = begin; i < end; ++i) compute->gelu(out.row(i), width);
        });
    }
    return rows;
}

// Rows of scratch.outputs to the F frames: the first to the first, the last to the last, linear between.
void Wav2Vec2Encoder::interpolate(const Scratch& scratch, int n_features, Rows out) const {
    const int width = config_.conv_widths.back();
    const float step = frames_ > 1 ? static_cast<float>(n_features - 1) / static_cast<float>(frames_ - 1) : 0.0F;
    for (int f = 0; f < frames_; ++f) {
        const float at = step * static_cast<float>(f);
        const int low = std::min(static_cast<int>(at), n_features - 1), high = std::min(low + 1, n_features - 1);
        const float part = at - static_cast<float>(low);
        const float* a = scratch.outputs.data() + elements(low, width);
        const float* b = scratch.outputs.data() + elements(high, width);
        for (int d = 0; d < width; ++d) out.row(f)[d] = a[d] * (1 - part) + b[d] * part;
    }
}

// hidden += gelu(convolution over the frames of each voice); a group's channels lie together.
void Wav2Vec2Encoder::add_positions(Compute& compute, Scratch& scratch, Rows hidden) const {
    const int width = config_.width, groups = config_.position_groups, size = width / groups;
    const int before = config_.position_kernel / 2 - first_tap_;
    compute.share(hidden.rows / frames_ * groups, [&](int worker, int task) {
        const int first = task / groups * frames_, channel = task % groups * size;
        float* padded = scratch.padded[static_cast<std::size_t>(worker)].data();
        for (int f = 0; f < frames_; ++f) {
            std::copy_n(hidden.row(first + f) + channel, size, padded + elements(before + f, size));
        }
        float* placed = scratch.placed.data() + elements(first, width) + channel;
        compute.own(worker).apply(positions_[static_cast<std::size_t>(task % groups)], {padded, size},
                                  {placed, frames_, width});
    });
    compute.share_rows(hidden.rows, kGeluCost * width, [&](int begin, int end) {
        for (int f = begin; f < end; ++f) {
            float* row = scratch.placed.data() + elements(f, width);
            for (int d = 0; d < width; ++d) row[d] += position_bias_.data()[d];
            compute->gelu(row, width);
            for (int d = 0; d < width; ++d) hidden.row(f)[d] += row[d];
        }
    });
}

// mixed = attention over the frames of one voice, every head of every voice a task.
void Wav2Vec2Encoder::mix(Compute& compute, Scratch& scratch, Rows qkv) const {
    const int width = config_.width, heads = config_.heads, size = width / heads, n_voices = qkv.rows / frames_;
    for (int v = 0; v < n_voices; ++v) {
        scratch.voices[static_cast<std::size_t>(v)].write(compute, 0, 0, {qkv.row(v * frames_), frames_, qkv.stride});
    }
    compute.share(n_voices * heads, [&](int worker, int task) {
        const int first = task / heads * frames_, head = task % heads;
        attend(compute.own(worker), scratch.attention[static_cast<std::size_t>(worker)],
               scratch.voices[static_cast<std::size_t>(task / heads)], 0, head, frames_,
               {qkv.row(first) + head * size, qkv.stride},
               {scratch.mixed.data() + elements(first, width) + head * size, frames_, width});
    });
}

void Wav2Vec2Encoder::run_block(Compute& compute, Scratch& scratch, const Block& block, Rows hidden) const {
    const int width = config_.width;
    const auto eps = static_cast<float>(config_.eps);
    const Rows normed{scratch.normed.data(), hidden.rows, width}, qkv{scratch.qkv.data(), hidden.rows, 3 * width};
    const Rows expanded{scratch.expanded.data(), hidden.rows, config_.mlp_width};
    const auto look = [&](Rows in) {
        compute.apply(block.qkv, in, qkv);
        mix(compute, scratch, qkv);
        compute.apply(block.projection, {scratch.mixed.data(), width}, hidden, {.accumulate = true});
    };
    const auto feed = [&](Rows in) {
        compute.apply(block.expand, in, expanded, {.activation = Activation::kGelu});
        compute.apply(block.contract, expanded, hidden, {.accumulate = true});
    };
    if (config_.pre_norm) {
        norm_rows(compute, block.norm1, eps, hidden, normed);
        look(normed);
        norm_rows(compute, block.norm2, eps, hidden, normed);
        feed(normed);
    } else {
        look(hidden);
        norm_rows(compute, block.norm1, eps, hidden, hidden);
        feed(hidden);
        norm_rows(compute, block.norm2, eps, hidden, hidden);
    }
}

void Wav2Vec2Encoder::encode(Compute& compute, Scratch& scratch, std::span<const Voice> voices, Rows out) const {
    const auto eps = static_cast<float>(config_.eps);
    const int n_voices = static_cast<int>(voices.size()), rows = n_voices * frames_, last = config_.conv_widths.back();
    const Rows features{scratch.features.data(), rows, last}, hidden{scratch.hidden.data(), rows, config_.width};
    for (int v = 0; v < n_voices; ++v) {
        const int found = convolve(compute, scratch, voices[static_cast<std::size_t>(v)].samples);
        interpolate(scratch, found, {features.row(v * frames_), frames_, last});
    }
    norm_rows(compute, feature_norm_, eps, features, features);
    compute.apply(feature_projection_, features, hidden);
    add_positions(compute, scratch, hidden);
    if (!config_.pre_norm) norm_rows(compute, norm_, eps, hidden, hidden);
    for (const Block& block : blocks_) run_block(compute, scratch, block, hidden);
    if (config_.pre_norm) {
        norm_rows(compute, norm_, eps, hidden, {out.data, rows, out.stride});
    } else {
        for (int i = 0; i < rows; ++i) std::copy_n(hidden.row(i), config_.width, out.row(i));
    }
}

}  // namespace visavis::cpu
