#include "engines/cpu/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>

#include "error.h"

namespace visavis::cpu {
namespace {

constexpr int kProcessSteps = 1000;
constexpr double kMaxBeta = 0.999;
constexpr int kDpmFirst = 980, kDpmLast = 30;  // noisiest and cleanest time that dpm2m evaluates

double cosine(double u) { return std::pow(std::cos((u + 0.008) / 1.008 * std::numbers::pi / 2), 2); }

std::vector<double> alpha_bars() {
    std::vector<double> out;
    double product = 1;
    for (int i = 0; i < kProcessSteps; ++i) {
        const double beta = std::min(1 - cosine((i + 1.0) / kProcessSteps) / cosine(1.0 * i / kProcessSteps), kMaxBeta);
        product *= 1 - beta;
        out.push_back(product);
    }
    return out;
}

int nearest(double x) { return static_cast<int>(std::nearbyint(x)); }  // halves to even

int ancestral_time(int i, int steps) { return nearest(static_cast<double>(i) * (kProcessSteps - 1) / (steps - 1)); }

int dpm2m_time(int i, int steps) {
    if (steps == 1) return kDpmFirst;
    return nearest(kDpmFirst + i * (static_cast<double>(kDpmLast - kDpmFirst) / (steps - 1)));
}

std::vector<SamplerStep> ancestral(int steps) {
    const std::vector<double> full = alpha_bars();
    std::vector<SamplerStep> out(static_cast<std::size_t>(steps));
    double before = 1, second_variance = 0;
    for (int i = 0; i < steps; ++i) {  // cleanest first; stored noisiest first
        SamplerStep& step = out[static_cast<std::size_t>(steps - 1 - i)];
        step.time = ancestral_time(i, steps);
        const double alpha_bar = full[static_cast<std::size_t>(step.time)];
        const double beta = 1 - alpha_bar / before;
        const double variance = beta * (1 - before) / (1 - alpha_bar);
        if (i == 1) second_variance = variance;
        step.x0_weight = static_cast<float>(beta * std::sqrt(before) / (1 - alpha_bar));
        step.x_weight = static_cast<float>((1 - before) * std::sqrt(1 - beta) / (1 - alpha_bar));
        step.log_beta = static_cast<float>(std::log(beta));
        step.posterior_log_variance = static_cast<float>(std::log(i == 0 ? 1.0 : variance));
        step.last = i == 0;
        before = alpha_bar;
    }
    out.back().posterior_log_variance = static_cast<float>(std::log(second_variance));
    return out;
}

// DPM-Solver++(2M) on x_0.  With h the step in log(signal / sigma), the estimate is x_0 + (h / 2h_before)(x_0 - x_0').
std::vector<SamplerStep> dpm2m(int steps) {
    const std::vector<double> full = alpha_bars();
    std::vector<SamplerStep> out(static_cast<std::size_t>(steps));
    for (int i = 0; i < steps; ++i) out[static_cast<std::size_t>(i)].time = dpm2m_time(i, steps);
    const auto alpha_bar = [&](std::size_t i) { return full[static_cast<std::size_t>(out[i].time)]; };
    const auto log_snr = [&](std::size_t i) { return 0.5 * std::log(alpha_bar(i) / (1 - alpha_bar(i))); };
    for (std::size_t i = 0; i + 1 < out.size(); ++i) {
        const double h = log_snr(i + 1) - log_snr(i);
        out[i].x_weight = static_cast<float>(std::sqrt((1 - alpha_bar(i + 1)) / (1 - alpha_bar(i))));
        out[i].x0_weight = static_cast<float>(-std::sqrt(alpha_bar(i + 1)) * std::expm1(-h));
        if (i > 0) out[i].correction = static_cast<float>(0.5 * h / (log_snr(i) - log_snr(i - 1)));
    }
    out.back().last = true;
    return out;
}

}  // namespace

int least_steps(Sampler sampler) { return sampler == Sampler::kAncestral ? 2 : 1; }

void check_steps(Sampler sampler, int steps) {
    const int least = least_steps(sampler);
    const int most = sampler == Sampler::kAncestral ? kProcessSteps : kDpmFirst - kDpmLast + 1;
    if (steps < least || steps > most) {
        throw Error(Status::kInvalidArgument, std::string(sampler == Sampler::kAncestral ? "ancestral" : "dpm2m") +
                                                  " sampling takes " + std::to_string(least) + " to " +
                                                  std::to_string(most) + " steps, not " + std::to_string(steps));
    }
}

std::vector<SamplerStep> sampler_steps(Sampler sampler, int steps) {
    check_steps(sampler, steps);
    return sampler == Sampler::kAncestral ? ancestral(steps) : dpm2m(steps);
}

}  // namespace visavis::cpu
