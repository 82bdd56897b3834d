#include "engines/cpu/denoiser.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace visavis::cpu {
namespace {

constexpr int kTimeFeatures = 256;
constexpr float kEps = 1e-6F;    // of all LayerNorms
constexpr int kStepsAtOnce = 8;  // whose modulation is one product; more would need memory and save nothing
const std::string kNet = "diffloss.net.";

// Every adaLN matrix of the head below one another: block after block (shift, scale, gate), then the final layer's
// (shift, scale).  One product gives the modulation of all layers.
Linear read_modulation(const TensorReader& reader, int width, int depth) {
    std::vector<float> weight, bias;
    const auto append = [&](const std::string& name, int n_out) {
        const std::vector<float> w = reader.values(name + ".weight", {n_out, width});
        const std::vector<float> b = reader.values(name + ".bias", {n_out});
        weight.insert(weight.end(), w.begin(), w.end());
        bias.insert(bias.end(), b.begin(), b.end());
    };
    for (int i = 0; i < depth; ++i) {
        append(kNet + "res_blocks." + std::to_string(i) + ".adaLN_modulation.1", 3 * width);
    }
    append(kNet + "final_layer.adaLN_modulation.1", 2 * width);
    return reader.pack(reader.format(), weight, bias, (3 * depth + 2) * width, width);
}

// The output linear gives x_0, then v: kept apart, since v is not always wanted.
std::pair<Linear, Linear> read_output(const TensorReader& reader, int row, int width) {
    const std::vector<float> weight = reader.values(kNet + "final_layer.linear.weight", {2 * row, width});
    const std::vector<float> bias = reader.values(kNet + "final_layer.linear.bias", {2 * row});
    const std::span<const float> w(weight), b(bias);
    const std::size_t n = elements(row, width), half = elements(row);
    const Format format = reader.fine_format();
    return {reader.pack(format, w.first(n), b.first(half), row, width),
            reader.pack(format, w.last(n), b.last(half), row, width)};
}

}  // namespace

Denoiser::Denoiser(const TensorReader& reader, Sampler sampler, const float* channel_mask)
    : sampler_(sampler),
      frames_(reader.config().turn_frames),
      n_channels_(reader.config().n_channels),
      width_(reader.config().width),
      n_rows_(reader.config().denoise_unit == DenoiseUnit::kFrame ? frames_ : 1),
      row_width_(reader.config().row_width()),
      head_width_(reader.config().head_width),
      head_context_(reader.config().denoise_unit == DenoiseUnit::kFrame ? 0 : reader.config().head_context_frames),
      condition_width_(reader.config().condition_width()),
      modulation_width_((3 * reader.config().head_depth + 2) * head_width_),
      time_in_(reader.fine_linear(kNet + "time_embed.mlp.0", head_width_, kTimeFeatures)),
      time_out_(reader.fine_linear(kNet + "time_embed.mlp.2", head_width_, head_width_)),
      condition_embed_(reader.exact_linear(kNet + "cond_embed", head_width_, condition_width_)),
      input_(reader.fine_linear(kNet + "input_proj", head_width_, row_width_)),
      modulation_(read_modulation(reader, head_width_, reader.config().head_depth)),
      mask_(elements(row_width_)) {
    std::tie(output_x0_, output_v_) = read_output(reader, row_width_, head_width_);
    for (int i = 0; i < reader.config().head_depth; ++i) {
        const std::string name = kNet + "res_blocks." + std::to_string(i) + ".";
        blocks_.push_back({reader.norm(name + "in_ln", head_width_),
                           reader.fine_linear(name + "mlp.0", head_width_, head_width_),
                           reader.fine_linear(name + "mlp.2", head_width_, head_width_)});
    }
    for (int i = 0; i < row_width_; ++i) mask_.data()[i] = channel_mask[i % n_channels_];
    if (reader.config().denoise_target == DenoiseTarget::kResidual) {
        residual_gain_ = reader.buffer("residual_gain", {frames_, n_channels_});
        residual_scale_ = reader.buffer("residual_scale", {frames_, n_channels_});
    }
    set_noise_scale(reader.config().lip_noise);
}

// The lips start every turn from nothing (residual gain 0): the voice decides them, and noise there is mostly jitter.
void Denoiser::set_noise_scale(double lip_noise) {
    noise_scale_ = Buffer(elements(row_width_));
    const bool residual = residual_gain_.size() != 0;
    for (std::size_t i = 0; i < noise_scale_.size(); ++i) {
        const bool lips = residual && residual_gain_.data()[i] == 0;
        noise_scale_.data()[i] = mask_.data()[i] * (lips ? static_cast<float>(lip_noise) : 1.0F);
    }
}

Denoiser::Scratch Denoiser::scratch(Compute& compute, int n_turns) const {
    const int rows = n_turns * n_rows_;
    Scratch scratch;
    scratch.n_turns = n_turns;
    scratch.condition = Buffer(elements(rows, condition_width_));
    for (Buffer* buffer : {&scratch.embedded, &scratch.hidden, &scratch.normed, &scratch.inner}) {
        *buffer = Buffer(elements(rows, head_width_));
    }
    for (Buffer* buffer : {&scratch.x, &scratch.x0, &scratch.previous, &scratch.unguided, &scratch.v}) {
        *buffer = Buffer(elements(rows, row_width_));
    }
    compute.reserve(rows, std::max({condition_width_, head_width_, row_width_}));
    return scratch;
}

void Denoiser::prepare(Compute& compute, int steps) {
    if (plans_.contains(steps)) return;
    Plan plan;
    plan.steps = sampler_steps(sampler_, steps);
    plan.time_embedding = time_embedding(compute, plan.steps);
    plans_.emplace(steps, std::move(plan));
}

void Denoiser::prepare(Compute& compute, Scratch& scratch, int steps) const {
    steps = std::min(steps, kStepsAtOnce);
    if (steps <= scratch.steps) return;
    const int rows = steps * scratch.n_turns * n_rows_;
    scratch.activated = Buffer(elements(rows, head_width_));
    scratch.modulation = Buffer(elements(rows, modulation_width_));
    scratch.unconditional = Buffer(elements(rows, modulation_width_));
    scratch.steps = steps;
    compute.reserve(rows, head_width_);
}

// Linear(SiLU(Linear(sinusoid(t)))) of each step, (steps, W).
Buffer Denoiser::time_embedding(Compute& compute, const std::vector<SamplerStep>& steps) const {
    const int n = static_cast<int>(steps.size()), half = kTimeFeatures / 2;
    Buffer features(elements(n, kTimeFeatures)), inner(elements(n, head_width_)), out(elements(n, head_width_));
    for (int s = 0; s < n; ++s) {
        float* row = features.data() + elements(s, kTimeFeatures);
        for (int i = 0; i < half; ++i) {
            const float frequency = std::exp(-std::log(10000.0F) * static_cast<float>(i) / static_cast<float>(half));
            const float angle = static_cast<float>(steps[static_cast<std::size_t>(s)].time) * frequency;
            row[i] = std::cos(angle);
            row[half + i] = std::sin(angle);
        }
    }
    const Rows hidden{inner.data(), n, head_width_};
    compute.apply(time_in_, {features.data(), kTimeFeatures}, hidden, {.activation = Activation::kSilu});
    compute.apply(time_out_, hidden, {out.data(), n, head_width_});
    return out;
}

// (rows, condition width): a frame's z, or with the turn unit the z of its frames and its last own frames before.
void Denoiser::gather_condition(Scratch& scratch, const DenoiseRequest& request, const float* z) const {
    const std::size_t n_z = elements(frames_, width_), n_own = elements(head_context_, n_channels_);
    float* out = scratch.condition.data();
    for (const DenoiseTurn& turn : request.turns) {
        out = std::copy_n(z, n_z, out);
        out = std::copy_n(turn.own_before + elements(frames_ - head_context_, n_channels_), n_own, out);
        z += n_z;
    }
}

// The modulation of some steps from `first` on, and all rows, at once: Linear(SiLU(time + condition)).
void Denoiser::modulate_steps(Compute& compute, Scratch& scratch, const DenoiseRequest& request, int first,
                              const float* z, Buffer& modulation) const {
    gather_condition(scratch, request, z);
    const Rows embedded{scratch.embedded.data(), rows(request), head_width_};
    compute.apply(condition_embed_, {scratch.condition.data(), condition_width_}, embedded);
    const int n_steps = std::min(request.steps - first, kStepsAtOnce);
    const float* time = plans_.at(request.steps).time_embedding.data() + elements(first, head_width_);
    float* out = scratch.activated.data();
    for (int s = 0; s < n_steps; ++s, time += head_width_) {
        for (int r = 0; r < embedded.rows; ++r, out += head_width_) {
            for (int i = 0; i < head_width_; ++i) out[i] = time[i] + embedded.row(r)[i];
            compute->silu(out, out, head_width_);
        }
    }
    compute.apply(modulation_, {scratch.activated.data(), head_width_},
                  {modulation.data(), n_steps * embedded.rows, modulation_width_});
}

void Denoiser::modulate(Compute& compute, Scratch& scratch, const DenoiseRequest& request, int first) const {
    modulate_steps(compute, scratch, request, first, request.z, scratch.modulation);
    if (!request.unconditional) return;
    modulate_steps(compute, scratch, request, first, request.unconditional, scratch.unconditional);
}

// normed = LN(hidden) * (1 + scale) + shift; `modulation` points at the shift of the first row.
void Denoiser::norm_rows(Compute& compute, Rows hidden, Rows normed, const Norm* norm, const float* modulation) const {
    for (int r = 0; r < hidden.rows; ++r, modulation += modulation_width_) {
        float* row = normed.row(r);
        compute->layer_norm(row, hidden.row(r), norm ? norm->gain.data() : nullptr, norm ? norm->bias.data() : nullptr,
                            kEps, head_width_);
        const float* scale = modulation + head_width_;
        for (int i = 0; i < head_width_; ++i) row[i] = row[i] * (1 + scale[i]) + modulation[i];
    }
}

// The network on x, whose masked channels are zero: x_0 and, where v is not null, v.
void Denoiser::predict(Compute& compute, Scratch& scratch, const float* modulation, Rows x0, float* v) const {
    const Rows hidden{scratch.hidden.data(), x0.rows, head_width_}, inner{scratch.inner.data(), x0.rows, head_width_};
    const Rows normed{scratch.normed.data(), x0.rows, head_width_};
    compute.apply(input_, {scratch.x.data(), row_width_}, hidden);
    for (const Block& block : blocks_) {
        norm_rows(compute, hidden, normed, &block.norm, modulation);
        compute.apply(block.in, normed, inner, {.activation = Activation::kSilu});
        const float* gate = modulation + 2 * head_width_;
        compute.apply(block.out, inner, hidden, {.gate = gate, .gate_stride = modulation_width_, .accumulate = true});
        modulation += 3 * head_width_;
    }
    norm_rows(compute, hidden, normed, nullptr, modulation);
    compute.apply(output_x0_, normed, x0);
    for (int r = 0; r < x0.rows; ++r) {
        for (int i = 0; i < row_width_; ++i) x0.row(r)[i] *= mask_.data()[i];
    }
    if (v) compute.apply(output_v_, normed, {v, x0.rows, row_width_});
}

// x_0 <- unconditional + scale * (conditional - unconditional), a scale for each frame.
void Denoiser::guide(Scratch& scratch, std::span<const float> guidance) const {
    float *x0 = scratch.x0.data(), *unguided = scratch.unguided.data();
    for (const float scale : guidance) {
        for (int c = 0; c < n_channels_; ++c, ++x0, ++unguided) *x0 = *unguided + scale * (*x0 - *unguided);
    }
}

void Denoiser::update_ancestral(Scratch& scratch, const SamplerStep& step, std::size_t s,
                                const DenoiseRequest& request) const {
    const int n = n_rows_ * row_width_;
    float* x = scratch.x.data();
    const float *x0 = scratch.x0.data(), *v = scratch.v.data();
    for (const DenoiseTurn& turn : request.turns) {
        for (int i = 0; i < n; ++i) x[i] = step.x0_weight * x0[i] + step.x_weight * x[i];
        const float* noise = turn.noise + (s + 1) * elements(n);
        for (int i = 0; i < n && !step.last; ++i) {
            const float share = (v[i] + 1) / 2;
            const float log_variance = share * step.log_beta + (1 - share) * step.posterior_log_variance;
            x[i] += turn.temperature * std::exp(0.5F * log_variance) * noise[i] * noise_scale_.data()[i % row_width_];
        }
        x += n;
        x0 += n;
        v += n;
    }
}

void Denoiser::update_dpm2m(Scratch& scratch, const SamplerStep& step, bool first, int n) const {
    float *x = scratch.x.data(), *before = scratch.previous.data();
    for (int i = 0; i < n; ++i) {
        const bool held = !first && noise_scale_.data()[i % row_width_] == 0;  // begun without noise: the first x_0
        const float x0 = held ? before[i] : scratch.x0.data()[i];
        const float estimate = first ? x0 : (1 + step.correction) * x0 - step.correction * before[i];
        x[i] = step.last ? x0 : step.x_weight * x[i] + step.x0_weight * estimate;
        before[i] = x0;
    }
}

void Denoiser::start(Scratch& scratch, const DenoiseRequest& request) const {
    float* x = scratch.x.data();
    for (const DenoiseTurn& turn : request.turns) {
        const float scale = sampler_ == Sampler::kAncestral ? 1.0F : turn.temperature;
        for (int i = 0; i < n_rows_ * row_width_; ++i) {
            *x++ = scale * turn.noise[i] * noise_scale_.data()[i % row_width_];
        }
    }
}

void Denoiser::run(Compute& compute, Scratch& scratch, const DenoiseRequest& request, float* out) const {
    const Plan& plan = plans_.at(request.steps);
    start(scratch, request);
    const Rows x0{scratch.x0.data(), rows(request), row_width_};
    const Rows unguided{scratch.unguided.data(), rows(request), row_width_};
    for (std::size_t s = 0; s < plan.steps.size(); ++s) {
        const SamplerStep& step = plan.steps[s];
        if (s % kStepsAtOnce == 0) modulate(compute, scratch, request, static_cast<int>(s));
        const std::size_t at = s % kStepsAtOnce * elements(x0.rows, modulation_width_);
        const bool variance = sampler_ == Sampler::kAncestral && !step.last;
        predict(compute, scratch, scratch.modulation.data() + at, x0, variance ? scratch.v.data() : nullptr);
        if (request.unconditional) {
            predict(compute, scratch, scratch.unconditional.data() + at, unguided, nullptr);
            guide(scratch, request.guidance);
        }
        if (sampler_ == Sampler::kAncestral) {
            update_ancestral(scratch, step, s, request);
        } else {
            update_dpm2m(scratch, step, s == 0, x0.rows * row_width_);
        }
    }
    finish(scratch, request, out);
}

// With the residual target a row holds the scaled distance from what is kept of the last own frame.
void Denoiser::finish(const Scratch& scratch, const DenoiseRequest& request, float* out) const {
    const int n = frames_ * n_channels_;
    const float* x = scratch.x.data();
    for (const DenoiseTurn& turn : request.turns) {
        const float* base = turn.own_before + elements(frames_ - 1, n_channels_);
        for (int i = 0; i < n; ++i) {
            const float row = *x++;
            *out++ = residual_scale_.size() == 0
                         ? row
                         : residual_gain_.data()[i] * base[i % n_channels_] + residual_scale_.data()[i] * row;
        }
    }
}

}  // namespace visavis::cpu
