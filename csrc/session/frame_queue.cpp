#include "session/frame_queue.h"

#include <algorithm>

namespace visavis {

FrameQueue::FrameQueue(int n_channels, std::int64_t capacity)
    : n_channels_(static_cast<std::size_t>(n_channels)),
      capacity_(capacity),
      frames_(static_cast<std::size_t>(capacity)),
      values_(frames_.size() * n_channels_) {}

std::span<float> FrameQueue::push(const Frame& frame) {
    const std::size_t at = slot(written_++);
    frames_[at] = frame;
    return {values_.data() + at * n_channels_, n_channels_};
}

bool FrameQueue::pop(Frame& frame, std::span<float> values) {
    if (read_ == written_) return false;
    const std::size_t at = slot(read_++);
    frame = frames_[at];
    std::copy_n(values_.begin() + static_cast<std::ptrdiff_t>(at * n_channels_), n_channels_, values.begin());
    return true;
}

std::int64_t FrameQueue::withdraw(std::int64_t from_ns) {
    std::int64_t n = 0;
    for (std::int64_t i = written_ - 1; i >= std::max<std::int64_t>(written_ - capacity_, 0); --i) {
        Frame& frame = frames_[slot(i)];
        if (frame.time_ns < from_ns) break;
        if (frame.state & kWithdrawn) continue;
        frame.state |= kWithdrawn;
        read_ = std::min(read_, i);
        ++n;
    }
    return n;
}

}  // namespace visavis
