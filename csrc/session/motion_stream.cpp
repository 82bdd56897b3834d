// A growing ring of frames with a presence flag each.
#include "session/motion_stream.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <string>

#include "engines/engine.h"
#include "error.h"

namespace visavis {
namespace {

constexpr std::size_t kFirstCapacity = 128;

std::int64_t frame_at(std::int64_t time_ns) {
    const std::int64_t whole = time_ns / kFrameNs, rest = time_ns % kFrameNs;
    return whole + (2 * rest >= kFrameNs ? 1 : 0) - (2 * rest < -kFrameNs ? 1 : 0);
}

}  // namespace

MotionStream::MotionStream(int n_channels)
    : n_channels_(static_cast<std::size_t>(n_channels)),
      present_(kFirstCapacity),
      ring_(kFirstCapacity * n_channels_) {}

void MotionStream::check(std::span<const float> values) const {
    if (values.empty() || values.size() % n_channels_ != 0)
        throw Error(Status::kInvalidArgument, "user motion: " + std::to_string(values.size()) +
                                                  " values; expected a positive multiple of the model's " +
                                                  std::to_string(n_channels_) + " channels");
    const auto bad = std::ranges::find_if(values, [](float value) { return !(std::abs(value) <= kMaxMotion); });
    if (bad != values.end()) {
        const auto at = static_cast<std::size_t>(bad - values.begin());
        throw Error(Status::kInvalidArgument, "user motion: frame " + std::to_string(at / n_channels_) + ", channel " +
                                                  std::to_string(at % n_channels_) + " is " + std::to_string(*bad) +
                                                  "; expected finite numbers");
    }
}

std::int64_t MotionStream::push(std::span<const float> values, std::optional<std::int64_t> time_ns) {
    check(values);
    const auto n_new = static_cast<std::int64_t>(values.size() / n_channels_);
    const std::int64_t start = time_ns ? frame_at(*time_ns) : std::max(end_, begin_);
    if (start + n_new - begin_ > kMaxAheadFrames)
        throw Error(Status::kInvalidArgument, "user motion: the push ends " + std::to_string(start + n_new - begin_) +
                                                  " frames after the first not yet used; expected at most " +
                                                  std::to_string(kMaxAheadFrames) + ": push smaller pieces");
    stats.pushed += n_new;
    const std::int64_t n_late = std::clamp<std::int64_t>(begin_ - start, 0, n_new);
    stats.late += n_late;
    reserve(start + n_new);
    for (std::int64_t i = n_late; i < n_new; ++i) {
        const std::size_t at = slot(start + i);
        stats.replaced += present_[at];
        present_[at] = 1;
        std::copy_n(values.begin() + i * static_cast<std::int64_t>(n_channels_), n_channels_,
                    ring_.begin() + static_cast<std::ptrdiff_t>(at * n_channels_));
    }
    return start * kFrameNs;
}

// Makes room up to frame `end`; frames not pushed are absent (use_until clears what it passes).
void MotionStream::reserve(std::int64_t end) {
    if (end > begin_ + std::ssize(present_)) {
        MotionStream larger(static_cast<int>(n_channels_));
        larger.present_.assign(std::bit_ceil(static_cast<std::size_t>(end - begin_)), 0);
        larger.ring_.resize(larger.present_.size() * n_channels_);
        for (std::int64_t i = begin_; i < end_; ++i) {
            const std::size_t to = larger.slot(i);
            larger.present_[to] = present_[slot(i)];
            std::ranges::copy(frame(i), larger.ring_.begin() + static_cast<std::ptrdiff_t>(to * n_channels_));
        }
        present_.swap(larger.present_);
        ring_.swap(larger.ring_);
    }
    end_ = std::max(end_, end);
}

std::span<const float> MotionStream::frame(std::int64_t index) const {
    return {ring_.data() + slot(index) * n_channels_, n_channels_};
}

bool MotionStream::read(std::int64_t from, std::span<float> out, std::span<std::uint8_t> present) const {
    std::ranges::fill(out, 0.0F);
    bool any = false;
    for (std::size_t i = 0; i < present.size(); ++i) {
        const std::int64_t index = from + static_cast<std::int64_t>(i);
        present[i] = has(index);
        if (!present[i]) continue;
        any = true;
        std::ranges::copy(frame(index), out.begin() + static_cast<std::ptrdiff_t>(i * n_channels_));
    }
    return any;
}

void MotionStream::use_until(std::int64_t frame) {
    for (; begin_ < frame; ++begin_)
        if (begin_ < end_) present_[slot(begin_)] = 0;
    end_ = std::max(end_, begin_);
}

}  // namespace visavis
