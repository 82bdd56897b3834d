// Counts what step() takes from the heap once an engine has seen one turn with each number of steps.
#include <atomic>
#include <cstdlib>
#include <new>
#include <vector>

#include "engine_test.h"
#include "engines/cpu/cpu_engine.h"
#include "error.h"

namespace {

std::atomic<long> n_allocations{0};

void* count(std::size_t size, std::size_t alignment) {
    ++n_allocations;
    const std::size_t rounded = (size + alignment) / alignment * alignment;
    if (void* memory = std::aligned_alloc(alignment, rounded)) return memory;
    throw std::bad_alloc();
}

}  // namespace

// Every form of new ends in one of these two.
void* operator new(std::size_t size) { return count(size, alignof(std::max_align_t)); }
void* operator new(std::size_t size, std::align_val_t alignment) {
    return count(size, static_cast<std::size_t>(alignment));
}
void operator delete(void* memory) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::align_val_t) noexcept { std::free(memory); }
void operator delete(void* memory, std::size_t, std::align_val_t) noexcept { std::free(memory); }

namespace visavis::test {
namespace {

constexpr int kSlots = 3;

struct Turns {
    explicit Turns(const ModelConfig& config)
        : audio(static_cast<std::size_t>(config.turn_samples()), 0.1F),
          user_motion(static_cast<std::size_t>(config.turn_frames * config.n_channels), 0.2F),
          present(static_cast<std::size_t>(config.turn_frames), 1),
          motion(kSlots * user_motion.size()),
          inputs(kSlots),
          outputs(kSlots) {
        present[0] = 0;
        for (std::size_t i = 0; i < kSlots; ++i) {
            outputs[i].motion = std::span(motion).subspan(i * user_motion.size(), user_motion.size());
        }
    }

    std::vector<float> audio, user_motion;
    std::vector<std::uint8_t> present;
    std::vector<float> motion;
    std::vector<TurnInput> inputs;
    std::vector<TurnOutput> outputs;
};

// All that a turn can vary: streams that come and go, guidance, temperature, seeds, the number of steps.
void vary(Turns& turns, int t) {
    for (int i = 0; i < kSlots; ++i) {
        TurnInput& input = turns.inputs[static_cast<std::size_t>(i)];
        const int variant = t + i;
        input.user_audio = variant % 2 ? std::span<const float>(turns.audio) : std::span<const float>();
        input.agent_audio = variant % 3 ? std::span<const float>(turns.audio) : std::span<const float>();
        input.user_motion = variant % 5 ? std::span<const float>(turns.user_motion) : std::span<const float>();
        input.user_motion_present = turns.present;
        input.guidance = variant % 4 ? 1.0F : 1.5F;
        input.temperature = 0.5F;
        input.seed = static_cast<std::uint64_t>(i);
        input.steps = variant % 7 ? 0 : 2;
    }
}

void test_allocations(const std::string& model_path, const CpuEngineOptions& options) {
    CpuEngine engine(ModelFile::open(model_path), options);
    Turns turns(engine.config());
    for (TurnInput& input : turns.inputs) input.slot = engine.open();
    const auto step = [&](int t) {
        vary(turns, t);
        engine.step(turns.inputs, turns.outputs);
    };
    const long loaded = n_allocations;
    step(0);
    step(1);
    const long warm = n_allocations;
    expect(warm > loaded, "the counter counts");
    for (int t = 2; t < 3 * engine.config().context_turns + 5; ++t) step(t);
    for (const TurnInput& input : turns.inputs) engine.reset(input.slot);
    step(0);
    const long more = n_allocations - warm;
    expect(more == 0, "step allocates " + std::to_string(more) + " times after warm-up");
}

}  // namespace

void test_allocations(const std::string& model_path) {
    const auto options = [](cpu::Precision precision, int threads, bool share_each_turn) {
        CpuEngineOptions made;
        made.precision = precision;
        made.threads = threads;
        made.share_each_turn = share_each_turn;
        return made;
    };
    test_allocations(model_path, options(cpu::Precision::kF32, 1, false));
    test_allocations(model_path, options(cpu::Precision::kAuto, 2, false));
    test_allocations(model_path, options(cpu::Precision::kAuto, 2, true));
    try {
        test_allocations(model_path, options(cpu::Precision::kInt8, 2, true));
    } catch (const Error& error) {  // a processor without products of bytes
        if (error.status() != Status::kUnsupported) throw;
    }
}

}  // namespace visavis::test
