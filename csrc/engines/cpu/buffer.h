// Memory of the CPU engine: arrays aligned for the widest vector, zeroed, of a size fixed at creation.
#pragma once
#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "memory.h"

namespace visavis::cpu {

template <class T>
class Array {
  public:
    Array() = default;
    explicit Array(std::size_t size)
        : values_(static_cast<T*>(allocate_block(std::max<std::size_t>(size, 1) * sizeof(T), kAlignment))),
          size_(size) {
        clear();
    }

    T* data() { return values_.get(); }
    const T* data() const { return values_.get(); }
    std::size_t size() const { return size_; }
    std::span<T> span() { return {data(), size_}; }
    void clear() { std::fill_n(values_.get(), size_, T{}); }

  private:
    static constexpr std::size_t kAlignment = 64;
    struct Free {
        void operator()(T* p) const noexcept { release_block(p, kAlignment); }
    };
    std::unique_ptr<T, Free> values_;
    std::size_t size_ = 0;
};

using Buffer = Array<float>;
using Halves = Array<std::uint16_t>;  // bfloat16: the upper half of a float

// The size of an array of these dimensions.
template <class... Dimensions>
std::size_t elements(Dimensions... dimensions) {
    return (std::size_t{1} * ... * static_cast<std::size_t>(dimensions));
}

}  // namespace visavis::cpu
