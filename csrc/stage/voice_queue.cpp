#include "stage/voice_queue.h"

#include <algorithm>
#include <bit>

namespace visavis {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;
constexpr std::int64_t kSeamNs = 1'000'000;  // pushes this near to the end of the last one follow it
constexpr std::int64_t kLongestWaitNs = 120 * kSecond;
constexpr std::size_t kFirstCapacity = 1 << 14;

}  // namespace

std::int64_t VoiceQueue::Run::time_of(std::int64_t sample) const {
    return time_ns + sample / rate * kSecond + sample % rate * kSecond / rate;
}

bool VoiceQueue::push(std::span<const float> samples, std::uint32_t rate, std::int64_t time_ns) {
    const bool follows =
        !runs_.empty() && runs_.back().rate == rate && std::abs(runs_.back().end_ns() - time_ns) <= kSeamNs;
    if (!follows) cut(time_ns);
    if (!runs_.empty() && time_ns - runs_.front().time_of(runs_.front().n_taken) > kLongestWaitNs) return false;
    reserve(std::ssize(samples));
    for (const float sample : samples) at(written_++) = sample;
    if (!follows || runs_.empty()) runs_.push_back({time_ns, rate, 0, 0});
    runs_.back().n_samples += std::ssize(samples);
    return true;
}

void VoiceQueue::reserve(std::int64_t n_new) {
    const auto needed = static_cast<std::size_t>(written_ - read_ + n_new);
    if (needed <= ring_.size()) return;
    BlockVector<float> larger(std::max(std::bit_ceil(needed), kFirstCapacity));
    for (std::int64_t i = read_; i < written_; ++i) larger[static_cast<std::size_t>(i) & (larger.size() - 1)] = at(i);
    ring_.swap(larger);
}

VoiceQueue::Piece VoiceQueue::take(std::int64_t until_ns) {
    while (!runs_.empty() && runs_.front().n_taken == runs_.front().n_samples) runs_.erase(runs_.begin());
    if (runs_.empty()) return {};
    Run& run = runs_.front();
    const std::int64_t time_ns = run.time_of(run.n_taken);
    if (time_ns >= until_ns) return {};
    const std::int64_t wanted =
        (until_ns - time_ns) / kSecond * run.rate + ((until_ns - time_ns) % kSecond * run.rate + kSecond - 1) / kSecond;
    const std::size_t first = static_cast<std::size_t>(read_) & (ring_.size() - 1);
    const std::int64_t n =
        std::min({wanted, run.n_samples - run.n_taken, static_cast<std::int64_t>(ring_.size() - first)});
    const Piece piece{time_ns, n_out_, run.rate, std::span(ring_).subspan(first, static_cast<std::size_t>(n))};
    run.n_taken += n;
    read_ += n;
    n_out_ += n;
    return piece;
}

void VoiceQueue::cut(std::int64_t from_ns) {
    while (!runs_.empty() && runs_.back().end_ns() > from_ns) {
        Run& run = runs_.back();
        const std::int64_t before_ns = std::max<std::int64_t>(from_ns - run.time_ns, 0);
        const std::int64_t n_kept = before_ns / kSecond * run.rate + before_ns % kSecond * run.rate / kSecond;
        const std::int64_t n_cut = run.n_samples - std::max(std::min(n_kept, run.n_samples), run.n_taken);
        run.n_samples -= n_cut;
        written_ -= n_cut;
        if (run.n_samples > run.n_taken || n_cut == 0) return;
        runs_.pop_back();
    }
}

void VoiceQueue::clear() {
    runs_.clear();
    read_ = written_ = 0;
}

}  // namespace visavis
