#include "emulator.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <deque>
#include <exception>
#include <memory>
#include <mutex>
#include <numeric>
#include <random>
#include <stdexcept>
#include <vector>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif

#if !defined(__x86_64__)
#error "the emulator switches stacks in x86-64 assembly"
#endif

extern "C" void emulator_switch(void** from, void* to);
// Keeps what the System V ABI says a function must keep, changes the stack, goes on there.
asm(R"(
.text
.globl emulator_switch
.type emulator_switch, @function
emulator_switch:
    pushq %rbp
    pushq %rbx
    pushq %r12
    pushq %r13
    pushq %r14
    pushq %r15
    movq %rsp, (%rdi)
    movq %rsi, %rsp
    popq %r15
    popq %r14
    popq %r13
    popq %r12
    popq %rbx
    popq %rbp
    ret
.size emulator_switch, .-emulator_switch
)");

namespace emulator {
namespace {

constexpr int kLanes = 32;
constexpr std::size_t kStackBytes = 64 * 1024;

[[noreturn]] void fail(const std::string& what) { throw std::runtime_error("emulated kernel: " + what); }

std::size_t environment(const char* name, std::size_t otherwise) {
    const char* text = std::getenv(name);
    return text ? std::strtoull(text, nullptr, 10) : otherwise;
}

// 0: ascending, late copies; 1: descending, copies at once; more: a shuffle of that seed, late copies when even.
std::size_t order() { return environment("VISAVIS_EMULATOR_ORDER", 0); }

struct Copy {
    void* to;
    const void* from;
    int n_valid, n_bytes;

    void perform() const {
        std::memcpy(to, from, static_cast<std::size_t>(n_valid));
        std::memset(static_cast<char*>(to) + n_valid, 0, static_cast<std::size_t>(n_bytes - n_valid));
    }
};

enum class Wait { kNone, kWarp, kBlock, kGrid, kDone };

struct Warp {
    void* operands[kLanes] = {};
    const char* name = nullptr;
    int n_arrived = 0;
    std::uint64_t generation = 0;
};

struct Barrier {
    int n_arrived = 0, n_done = 0;
    std::uint64_t generation = 0;
};

struct Block;

struct Thread {
    void* stack_pointer = nullptr;
    char* stack = nullptr;
    Block* block = nullptr;
    Warp* warp = nullptr;
    int index = 0;
    Wait wait = Wait::kNone;
    std::uint64_t waits_for = 0;
    std::vector<Copy> open_group;
    std::deque<std::vector<Copy>> groups;
#if defined(__SANITIZE_ADDRESS__)
    void* fake_stack = nullptr;
#endif
};

struct FreeAligned {
    void operator()(char* block) const { std::free(block); }
};

struct Block {
    int index = 0;
    std::unique_ptr<char, FreeAligned> shared;
    std::vector<Warp> warps;
    std::vector<Thread> threads;
    Barrier barrier;
};

// One launch: its fibers and their scheduler.
struct Grid {
    const Launch* launch = nullptr;
    const std::function<void()>* body = nullptr;
    Barrier barrier;
    int n_threads = 0;  // of all live blocks
    bool late_copies = true;
    void* scheduler = nullptr;
    std::exception_ptr error;
#if defined(__SANITIZE_ADDRESS__)
    void* scheduler_fake_stack = nullptr;
    const void* scheduler_stack = nullptr;
    std::size_t scheduler_stack_bytes = 0;
#endif
};

Grid* grid = nullptr;  // one launch runs at a time
Thread* running = nullptr;
std::mutex one_launch;

void to_scheduler(bool for_good) {
    Thread& self = *running;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(for_good ? nullptr : &self.fake_stack, grid->scheduler_stack,
                                   grid->scheduler_stack_bytes);
#else
    (void)for_good;
#endif
    emulator_switch(&self.stack_pointer, grid->scheduler);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(self.fake_stack, &grid->scheduler_stack, &grid->scheduler_stack_bytes);
#endif
}

[[noreturn]] void thread_main() {
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(nullptr, &grid->scheduler_stack, &grid->scheduler_stack_bytes);
#endif
    try {
        (*grid->body)();
        if (!running->open_group.empty() || !running->groups.empty()) fail("a thread ended with copies not waited for");
    } catch (...) {
        if (!grid->error) grid->error = std::current_exception();
    }
    running->wait = Wait::kDone;
    ++running->block->barrier.n_done;
    ++grid->barrier.n_done;
    to_scheduler(true);
    std::abort();
}

// A stack that emulator_switch can go to: six registers, then the address it returns to.
void prepare(Thread& thread) {
#if defined(__SANITIZE_ADDRESS__)
    __asan_unpoison_memory_region(thread.stack, kStackBytes);  // of the fiber before, which left no frame in order
#endif
    auto* top = reinterpret_cast<void**>(thread.stack + kStackBytes);
    *--top = nullptr;  // so that thread_main sees the alignment of a called function
    *--top = reinterpret_cast<void*>(&thread_main);
    for (int i = 0; i < 6; ++i) *--top = nullptr;
    thread.stack_pointer = top;
}

void resume(Thread& thread) {
    running = &thread;
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_start_switch_fiber(&grid->scheduler_fake_stack, thread.stack, kStackBytes);
#endif
    emulator_switch(&grid->scheduler, thread.stack_pointer);
#if defined(__SANITIZE_ADDRESS__)
    __sanitizer_finish_switch_fiber(grid->scheduler_fake_stack, nullptr, nullptr);
#endif
    running = nullptr;
    if (grid->error) std::rethrow_exception(grid->error);
}

bool can_run(const Thread& thread) {
    switch (thread.wait) {
        case Wait::kNone: return true;
        case Wait::kWarp: return thread.warp->generation != thread.waits_for;
        case Wait::kBlock: return thread.block->barrier.generation != thread.waits_for;
        case Wait::kGrid: return grid->barrier.generation != thread.waits_for;
        default: return false;
    }
}

// Stacks outlive launches: making them anew would cost more than the kernels.
char* stack_of(std::size_t index) {
    static std::vector<std::unique_ptr<char, FreeAligned>> stacks;
    while (stacks.size() <= index) stacks.emplace_back(static_cast<char*>(std::aligned_alloc(64, kStackBytes)));
    return stacks[index].get();
}

std::vector<int> arranged(int n) {
    std::vector<int> out(static_cast<std::size_t>(n));
    std::iota(out.begin(), out.end(), 0);
    const std::size_t seed = order();
    if (seed == 1) std::reverse(out.begin(), out.end());
    if (seed > 1) std::shuffle(out.begin(), out.end(), std::mt19937(static_cast<unsigned>(seed)));
    return out;
}

Block make_block(const Launch& launch, int index, std::size_t first_stack) {
    Block block;
    block.index = index;
    const std::size_t size = (launch.shared_bytes + 127) / 128 * 128;
    // Exactly as large as asked for (aligned_alloc wants whole alignments), so that sanitizers see what lies beyond.
    void* shared = nullptr;
    if (posix_memalign(&shared, 128, std::max<std::size_t>(launch.shared_bytes, 1)) != 0) throw std::bad_alloc();
    block.shared.reset(static_cast<char*>(shared));
    std::memset(shared, 0xFF, std::min(size, launch.shared_bytes));
    block.warps.resize(static_cast<std::size_t>((launch.n_threads + kLanes - 1) / kLanes));
    block.threads.resize(static_cast<std::size_t>(launch.n_threads));
    for (std::size_t i = 0; i < block.threads.size(); ++i) {
        Thread& thread = block.threads[i];
        thread.index = static_cast<int>(i);
        thread.stack = stack_of(first_stack + i);
        prepare(thread);
    }
    return block;
}

void run_blocks(std::vector<Block>& blocks, const std::vector<int>& threads) {
    for (Block& block : blocks) {
        for (Thread& thread : block.threads) {
            thread.block = &block;
            thread.warp = &block.warps[static_cast<std::size_t>(thread.index / kLanes)];
        }
    }
    grid->n_threads = static_cast<int>(blocks.size() * threads.size());
    grid->barrier = Barrier{};
    for (int left = grid->n_threads; left > 0;) {
        bool moved = false;
        for (Block& block : blocks) {
            for (const int index : threads) {
                Thread& thread = block.threads[static_cast<std::size_t>(index)];
                if (!can_run(thread)) continue;
                thread.wait = Wait::kNone;
                resume(thread);
                moved = true;
                if (thread.wait == Wait::kDone) --left;
            }
        }
        if (!moved) fail("threads wait for one another for ever: not all reach a barrier or a warp's instruction");
    }
}

void wait(Wait kind, std::uint64_t generation) {
    running->wait = kind;
    running->waits_for = generation;
    to_scheduler(false);
}

void arrive(Barrier& barrier, int n_threads, Wait kind) {
    if (barrier.n_done > 0) fail("a barrier after a thread has ended");
    if (++barrier.n_arrived == n_threads) {
        barrier.n_arrived = 0;
        ++barrier.generation;
    } else {
        wait(kind, barrier.generation);
    }
}

}  // namespace

void run(const Launch& launch, const std::function<void()>& body) {
    if (launch.n_blocks < 1 || launch.n_threads < 1 || launch.n_threads > 1024 || launch.n_threads % kLanes != 0) {
        fail("launch of " + std::to_string(launch.n_blocks) + " blocks of " + std::to_string(launch.n_threads));
    }
    if (launch.shared_bytes > device().shared_bytes()) {
        fail(std::to_string(launch.shared_bytes) + " bytes of shared memory; the device has " +
             std::to_string(device().shared_bytes()));
    }
    const std::lock_guard lock(one_launch);
    Grid self;
    self.launch = &launch;
    self.body = &body;
    self.late_copies = order() % 2 == 0;
    grid = &self;
    struct Leave {
        ~Leave() { grid = nullptr; }
    } leave;
    const std::vector<int> threads = arranged(launch.n_threads), order_of_blocks = arranged(launch.n_blocks);
    std::vector<Block> blocks;
    if (launch.cooperative) {
        for (const int index : order_of_blocks) {
            blocks.push_back(make_block(launch, index, blocks.size() * threads.size()));
        }
        run_blocks(blocks, threads);
        return;
    }
    for (const int index : order_of_blocks) {
        blocks.clear();
        blocks.push_back(make_block(launch, index, 0));
        run_blocks(blocks, threads);
    }
}

int thread_index() { return running->index; }
int block_index() { return running->block->index; }
int n_threads() { return grid->launch->n_threads; }
int n_blocks() { return grid->launch->n_blocks; }
void* shared_memory() { return running->block->shared.get(); }

void block_barrier() { arrive(running->block->barrier, grid->launch->n_threads, Wait::kBlock); }

void grid_barrier() {
    if (!grid->launch->cooperative) fail("a barrier of the grid in a launch that is not cooperative");
    arrive(grid->barrier, grid->n_threads, Wait::kGrid);
}

void warp_operation(const char* name, void* operand, Perform perform) {
    Warp& warp = *running->warp;
    if (warp.n_arrived > 0 && std::strcmp(warp.name, name) != 0) {
        fail(std::string("lanes of one warp have come to ") + warp.name + " and to " + name);
    }
    warp.name = name;
    warp.operands[running->index % kLanes] = operand;
    if (++warp.n_arrived == kLanes) {
        perform(warp.operands);
        warp.n_arrived = 0;
        ++warp.generation;
    } else {
        wait(Wait::kWarp, warp.generation);
    }
}

void copy_async(void* to, const void* from, int n_valid, int n_bytes) {
    const Copy copy{to, from, n_valid, n_bytes};
    const auto misaligned = [n_bytes](const void* at) { return reinterpret_cast<std::uintptr_t>(at) % n_bytes != 0; };
    if (misaligned(to) || (n_valid > 0 && misaligned(from))) fail("an asynchronous copy that is not aligned");
    if (grid->late_copies) {
        running->open_group.push_back(copy);
    } else {
        copy.perform();
    }
}

void commit_copies() {
    running->groups.push_back(std::move(running->open_group));
    running->open_group.clear();
}

void wait_copies(int n_left) {
    while (static_cast<int>(running->groups.size()) > n_left) {
        for (const Copy& copy : running->groups.front()) copy.perform();
        running->groups.pop_front();
    }
}

std::size_t Device::shared_bytes() const {
    switch (capability) {
        case 75: return 64 * 1024;
        case 80: return 163 * 1024;
        case 86:
        case 89:
        case 120: return 99 * 1024;
        default: return 227 * 1024;
    }
}

const Device& device() {
    static thread_local Device found;
    const Device standard;
    found.n_devices = static_cast<int>(environment("VISAVIS_EMULATOR_DEVICES", 1));
    found.capability = static_cast<int>(environment("VISAVIS_EMULATOR_CAPABILITY", 90));
    found.multiprocessors = static_cast<int>(environment("VISAVIS_EMULATOR_MULTIPROCESSORS", 4));
    found.memory = environment("VISAVIS_EMULATOR_MEMORY", standard.memory);
    found.driver = static_cast<int>(environment("VISAVIS_EMULATOR_DRIVER", 13000));
    found.built_for = static_cast<int>(environment("VISAVIS_EMULATOR_BUILT_FOR", 1));
    return found;
}

}  // namespace emulator
