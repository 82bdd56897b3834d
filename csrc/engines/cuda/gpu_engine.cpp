#include "engines/cuda/gpu_engine.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstring>

#include "constants.h"
#include "engines/check_turn.h"
#include "engines/cpu/schedule.h"
#include "error.h"
#include "session/noise.h"

namespace visavis::cuda {
namespace {

constexpr int kMostTokens = 8192, kMostTurns = 512;  // of a batch: what lies between layers must fit
constexpr std::size_t kAlignment = 256;

std::size_t aligned(std::size_t n) { return (n + kAlignment - 1) / kAlignment * kAlignment; }
std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

// Graphs are recorded for so many turns and run fewer.
int bucket_of(int n) {
    int bucket = 1;
    while (bucket < n) bucket *= 2;
    return bucket;
}

Event make_event(unsigned flags) {
    cudaEvent_t event = nullptr;
    check(cudaEventCreateWithFlags(&event, flags), "event");
    return Event(event);
}

void record_inside(const Event& event, cudaStream_t stream) {
    check(cudaEventRecordWithFlags(event.get(), stream, cudaEventRecordExternal), "event");
}

std::int64_t ns_between(const Event& from, const Event& to) {
    float ms = 0;
    check(cudaEventElapsedTime(&ms, from.get(), to.get()), "event");
    return std::max<std::int64_t>(static_cast<std::int64_t>(static_cast<double>(ms) * 1e6), 1);
}

}  // namespace

class GpuEngine::Busy {
  public:
    explicit Busy(GpuEngine& engine) : flag_(engine.busy_) {
        if (flag_.test_and_set(std::memory_order_acquire)) {
            throw Error(Status::kState, "engine cuda: called from two threads at once; expected one caller at a time");
        }
        check(cudaSetDevice(engine.device_), "device");  // each thread has its own
    }
    ~Busy() { flag_.clear(std::memory_order_release); }
    Busy(const Busy&) = delete;
    Busy& operator=(const Busy&) = delete;

  private:
    std::atomic_flag& flag_;
};

GpuEngine::GpuEngine(const ModelFile& file, const GpuOptions& options)
    : config_(with_options(file.config(), options)), info_(file.info()) {
    info_.steps = config_.steps;
    info_.least_steps = cpu::least_steps(config_.sampler);
    const std::vector<float> shares = guidance_shares(config_, options);
    choose_device(options);
    weights_ = std::make_unique<Arena>(stream_.get());
    compute_.partial = weights_->zeros<float>(GemmRoom::kPartials);
    compute_.counters = weights_->zeros<int>(GemmRoom::kCounters);
    network_ = std::make_unique<Network>(WeightReader(file, compute_.half, *weights_), config_, shares, options.fuse);
    layout_ = slot_layout();
    slots_ = std::make_unique<SlotPool>(layout_.n_bytes);
    for (Lane& lane : lanes_) {
        for (Event* event : {&lane.begin, &lane.heard, &lane.seen}) *event = make_event(cudaEventDefault);
        lane.done = make_event(cudaEventBlockingSync);
    }
    rewritten_ = make_event(cudaEventBlockingSync | cudaEventDisableTiming);
    network_->denoiser.prepare(*weights_, config_.steps);
    ensure(capacity_of(1, 1, config_.steps));
    make_silence();
    record_all(0, 1, config_.steps, 1);
}

GpuEngine::~GpuEngine() {
    if (cudaSetDevice(device_) == cudaSuccess && stream_) cudaStreamSynchronize(stream_.get());
}

void GpuEngine::choose_device(const GpuOptions& options) {
    int n_devices = 0, driver = 0, runtime = 0;
    const cudaError_t found = cudaGetDeviceCount(&n_devices);
    if (found == cudaErrorInsufficientDriver && cudaDriverGetVersion(&driver) == cudaSuccess &&
        cudaRuntimeGetVersion(&runtime) == cudaSuccess) {
        const auto version = [](int v) { return std::to_string(v / 1000) + "." + std::to_string(v % 1000 / 10); };
        throw Error(Status::kUnsupported,
                    "engine cuda: " +
                        (driver == 0 ? "no NVIDIA driver was found"
                                     : "the NVIDIA driver knows CUDA " + version(driver) + ", expected at least " +
                                           version(runtime / 1000 * 1000)) +
                        "; install a newer NVIDIA driver, or use engine cpu");
    }
    check(found, "looking for a GPU");
    if (options.device < 0 || options.device >= n_devices) {
        throw Error(Status::kInvalidArgument, "device is " + std::to_string(options.device) + "; expected 0 to " +
                                                  std::to_string(n_devices - 1) + ", the GPUs of this machine");
    }
    device_ = options.device;
    check(cudaSetDevice(device_), "device");
    const auto attribute = [this](cudaDeviceAttr name) {
        int value = 0;
        check(cudaDeviceGetAttribute(&value, name, device_), "device");
        return value;
    };
    capability_ = 10 * attribute(cudaDevAttrComputeCapabilityMajor) + attribute(cudaDevAttrComputeCapabilityMinor);
    const auto capability = std::to_string(capability_ / 10) + "." + std::to_string(capability_ % 10);
    if (capability_ < 75) {
        throw Error(Status::kUnsupported, "engine cuda: the GPU has compute capability " + capability +
                                              "; expected at least 7.5 (Turing): use engine cpu");
    }
    const bool has_bf16 = capability_ >= 80;
    if (options.precision == CudaPrecision::kBf16 && !has_bf16) {
        throw Error(Status::kUnsupported, "precision bf16: the GPU has compute capability " + capability +
                                              "; expected at least 8.0: use precision f16");
    }
    compute_.half = options.precision == CudaPrecision::kF16 || !has_bf16 ? Half::kF16 : Half::kBf16;
    const int all = attribute(cudaDevAttrMultiProcessorCount);
    if (options.multiprocessors < 0 || options.multiprocessors > all) {
        throw Error(Status::kInvalidArgument, "multiprocessors is " + std::to_string(options.multiprocessors) +
                                                  "; expected 1 to " + std::to_string(all) +
                                                  ", those of the GPU, or 0 for all");
    }
    compute_.launcher.multiprocessors = options.multiprocessors == 0 ? all : options.multiprocessors;
    int least = 0, greatest = 0;
    check(cudaDeviceGetStreamPriorityRange(&least, &greatest), "stream");
    cudaStream_t stream = nullptr;  // behind whoever asks for more: a renderer goes first
    check(cudaStreamCreateWithPriority(&stream, cudaStreamNonBlocking, least), "stream");
    stream_ = Stream(stream);
    compute_.launcher.stream = stream;
}

// ---- memory

SlotLayout GpuEngine::slot_layout() const {
    SlotLayout layout;
    const auto part = [&layout](std::size_t n_bytes) {
        const std::size_t begin = layout.n_bytes;
        layout.n_bytes = aligned(begin + n_bytes);
        return begin;
    };
    const int n_kept = config_.window != Window::kRing ? config_.context_turns : keeps_tokens() ? 1 : 0;
    layout.history = part(network_->backbone.history_bytes());
    layout.voices = part(2 * network_->voice_bytes());
    layout.own = part(size(network_->denoiser.values_of_turn()) * sizeof(float));
    layout.kept = part(size(std::int64_t{n_kept} * config_.tokens_per_turn() * config_.width) * sizeof(float));
    return layout;
}

int GpuEngine::most_turns() const {
    return bucket_of(std::clamp(kMostTokens / config_.tokens_per_turn(), 1, kMostTurns));
}

Capacity GpuEngine::capacity_of(int n_turns, int branches, int steps) const {
    Capacity capacity;
    capacity.turns = bucket_of(n_turns);
    capacity.branches = branches;
    capacity.steps = steps;
    const int rewritten = config_.window == Window::kExact ? config_.context_turns - 1 : config_.context_turns / 2;
    const int of_slot = config_.window == Window::kRing ? 1 : std::max(rewritten, 1);
    const std::int64_t all = keeps_tokens() ? std::int64_t{n_turns} * of_slot : 1;
    capacity.backbone_turns = bucket_of(static_cast<int>(std::min<std::int64_t>(all, most_turns())));
    return capacity;
}

// Makes room for larger batches than any before: everything is laid out anew, graphs are recorded anew.
void GpuEngine::ensure(const Capacity& wanted) {
    if (capacity_.holds(wanted)) return;
    Capacity capacity = capacity_;
    capacity.turns = std::max(capacity.turns, wanted.turns);
    capacity.backbone_turns = std::max(capacity.backbone_turns, wanted.backbone_turns);
    capacity.branches = std::max(capacity.branches, wanted.branches);
    capacity.steps = std::max(capacity.steps, wanted.steps);
    check(cudaStreamSynchronize(stream_.get()), "earlier turns");
    turn_graphs_.clear();
    keep_graphs_.clear();
    rewrite_graphs_.clear();
    capacity_ = {};
    buffers_.reset();
    buffers_ = std::make_unique<Arena>(stream_.get());
    network_->allocate(*buffers_, capacity);
    const std::int64_t motion = capacity.turns * network_->denoiser.values_of_turn();
    const std::int64_t noise = motion * (1 + network_->denoiser.noise_steps(capacity.steps));
    for (Lane& lane : lanes_) {
        const std::size_t n_bytes = staging(capacity.turns).n_bytes;
        lane.pinned = pinned_block(n_bytes);
        lane.device = buffers_->take_of<char>(static_cast<std::int64_t>(n_bytes));
        lane.pinned_motion = pinned_block(size(motion) * sizeof(float));
        lane.device_motion = buffers_->take_of<float>(motion);
        lane.device_noise = buffers_->take_of<float>(noise);
    }
    const std::size_t rewrites = kAlignment + size(capacity.backbone_turns) * sizeof(Turn);
    pinned_rewrites_ = pinned_block(rewrites);
    device_rewrites_ = buffers_->take_of<char>(static_cast<std::int64_t>(rewrites));
    check(cudaStreamSynchronize(stream_.get()), "clearing");
    capacity_ = capacity;
}

GpuEngine::Staging GpuEngine::staging(int bucket) const {
    Staging s;
    std::size_t end = kAlignment;  // the number of turns
    const auto part = [&end](std::size_t n_bytes) {
        const std::size_t begin = end;
        end = aligned(begin + n_bytes);
        return begin;
    };
    const int frames = 2 * config_.turn_frames + config_.agent_lookahead_frames;
    s.turns = part(size(bucket) * sizeof(Turn));
    s.samples = part(size(std::int64_t{bucket} * frames * kSamplesPerFrame) * sizeof(float));
    s.motion = part(size(bucket * network_->denoiser.values_of_turn()) * sizeof(float));
    s.present = part(size(std::int64_t{bucket} * config_.turn_frames));
    s.styles = part(size(bucket * pitch_of(config_.n_styles())) * sizeof(std::uint16_t));
    s.n_bytes = end;
    return s;
}

Batch GpuEngine::batch(const Lane& lane, int bucket) const {
    const Staging s = staging(bucket);
    Batch b;
    b.n_turns = reinterpret_cast<const int*>(lane.device);
    b.most = bucket;
    b.turns = reinterpret_cast<const Turn*>(lane.device + s.turns);
    b.samples = reinterpret_cast<const float*>(lane.device + s.samples);
    b.user_samples = config_.turn_samples();
    b.samples_stride = std::int64_t{2 * config_.turn_frames + config_.agent_lookahead_frames} * kSamplesPerFrame;
    b.user_motion = reinterpret_cast<const float*>(lane.device + s.motion);
    b.present = reinterpret_cast<const std::uint8_t*>(lane.device + s.present);
    b.styles = lane.device + s.styles;
    b.given_noise = lane.device_noise;
    b.motion = lane.device_motion;
    return b;
}

// ---- graphs

void GpuEngine::record_turn(const Lane& lane, int bucket, int steps, int branches) {
    const Batch b = batch(lane, bucket);
    cudaStream_t stream = stream_.get();
    check(cudaMemcpyAsync(lane.device, lane.pinned.get(), staging(bucket).n_bytes, cudaMemcpyHostToDevice, stream),
          "copy to the GPU");
    record_inside(lane.begin, stream);
    const bool lagged = config_.own_past == OwnPast::kLagged;
    network_->tokens.set_speech(compute_, b, network_->hear(compute_, b));
    record_inside(lane.heard, stream);
    network_->tokens.set_motion(compute_, b, network_->normalisation, lagged);
    for (int branch = branches - 1; branch >= 0;
         --branch) {  // conditional last: its keys and values are those that stay
        const Condition condition = network_->denoiser.condition(branch, branches);
        network_->tokens.embed(compute_, b, branch == 1, !lagged);
        network_->backbone.run(compute_, b.n_turns, bucket, b.turns, &condition);
    }
    record_inside(lane.seen, stream);
    network_->denoiser.run(compute_, b, steps, branches);
    const std::size_t n_bytes = size(bucket * network_->denoiser.values_of_turn()) * sizeof(float);
    check(cudaMemcpyAsync(lane.pinned_motion.get(), lane.device_motion, n_bytes, cudaMemcpyDeviceToHost, stream),
          "copy from the GPU");
}

const Graph& GpuEngine::turn_graph(int lane, int bucket, int steps, int branches) {
    Graph& graph = turn_graphs_[{lane, bucket, steps, branches}];
    if (!graph) {
        graph = record(stream_.get(),
                       [&] { record_turn(lanes_[static_cast<std::size_t>(lane)], bucket, steps, branches); });
    }
    return graph;
}

// After a turn: its tokens, with own past fed those of what was generated, to where the slot keeps them.
const Graph& GpuEngine::keep_graph(int lane, int bucket) {
    Graph& graph = keep_graphs_[{lane, bucket, 0, 0}];
    if (graph) return graph;
    graph = record(stream_.get(), [&] {
        const Batch b = batch(lanes_[static_cast<std::size_t>(lane)], bucket);
        if (config_.own_past == OwnPast::kFed) {
            network_->tokens.set_motion(compute_, b, network_->normalisation, true);
            network_->tokens.embed(compute_, b, false, false);
        }
        keep_tokens(compute_.launcher,
                    {b.rows(1), b.turns, network_->tokens.embedded(), config_.tokens_per_turn() * config_.width});
    });
    return graph;
}

const Graph& GpuEngine::rewrite_graph(int bucket) {
    Graph& graph = rewrite_graphs_[bucket];
    if (graph) return graph;
    graph = record(stream_.get(), [&] {
        check(cudaMemcpyAsync(device_rewrites_, pinned_rewrites_.get(), kAlignment + size(bucket) * sizeof(Turn),
                              cudaMemcpyHostToDevice, stream_.get()),
              "copy to the GPU");
        network_->backbone.run(compute_, reinterpret_cast<const int*>(device_rewrites_), bucket,
                               reinterpret_cast<const Turn*>(device_rewrites_ + kAlignment), nullptr);
    });
    return graph;
}

// All graphs that a batch of so many turns takes.
void GpuEngine::record_all(int lane, int n_turns, int steps, int branches) {
    const int bucket = bucket_of(n_turns);
    turn_graph(lane, bucket, steps, branches);
    if (!keeps_tokens()) return;
    keep_graph(lane, bucket);
    rewrite_graph(capacity_of(n_turns, branches, steps).backbone_turns);
}

// ---- slots

// The states of two voices that were never heard: after so much silence that nothing else is left in them.
void GpuEngine::make_silence() {
    const std::size_t n_bytes = std::max<std::size_t>(2 * network_->voice_bytes(), 1);
    silence_ = weights_->zeros<char>(static_cast<std::int64_t>(n_bytes));
    if (!network_->log_mel) return;
    Lane& lane = lanes_.front();
    const Staging s = staging(1);
    std::memset(lane.pinned.get(), 0, s.n_bytes);
    Turn turn;
    turn.voices = silence_;
    const int one = 1;
    std::memcpy(lane.pinned.get(), &one, sizeof one);
    std::memcpy(static_cast<char*>(lane.pinned.get()) + s.turns, &turn, sizeof turn);
    check(cudaMemcpyAsync(lane.device, lane.pinned.get(), s.n_bytes, cudaMemcpyHostToDevice, stream_.get()),
          "copy to the GPU");
    for (int i = 0; i < network_->log_mel->turns_to_silence(); ++i) network_->hear(compute_, batch(lane, 1));
    check(cudaStreamSynchronize(stream_.get()), "the first turns");
}

// Keys and values need no clearing: only those of turns that came since are read.
void GpuEngine::clear(Slot& slot) {
    const std::size_t own = size(network_->denoiser.values_of_turn()) * sizeof(float);
    check(cudaMemcpyAsync(slot.memory + layout_.voices, silence_, 2 * network_->voice_bytes(), cudaMemcpyDeviceToDevice,
                          stream_.get()),
          "clearing a slot");
    check(cudaMemsetAsync(slot.memory + layout_.own, 0, own, stream_.get()), "clearing a slot");
    slot.n_turns = 0;
    slot.n_cached = 0;
}

int GpuEngine::open() {
    const Busy busy(*this);
    const int slot = slots_->open();
    clear(slots_->find(slot));
    return slot;
}

void GpuEngine::close(int slot) {
    const Busy busy(*this);
    slots_->find(slot);
    slots_->close(slot);
}

void GpuEngine::reset(int slot) {
    const Busy busy(*this);
    clear(slots_->find(slot));
}

void GpuEngine::prepare(int steps) {
    const Busy busy(*this);
    cpu::check_steps(config_.sampler, steps);
    network_->denoiser.prepare(*weights_, steps);
    ensure(capacity_of(1, 1, steps));
    record_all(0, 1, steps, 1);
}

void GpuEngine::set_own_motion(int slot, std::span<const float> motion) {
    const Busy busy(*this);
    const Slot& found = slots_->find(slot);
    std::vector<float> normed(size(network_->denoiser.values_of_turn()));
    if (motion.size() != normed.size()) {
        throw Error(Status::kInvalidArgument, "own motion has " + std::to_string(motion.size()) + " values; expected " +
                                                  std::to_string(normed.size()) + " (frames x channels)");
    }
    const Normalisation& n = network_->normalisation;
    for (std::size_t i = 0; i < normed.size(); ++i) {
        const std::size_t c = i % n.host_mean.size();
        normed[i] = (motion[i] - n.host_mean[c]) / n.host_std[c] * n.host_mask[c];
    }
    check(cudaMemcpyAsync(found.memory + layout_.own, normed.data(), normed.size() * sizeof(float),
                          cudaMemcpyHostToDevice, stream_.get()),
          "copy to the GPU");
    check(cudaStreamSynchronize(stream_.get()), "copy to the GPU");
}

// ---- windows, as engines/cpu/turn_group.cpp has them

int GpuEngine::place(const Slot& slot) const {
    return config_.window == Window::kRing ? static_cast<int>(slot.n_turns % config_.context_turns) : slot.n_cached;
}

int GpuEngine::seen(const Slot& slot) const {
    if (config_.window != Window::kRing) return slot.n_cached + 1;
    return static_cast<int>(std::min<std::int64_t>(slot.n_turns + 1, config_.context_turns));
}

float* GpuEngine::kept(const Slot& slot, std::int64_t turn) const {
    const int n_kept = config_.window == Window::kRing ? 1 : config_.context_turns;
    return reinterpret_cast<float*>(slot.memory + layout_.kept) +
           turn % n_kept * config_.tokens_per_turn() * config_.width;
}

// The turns become past.  What has to be written anew for the next ones is written behind them, while nobody waits:
// with own past fed the turn itself, now with what was generated; in a window that is full and slides, all that stays.
void GpuEngine::move_on(std::span<const int> turns, std::span<const TurnInput> inputs) {
    for (const int index : turns) {
        Slot& slot = slots_->find(inputs[size(index)].slot);
        const std::int64_t turn = slot.n_turns++;
        const int at = config_.window == Window::kRing ? static_cast<int>(turn % config_.context_turns) : slot.n_cached;
        ++slot.n_cached;
        if (config_.window != Window::kRing && slot.n_cached == config_.context_turns) {
            slot.n_cached = config_.window == Window::kExact ? config_.context_turns - 1 : config_.context_turns / 2;
            for (int i = 0; i < slot.n_cached; ++i) rewrites_.push_back({&slot, slot.n_turns - slot.n_cached + i, i});
        } else if (config_.own_past == OwnPast::kFed) {
            rewrites_.push_back({&slot, turn, at});
        }
    }
    rewrite_all();
}

void GpuEngine::rewrite_all() {
    for (std::size_t first = 0; first < rewrites_.size();) {
        const auto n = std::min(rewrites_.size() - first, size(capacity_.backbone_turns));
        if (rewriting_) wait(rewritten_);
        auto* pinned = static_cast<char*>(pinned_rewrites_.get());
        const int count = static_cast<int>(n);
        std::memcpy(pinned, &count, sizeof count);
        for (std::size_t i = 0; i < n; ++i) {
            const auto& [slot, turn, at] = rewrites_[first + i];
            Turn t;
            t.history = slot->memory + layout_.history;
            t.tokens = kept(*slot, turn);
            t.place = at;
            t.seen = config_.window == Window::kRing
                         ? static_cast<int>(std::min<std::int64_t>(turn + 1, config_.context_turns))
                         : at + 1;
            std::memcpy(pinned + kAlignment + i * sizeof t, &t, sizeof t);
        }
        check(cudaGraphLaunch(rewrite_graph(bucket_of(count)).get(), stream_.get()), "writing keys and values");
        check(cudaEventRecordWithFlags(rewritten_.get(), stream_.get(), cudaEventRecordDefault), "event");
        rewriting_ = true;
        first += n;
    }
    rewrites_.clear();
}

// ---- turns

Turn GpuEngine::turn_of(const Slot& slot, const TurnInput& input) const {
    Turn t;
    t.history = slot.memory + layout_.history;
    t.own = reinterpret_cast<float*>(slot.memory + layout_.own);
    t.voices = slot.memory + layout_.voices;
    t.kept = kept(slot, slot.n_turns);
    t.place = place(slot);
    t.seen = seen(slot);
    t.n_samples[0] = static_cast<int>(input.user_audio.size());
    t.n_samples[1] = static_cast<int>(input.agent_audio.size());
    t.explicit_noise = !input.noise.empty();
    t.temperature = input.temperature;
    t.guidance = input.guidance;
    t.seed = input.seed;
    t.first_frame = (input.turn < 0 ? slot.n_turns : input.turn) * config_.turn_frames;
    return t;
}

void GpuEngine::fill(Lane& lane, int bucket, std::span<const TurnInput> inputs) {
    const Staging s = staging(bucket);
    auto* pinned = static_cast<char*>(lane.pinned.get());
    const std::size_t values = size(network_->denoiser.values_of_turn()), frames = size(config_.turn_frames);
    const std::size_t samples = size(batch(lane, bucket).samples_stride), user = size(config_.turn_samples());
    const std::size_t noise = values * size(1 + network_->denoiser.noise_steps(lane.steps));
    const int n = static_cast<int>(lane.turns.size());
    std::memcpy(pinned, &n, sizeof n);
    bool explicit_noise = false;
    for (std::size_t i = 0; i < lane.turns.size(); ++i) {
        const TurnInput& input = inputs[size(lane.turns[i])];
        Turn turn = turn_of(slots_->find(input.slot), input);
        turn.tokens =
            network_->tokens.embedded() + static_cast<std::int64_t>(i) * config_.tokens_per_turn() * config_.width;
        std::memcpy(pinned + s.turns + i * sizeof turn, &turn, sizeof turn);
        auto* audio = reinterpret_cast<float*>(pinned + s.samples) + i * samples;
        std::copy(input.user_audio.begin(), input.user_audio.end(), audio);
        std::copy(input.agent_audio.begin(), input.agent_audio.end(), audio + user);
        auto* motion = reinterpret_cast<float*>(pinned + s.motion) + i * values;
        std::copy(input.user_motion.begin(), input.user_motion.end(), motion);
        auto* present = reinterpret_cast<std::uint8_t*>(pinned + s.present) + i * frames;
        std::fill_n(present, frames, static_cast<std::uint8_t>(!input.user_motion.empty()));
        if (!input.user_motion.empty() && !input.user_motion_present.empty()) {
            std::copy(input.user_motion_present.begin(), input.user_motion_present.end(), present);
        }
        const std::size_t pitch = size(pitch_of(config_.n_styles()));
        auto* style = reinterpret_cast<std::uint16_t*>(pinned + s.styles) + i * pitch;
        std::fill_n(style, pitch, std::uint16_t{0});
        for (std::size_t axis = 0; axis < input.style.size(); ++axis) {
            style[axis] = to_half(compute_.half, input.style[axis]);
        }
        explicit_noise = explicit_noise || turn.explicit_noise != 0;
    }
    if (!explicit_noise) return;
    const std::size_t n_bytes = lane.turns.size() * noise * sizeof(float);
    if (lane.noise_bytes < n_bytes) {
        lane.pinned_noise = pinned_block(n_bytes);
        lane.noise_bytes = n_bytes;
    }
    auto* given = static_cast<float*>(lane.pinned_noise.get());
    for (std::size_t i = 0; i < lane.turns.size(); ++i) {
        const TurnInput& input = inputs[size(lane.turns[i])];
        if (!input.noise.empty()) std::copy_n(input.noise.begin(), noise, given + i * noise);  // dpm2m reads x_T alone
    }
    check(cudaMemcpyAsync(lane.device_noise, given, n_bytes, cudaMemcpyHostToDevice, stream_.get()), "copy to the GPU");
}

void GpuEngine::start(int lane_index, std::span<const int> turns, std::span<const TurnInput> inputs) {
    Lane& lane = lanes_[static_cast<std::size_t>(lane_index)];
    const TurnInput& first = inputs[size(turns.front())];
    const int bucket = bucket_of(static_cast<int>(turns.size())), branches = first.guidance == 1 ? 1 : 2;
    lane.steps = steps_of(first);
    const Graph& graph = turn_graph(lane_index, bucket, lane.steps, branches);
    lane.turns = turns;
    fill(lane, bucket, inputs);
    check(cudaGraphLaunch(graph.get(), stream_.get()), "a turn");
    check(cudaEventRecordWithFlags(lane.done.get(), stream_.get(), cudaEventRecordDefault), "event");
    if (keeps_tokens()) check(cudaGraphLaunch(keep_graph(lane_index, bucket).get(), stream_.get()), "a turn");
    move_on(turns, inputs);
}

// Short waits keep the processor busy, long ones let it sleep.
void GpuEngine::wait(const Event& event) const {
    constexpr auto kSpin = std::chrono::milliseconds(2);
    const auto begin = std::chrono::steady_clock::now();
    cudaError_t state = cudaEventQuery(event.get());
    while (state == cudaErrorNotReady && std::chrono::steady_clock::now() - begin < kSpin) {
        state = cudaEventQuery(event.get());
    }
    check(state == cudaErrorNotReady ? cudaEventSynchronize(event.get()) : state, "a turn");
}

void GpuEngine::collect(Lane& lane, std::span<TurnOutput> outputs) {
    if (lane.turns.empty()) return;
    const std::span<const int> turns = std::exchange(lane.turns, {});
    wait(lane.done);
    const std::size_t values = size(network_->denoiser.values_of_turn());
    const auto* motion = static_cast<const float*>(lane.pinned_motion.get());
    const auto n = static_cast<std::int64_t>(turns.size());  // each turn gets its share of the time
    const auto share = [n](std::int64_t ns) { return std::max<std::int64_t>(ns / n, 1); };
    for (const int index : turns) {
        TurnOutput& output = outputs[size(index)];
        std::copy_n(motion, values, output.motion.begin());
        motion += values;
        output.speech_ns = share(ns_between(lane.begin, lane.heard));
        output.backbone_ns = share(ns_between(lane.heard, lane.seen));
        output.denoise_ns = share(ns_between(lane.seen, lane.done));
        output.steps = lane.steps;
    }
}

// Turns that go with one another, as many as fit into a batch.
void GpuEngine::form_groups(std::span<const TurnInput> inputs) {
    const auto key = [&](int i) { return std::pair(steps_of(inputs[size(i)]), inputs[size(i)].guidance != 1); };
    order_.resize(inputs.size());
    for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<int>(i);
    std::stable_sort(order_.begin(), order_.end(), [&](int a, int b) { return key(a) < key(b); });
    groups_.clear();
    for (std::size_t begin = 0, end = 0; begin < order_.size(); begin = end) {
        while (end < order_.size() && end - begin < size(most_turns()) && key(order_[end]) == key(order_[begin])) ++end;
        groups_.push_back(std::span<const int>(order_).subspan(begin, end - begin));
    }
}

void GpuEngine::step(std::span<const TurnInput> inputs, std::span<TurnOutput> outputs) {
    const Busy busy(*this);
    for (const TurnInput& input : inputs) {
        slots_->find(input.slot);
        if (input.steps != 0) cpu::check_steps(config_.sampler, input.steps);
    }
    check_turns(config_, inputs, outputs);
    form_groups(inputs);
    make_ready(inputs);
    try {
        for (std::size_t i = 0; i < groups_.size(); ++i) {
            const int lane = static_cast<int>(i % lanes_.size());
            collect(lanes_[static_cast<std::size_t>(lane)], outputs);
            start(lane, groups_[i], inputs);
        }
        for (Lane& lane : lanes_) collect(lane, outputs);
    } catch (...) {
        abandon();
        throw;
    }
}

// What a batch may lack, memory above all, it lacks before the first slot has moved on.
void GpuEngine::make_ready(std::span<const TurnInput> inputs) {
    const auto branches = [](const TurnInput& turn) { return turn.guidance == 1 ? 1 : 2; };
    for (const auto& group : groups_) {
        const TurnInput& first = inputs[size(group.front())];
        network_->denoiser.prepare(*weights_, steps_of(first));
        ensure(capacity_of(static_cast<int>(group.size()), branches(first), steps_of(first)));
    }
    for (std::size_t i = 0; i < groups_.size(); ++i) {
        const TurnInput& first = inputs[size(groups_[i].front())];
        record_all(static_cast<int>(i % lanes_.size()), static_cast<int>(groups_[i].size()), steps_of(first),
                   branches(first));
    }
}

// After an error no lane waits for turns of a step that is over.
void GpuEngine::abandon() noexcept {
    cudaStreamSynchronize(stream_.get());
    cudaGetLastError();
    for (Lane& lane : lanes_) lane.turns = {};
    rewrites_.clear();
    rewriting_ = false;
}

}  // namespace visavis::cuda
