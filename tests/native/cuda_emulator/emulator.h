// Runs the bodies of CUDA kernels on the processor: every thread of a block is a fiber, warps meet at their collective
// instructions, blocks at their barriers, a cooperative grid at its own.  Tests alone use it.
//
// What it is strict about, so that a mistake shows: memory is poisoned with NaN when it is allocated; copies that a
// kernel starts asynchronously happen as late as the kernel's own waits allow, or at once (VISAVIS_EMULATOR_ORDER);
// the threads run in an order of choice; lanes that meet must have come to the same instruction; a thread that ends
// while others wait for it, a barrier that not all reach, a launch beyond the device's limits are errors.
// What it cannot show: races between lanes that no barrier of any kind separates in the real order of execution, the
// memory model of caches, speed.
#pragma once
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

namespace emulator {

struct Launch {
    int n_blocks = 1, n_threads = 1;
    std::size_t shared_bytes = 0;
    bool cooperative = false;  // all blocks at once, with a barrier of the grid
};

// Runs the kernel's body once per thread; throws std::runtime_error for a broken rule.
void run(const Launch& launch, const std::function<void()>& body);

// ---- what a running thread asks; called from bodies alone
int thread_index();
int block_index();
int n_threads();
int n_blocks();
void* shared_memory();  // of the block, as large as the launch asked for, 128-byte aligned
void block_barrier();
void grid_barrier();

// The 32 lanes meet; the last one to come performs it for all, with a pointer that each lane brought.  `name` must be
// the same for all lanes.
using Perform = void (*)(void* const (&operands)[32]);
void warp_operation(const char* name, void* operand, Perform perform);

// Asynchronous copies of a thread: queued, grouped, done when waited for.
void copy_async(void* to, const void* from, int n_valid, int n_bytes);
void commit_copies();
void wait_copies(int n_left);

// ---- the device that the environment describes
struct Device {
    int n_devices = 1;                 // VISAVIS_EMULATOR_DEVICES
    int capability = 90;               // VISAVIS_EMULATOR_CAPABILITY
    int multiprocessors = 4;           // VISAVIS_EMULATOR_MULTIPROCESSORS
    std::size_t memory = 1 << 30;      // VISAVIS_EMULATOR_MEMORY
    int driver = 13000;                // VISAVIS_EMULATOR_DRIVER: its CUDA version, 12040: 12.4; 0: there is none
    int built_for = 1;                 // VISAVIS_EMULATOR_BUILT_FOR: 0 for a library without code for the device
    std::size_t shared_bytes() const;  // that a block may ask for
};
const Device& device();

}  // namespace emulator
