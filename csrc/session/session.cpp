#include "session/session.h"

#include <algorithm>
#include <cmath>
#include <string>

#include "error.h"

namespace visavis {
namespace {

constexpr std::int64_t kQueueFrames = 256;
constexpr float kSpeakingLevel = 0.0056234133F;  // -45 dBFS
constexpr int kHangFrames = 5;                   // 200 ms
constexpr std::int64_t kMaxTimeNs = 1LL << 60;   // 36 years

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

}  // namespace

Session::Session(std::shared_ptr<Engine> engine, const SessionConfig& config)
    : engine_(std::move(engine)),
      info_(engine_->info()),
      config_(config),
      turn_frames_(info_.turn_frames),
      lookahead_frames_(config.agent_audio == AgentAudio::kLive ? 0 : info_.agent_lookahead_frames),
      delay_frames_(config.agent_audio == AgentAudio::kLive ? turn_frames_ + 2 : 0),
      user_("user audio", true),
      agent_("agent audio", config.agent_audio == AgentAudio::kLive),
      user_motion_(info_.n_channels()),
      rig_(info_.channels, info_.units, {config.seed, info_.eye_layer}),
      queue_(info_.n_channels(), std::max(kQueueFrames, 2 * turn_frames_)) {
    check_range("temperature", config.temperature, 0, 10);
    check_range("guidance", config.guidance, 0, 10);
    check_range("steps", config.steps, 0, 1000);
    check_range("lead", static_cast<double>(config.lead_ns) * 1e-9, 0, 10);
    user_samples_.resize(size(turn_frames_ * kSamplesPerFrame));
    agent_samples_.resize(size((turn_frames_ + lookahead_frames_) * kSamplesPerFrame));
    user_values_.resize(size(turn_frames_ * info_.n_channels()));
    user_present_.resize(size(turn_frames_));
    motion_.resize(user_values_.size());
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
    check_open("user motion", true);
    if (time_ns) checked_time("user motion: time", *time_ns);
    return user_motion_.push(values, time_ns);
}

void Session::advance(std::int64_t now_ns) {
    checked_time("advance: now", now_ns);
    if (clock_ && now_ns < now_ns_)
        throw Error(Status::kInvalidArgument, "advance: now is " + std::to_string(now_ns) + " ns, before the last " +
                                                  std::to_string(now_ns_) +
                                                  " ns; expected a clock that never goes back");
    clock_ = true;
    now_ns_ = now_ns;
    while (turn_ready()) generate_turn();
}

std::int64_t Session::cancel(std::int64_t from_ns) {
    from_ns = std::max<std::int64_t>(checked_time("cancel: from", from_ns), 0);
    agent_.cancel((std::max<std::int64_t>(from_ns - delay_ns(), 0) + kSampleNs - 1) / kSampleNs);
    if (ended_) n_frames_ = last_frame();
    hang_ = 0;
    const std::int64_t n = queue_.withdraw(from_ns);
    stats_.withdrawn_frames += n;
    return n;
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
        } else if (!turn_ready()) {
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

SessionStats Session::stats() const {
    SessionStats all = stats_;
    all.user = user_.stats;
    all.agent = agent_.stats;
    all.user_motion = user_motion_.stats;
    return all;
}

// The push drive's condition: all that the turn will see has been pushed.
bool Session::covered() const {
    const std::int64_t end = (turn_ + 1) * turn_frames_;  // a turn never runs ahead of the voices themselves
    const std::int64_t user_end = expects_agent() ? end - info_.user_lag_frames : end;
    return (!expects_agent() || agent_.covered() >= (end + lookahead_frames_) * kSamplesPerFrame) &&
           (!expects_user() || user_.covered() >= user_end * kSamplesPerFrame);
}

bool Session::turn_ready() const {
    const std::int64_t first = turn_ * turn_frames_;
    if (queue_.room() < turn_frames_) return false;
    if (ended_) return first < n_frames_;
    if (clock_) return (first + delay_frames_) * kFrameNs - config_.lead_ns <= now_ns_;
    return covered();
}

void Session::generate_turn() {
    TurnInput input;
    input.slot = slot_;
    input.seed = config_.seed;
    input.turn = turn_;
    input.temperature = config_.temperature;
    input.guidance = config_.guidance;
    input.steps = config_.steps;
    fill_agent(input);
    fill_user(input);
    TurnOutput output;
    output.motion = motion_;
    engine_->step({&input, 1}, {&output, 1});  // throws: the turn stays to be generated
    stats_.speech_ns += output.speech_ns;
    stats_.backbone_ns += output.backbone_ns;
    stats_.denoise_ns += output.denoise_ns;
    publish_turn();
}

void Session::fill_agent(TurnInput& input) {
    const std::int64_t from = turn_ * turn_frames_ * kSamplesPerFrame;
    agent_.settle(from + std::ssize(agent_samples_));
    agent_.read(from, agent_samples_);
    const bool absent = !expects_agent() || (ended_ && !agent_.started());
    if (!absent) input.agent_audio = agent_samples_;
}

void Session::fill_user(TurnInput& input) {
    const std::int64_t from = (turn_ * turn_frames_ - info_.user_lag_frames) * kSamplesPerFrame;
    const std::int64_t end = from + std::ssize(user_samples_);
    user_.settle(end);
    const bool any = user_.read(from, user_samples_) > 0;
    const bool absent = !expects_user() || (ended_ && !user_.started()) || (clock_ && !ended_ && end > 0 && !any);
    if (!absent) input.user_audio = user_samples_;
    if (user_motion_.read(turn_ * turn_frames_ - info_.user_lag_frames, user_values_, user_present_)) {
        input.user_motion = user_values_;
        input.user_motion_present = user_present_;
    }
}

// The turn is done: hands out its frames, counts what it lacked and lets its input go.
void Session::publish_turn() {
    const std::int64_t first = turn_ * turn_frames_, n_channels = info_.n_channels();
    const std::int64_t end = first + turn_frames_, user_end = end - info_.user_lag_frames;
    if (clock_ && !ended_) {
        const auto missing = [this](const AudioStream& stream, std::int64_t until_frame) {
            const std::int64_t until = until_frame * kSamplesPerFrame, turn = turn_frames_ * kSamplesPerFrame;
            return std::clamp<std::int64_t>(until - stream.covered(), 0, std::clamp<std::int64_t>(until, 0, turn));
        };
        if (expects_agent()) agent_.stats.missing += missing(agent_, end);
        if (expects_user()) user_.stats.missing += missing(user_, user_end);
    }
    for (std::int64_t f = 0; f < turn_frames_; ++f)
        if (!ended_ || first + f < n_frames_)
            publish_frame(first + f, std::span(motion_).subspan(size(f * n_channels), size(n_channels)), loud(f));
    agent_.use_until(end * kSamplesPerFrame);
    user_.use_until(user_end * kSamplesPerFrame);
    user_motion_.use_until(user_end);
    ++turn_;
    ++stats_.turns;
}

bool Session::loud(std::int64_t frame_of_turn) const {
    if (!expects_agent()) return false;
    float power = 0;
    for (std::int64_t i = 0; i < kSamplesPerFrame; ++i) {
        const float sample = agent_samples_[size(frame_of_turn * kSamplesPerFrame + i)];
        power += sample * sample;
    }
    return power > kSpeakingLevel * kSpeakingLevel * kSamplesPerFrame;
}

void Session::publish_frame(std::int64_t index, std::span<const float> motion, bool is_loud) {
    hang_ = is_loud ? kHangFrames + 1 : std::max(hang_ - 1, 0);
    Frame frame{index, (index + delay_frames_) * kFrameNs, hang_ > 0 ? kSpeaking : kListening};
    if (clock_ && frame.time_ns < now_ns_) {
        frame.state |= kLate;
        ++stats_.late_frames;
    }
    ++stats_.frames;
    stats_.nonfinite_values += rig_.process(motion, hang_ > 0, index, queue_.push(frame));
}

}  // namespace visavis
