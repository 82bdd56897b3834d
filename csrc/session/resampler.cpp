// Polyphase windowed sinc.  The bank holds one row of taps per output phase; ratios with more than kMaxPhases phases
// blend two neighbouring rows (error below -110 dB).
#include "session/resampler.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <string>

#include "constants.h"
#include "error.h"

namespace visavis {
namespace {

constexpr int kZeros = 48;           // half-width of the sinc, in samples of the lower rate
constexpr double kCutoff = 0.9375;   // of the lower Nyquist frequency: middle of the band from 7 to 8 kHz
constexpr double kKaiserBeta = 9.6;  // about 95 dB
constexpr std::int64_t kMaxPhases = 1024;
constexpr std::int64_t kLanes = 8;  // independent sums of the dot product, a fixed order on every machine

double bessel_i0(double x) {
    double sum = 1, term = 1;
    for (int k = 1; term > sum * 1e-17; ++k) sum += term *= (x / (2 * k)) * (x / (2 * k));
    return sum;
}

// The continuous kernel at x samples of the lower rate; its integral is 1.
double kernel(double x) {
    if (std::abs(x) >= kZeros) return 0;
    const double at = std::numbers::pi * kCutoff * x;
    const double sinc = x == 0 ? 1 : std::sin(at) / at;
    const double r = x / kZeros;
    static const double norm = bessel_i0(kKaiserBeta);
    return kCutoff * sinc * bessel_i0(kKaiserBeta * std::sqrt(1 - r * r)) / norm;
}

float dot(const float* a, const float* b, std::int64_t n) {
    float sum[kLanes] = {};
    for (std::int64_t i = 0; i < n; i += kLanes)
        for (std::int64_t k = 0; k < kLanes; ++k) sum[k] += a[i + k] * b[i + k];
    return ((sum[0] + sum[4]) + (sum[2] + sum[6])) + ((sum[1] + sum[5]) + (sum[3] + sum[7]));
}

}  // namespace

Resampler::Resampler(int rate) : rate_(rate) {
    if (rate < kMinRate || rate > kMaxRate)
        throw Error(Status::kInvalidArgument, "sample rate is " + std::to_string(rate) + " Hz; expected " +
                                                  std::to_string(kMinRate) + " to " + std::to_string(kMaxRate));
    const std::int64_t common = std::gcd(rate, kSampleRate);
    up_ = kSampleRate / common;
    down_ = rate / common;
    if (rate != kSampleRate) build_bank();
    window_.resize(static_cast<std::size_t>(2 * n_taps_ + 2 * kBlock));
    out_.resize(static_cast<std::size_t>((kBlock + half_) * up_ / down_ + 2));
    reset();
}

void Resampler::build_bank() {
    const double scale = std::min(1.0, static_cast<double>(kSampleRate) / rate_);  // lower rate / input rate
    half_ = static_cast<std::int64_t>(std::ceil(kZeros / scale));
    n_taps_ = (2 * half_ + kLanes - 1) / kLanes * kLanes;
    n_phases_ = std::min(up_, kMaxPhases);
    bank_.assign(static_cast<std::size_t>((n_phases_ + 1) * n_taps_), 0.0F);
    std::vector<double> row(static_cast<std::size_t>(2 * half_));
    for (std::int64_t p = 0; p <= n_phases_; ++p) {
        const double fraction = static_cast<double>(p) / static_cast<double>(n_phases_);
        double sum = 0;
        for (std::int64_t k = 0; k < 2 * half_; ++k)
            sum += row[static_cast<std::size_t>(k)] = kernel(scale * (static_cast<double>(k - half_ + 1) - fraction));
        for (std::int64_t k = 0; k < 2 * half_; ++k)  // unit gain at 0 Hz in every phase
            bank_[static_cast<std::size_t>(p * n_taps_ + k)] =
                static_cast<float>(row[static_cast<std::size_t>(k)] / sum);
    }
}

void Resampler::reset() {
    std::fill(window_.begin(), window_.end(), 0.0F);
    window_start_ = half_ > 0 ? 1 - half_ : 0;  // silence before the first sample
    n_window_ = -window_start_;
    position_ = phase_ = n_input_ = n_output_ = 0;
}

std::int64_t Resampler::length() const { return (n_input_ * up_ + down_ - 1) / down_; }

void Resampler::step() {
    phase_ += down_;
    position_ += phase_ / up_;
    phase_ %= up_;
    ++n_output_;
}

// The next output; what the window holds after its input is zero.
float Resampler::output() const {
    const std::int64_t row = phase_ * n_phases_ / up_;
    const std::int64_t rest = phase_ * n_phases_ % up_;
    const float* x = window_.data() + position_ - half_ + 1 - window_start_;
    const float* taps = bank_.data() + row * n_taps_;
    const float low = dot(taps, x, n_taps_);
    if (rest == 0) return low;
    return low + static_cast<float>(rest) / static_cast<float>(up_) * (dot(taps + n_taps_, x, n_taps_) - low);
}

std::span<const float> Resampler::push(std::span<const float> input) {
    if (rate_ == kSampleRate) {
        n_input_ += static_cast<std::int64_t>(input.size());
        n_output_ = n_input_;
        return input;
    }
    const std::int64_t used = std::min(position_ - half_ + 1 - window_start_, n_window_);
    const auto at = [this](std::int64_t i) { return window_.begin() + i; };
    std::copy(at(used), at(n_window_), at(0));
    window_start_ += used;
    n_window_ -= used;
    const auto n_new = static_cast<std::int64_t>(input.size());
    std::copy(input.begin(), input.end(), at(n_window_));
    n_window_ += n_new;
    n_input_ += n_new;
    std::fill(at(n_window_), at(std::min<std::int64_t>(n_window_ + n_taps_, std::ssize(window_))), 0.0F);
    std::size_t n = 0;
    for (; position_ + half_ < n_input_; step()) out_[n++] = output();
    return {out_.data(), n};
}

std::span<const float> Resampler::settle(std::int64_t until) {
    if (rate_ == kSampleRate) return {};
    std::size_t n = 0;
    for (until = std::min(until, length()); n_output_ < until; step()) out_[n++] = output();
    return {out_.data(), n};
}

}  // namespace visavis
