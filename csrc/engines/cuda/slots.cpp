#include "engines/cuda/slots.h"

#include <algorithm>
#include <string>

#include "error.h"

namespace visavis::cuda {

int SlotPool::open() {
    auto free = std::find_if(slots_.begin(), slots_.end(), [](const Slot& slot) { return !slot.open; });
    if (free == slots_.end()) {
        const auto before = static_cast<std::ptrdiff_t>(slots_.size());
        grow();
        free = slots_.begin() + before;
    }
    free->n_turns = 0;
    free->n_cached = 0;
    free->open = true;
    return static_cast<int>(free - slots_.begin());
}

void SlotPool::grow() {
    constexpr std::size_t kPieceBytes = std::size_t{32} << 20;
    const std::size_t n = std::clamp<std::size_t>(kPieceBytes / slot_bytes_, 1, 64);
    try {
        pieces_.push_back(device_block(n * slot_bytes_));
    } catch (const Error& error) {
        throw Error(error.status(), std::string(error.what()) + "; " + std::to_string(slots_.size()) +
                                        " sessions are open, each takes " + std::to_string(slot_bytes_ >> 10) + " KiB");
    }
    auto* memory = static_cast<char*>(pieces_.back().get());
    for (std::size_t i = 0; i < n; ++i) {
        slots_.emplace_back();
        slots_.back().memory = memory + i * slot_bytes_;
    }
}

Slot& SlotPool::find(int slot) {
    if (slot >= 0 && static_cast<std::size_t>(slot) < slots_.size() && slots_[static_cast<std::size_t>(slot)].open) {
        return slots_[static_cast<std::size_t>(slot)];
    }
    std::string open;
    for (std::size_t i = 0; i < slots_.size(); ++i) {
        if (slots_[i].open) open += (open.empty() ? "" : ", ") + std::to_string(i);
    }
    throw Error(Status::kInvalidArgument,
                "slot " + std::to_string(slot) + " is not open; open ones: " + (open.empty() ? "none" : open));
}

}  // namespace visavis::cuda
