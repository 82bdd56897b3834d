// Sessions' histories in the GPU's memory.
#pragma once
#include <cstdint>
#include <memory>
#include <vector>

#include "engines/cuda/memory.h"

namespace visavis::cuda {

struct Slot {
    char* memory = nullptr;
    std::int64_t n_turns = 0;
    int n_cached = 0;  // absolute positions: turns whose keys and values are valid, at places 0..n_cached
    bool open = false;
};

// What a slot's memory holds, one part behind the other, each 256-byte aligned.
struct SlotLayout {
    std::size_t history = 0, voices = 0, own = 0, kept = 0;  // where they begin
    std::size_t n_bytes = 0;
};

// Slots share large pieces of memory, which they give back only together.
class SlotPool {
  public:
    explicit SlotPool(std::size_t slot_bytes) : slot_bytes_(slot_bytes) {}

    int open();  // a slot of memory that holds anything; throws Error(kOutOfMemory)
    void close(int slot) { slots_[static_cast<std::size_t>(slot)].open = false; }
    Slot& find(int slot);  // throws Error for one that is not open

  private:
    void grow();

    std::size_t slot_bytes_;
    std::vector<DeviceBlock> pieces_;
    std::vector<Slot> slots_;
};

}  // namespace visavis::cuda
