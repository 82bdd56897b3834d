#include "session/session.h"

#include <algorithm>
#include <chrono>
#include <string>

#include "error.h"

namespace visavis {
namespace {

constexpr std::int64_t kQueueFrames = 256;
constexpr std::int64_t kMaxTimeNs = 1LL << 60;  // 36 years

void check_range(const char* name, double value, double low, double high) {
    if (value >= low && value <= high) return;  // false for NaN
    throw Error(Status::kInvalidArgument, std::string(name) + " is " + std::to_string(value) + "; expected " +
                                              std::to_string(low) + " to " + std::to_string(high));
}

std::int64_t checked_time(const char* name, std::int64_t time_ns) {
    if (time_ns >= -kMaxTimeNs && time_ns <= kMaxTimeNs) return time_ns;
    throw Error(Status::kInvalidArgument, std::string(name) + " is " + std::to_string(time_ns) +
                                              " ns; expected a time on the session clock, which begins at 0");
}

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

std::int64_t system_clock_ns() {
    return std::chrono::nanoseconds(std::chrono::steady_clock::now().time_since_epoch()).count();
}

// What is live is taken as of so long before a turn's first frame: the lead, and one frame to come here.
std::int64_t slack_frames(const SessionConfig& config) {
    return std::max<std::int64_t>((config.lead_ns + kFrameNs - 1) / kFrameNs, 1) + 1;
}

int steps_of(const SessionConfig& config, const ModelInfo& info) {
    return config.steps > 0 ? config.steps : info.steps;
}

}  // namespace

Session::Session(std::shared_ptr<Engine> engine, const SessionConfig& config)
    : engine_(std::move(engine)),
      info_(engine_->info()),
      config_(config),
      turn_frames_(info_.turn_frames),
      lookahead_frames_(config.agent_audio == AgentAudio::kLive ? 0 : info_.agent_lookahead_frames),
      delay_frames_(config.agent_audio == AgentAudio::kLive ? turn_frames_ + slack_frames(config) : 0),
      lag_frames_(info_.user_lag_frames),
      user_("user audio", true),
      agent_("agent audio", config.agent_audio == AgentAudio::kLive),
      user_motion_(info_.n_channels()),
      rig_(info_.channels, info_.units, {config.seed, info_.eye_layer, info_.styles}),
      queue_(info_.n_channels(), std::max(kQueueFrames, 2 * turn_frames_)),
      ease_(size(info_.n_channels())),
      join_(info_.channels, info_.turn_frames, info_.turn_join),
      pacer_(config.late, steps_of(config, info_), info_.least_steps) {
    check_range("temperature", config.temperature, 0, 10);
    check_range("guidance", config.guidance, 0, 10);
    check_range("steps", config.steps, 0, 1000);
    check_range("lead", static_cast<double>(config.lead_ns) * 1e-9, 0, 10);
    user_samples_.resize(size(turn_frames_ * kSamplesPerFrame));
    agent_samples_.resize(size((turn_frames_ + lookahead_frames_) * kSamplesPerFrame));
    if (info_.normalised_audio) {
        user_heard_.resize(user_samples_.size());
        agent_heard_.resize(agent_samples_.size());
    }
    user_values_.resize(size(turn_frames_ * info_.n_channels()));
    user_present_.resize(size(turn_frames_));
    motion_.resize(user_values_.size());
    style_.resize(info_.styles.size());
    no_motion_.resize(size(info_.n_channels()));
    unseen_.resize(no_motion_.size());
    moves_.resize(no_motion_.size());
    if (!config_.clock) config_.clock = system_clock_ns;
    if (config.late == LatePolicy::kFewerSteps)
        for (const int steps : pacer_.ladder()) engine_->prepare(steps);
    slot_ = engine_->open();
}

Session::~Session() {
    try {
        engine_->close(slot_);
    } catch (...) {  // a destructor has nobody to tell
    }
}

void Session::check_open(const char* what, bool expected) const {
    if (ended_) throw Error(Status::kState, std::string(what) + " came after end(); open a new session");
    if (!expected)
        throw Error(Status::kState,
                    std::string(what) + ": this session was opened without it; open one with both voices");
}

std::int64_t Session::push_user_audio(std::span<const float> samples, int rate, Time time_ns) {
    check_open("user audio", expects_user());
    if (time_ns) checked_time("user audio: time", *time_ns);
    return user_.push(samples, rate, time_ns);
}

std::int64_t Session::push_agent_audio(std::span<const float> samples, int rate, Time time_ns) {
    check_open("agent audio", expects_agent());
    if (time_ns) checked_time("agent audio: time", *time_ns);
    return agent_.push(samples, rate, time_ns ? time_ns : burst_start(std::ssize(samples), rate));
}

// A burst of speech that comes in small pushes would be torn if its first push ended inside a turn that is due before
// the rest of the turn can come (four times as fast as it plays, after 40 ms).  It is moved to the end of that turn.
Session::Time Session::burst_start(std::int64_t n_samples, int rate) const {
    const std::int64_t turn_samples = turn_frames_ * kSamplesPerFrame, begin = turn_ * turn_samples;
    const bool live = config_.agent_audio == AgentAudio::kLive;
    if (!clock_ || live || rate < kMinRate || agent_.queued_end() > begin) return {};
    const std::int64_t n_new = (n_samples * kSampleRate + rate - 1) / rate;
    const std::int64_t n_rest = turn_samples - n_new;
    const std::int64_t due_ns = begin * kSampleNs - config_.lead_ns;
    if (n_rest <= 0 || due_ns - now_ns_ >= kFrameNs + n_rest * kSampleNs / 4) return {};
    return (begin + n_rest) * kSampleNs;
}

std::int64_t Session::push_user_motion(std::span<const float> values, Time time_ns) {
    if (time_ns) checked_time("user motion: time", *time_ns);
    return user_motion_.push(values, time_ns);
}

void Session::advance_for(std::int64_t now_ns, std::int64_t work_ns) {
    tell(now_ns);
    make_turns(work_ns);
}

void Session::tell(std::int64_t now_ns) {
    checked_time("advance: now", now_ns);
    if (clock_ && now_ns < now_ns_)
        throw Error(Status::kInvalidArgument, "advance: now is " + std::to_string(now_ns) + " ns, before the last " +
                                                  std::to_string(now_ns_) +
                                                  " ns; expected a clock that never goes back");
    if (!clock_) lag_frames_ = std::max(lag_frames_, turn_frames_ + slack_frames(config_) - delay_frames_);
    clock_ = true;
    now_ns_ = now_ns;
    told_at_ns_ = config_.clock();
    while (replace_frame()) {
    }
    if (live()) skip_turns();
}

std::int64_t Session::cancel(std::int64_t from_ns) {
    from_ns = std::max<std::int64_t>(checked_time("cancel: from", from_ns), 0);
    agent_.cancel((std::max<std::int64_t>(from_ns - delay_ns(), 0) + kSampleNs - 1) / kSampleNs);
    if (ended_) n_frames_ = last_frame();
    const Withdrawal gone = queue_.withdraw(from_ns);
    if (gone.n > 0) {
        const std::span<const float> kept = queue_.values(gone.first_index - 1);
        ease_.set_last(kept.empty() ? queue_.values(gone.first_index) : kept);
        start_ease(false);
        replace_from_ = gone.first_index;
        resume_ = true;
        hang_ = 0;
        stats_.withdrawn_frames += gone.n;
    }
    return gone.n;
}

void Session::cancel_user(std::int64_t from_ns) {
    from_ns = std::max<std::int64_t>(checked_time("cancel: from", from_ns), 0);
    user_.cancel((from_ns + kSampleNs - 1) / kSampleNs);
    if (ended_) n_frames_ = last_frame();
}

void Session::set_temperature(float temperature) {
    check_range("temperature", temperature, 0, 10);
    config_.temperature = temperature;
}

void Session::end() {
    if (ended_) return;
    user_.finish();
    agent_.finish();
    n_frames_ = last_frame();
    ended_ = true;
}

std::int64_t Session::last_frame() const {
    const std::int64_t n_samples = std::max(agent_.queued_end(), user_.queued_end());
    return (n_samples + kSamplesPerFrame - 1) / kSamplesPerFrame;
}

std::size_t Session::poll(std::span<Frame> frames, std::span<float> values) {
    const std::size_t n_channels = size(info_.n_channels());
    if (values.size() < frames.size() * n_channels)
        throw Error(Status::kInvalidArgument, "poll: memory for " + std::to_string(values.size()) +
                                                  " values; expected " + std::to_string(frames.size() * n_channels));
    std::size_t n = 0;
    while (n < frames.size()) {
        if (queue_.pop(frames[n], values.subspan(n * n_channels, n_channels))) {
            ++n;
        } else if (replace_frame()) {
            continue;
        } else if (live() || !turn_ready()) {  // live: turns are made by advance alone
            break;
        } else {
            try {
                generate_turn();
            } catch (...) {
                if (n == 0) throw;
                break;  // the frames that are out come first, the error with the next call
            }
        }
    }
    return n;
}

std::size_t Session::poll_turns(std::span<TurnReport> reports) { return reports_.pop(reports); }

SessionStats Session::stats() const {
    SessionStats all = stats_;
    all.user = user_.stats;
    all.agent = agent_.stats;
    all.user_motion = user_motion_.stats;
    return all;
}

std::vector<float> Session::queued_voice(bool agent, std::int64_t from, std::int64_t until) const {
    const AudioStream& stream = agent ? agent_ : user_;
    std::vector<float> samples(size(std::max<std::int64_t>(std::min(stream.covered(), until) - from, 0)));
    stream.read(from, samples);
    return samples;
}

}  // namespace visavis
