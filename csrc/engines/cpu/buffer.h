// Memory of the CPU engine: float arrays aligned for the widest vector, zeroed, of a size fixed at creation.
#pragma once
#include <algorithm>
#include <cstddef>
#include <memory>
#include <span>

#include "memory.h"

namespace visavis::cpu {

class Buffer {
  public:
    Buffer() = default;
    explicit Buffer(std::size_t size)
        : values_(static_cast<float*>(allocate_block(std::max<std::size_t>(size, 1) * sizeof(float), kAlignment))),
          size_(size) {
        clear();
    }

    float* data() { return values_.get(); }
    const float* data() const { return values_.get(); }
    std::size_t size() const { return size_; }
    std::span<float> span() { return {data(), size_}; }
    void clear() { std::fill_n(values_.get(), size_, 0.0F); }

  private:
    static constexpr std::size_t kAlignment = 64;
    struct Free {
        void operator()(float* p) const noexcept { release_block(p, kAlignment); }
    };
    std::unique_ptr<float, Free> values_;
    std::size_t size_ = 0;
};

// The size of an array of these dimensions.
template <class... Dimensions>
std::size_t elements(Dimensions... dimensions) {
    return (std::size_t{1} * ... * static_cast<std::size_t>(dimensions));
}

}  // namespace visavis::cpu
