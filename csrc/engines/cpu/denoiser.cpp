#include "engines/cpu/denoiser.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <utility>

namespace visavis::cpu {
namespace {

constexpr int kTimeFeatures = 256;
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
    return {reader.kernels(), weight, bias, (3 * depth + 2) * width, width};
}

// The output linear gives x_0, then v: kept apart, since v is not always wanted.
std::pair<Linear, Linear> read_output(const TensorReader& reader, int row, int width) {
    const std::vector<float> weight = reader.values(kNet + "final_layer.linear.weight", {2 * row, width});
    const std::vector<float> bias = reader.values(kNet + "final_layer.linear.bias", {2 * row});
    const std::span<const float> w(weight), b(bias);
    const std::size_t n = elements(row, width), half = elements(row);
    return {Linear(reader.kernels(), w.first(n), b.first(half), row, width),
            Linear(reader.kernels(), w.last(n), b.last(half), row, width)};
}

}  // namespace

Denoiser::Denoiser(const TensorReader& reader, Sampler sampler, const float* channel_mask)
    : kernels_(&reader.kernels()),
      sampler_(sampler),
      frames_(reader.config().turn_frames),
      n_channels_(reader.config().n_channels),
      width_(reader.config().width),
      n_rows_(reader.config().denoise_unit == DenoiseUnit::kFrame ? frames_ : 1),
      row_width_(reader.config().row_width()),
      head_width_(reader.config().head_width),
      head_context_(reader.config().denoise_unit == DenoiseUnit::kFrame ? 0 : reader.config().head_context_frames),
      condition_width_(reader.config().condition_width()),
      modulation_width_((3 * reader.config().head_depth + 2) * head_width_),
      time_in_(reader.linear(kNet + "time_embed.mlp.0", head_width_, kTimeFeatures)),
      time_out_(reader.linear(kNet + "time_embed.mlp.2", head_width_, head_width_)),
      condition_embed_(reader.linear(kNet + "cond_embed", head_width_, condition_width_)),
      input_(reader.linear(kNet + "input_proj", head_width_, row_width_)),
      modulation_(read_modulation(reader, head_width_, reader.config().head_depth)),
      mask_(elements(row_width_)) {
    std::tie(output_x0_, output_v_) = read_output(reader, row_width_, head_width_);
    for (int i = 0; i < reader.config().head_depth; ++i) {
        const std::string name = kNet + "res_blocks." + std::to_string(i) + ".";
        blocks_.push_back({reader.norm(name + "in_ln", head_width_),
                           reader.linear(name + "mlp.0", head_width_, head_width_),
                           reader.linear(name + "mlp.2", head_width_, head_width_)});
    }
    for (int i = 0; i < row_width_; ++i) mask_.data()[i] = channel_mask[i % n_channels_];
    if (reader.config().denoise_target == DenoiseTarget::kResidual) {
        residual_gain_ = reader.buffer("residual_gain", {frames_, n_channels_});
        residual_scale_ = reader.buffer("residual_scale", {frames_, n_channels_});
    }
    set_noise_scale(reader.config().lip_noise);
    condition_ = Buffer(elements(n_rows_, condition_width_));
    for (Buffer* buffer : {&embedded_, &hidden_, &normed_, &inner_}) *buffer = Buffer(elements(n_rows_, head_width_));
    for (Buffer* buffer : {&x_, &x0_, &previous_, &unguided_, &v_}) *buffer = Buffer(elements(n_rows_, row_width_));
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

Denoiser::Plan& Denoiser::plan(int steps) {
    if (const auto found = plans_.find(steps); found != plans_.end()) return found->second;
    Plan plan;
    plan.steps = sampler_steps(sampler_, steps);
    plan.time_embedding = time_embedding(plan.steps);
    plan.activated = Buffer(elements(steps, n_rows_, head_width_));
    plan.modulation = Buffer(elements(steps, n_rows_, modulation_width_));
    plan.unconditional = Buffer(elements(steps, n_rows_, modulation_width_));
    return plans_.emplace(steps, std::move(plan)).first->second;
}

// Linear(SiLU(Linear(sinusoid(t)))) of each step, (steps, W).
Buffer Denoiser::time_embedding(const std::vector<SamplerStep>& steps) const {
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
    apply(*kernels_, time_in_, {features.data(), kTimeFeatures}, {inner.data(), n, head_width_});
    kernels_->silu(inner.data(), inner.data(), n * head_width_);
    apply(*kernels_, time_out_, {inner.data(), head_width_}, {out.data(), n, head_width_});
    return out;
}

// The modulation of every step and row at once: Linear(SiLU(time + condition)).
void Denoiser::modulate_all(Plan& plan, const DenoiseRequest& request, const float* z, Buffer& modulation) {
    const std::size_t n_z = elements(frames_, width_), n_own = elements(head_context_, n_channels_);
    std::copy_n(z, n_z, condition_.data());
    const float* own = request.own_before + elements(frames_ - head_context_, n_channels_);
    std::copy_n(own, n_own, condition_.data() + n_z);
    const Rows embedded{embedded_.data(), n_rows_, head_width_};
    apply(*kernels_, condition_embed_, {condition_.data(), condition_width_}, embedded);
    float* out = plan.activated.data();
    for (int s = 0; s < request.steps; ++s) {
        const float* time = plan.time_embedding.data() + elements(s, head_width_);
        for (int r = 0; r < n_rows_; ++r, out += head_width_) {
            for (int i = 0; i < head_width_; ++i) out[i] = time[i] + embedded.row(r)[i];
            kernels_->silu(out, out, head_width_);
        }
    }
    apply(*kernels_, modulation_, {plan.activated.data(), head_width_},
          {modulation.data(), request.steps * n_rows_, modulation_width_});
}

// normed = LN(hidden) * (1 + scale) + shift; `modulation` points at the shift of the first row.
void Denoiser::modulate(Rows hidden, const Norm* norm, const float* modulation) {
    for (int r = 0; r < n_rows_; ++r, modulation += modulation_width_) {
        float* row = normed_.data() + elements(r, head_width_);
        kernels_->layer_norm(row, hidden.row(r), norm ? norm->gain.data() : nullptr, norm ? norm->bias.data() : nullptr,
                             head_width_);
        const float* scale = modulation + head_width_;
        for (int i = 0; i < head_width_; ++i) row[i] = row[i] * (1 + scale[i]) + modulation[i];
    }
}

// The network on x_, whose masked channels are zero: x_0 and, where v is not null, v.
void Denoiser::predict(const float* modulation, Rows x0, float* v) {
    const Rows hidden{hidden_.data(), n_rows_, head_width_}, inner{inner_.data(), n_rows_, head_width_};
    const Rows normed{normed_.data(), n_rows_, head_width_};
    apply(*kernels_, input_, {x_.data(), row_width_}, hidden);
    for (const Block& block : blocks_) {
        modulate(hidden, &block.norm, modulation);
        apply(*kernels_, block.in, normed, inner);
        for (int r = 0; r < n_rows_; ++r) kernels_->silu(inner.row(r), inner.row(r), head_width_);
        apply(*kernels_, block.out, inner, normed);
        for (int r = 0; r < n_rows_; ++r) {
            const float* gate = modulation + 2 * head_width_ + elements(r, modulation_width_);
            for (int i = 0; i < head_width_; ++i) hidden.row(r)[i] += gate[i] * normed.row(r)[i];
        }
        modulation += 3 * head_width_;
    }
    modulate(hidden, nullptr, modulation);
    apply(*kernels_, output_x0_, normed, x0);
    for (int r = 0; r < n_rows_; ++r) {
        for (int i = 0; i < row_width_; ++i) x0.row(r)[i] *= mask_.data()[i];
    }
    if (v) apply(*kernels_, output_v_, normed, {v, n_rows_, row_width_});
}

// x_0 <- unconditional + scale * (conditional - unconditional), a scale for each frame.
void Denoiser::guide(std::span<const float> guidance) {
    for (int f = 0; f < frames_; ++f) {
        const float scale = guidance[static_cast<std::size_t>(f)];
        for (int c = 0; c < n_channels_; ++c) {
            const int i = f * n_channels_ + c;
            const float u = unguided_.data()[i];
            x0_.data()[i] = u + scale * (x0_.data()[i] - u);
        }
    }
}

void Denoiser::update_ancestral(const SamplerStep& step, const float* noise, float temperature) {
    const int n = n_rows_ * row_width_;
    float* x = x_.data();
    for (int i = 0; i < n; ++i) x[i] = step.x0_weight * x0_.data()[i] + step.x_weight * x[i];
    if (step.last) return;
    for (int i = 0; i < n; ++i) {
        const float share = (v_.data()[i] + 1) / 2;
        const float log_variance = share * step.log_beta + (1 - share) * step.posterior_log_variance;
        x[i] += temperature * std::exp(0.5F * log_variance) * noise[i] * noise_scale_.data()[i % row_width_];
    }
}

void Denoiser::update_dpm2m(const SamplerStep& step, bool first) {
    const int n = n_rows_ * row_width_;
    float *x = x_.data(), *before = previous_.data();
    for (int i = 0; i < n; ++i) {
        const float x0 = x0_.data()[i];
        const float estimate = first ? x0 : (1 + step.correction) * x0 - step.correction * before[i];
        x[i] = step.last ? x0 : step.x_weight * x[i] + step.x0_weight * estimate;
        before[i] = x0;
    }
}

void Denoiser::run(const DenoiseRequest& request, float* out) {
    Plan& tables = plan(request.steps);
    modulate_all(tables, request, request.z, tables.modulation);
    if (request.unconditional) modulate_all(tables, request, request.unconditional, tables.unconditional);
    const std::size_t n = elements(n_rows_, row_width_);
    const float first = sampler_ == Sampler::kAncestral ? 1.0F : request.temperature;
    for (std::size_t i = 0; i < n; ++i) {
        x_.data()[i] = first * request.noise[i] * noise_scale_.data()[i % elements(row_width_)];
    }
    const Rows x0{x0_.data(), n_rows_, row_width_}, unguided{unguided_.data(), n_rows_, row_width_};
    for (std::size_t s = 0; s < tables.steps.size(); ++s) {
        const SamplerStep& step = tables.steps[s];
        const std::size_t at = s * elements(n_rows_, modulation_width_);
        const bool variance = sampler_ == Sampler::kAncestral && !step.last;
        predict(tables.modulation.data() + at, x0, variance ? v_.data() : nullptr);
        if (request.unconditional) {
            predict(tables.unconditional.data() + at, unguided, nullptr);
            guide(request.guidance);
        }
        if (sampler_ == Sampler::kAncestral) {
            update_ancestral(step, request.noise + (s + 1) * n, request.temperature);
        } else {
            update_dpm2m(step, s == 0);
        }
    }
    finish(request, out);
}

// With the residual target a row holds the scaled distance from what is kept of the last own frame.
void Denoiser::finish(const DenoiseRequest& request, float* out) const {
    const float* base = request.own_before + elements(frames_ - 1, n_channels_);
    for (int f = 0; f < frames_; ++f) {
        for (int c = 0; c < n_channels_; ++c) {
            const int i = f * n_channels_ + c;
            const float row = x_.data()[i];
            out[i] = residual_scale_.size() == 0 ? row
                                                 : residual_gain_.data()[i] * base[c] + residual_scale_.data()[i] * row;
        }
    }
}

}  // namespace visavis::cpu
