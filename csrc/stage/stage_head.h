// A head on a stage.  Its session and its waiting voice belong to the stage's worker; what it shows is read by the
// game's threads without a lock.
#pragma once
#include <atomic>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "memory.h"
#include "session/scheduler.h"
#include "stage/channel_map.h"
#include "stage/show.h"
#include "stage/voice_queue.h"

namespace visavis {

inline constexpr std::int64_t kNever = INT64_MIN;

// What the worker tells the game's threads about a head.
struct HeadFigures {
    std::atomic<std::int64_t> turns{0}, late_turns{0}, skipped_turns{0}, dropped_frames{0};
    std::atomic<std::int64_t> user_missing{0}, agent_missing{0}, user_pushed{0}, agent_pushed{0};
    std::atomic<std::int64_t> frames{0}, cuts{0};
    std::atomic<std::int64_t> last_frame_ns{kNever};  // stage clock
    std::atomic<std::int64_t> origin_ns{kNever};      // stage clock when the session clock shows 0; kNever: not open
    std::atomic<std::uint32_t> epoch{0};
};

class StageHead : public Scheduled {
  public:
    StageHead(std::string name, const ChannelMap& map, const vvi_manner& manner, bool audio);
    StageHead(const StageHead&) = delete;
    StageHead& operator=(const StageHead&) = delete;

    const std::string name;
    HeadFigures figures;
    std::atomic<bool> wanted{false};  // what the game asked for: open
    vvi_show& show() { return *show_; }
    const vvi_show& show() const { return *show_; }

    // The worker alone from here on.  Times are the stage clock's, unless they are called session times.
    bool is_open() const { return session_.has_value(); }
    Session& open(std::shared_ptr<Engine> engine, const SessionConfig& config);
    void begin(std::int64_t now_ns);  // the scheduler has given it a place
    void close(std::int64_t now_ns);  // the scheduler has it no longer
    void show_news(std::int64_t now_ns);
    // began_ns: when the first sample sounded, for voices without a session time.
    void hear_user(std::span<const float> samples, int rate, std::optional<std::int64_t> session_ns,
                   std::int64_t began_ns);
    void speak(std::span<const float> samples, int rate, std::optional<std::int64_t> session_ns, std::int64_t now_ns);
    void see_user(std::span<const float, VVI_VALUES> face, std::optional<std::int64_t> session_ns,
                  std::int64_t sent_ns);
    void set_dial(std::string_view dial, double value);
    void cancel(std::optional<std::int64_t> from_session_ns, std::int64_t now_ns);
    void keep_house(std::int64_t now_ns);  // a few times a second: the clock, and the voice that is to be heard next

  private:
    void show_frame(const Frame& frame, std::int64_t now_ns);
    void note();
    void feed_voice(std::int64_t now_ns);

    const ChannelMap& map_;
    struct Release {
        void operator()(vvi_show* show) const { release_block(show, kCacheLine); }
    };
    static constexpr std::size_t kCacheLine = 64;
    std::unique_ptr<vvi_show, Release> show_;
    BlockVector<std::uint32_t> voice_samples_;
    std::optional<Session> session_;
    VoiceQueue voice_;
    std::int64_t user_end_ns_ = 0;             // session time up to which the user's voice was pushed
    std::vector<float> values_, user_motion_;  // (C)
    float face_[VVI_VALUES] = {};
    Frame last_{};
};

}  // namespace visavis
