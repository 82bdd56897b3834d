// The stage: all heads of a game in its own process.  It owns the sessions of an engine and does their work on one
// thread of low priority, or in the game's tick.
//
//   stage.cpp         what the game's threads call: heads by name, admission, sending
//   stage_worker.cpp  the work: takes what was sent, lets the scheduler make the turns that are due
//   stage_status.cpp  figures, and why nothing moves
//
// The game's threads reach the worker through one queue of records without locks, and see what it makes through each
// head's vvi_show.
#pragma once
#include <array>
#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <string_view>
#include <vector>

#include "memory.h"
#include "rig/dials.h"
#include "session/scheduler.h"
#include "stage/channel_map.h"
#include "stage/stage_head.h"
#include "stage/stage_log.h"

namespace visavis {

inline constexpr int kMaxHeads = 128;

struct StageConfig {
    bool ticked = false, audio = true;
    vvi_manner manner{};
    int max_heads = kMaxHeads;
    std::size_t input_bytes = 0;          // a multiple of 16
    float max_load = 0;                   // of one processor core
    std::function<std::int64_t()> clock;  // monotonic nanoseconds
    StageLog::PassOn pass_on = nullptr;   // log lines go there, too
};

// A record of the queue; what it carries lies behind it: values, a name, a SessionConfig* that is the worker's.
struct Record {
    enum class Kind : std::uint32_t { kOpen, kClose, kCancel, kDial, kUserAudio, kAgentAudio, kUserFace };
    std::int64_t time_ns = kNever;  // session time; kNever: none
    double value = 0;
    std::int32_t head = 0;
    Kind kind = Kind::kOpen;
    std::uint32_t rate = 0, n = 0;  // values, or bytes of the name
    std::int64_t sent_ns = 0;       // stage clock
};

class Stage {
  public:
    Stage(std::shared_ptr<Engine> engine, const StageConfig& config);
    ~Stage();
    Stage(const Stage&) = delete;
    Stage& operator=(const Stage&) = delete;

    // Any thread.  Names and handles; these throw Error.
    int open_head(std::string_view name, const SessionConfig& config);
    void close_head(std::string_view name);
    int follow(std::string_view name);
    StageHead* head(std::int64_t handle) const;  // null: no such handle
    vvi_show* show(std::int64_t handle) const;   // of the head, without a look at it
    // Any thread; false: the queue is full.
    bool send(const Record& record, const void* payload, std::size_t n_bytes);
    void check_dial(std::string_view name, double value) const;
    std::span<const Dial> dials() const { return dials_; }

    void work(std::int64_t budget_ns);  // ticked: one caller at a time
    bool ticked() const { return config_.ticked; }
    std::atomic_flag ticking;

    std::int64_t now_ns() const { return config_.clock(); }
    const Scheduler& scheduler() const { return scheduler_; }  // what turns take
    std::int64_t unsent() const { return unsent_.load(std::memory_order_relaxed); }
    std::int64_t refused() const { return refused_.load(std::memory_order_relaxed); }
    std::int64_t idle_ns() const;  // since the last work; -1: not yet
    int n_open() const { return n_open_.load(std::memory_order_relaxed); }
    std::int32_t list_heads(char* names, std::size_t capacity) const;
    void status_text(char* text, std::size_t capacity) const;
    void status_text(const StageHead& head, char* text, std::size_t capacity) const;
    StageLog log;

  private:
    void admit(std::string_view name);
    void unadmit() { n_open_.fetch_sub(1, std::memory_order_relaxed); }
    void run();  // the thread
    void join();

    bool take_record();  // or the next part of it; false: there is none
    void apply(const Record& record, const std::byte* payload, StageHead& head);
    bool apply_voice(const Record& record, const std::byte* payload, StageHead& head);  // false: more of it is left
    void open(StageHead& head, const SessionConfig& config);
    void close(StageHead& head);
    bool make_turns(std::size_t n_most, std::int64_t now_ns);  // false: none was due
    void keep_house(std::int64_t now_ns);
    void complain(const StageHead& head, const char* what, const std::exception_ptr& why);

    std::shared_ptr<Engine> engine_;
    StageConfig config_;
    Scheduler scheduler_;  // the worker's, but for what turns take
    std::int64_t turn_ns_;
    ChannelMap map_;
    std::vector<Dial> dials_;
    std::array<std::atomic<StageHead*>, kMaxHeads> heads_{};  // filled from the front
    std::array<std::atomic<vvi_show*>, kMaxHeads> shows_{};   // of the same heads, a moment later
    BlockVector<std::byte> queue_bytes_;
    vvi_outbox queue_{};
    std::atomic<int> n_open_{0};
    std::atomic<std::int64_t> worked_ns_{kNever}, unsent_{0}, refused_{0};
    std::atomic<bool> stopping_{false};
    std::unique_ptr<std::byte[]> thread_;
    // the worker's:
    std::uint32_t taken_of_record_ = 0;  // values of the oldest record that have been used
    std::int64_t kept_ns_ = kNever;
    std::int64_t complained_ns_ = kNever;
    BlockVector<float> values_;
};

}  // namespace visavis
