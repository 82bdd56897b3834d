// The engine on one GPU.  Every size of a batch has a graph of its own, recorded when the first such batch comes; a
// turn is then one copy there, one launch, one copy back.  Step does not allocate after the first turns.
#pragma once
#include <array>
#include <atomic>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "engines/cuda/memory.h"
#include "engines/cuda/network.h"
#include "engines/cuda/plugin.h"
#include "engines/cuda/slots.h"
#include "engines/engine.h"
#include "engines/options.h"

namespace visavis::cuda {

struct GpuOptions : EngineOptions {
    CudaPrecision precision = CudaPrecision::kAuto;
    int device = 0;
    int multiprocessors = 0;  // that the engine may fill at once; 0: all
    bool fuse = true;         // take the fused head for few rows
};

class GpuEngine final : public Engine {
  public:
    // Copies the weights out of the file, which may then be closed.
    GpuEngine(const ModelFile& file, const GpuOptions& options);
    ~GpuEngine() override;

    const ModelInfo& info() const override { return info_; }
    Half half() const { return compute_.half; }
    int capability() const { return capability_; }  // 86: 8.6
    int multiprocessors() const { return compute_.launcher.multiprocessors; }
    int open() override;
    void close(int slot) override;
    void reset(int slot) override;
    void prepare(int steps) override;
    void set_own_motion(int slot, std::span<const float> motion);
    void step(std::span<const TurnInput> inputs, std::span<TurnOutput> outputs) override;

  private:
    class Busy;
    // Where a batch's inputs lie in its memory.
    struct Staging {
        std::size_t turns = 0, samples = 0, motion = 0, present = 0, styles = 0, n_bytes = 0;
    };
    // Two batches may be under way: one is prepared while the other runs.
    struct Lane {
        PinnedBlock pinned, pinned_motion, pinned_noise;
        std::size_t noise_bytes = 0;
        char* device = nullptr;
        float *device_motion = nullptr, *device_noise = nullptr;
        Event begin, heard, seen, done;
        std::span<const int> turns;  // of the step, that it runs; empty: idle
        int steps = 0;
    };
    struct GraphKey {
        int lane, bucket, steps, branches;
        auto operator<=>(const GraphKey&) const = default;
    };
    // A turn that only writes keys and values.
    struct Rewrite {
        const Slot* slot;
        std::int64_t turn;
        int place;
    };

    void choose_device(const GpuOptions& options);
    void make_silence();
    void clear(Slot& slot);
    SlotLayout slot_layout() const;
    Capacity capacity_of(int n_turns, int branches, int steps) const;
    void ensure(const Capacity& capacity);
    Staging staging(int bucket) const;
    Batch batch(const Lane& lane, int bucket) const;
    void record_all(int lane, int n_turns, int steps, int branches);
    const Graph& turn_graph(int lane, int bucket, int steps, int branches);
    const Graph& keep_graph(int lane, int bucket);
    const Graph& rewrite_graph(int bucket);
    void record_turn(const Lane& lane, int bucket, int steps, int branches);

    void form_groups(std::span<const TurnInput> inputs);
    void make_ready(std::span<const TurnInput> inputs);
    void abandon() noexcept;
    void start(int lane, std::span<const int> turns, std::span<const TurnInput> inputs);
    void fill(Lane& lane, int bucket, std::span<const TurnInput> inputs);
    Turn turn_of(const Slot& slot, const TurnInput& input) const;
    void collect(Lane& lane, std::span<TurnOutput> outputs);
    void wait(const Event& event) const;
    void move_on(std::span<const int> turns, std::span<const TurnInput> inputs);
    void rewrite_all();
    int steps_of(const TurnInput& input) const { return input.steps == 0 ? config_.steps : input.steps; }
    int most_turns() const;
    bool keeps_tokens() const { return config_.window != Window::kRing || config_.own_past == OwnPast::kFed; }
    float* kept(const Slot& slot, std::int64_t turn) const;
    int place(const Slot& slot) const;
    int seen(const Slot& slot) const;

    ModelConfig config_;
    ModelInfo info_;
    int device_ = 0, capability_ = 0;
    Stream stream_;  // before everything that lives in the GPU's memory
    Compute compute_;
    std::unique_ptr<Arena> weights_, buffers_;
    std::unique_ptr<Network> network_;
    SlotLayout layout_;
    std::unique_ptr<SlotPool> slots_;
    char* silence_ = nullptr;  // two voices that were never heard
    Capacity capacity_;
    std::array<Lane, 2> lanes_;
    std::map<GraphKey, Graph> turn_graphs_, keep_graphs_;
    std::map<int, Graph> rewrite_graphs_;
    PinnedBlock pinned_rewrites_;
    char* device_rewrites_ = nullptr;
    Event rewritten_;
    bool rewriting_ = false;
    std::vector<int> order_;                    // turns of the step, group by group
    std::vector<std::span<const int>> groups_;  // parts of it
    std::vector<Rewrite> rewrites_;
    std::atomic_flag busy_;
};

}  // namespace visavis::cuda
