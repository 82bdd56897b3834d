// Where large blocks come from: the C++ runtime, or the hooks that vv_set_allocator was given.
#pragma once
#include <cstddef>
#include <new>
#include <vector>

namespace visavis {

struct MemoryHooks {
    void* (*allocate)(void* user, std::size_t n_bytes, std::size_t alignment) = nullptr;
    void (*release)(void* user, void* block) = nullptr;
    void* user = nullptr;
};

// False, and nothing changes, while blocks are in use: each must go back where it came from.
bool set_memory_hooks(const MemoryHooks& hooks) noexcept;

void* allocate_block(std::size_t n_bytes, std::size_t alignment);  // throws std::bad_alloc
void release_block(void* block, std::size_t alignment) noexcept;

template <class T>
struct BlockAllocator {
    using value_type = T;
    BlockAllocator() = default;
    template <class U>
    BlockAllocator(const BlockAllocator<U>&) noexcept {}
    T* allocate(std::size_t n) {
        if (n > static_cast<std::size_t>(-1) / sizeof(T)) throw std::bad_array_new_length();
        return static_cast<T*>(allocate_block(n * sizeof(T), alignof(T)));
    }
    void deallocate(T* block, std::size_t) noexcept { release_block(block, alignof(T)); }
    template <class U>
    bool operator==(const BlockAllocator<U>&) const noexcept {
        return true;
    }
};

// A vector whose values live in such a block.
template <class T>
using BlockVector = std::vector<T, BlockAllocator<T>>;

}  // namespace visavis
