// A growing ring of final samples behind a resampler; sample numbers are 16 kHz ticks of the session clock.
#include "session/audio_stream.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "engines/engine.h"
#include "error.h"

namespace visavis {
namespace {

constexpr std::int64_t kFirstCapacity = 4 * kSampleRate;
constexpr float kMaxPushed = kMaxSample / 10;  // the resampler overshoots

// The sample nearest to a time; negative times round the same way.
std::int64_t sample_at(std::int64_t time_ns) {
    const std::int64_t whole = time_ns / kSampleNs, rest = time_ns % kSampleNs;
    return whole + (2 * rest >= kSampleNs ? 1 : 0) - (2 * rest < -kSampleNs ? 1 : 0);
}

std::string seconds(std::int64_t samples) {
    std::string text =
        std::to_string(samples / kSampleRate) + "." + std::to_string(samples % kSampleRate * 10 / kSampleRate);
    return text + " s";
}

}  // namespace

AudioStream::AudioStream(const char* name, bool drifts) : name_(name), drifts_(drifts) {
    ring_.resize(std::bit_ceil(static_cast<std::size_t>(kFirstCapacity)));
}

std::int64_t AudioStream::queued_end() const { return running_ ? run_start_ + resampler_->length() : end_; }

void AudioStream::check(std::span<const float> samples, int rate) const {
    const std::string what(name_);
    if (rate < kMinRate || rate > kMaxRate)
        throw Error(Status::kInvalidArgument, what + ": sample rate is " + std::to_string(rate) + " Hz; expected " +
                                                  std::to_string(kMinRate) + " to " + std::to_string(kMaxRate));
    if (samples.empty()) throw Error(Status::kInvalidArgument, what + ": no samples; expected at least one");
    const auto bad = std::ranges::find_if(samples, [](float value) { return !(std::abs(value) <= kMaxPushed); });
    if (bad != samples.end())
        throw Error(Status::kInvalidArgument, what + ": sample " + std::to_string(bad - samples.begin()) + " of " +
                                                  std::to_string(samples.size()) + " is " + std::to_string(*bad) +
                                                  "; expected finite numbers, full scale at +-1 (integers of 16 "
                                                  "bits divide by 32768)");
}

void AudioStream::check_ahead(std::int64_t start, std::int64_t n_new) const {
    if (start + n_new - begin_ <= kMaxAheadSamples) return;
    throw Error(Status::kInvalidArgument, std::string(name_) + ": the push ends " + seconds(start + n_new - begin_) +
                                              " after the first sample not yet used; expected at most " +
                                              seconds(kMaxAheadSamples) +
                                              ": push smaller pieces and poll between them");
}

std::int64_t AudioStream::push(std::span<const float> samples, int rate, std::optional<std::int64_t> time_ns) {
    check(samples, rate);
    const std::int64_t n_new = (std::ssize(samples) * kSampleRate + rate - 1) / rate;
    const std::int64_t asked = time_ns ? sample_at(*time_ns) : std::max(queued_end(), begin_);
    check_ahead(asked, n_new);
    stats.pushed += n_new;
    const Seam seam = time_ns ? seam_at(asked) : asked == queued_end() ? Seam::kNone : Seam::kNew;
    if (seam == Seam::kNew && asked + n_new <= begin_) {
        stats.late += n_new;  // all of it belongs to turns that are over: what is queued stays
        return asked * kSampleNs;
    }
    const std::int64_t start = place(seam, asked, n_new);
    if (!running_ || resampler_->rate() != rate || start != queued_end()) start_run(start, rate);
    const std::int64_t n_in = resampler_->n_input();
    const std::int64_t start_ns =
        run_start_ * kSampleNs + n_in / rate * 1'000'000'000 + n_in % rate * 1'000'000'000 / rate;
    const std::int64_t n_drop =
        seam == Seam::kDrift ? std::max<std::int64_t>(start - asked, 0) * rate / kSampleRate : 0;
    feed(samples.subspan(std::min(static_cast<std::size_t>(n_drop), samples.size())));
    started_ = true;
    return start_ns - n_drop * 1'000'000'000 / rate;
}

// How a push that asks to begin at sample `asked` relates to what is queued.
AudioStream::Seam AudioStream::seam_at(std::int64_t asked) const {
    const std::int64_t step = std::abs(asked - queued_end());
    if (!running_ || step > (drifts_ ? kMaxDrift : kExactTolerance)) return Seam::kNew;
    return step <= (drifts_ ? kMicrophoneTolerance : kExactTolerance) ? Seam::kNone : Seam::kDrift;
}

// Makes the queue ready for a push and returns the sample at which it will begin; counts what that costs.
std::int64_t AudioStream::place(Seam seam, std::int64_t asked, std::int64_t n_new) {
    const std::int64_t queued = queued_end();
    if (seam == Seam::kNone) return queued;
    if (seam == Seam::kDrift && asked < queued) {
        stats.dropped += std::min(queued - asked, n_new);
        return queued;
    }
    finish();
    const std::int64_t from = std::max(asked, begin_);
    if (started_) (seam == Seam::kDrift ? stats.inserted : stats.gap) += std::max<std::int64_t>(from - end_, 0);
    stats.replaced += std::max<std::int64_t>(end_ - from, 0);
    end_ = std::min(end_, from);
    return asked;
}

void AudioStream::start_run(std::int64_t start, int rate) {
    finish();
    if (!resampler_ || resampler_->rate() != rate) resampler_ = std::make_unique<Resampler>(rate);
    resampler_->reset();
    running_ = true;
    run_start_ = start;
    append_silence(start - end_);
}

void AudioStream::feed(std::span<const float> samples) {
    while (!samples.empty()) {
        const std::size_t n = std::min<std::size_t>(samples.size(), Resampler::kBlock);
        append(resampler_->push(samples.first(n)));
        samples = samples.subspan(n);
    }
}

// Appends the run's next samples; those before the first unused one are late.
void AudioStream::append(std::span<const float> samples) {
    const std::int64_t first = run_start_ + resampler_->n_output() - std::ssize(samples);
    const std::int64_t n_late = std::clamp<std::int64_t>(begin_ - first, 0, std::ssize(samples));
    stats.late += n_late;
    reserve(end_ + std::ssize(samples) - n_late);
    for (const float sample : samples.subspan(static_cast<std::size_t>(n_late))) at(end_++) = sample;
}

void AudioStream::append_silence(std::int64_t n) {
    if (n <= 0) return;
    reserve(end_ + n);
    for (; n > 0; --n) at(end_++) = 0;
}

void AudioStream::reserve(std::int64_t end) {
    const auto needed = static_cast<std::size_t>(end - begin_);
    if (needed <= ring_.size()) return;
    BlockVector<float> larger(std::bit_ceil(needed));
    for (std::int64_t i = begin_; i < end_; ++i) larger[static_cast<std::size_t>(i) & (larger.size() - 1)] = at(i);
    ring_.swap(larger);
}

void AudioStream::finish() {
    if (!running_) return;
    settle(queued_end());
    running_ = false;
}

void AudioStream::settle(std::int64_t until) {
    if (running_) append(resampler_->settle(until - run_start_));
}

void AudioStream::cancel(std::int64_t from) {
    const std::int64_t queued = queued_end();
    from = std::max(from, begin_);
    if (queued <= from) return;
    finish();
    stats.cancelled += queued - from;
    end_ = from;
}

std::int64_t AudioStream::read(std::int64_t from, std::span<float> out) const {
    const std::int64_t n = std::ssize(out);
    const std::int64_t first = std::clamp<std::int64_t>(begin_ - from, 0, n);
    const std::int64_t last = std::clamp<std::int64_t>(end_ - from, first, n);
    for (std::int64_t i = 0; i < n; ++i)
        out[static_cast<std::size_t>(i)] = i >= first && i < last ? at(from + i) : 0.0F;
    return last - first;
}

void AudioStream::use_until(std::int64_t until) {
    begin_ = std::max(begin_, until);
    end_ = std::max(end_, begin_);
}

}  // namespace visavis
