#include "engines/cuda/denoiser.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "engines/cpu/schedule.h"
#include "session/noise.h"

namespace visavis::cuda {
namespace {

constexpr int kTimeFeatures = 256;
constexpr int kModulationRows = 2048;  // whose modulation is one product; more would need memory and save nothing
const std::string kNet = "diffloss.net.";

double silu(double x) { return x / (1 + std::exp(-x)); }

// y = x W^T + b
std::vector<double> multiplied(const std::vector<double>& x, const std::vector<float>& weight,
                               const std::vector<float>& bias) {
    std::vector<double> y;
    for (std::size_t row = 0; row < bias.size(); ++row) {
        auto sum = static_cast<double>(bias[row]);
        for (std::size_t i = 0; i < x.size(); ++i) sum += x[i] * static_cast<double>(weight[row * x.size() + i]);
        y.push_back(sum);
    }
    return y;
}

}  // namespace

Denoiser::Denoiser(const WeightReader& reader, const ModelConfig& options, const Normalisation& normalisation,
                   const std::vector<float>& guidance_shares, bool fuse)
    : ancestral_(options.sampler == Sampler::kAncestral),
      fuse_(fuse),
      frame_unit_(options.denoise_unit == DenoiseUnit::kFrame),
      frames_(options.turn_frames),
      n_channels_(options.n_channels),
      model_width_(options.width),
      n_rows_(frame_unit_ ? frames_ : 1),
      row_width_(options.row_width()),
      row_pad_(static_cast<int>(pitch_of(row_width_))),
      width_(options.head_width),
      depth_(options.head_depth),
      condition_width_(options.condition_width()),
      n_own_(frame_unit_ ? 0 : options.head_context_frames * n_channels_),
      coherence_(static_cast<float>(options.noise_coherence)),
      sampler_(options.sampler),
      condition_embed_(reader.exact_linear(kNet + "cond_embed", width_, condition_width_)),
      time_in_(reader.values(kNet + "time_embed.mlp.0.weight", {width_, kTimeFeatures})),
      time_in_bias_(reader.values(kNet + "time_embed.mlp.0.bias", {width_})),
      time_out_(reader.values(kNet + "time_embed.mlp.2.weight", {width_, width_})),
      time_out_bias_(reader.values(kNet + "time_embed.mlp.2.bias", {width_})),
      input_(reader.linear(kNet + "input_proj", width_, row_width_)),
      normalisation_(normalisation) {
    read_modulation(reader);
    read_output(reader);
    std::vector<FusedBlock> fused;
    for (int i = 0; i < depth_; ++i) {
        const std::string name = kNet + "res_blocks." + std::to_string(i) + ".";
        const Block block{reader.norm(name + "in_ln", width_), reader.linear(name + "mlp.0", width_, width_),
                          reader.linear(name + "mlp.2", width_, width_)};
        blocks_.push_back(block);
        fused.push_back(
            {block.norm.gain, block.norm.bias, block.in.weight, block.out.weight, block.in.bias, block.out.bias});
    }
    fused_blocks_ = reader.upload(fused);
    shares_ = reader.upload(guidance_shares);
    std::vector<float> mask;
    for (int i = 0; i < row_width_; ++i) {
        mask.push_back(normalisation.host_mask[static_cast<std::size_t>(i % n_channels_)]);
    }
    mask_ = reader.upload(mask);
    set_noise_scale(reader, options.lip_noise, mask);
}

// Every adaLN matrix of the head below one another: block after block (shift, scale, gate), then the final layer's.
void Denoiser::read_modulation(const WeightReader& reader) {
    std::vector<float> weight, bias;
    const auto append = [&](const std::string& name, int n) {
        const std::vector<float> w = reader.values(name + ".weight", {n, width_}),
                                 b = reader.values(name + ".bias", {n});
        weight.insert(weight.end(), w.begin(), w.end());
        bias.insert(bias.end(), b.begin(), b.end());
    };
    for (int i = 0; i < depth_; ++i) {
        append(kNet + "res_blocks." + std::to_string(i) + ".adaLN_modulation.1", 3 * width_);
    }
    append(kNet + "final_layer.adaLN_modulation.1", 2 * width_);
    modulation_ = reader.pack(weight, bias, (3 * depth_ + 2) * width_, width_);
}

// x_0's rows, then v's, each filled up to whole eighths: the fused kernel takes both eighths of the same columns.
void Denoiser::read_output(const WeightReader& reader) {
    const std::vector<float> weight = reader.values(kNet + "final_layer.linear.weight", {2 * row_width_, width_});
    const std::vector<float> bias = reader.values(kNet + "final_layer.linear.bias", {2 * row_width_});
    const auto width = static_cast<std::size_t>(width_), row = static_cast<std::size_t>(row_width_),
               pad = static_cast<std::size_t>(row_pad_);
    std::vector<float> wide(2 * pad * width), wide_bias(2 * pad);
    for (std::size_t part = 0; part < 2; ++part) {
        std::copy_n(weight.data() + part * row * width, row * width, wide.data() + part * pad * width);
        std::copy_n(bias.data() + part * row, row, wide_bias.data() + part * pad);
    }
    output_ = reader.pack(wide, wide_bias, 2 * row_pad_, width_);
}

// The lips start every turn from nothing (residual gain 0): the voice decides them, and noise there is mostly jitter.
void Denoiser::set_noise_scale(const WeightReader& reader, double lip_noise, const std::vector<float>& mask) {
    std::vector<float> scale = mask;
    if (reader.config().denoise_target == DenoiseTarget::kResidual) {
        const std::vector<float> gain = reader.values("residual_gain", {frames_, n_channels_});
        residual_gain_ = reader.upload(gain);
        residual_scale_ = reader.floats("residual_scale", {frames_, n_channels_});
        for (std::size_t i = 0; i < scale.size(); ++i) {
            if (gain[i] == 0) scale[i] *= static_cast<float>(lip_noise);
        }
    }
    noise_scale_ = reader.upload(scale);
}

// Linear(SiLU(Linear(sinusoid(t)))) of each time, (times, W).
std::vector<float> Denoiser::time_table(const std::vector<int>& times) const {
    constexpr int kHalf = kTimeFeatures / 2;
    std::vector<float> out;
    for (const int time : times) {
        std::vector<double> features(kTimeFeatures);
        for (int i = 0; i < kHalf; ++i) {
            const double angle = time * std::exp(-std::log(10000.0) * i / kHalf);
            features[static_cast<std::size_t>(i)] = std::cos(angle);
            features[static_cast<std::size_t>(kHalf + i)] = std::sin(angle);
        }
        std::vector<double> inner = multiplied(features, time_in_, time_in_bias_);
        for (double& x : inner) x = silu(x);
        for (const double x : multiplied(inner, time_out_, time_out_bias_)) out.push_back(static_cast<float>(x));
    }
    return out;
}

void Denoiser::prepare(Arena& arena, int steps) {
    if (plans_.contains(steps)) return;
    Plan plan;
    std::vector<int> times;
    for (const cpu::SamplerStep& step : cpu::sampler_steps(sampler_, steps)) {
        plan.steps.push_back({step.x0_weight, step.x_weight, step.log_beta, step.posterior_log_variance,
                              step.correction, step.last ? 1 : 0});
        times.push_back(step.time);
    }
    plan.device_steps = arena.upload(plan.steps);
    plan.time = arena.upload(time_table(times));
    plans_.emplace(steps, std::move(plan));
}

int Denoiser::steps_at_once(int n_turns, int branches, int steps) const {
    return std::clamp(kModulationRows / (n_turns * branches * n_rows_), 1, steps);
}

void Denoiser::allocate(Arena& arena, int n_turns, int branches, int most_steps) {
    const std::int64_t rows = std::int64_t{n_turns} * branches * n_rows_;
    // Fewer turns take more steps at once.
    std::int64_t modulated = 0;
    for (int turns = 1; turns <= n_turns; ++turns) {
        for (int b = 1; b <= branches; ++b) {
            const std::int64_t at_once = steps_at_once(turns, b, most_steps);
            modulated = std::max(modulated, turns * b * n_rows_ * at_once);
        }
    }
    condition_ = arena.take_of<float>(rows * condition_width_);
    embedded_ = arena.take_of<float>(rows * width_);
    activated_ = arena.take_of<std::uint16_t>(modulated * pitch_of(width_));
    modulations_ = arena.take_of<float>(modulated * modulation_.weight.n);
    hidden_ = arena.take_of<float>(rows * width_);
    normed_ = arena.take_of<std::uint16_t>(rows * pitch_of(width_));
    inner_ = arena.take_of<std::uint16_t>(rows * pitch_of(width_));
    predicted_ = arena.take_of<float>(rows * 2 * row_pad_);
    x_ = arena.take_of<float>(n_turns * values_of_turn());
    previous_ = arena.take_of<float>(n_turns * values_of_turn());
    noise_ = arena.take_of<float>(n_turns * values_of_turn() * (1 + noise_steps(most_steps)));
    x_half_ = arena.zeros<std::uint16_t>(std::int64_t{n_turns} * n_rows_ * row_pad_);
    x_rows_[0] = dense(row_pad_);
    std::vector<std::int32_t> offsets;  // both branches of a turn read the same x
    for (std::int64_t row = 0; row < std::int64_t{n_turns} * 2 * n_rows_; ++row) {
        offsets.push_back(static_cast<std::int32_t>((row / (2 * n_rows_) * n_rows_ + row % n_rows_) * row_pad_));
    }
    x_rows_[1] = {row_pad_, arena.upload(offsets)};
}

Condition Denoiser::condition(int branch, int branches) const {
    const std::int64_t of_branch = std::int64_t{n_rows_} * condition_width_;
    Condition condition;
    condition.values = condition_ + branch * of_branch;
    condition.turn_stride = branches * of_branch;
    condition.frame_stride = model_width_;
    condition.n_own = n_own_;
    condition.own_from = frames_ * n_channels_ - n_own_;
    return condition;
}

SamplerState Denoiser::state(const Batch& batch, int steps, int branches) const {
    SamplerState s;
    s.turns = batch.turns;
    s.n_rows = n_rows_;
    s.row_width = row_width_;
    s.row_pad = row_pad_;
    s.n_channels = n_channels_;
    s.branches = branches;
    s.noise_steps = noise_steps(steps);
    s.ancestral = ancestral_;
    s.noise = noise_;
    s.noise_scale = noise_scale_;
    s.mask = mask_;
    s.shares = shares_;
    s.x = x_;
    s.previous = previous_;
    s.x_half = x_half_;
    return s;
}

void Denoiser::draw(const Compute& compute, const Batch& batch, int steps) const {
    NoiseParams p;
    p.count = batch.rows(1);
    p.turns = batch.turns;
    p.given = batch.given_noise;
    p.n_frames = frames_;
    p.n_channels = n_channels_;
    p.n_steps = noise_steps(steps);
    p.n_taps = coherence_ > 0 ? kCoherenceTaps : 1;
    double energy = 0;
    for (int i = 0; i < kCoherenceTaps; ++i) energy += std::pow(static_cast<double>(coherence_), 2 * i);
    for (int i = 0; i < kCoherenceTaps; ++i) {
        p.taps[i] = static_cast<float>(std::pow(static_cast<double>(coherence_), i) / std::sqrt(energy));
    }
    p.out = noise_;
    draw_noise(compute.launcher, p);
}

// The modulation of some steps from `first` on, of all rows, at once.
void Denoiser::modulate(const Compute& compute, const Count& rows, const Plan& plan, int first, int n_steps) const {
    ActivateParams p;
    p.count = rows;
    p.time = plan.time + std::int64_t{first} * width_;
    p.condition = embedded_;
    p.n_steps = n_steps;
    p.width = width_;
    p.out = activated_;
    p.pitch = pitch_of(width_);
    activate_condition(compute.launcher, compute.half, p);
    Count all = rows;
    all.rows *= n_steps;
    compute.to_float(compute.product(modulation_, all, activated_, dense(p.pitch)), modulations_,
                     dense(modulation_.weight.n));
}

void Denoiser::run(const Compute& compute, const Batch& batch, int steps, int branches) const {
    const Plan& plan = plans_.at(steps);
    const Count rows = batch.rows(branches * n_rows_);
    const int at_once = steps_at_once(batch.most, branches, steps);
    draw(compute, batch, steps);
    start_sampler(compute.launcher, compute.half, {batch.rows(1), state(batch, steps, branches)});
    compute.exact(condition_embed_, rows, condition_, dense(condition_width_), embedded_, dense(width_));
    const FusedParams whole = fused(batch, plan, branches);
    if (fuse_ && at_once == steps && fused_denoiser_fits(whole)) {
        modulate(compute, rows, plan, 0, steps);
        fused_denoiser(compute.launcher, compute.half, whole);
    } else {
        run_steps(compute, batch, plan, branches, at_once);
    }
    FinishParams p;
    p.count = batch.rows(1);
    p.turns = batch.turns;
    p.x = x_;
    p.n_frames = frames_;
    p.n_channels = n_channels_;
    p.residual_gain = residual_gain_;
    p.residual_scale = residual_scale_;
    p.mean = normalisation_.mean;
    p.std = normalisation_.std;
    p.mask = normalisation_.mask;
    p.motion = batch.motion;
    finish(compute.launcher, p);
}

FusedParams Denoiser::fused(const Batch& batch, const Plan& plan, int branches) const {
    const int steps = static_cast<int>(plan.steps.size());
    FusedParams p;
    p.count = batch.rows(1);
    p.state = state(batch, steps, branches);
    p.width = width_;
    p.depth = depth_;
    p.input = input_.weight;
    p.input_bias = input_.bias;
    p.output = output_.weight;
    p.output_bias = output_.bias;
    p.blocks = fused_blocks_;
    p.modulation = modulations_;
    p.steps = plan.device_steps;
    p.n_steps = steps;
    p.hidden = hidden_;
    p.inner = inner_;
    p.inner_pitch = pitch_of(width_);
    return p;
}

void Denoiser::run_steps(const Compute& compute, const Batch& batch, const Plan& plan, int branches,
                         int at_once) const {
    const int steps = static_cast<int>(plan.steps.size());
    const Count rows = batch.rows(branches * n_rows_);
    for (int s = 0; s < steps; ++s) {
        const int n_modulated = std::min(at_once, steps - s / at_once * at_once);
        if (s % at_once == 0) modulate(compute, rows, plan, s, n_modulated);
        const Step& step = plan.steps[static_cast<std::size_t>(s)];
        const float* modulation = modulations_ + std::int64_t{s % at_once} * modulation_.weight.n;
        predict(compute, rows, x_rows_[branches - 1], modulation, std::int64_t{n_modulated} * modulation_.weight.n,
                ancestral_ && !step.last);
        advance_sampler(compute.launcher, compute.half,
                        {batch.rows(1), state(batch, steps, branches), predicted_, 2 * row_pad_, step, s});
    }
}

void Denoiser::norm_rows(const Compute& compute, const Count& rows, const Norm& norm, const float* modulation,
                         std::int64_t modulation_stride) const {
    NormParams p;
    p.count = rows;
    p.in = hidden_;
    p.in_rows = dense(width_);
    p.width = width_;
    p.gain = norm.gain;
    p.bias = norm.bias;
    p.shift = modulation;
    p.scale = modulation + width_;
    p.modulation_stride = modulation_stride;
    p.out_half = normed_;
    p.half_rows = dense(pitch_of(width_));
    cuda::norm(compute.launcher, compute.half, p);
}

// The network on x: x_0 and, where it is wanted, v.
void Denoiser::predict(const Compute& compute, const Count& rows, const RowMap& x_rows, const float* modulation,
                       std::int64_t modulation_stride, bool variance) const {
    const RowMap halves = dense(pitch_of(width_)), floats = dense(width_);
    compute.to_float(compute.product(input_, rows, x_half_, x_rows), hidden_, floats);
    for (const Block& block : blocks_) {
        norm_rows(compute, rows, block.norm, modulation, modulation_stride);
        compute.to_half(with(compute.product(block.in, rows, normed_, halves), Activation::kSilu), inner_, halves);
        GemmParams out = accumulating(compute.product(block.out, rows, inner_, halves));
        out.gate = modulation + 2 * width_;
        out.gate_stride = modulation_stride;
        compute.to_float(out, hidden_, floats);
        modulation += 3 * width_;
    }
    norm_rows(compute, rows, {}, modulation, modulation_stride);
    GemmParams p = compute.product(output_, rows, normed_, halves);
    if (!variance) p.weight.n = row_pad_;
    compute.to_float(p, predicted_, dense(2 * row_pad_));
}

}  // namespace visavis::cuda
