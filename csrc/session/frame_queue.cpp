#include "session/frame_queue.h"

#include <algorithm>

namespace visavis {

FrameQueue::FrameQueue(int n_channels, std::int64_t capacity)
    : n_channels_(static_cast<std::size_t>(n_channels)),
      capacity_(capacity),
      slots_(static_cast<std::size_t>(capacity)),
      values_(slots_.size() * n_channels_) {}

std::span<float> FrameQueue::push(const Frame& frame) {
    const std::size_t at = place(written_++);
    slots_[at] = {frame, true};
    return {values_.data() + at * n_channels_, n_channels_};
}

bool FrameQueue::pop(Frame& frame, std::span<float> values) {
    while (read_ < written_ && !slots_[place(read_)].waits) ++read_;
    if (read_ == written_) return false;
    const std::size_t at = place(read_++);
    slots_[at].waits = false;
    frame = slots_[at].frame;
    std::copy_n(values_.begin() + static_cast<std::ptrdiff_t>(at * n_channels_), n_channels_, values.begin());
    return true;
}

Withdrawal FrameQueue::withdraw(std::int64_t from_ns) {
    Withdrawal done;
    for (std::int64_t i = written_ - 1; i >= oldest(); --i) {
        Slot& slot = slots_[place(i)];
        if (slot.frame.state & kWithdrawn) continue;
        if (slot.frame.time_ns < from_ns) break;
        slot.frame.state |= kWithdrawn;
        slot.waits = true;
        read_ = std::min(read_, i);
        ++done.n;
        done.first_index = slot.frame.index;
    }
    return done;
}

std::span<const float> FrameQueue::values(std::int64_t index) const {
    for (std::int64_t i = written_ - 1; i >= oldest(); --i)
        if (slots_[place(i)].frame.index == index) return {values_.data() + place(i) * n_channels_, n_channels_};
    return {};
}

}  // namespace visavis
