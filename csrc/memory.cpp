#include "memory.h"

#include <atomic>
#include <mutex>

namespace visavis {
namespace {

MemoryHooks hooks;
std::atomic<std::size_t> n_blocks{0};
std::mutex setting;  // of two threads that set hooks at once; blocks take no lock

}  // namespace

bool set_memory_hooks(const MemoryHooks& new_hooks) noexcept {
    const std::lock_guard lock(setting);
    if (n_blocks != 0) return false;
    hooks = new_hooks;
    return true;
}

void* allocate_block(std::size_t n_bytes, std::size_t alignment) {
    void* block = hooks.allocate ? hooks.allocate(hooks.user, n_bytes, alignment)
                                 : ::operator new(n_bytes, std::align_val_t(alignment));
    if (!block) throw std::bad_alloc();
    ++n_blocks;
    return block;
}

void release_block(void* block, std::size_t alignment) noexcept {
    if (!block) return;
    if (hooks.allocate) {
        hooks.release(hooks.user, block);
    } else {
        ::operator delete(block, std::align_val_t(alignment));
    }
    --n_blocks;
}

}  // namespace visavis
