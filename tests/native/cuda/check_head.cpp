#include <array>

#include "checks.h"
#include "session/noise.h"
#include "twins.h"

namespace visavis::cuda::test {
namespace {

// ---- noise

void check_noise(float coherence) {
    Random random(130);
    const int frames = 5, channels = 55, steps = 2, most = 3;
    Ints count({3});
    Floats given(random.floats(std::int64_t{most} * (1 + steps) * frames * channels));
    Floats out(poison(std::int64_t{most} * (1 + steps) * frames * channels));
    Turns turns(most);
    for (int i = 0; i < most; ++i) {
        turns[i].seed = 0x123456789ABCDEFULL * static_cast<unsigned>(i + 1);
        turns[i].first_frame = i == 0 ? 0 : (std::int64_t{1} << 33) * i - 2;
        turns[i].explicit_noise = i == 2;
    }
    const auto params = [&](Side side) {
        NoiseParams p;
        p.count = {count.at(side), most};
        p.turns = turns.at(side);
        p.given = given.at(side);
        p.n_frames = frames;
        p.n_channels = channels;
        p.n_steps = steps;
        p.n_taps = coherence > 0 ? kCoherenceTaps : 1;
        float energy = 0, power = 1;
        for (float& tap : p.taps) {
            tap = power;
            energy += power * power;
            power *= coherence;
        }
        for (float& tap : p.taps) tap /= std::sqrt(energy);
        p.out = out.at(side);
        return p;
    };
    draw_noise(launcher(), params(Side::kDevice));
    twin::draw_noise(params(Side::kHost));
    compare("draw_noise", out, kExact);
}

// ---- the sampler

struct Case {
    int n_turns, most, rows, frames_of_row, width, depth;
    bool ancestral, guided;
};
constexpr int kChannels = 9;

// The sampler's arrays of both sides.
class SamplerArrays {
  public:
    SamplerArrays(Half half, const Case& c, int noise_steps, Random& random)
        : case_(c),
          noise_steps_(noise_steps),
          values_(c.rows * c.frames_of_row * kChannels),
          row_width_(c.frames_of_row * kChannels),
          row_pad_((row_width_ + 7) / 8 * 8),
          turns(c.most),
          noise(random.floats(std::int64_t{c.most} * (1 + noise_steps) * values_)),
          noise_scale(random.floats(row_width_, 0.1F, 1)),
          mask(std::vector<float>(size(row_width_), 1)),
          shares(random.floats(values_ / kChannels, 0.1F, 0.5F)),
          x(random.floats(c.most * values_)),
          previous(random.floats(c.most * values_)),
          x_half(random.halves(half, c.most * c.rows * row_pad_)) {
        mask.host[2] = noise_scale.host[2] = 0;
        for (int i = 0; i < c.most; ++i) {
            turns[i].temperature = 0.7F + 0.1F * static_cast<float>(i);
            turns[i].guidance = 1.5F - 0.7F * static_cast<float>(i);
        }
    }
    SamplerState at(Side side) {
        SamplerState s;
        s.turns = turns.at(side);
        s.n_rows = case_.rows;
        s.row_width = row_width_;
        s.row_pad = row_pad_;
        s.n_channels = kChannels;
        s.branches = branches();
        s.noise_steps = noise_steps_;
        s.ancestral = case_.ancestral;
        s.noise = noise.at(side);
        s.noise_scale = noise_scale.at(side);
        s.mask = mask.at(side);
        s.shares = shares.at(side);
        s.x = x.at(side);
        s.previous = previous.at(side);
        s.x_half = x_half.at(side);
        return s;
    }
    int branches() const { return case_.guided ? 2 : 1; }
    int row_width() const { return row_width_; }
    int row_pad() const { return row_pad_; }

  private:
    Case case_;
    int noise_steps_, values_, row_width_, row_pad_;

  public:
    Turns turns;
    Floats noise, noise_scale, mask, shares, x, previous;
    Halves x_half;
};

Step step_of(int index, int n_steps) {
    const float part = static_cast<float>(index + 1) / static_cast<float>(n_steps);
    return {0.4F + 0.4F * part, 0.6F - 0.3F * part, -2 * part, -4 * part, 0.3F * part, index + 1 == n_steps};
}

void check_steps(Half half, const Case& c) {
    Random random(140);
    Ints count({c.n_turns});
    SamplerArrays arrays(half, c, 3, random);
    const auto start = [&](Side side) { return StartParams{{count.at(side), c.most}, arrays.at(side)}; };
    start_sampler(launcher(), half, start(Side::kDevice));
    twin::start_sampler(half, start(Side::kHost));
    compare("start_sampler", arrays.x, kExact);
    compare("start_sampler halves", half, arrays.x_half, tolerance_of(half));
    const int stride = 2 * arrays.row_pad() + 3;
    Floats predicted(random.floats(std::int64_t{c.most} * arrays.branches() * c.rows * stride));
    for (int index = 0; index < 3; ++index) {
        const auto params = [&](Side side) {
            return AdvanceParams{
                {count.at(side), c.most}, arrays.at(side), predicted.at(side), stride, step_of(index, 3), index};
        };
        advance_sampler(launcher(), half, params(Side::kDevice));
        twin::advance_sampler(half, params(Side::kHost));
        compare("advance_sampler", arrays.x, kExact);
        compare("advance_sampler before", arrays.previous, kExact);
        compare("advance_sampler halves", half, arrays.x_half, tolerance_of(half));
    }
}

void check_activate(Half half) {
    Random random(150);
    const int rows = 3, most = 2, steps = 4, width = 21, pitch = 24;
    Ints count({2});
    Floats time(random.floats(steps * width)), condition(random.floats(most * rows * width));
    Halves out(poison_halves(std::int64_t{most} * rows * steps * pitch));
    const auto params = [&](Side side) {
        return ActivateParams{
            {count.at(side), most, rows}, time.at(side), condition.at(side), steps, width, out.at(side), pitch};
    };
    activate_condition(launcher(), half, params(Side::kDevice));
    twin::activate_condition(half, params(Side::kHost));
    compare("activate_condition", half, out, tolerance_of(half));
}

// ---- the whole head at once

void check_fused(Half half, const Case& c, int n_steps) {
    Random random(160);
    SamplerArrays arrays(half, c, n_steps, random);
    const int rows = arrays.branches() * c.rows, most = c.most * rows, modulations = (3 * c.depth + 2) * c.width;
    const int inner_pitch = (c.width + 7) / 8 * 8;
    Ints count({c.n_turns});
    const auto weights = [&](int n, int k) {
        return Halves(pack(half, random.floats(std::int64_t{n} * k, 1 / std::sqrt(static_cast<float>(k))), n, k));
    };
    Halves input = weights(c.width, arrays.row_width()), output = weights(2 * arrays.row_pad(), c.width);
    Floats input_bias(random.floats(c.width, 0.3F)), output_bias(random.floats(2 * arrays.row_pad(), 0.3F));
    std::vector<Halves> matrices;
    std::vector<Floats> vectors;
    for (int j = 0; j < c.depth; ++j) {
        for (int i = 0; i < 2; ++i) matrices.push_back(weights(c.width, c.width));
        for (int i = 0; i < 4; ++i) vectors.emplace_back(random.floats(c.width, 0.3F, i == 0 ? 1.0F : 0.0F));
    }
    const auto blocks_at = [&](Side side) {
        std::vector<FusedBlock> blocks;
        for (std::size_t j = 0; j < size(c.depth); ++j) {
            blocks.push_back({vectors[4 * j].at(side),
                              vectors[4 * j + 1].at(side),
                              {matrices[2 * j].at(side), c.width, c.width},
                              {matrices[2 * j + 1].at(side), c.width, c.width},
                              vectors[4 * j + 2].at(side),
                              vectors[4 * j + 3].at(side)});
        }
        return blocks;
    };
    Both<FusedBlock> host_blocks(blocks_at(Side::kHost)), device_blocks(blocks_at(Side::kDevice));
    std::vector<Step> steps;
    for (int s = 0; s < n_steps; ++s) steps.push_back(step_of(s, n_steps));
    Both<Step> all_steps(steps);
    Floats modulation(random.floats(std::int64_t{most} * n_steps * modulations, 0.3F));
    Floats hidden(poison(std::int64_t{most} * c.width));
    Halves inner(poison_halves(std::int64_t{most} * inner_pitch));
    const auto params = [&](Side side) {
        FusedParams p;
        p.count = {count.at(side), c.most};
        p.state = arrays.at(side);
        p.width = c.width;
        p.depth = c.depth;
        p.input = {input.at(side), c.width, arrays.row_width()};
        p.output = {output.at(side), 2 * arrays.row_pad(), c.width};
        p.input_bias = input_bias.at(side);
        p.output_bias = output_bias.at(side);
        p.blocks = (side == Side::kHost ? host_blocks : device_blocks).at(side);
        p.modulation = modulation.at(side);
        p.steps = all_steps.at(side);
        p.n_steps = n_steps;
        p.hidden = hidden.at(side);
        p.inner = inner.at(side);
        p.inner_pitch = inner_pitch;
        return p;
    };
    if (!fused_denoiser_fits(params(Side::kHost))) return;  // the engine takes single kernels then
    fused_denoiser(launcher(), half, params(Side::kDevice));
    twin::fused_denoiser(half, params(Side::kHost));
    compare("fused_denoiser", arrays.x, tolerance_of(half));
}

void check_finish(bool residual) {
    Random random(170);
    const int frames = 4, channels = 7, most = 3;
    Ints count({2});
    Floats x(random.floats(most * frames * channels)), own(random.floats(most * frames * channels));
    Floats gain(random.floats(frames * channels)), scale(random.floats(frames * channels));
    Floats mean(random.floats(channels)), std(random.floats(channels, 0.1F, 1)), mask({1, 1, 0, 1, 1, 1, 1});
    Floats motion(poison(most * frames * channels));
    Turns turns(most);
    turns.point(&Turn::own, own, frames * channels);
    const auto params = [&](Side side) {
        FinishParams p;
        p.count = {count.at(side), most};
        p.turns = turns.at(side);
        p.x = x.at(side);
        p.n_frames = frames;
        p.n_channels = channels;
        p.residual_gain = residual ? gain.at(side) : nullptr;
        p.residual_scale = residual ? scale.at(side) : nullptr;
        p.mean = mean.at(side);
        p.std = std.at(side);
        p.mask = mask.at(side);
        p.motion = motion.at(side);
        return p;
    };
    finish(launcher(), params(Side::kDevice));
    twin::finish(params(Side::kHost));
    compare("finish", motion, kExact);
    compare("finish own", own, kExact);
}

}  // namespace

void check_head(Half half) {
    check_noise(0);
    check_noise(0.7F);
    for (const bool guided : {false, true}) {
        for (const bool ancestral : {false, true}) {
            check_steps(half, {2, 3, 1, 5, 0, 0, ancestral, guided});
            check_steps(half, {3, 3, 4, 1, 0, 0, ancestral, guided});
        }
    }
    check_activate(half);
    check_fused(half, {1, 1, 1, 5, 72, 2, false, false}, 3);    // a turn as one row, one head
    check_fused(half, {3, 4, 1, 5, 40, 1, true, true}, 2);      // several heads, with guidance
    check_fused(half, {2, 2, 11, 1, 33, 1, true, false}, 3);    // a row a frame, two tiles of rows
    check_fused(half, {1, 2, 25, 1, 48, 1, true, false}, 2);    // four tiles, half of them empty
    check_fused(half, {1, 1, 3, 1, 1024, 1, false, true}, 2);   // as wide as it gets: weights do not fit everywhere
    check_fused(half, {1, 1, 25, 1, 1024, 1, true, false}, 1);  // nor do that many rows
    check_finish(false);
    check_finish(true);
}

}  // namespace visavis::cuda::test
