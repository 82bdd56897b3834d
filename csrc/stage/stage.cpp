#include "stage/stage.h"

#include <algorithm>
#include <cstring>
#include <string>

#include "error.h"
#include "platform/worker.h"
#include "rig/rig.h"
#include "text.h"

namespace visavis {
namespace {

constexpr std::size_t kRequestBytes = 16 * 1024;  // of the queue, left free by voices for everything else
constexpr std::size_t kNameBytes = 16;

void check_name(std::string_view name) {
    const bool controls =
        std::ranges::any_of(name, [](char c) { return static_cast<unsigned char>(c) < 32 || c == 127; });
    if (!name.empty() && name.size() <= kNameBytes && is_utf8(name) && !controls) return;
    throw Error(Status::kInvalidArgument,
                "head " + quote(name) + ": expected 1 to 16 bytes of UTF-8 without control characters");
}

std::vector<Dial> dials_of(const ModelInfo& info) {
    const Rig rig(info.channels, info.units, {0, info.eye_layer, info.styles});
    std::vector<Dial> dials(rig.dials().begin(), rig.dials().end());
    dials.push_back({"temperature", 0, 10, 1, "how lively: scales the noise of generation"});
    return dials;
}

}  // namespace

Stage::Stage(std::shared_ptr<Engine> engine, const StageConfig& config)
    : log(config.pass_on),
      engine_(std::move(engine)),
      config_(config),
      scheduler_(engine_, config.clock),
      turn_ns_(engine_->info().turn_frames * kFrameNs),
      map_(engine_->info()),
      dials_(dials_of(engine_->info())),
      queue_bytes_(config.input_bytes) {
    if (map_.empty())
        throw Error(Status::kUnsupported,
                    "model " + quote(engine_->info().name) + ": none of its " + std::to_string(map_.n_channels()) +
                        " channels is one of the 55 of arkit55; use a model of that motion space");
    queue_.bytes = reinterpret_cast<std::uint8_t*>(queue_bytes_.data());
    queue_.capacity = static_cast<std::int64_t>(queue_bytes_.size());
    if (config_.ticked) return;
    thread_ = std::make_unique<std::byte[]>(vvi_thread_bytes());
    const auto body = [](void* stage) { static_cast<Stage*>(stage)->run(); };
    if (!vvi_thread_start(reinterpret_cast<vvi_thread*>(thread_.get()), body, this))
        throw Error(Status::kOutOfMemory, "the system gives no thread; VV_STAGE_TICKED works without one");
}

Stage::~Stage() {
    join();
    std::size_t n_bytes = 0;
    while (const std::uint8_t* bytes = vvi_outbox_peek(&queue_, &n_bytes)) {
        Record record;
        std::memcpy(&record, bytes, sizeof record);
        if (record.kind == Record::Kind::kOpen) {
            SessionConfig* config = nullptr;
            std::memcpy(&config, bytes + sizeof record, sizeof config);
            delete config;
        }
        vvi_outbox_pop(&queue_);
    }
    for (std::atomic<StageHead*>& head : heads_) delete head.load();
}

StageHead* Stage::head(std::int64_t handle) const {
    if (handle < 0 || handle >= kMaxHeads) return nullptr;
    return heads_[static_cast<std::size_t>(handle)].load(std::memory_order_acquire);
}

vvi_show* Stage::show(std::int64_t handle) const {
    if (handle < 0 || handle >= kMaxHeads) return nullptr;
    if (vvi_show* show = shows_[static_cast<std::size_t>(handle)].load(std::memory_order_acquire)) return show;
    StageHead* head = this->head(handle);
    return head ? &head->show() : nullptr;
}

// Two threads may come at once: each takes the first free place by compare-and-swap, and looks at what took it.
int Stage::follow(std::string_view name) {
    check_name(name);
    std::unique_ptr<StageHead> made;
    for (int i = 0; i < config_.max_heads; ++i) {
        std::atomic<StageHead*>& place = heads_[static_cast<std::size_t>(i)];
        StageHead* found = place.load(std::memory_order_acquire);
        if (!found) {
            if (!made) made = std::make_unique<StageHead>(std::string(name), map_, config_.manner, config_.audio);
            if (place.compare_exchange_strong(found, made.get(), std::memory_order_acq_rel)) {
                shows_[static_cast<std::size_t>(i)].store(&made.release()->show(), std::memory_order_release);
                return i;
            }
        }
        if (found->name == name) return i;
    }
    throw Error(Status::kFull, "head " + quote(name) + ": " + std::to_string(config_.max_heads) +
                                   " names are in use; expected at most as many (config.max_heads)");
}

// Counts one more open head, if the processor can keep up with it.
void Stage::admit(std::string_view name) {
    const int n_heads = n_open_.fetch_add(1, std::memory_order_relaxed) + 1;
    const std::string overload = scheduler_.overload(n_heads, static_cast<double>(config_.max_load));
    if (overload.empty()) return;
    unadmit();
    throw Error(Status::kFull, "head " + quote(name) + ": " + overload +
                                   " (config.max_load): close a head, or open them with fewer steps");
}

int Stage::open_head(std::string_view name, const SessionConfig& config) {
    const int handle = follow(name);
    StageHead& head = *this->head(handle);
    if (head.wanted.exchange(true))
        throw Error(Status::kState, "head " + quote(name) + " is open already; close it first, or follow it");
    try {
        admit(name);
    } catch (...) {
        head.wanted = false;
        throw;
    }
    auto given = std::make_unique<SessionConfig>(config);
    given->clock = config_.clock;
    const SessionConfig* pointer = given.get();
    Record record;
    record.head = handle;
    if (!send(record, &pointer, sizeof pointer)) {
        head.wanted = false;
        unadmit();
        throw Error(Status::kFull, "head " + quote(name) + ": the queue of requests is full; try again later");
    }
    given.release();
    return handle;
}

void Stage::close_head(std::string_view name) {
    check_name(name);
    for (int i = 0; i < config_.max_heads; ++i) {
        StageHead* head = this->head(i);
        if (!head || head->name != name) continue;
        if (!head->wanted.load()) break;
        Record record;
        record.kind = Record::Kind::kClose;
        record.head = i;
        if (!send(record, nullptr, 0))
            throw Error(Status::kFull, "head " + quote(name) + ": the queue of requests is full; try again later");
        if (head->wanted.exchange(false)) unadmit();
        return;
    }
    throw Error(Status::kState, "head " + quote(name) + " is not open");
}

bool Stage::send(const Record& record, const void* payload, std::size_t n_bytes) {
    const bool voice = record.kind >= Record::Kind::kUserAudio;
    const std::int64_t used = vvi_load64(&queue_.tail) - vvi_load64(&queue_.head);
    const std::size_t reserved = voice ? kRequestBytes : 0, size = sizeof record + n_bytes;
    std::uint8_t* at = nullptr;
    if (static_cast<std::size_t>(used) + size + reserved <= queue_bytes_.size()) at = vvi_outbox_reserve(&queue_, size);
    if (!at) {
        unsent_.fetch_add(1, std::memory_order_relaxed);
        return false;
    }
    Record stamped = record;
    stamped.sent_ns = now_ns();
    std::memcpy(at, &stamped, sizeof stamped);
    if (n_bytes > 0) std::memcpy(at + sizeof record, payload, n_bytes);
    vvi_outbox_commit(at, size);
    return true;
}

void Stage::check_dial(std::string_view name, double value) const {
    const auto found = std::ranges::find(dials_, name, &Dial::name);
    if (found == dials_.end())
        throw Error(Status::kInvalidArgument,
                    "dial " + quote(name) + " is unknown; expected one of vv_stage_get_dial, such as emotion.joy");
    if (value >= found->low && value <= found->high) return;
    throw Error(Status::kInvalidArgument, "dial " + found->name + " is " + std::to_string(value) + "; expected " +
                                              std::to_string(found->low) + " to " + std::to_string(found->high));
}

}  // namespace visavis
