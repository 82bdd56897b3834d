// How a session makes turns, and what it does about those that cannot be in time.
//
// turn_ is the next that the engine gets.  next_frame_ is the next to be given out: the first of turn_, or, where the
// policy is idle and the engine behind, a later one.
#include <algorithm>

#include "session/session.h"

namespace visavis {
namespace {

constexpr float kSpeakingLevel = 0.0056234133F;  // -45 dBFS
constexpr int kHangFrames = 5;                   // 200 ms
constexpr std::int64_t kMostTurnsBehind = 2;

std::size_t size(std::int64_t n) { return static_cast<std::size_t>(n); }

std::int64_t floor_divide(std::int64_t a, std::int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

}  // namespace

std::int64_t Session::clock_ns() const { return now_ns_ + std::max<std::int64_t>(config_.clock() - told_at_ns_, 0); }

// The push drive's condition: all that the turn will see has been pushed.
bool Session::covered() const {
    const std::int64_t end = (turn_ + 1) * turn_frames_;  // a turn never runs ahead of the voices themselves
    const std::int64_t user_end = expects_agent() ? end - lag_frames_ : end;
    return (!expects_agent() || agent_.covered() >= (end + lookahead_frames_) * kSamplesPerFrame) &&
           (!expects_user() || user_.covered() >= user_end * kSamplesPerFrame);
}

bool Session::turn_ready() const {
    if (queue_.room() < turn_frames_ || replace_from_ < next_frame_) return false;
    if (ended_) return turn_ * turn_frames_ < n_frames_;
    return clock_ ? due(turn_) <= now_ns_ : covered();
}

// More than two turns behind: on with the newest turn that is due and, if one can be, in time.
void Session::skip_turns() {
    const std::int64_t turn_ns = turn_frames_ * kFrameNs;
    if (now_ns_ - time_of(turn_ * turn_frames_) <= kMostTurnsBehind * turn_ns) return;
    const std::int64_t newest_due = floor_divide(now_ns_ + config_.lead_ns - delay_ns(), turn_ns);
    const std::int64_t in_time = floor_divide(now_ns_ - delay_ns() + turn_ns - 1, turn_ns);
    const std::int64_t next = std::min(newest_due, in_time);
    if (tap_) tap_skipped(next);
    skipped_ += next - turn_;
    stats_.skipped_turns += next - turn_;
    turn_ = next;
    if (replace_from_ == next_frame_) replace_from_ = std::max(next_frame_, turn_ * turn_frames_);
    next_frame_ = std::max(next_frame_, turn_ * turn_frames_);
    use_input();
}

// The voices that no turn will see because those before turn `next` are skipped.
void Session::tap_skipped(std::int64_t next) {
    const std::int64_t turn = turn_frames_ * kSamplesPerFrame, lag = lag_frames_ * kSamplesPerFrame;
    tap_->skipped({true, turn_ * turn, queued_voice(true, turn_ * turn, next * turn)});
    tap_->skipped({false, turn_ * turn - lag, queued_voice(false, turn_ * turn - lag, next * turn - lag)});
}

// Gives out the next frame that stands for a withdrawn one; false where there is none, or no room.  Head and eyes go on
// as they were; the rest of the face comes to rest.
bool Session::replace_frame() {
    for (; replace_from_ < next_frame_; ++replace_from_) {
        Frame frame{replace_from_, time_of(replace_from_), kListening};
        const std::span<const float> before = queue_.values(frame.index);
        if (before.empty() || (live() && frame.time_ns + kFrameNs < now_ns_) || (ended_ && frame.index >= n_frames_))
            continue;
        if (queue_.room() == 0) return false;
        if (live() && frame.time_ns < now_ns_) frame.state |= kLate;
        const std::span<float> values = queue_.push(frame);  // may be the memory of `before` itself
        for (std::size_t c = 0; c < values.size(); ++c) values[c] = moves_[c] ? rig_.rest(c) : before[c];
        ease_.apply(values);
        ++stats_.replaced_frames;
        ++replace_from_;
        return true;
    }
    return false;
}

// The turns that are due, until they took so long that the caller should get what there is.  With the policy `idle` it
// gets idle frames before the engine, which may take long, goes on with what is late.
void Session::make_turns(std::int64_t work_ns) {
    do {
        if (!turn_wanted()) return;
        generate_turn();
    } while (!live() || clock_ns() - now_ns_ < work_ns);
}

bool Session::turn_wanted() {
    const bool shown = live() && config_.late == LatePolicy::kIdle && show_idle();
    idle_shown_ = shown && !idle_shown_;
    return !idle_shown_ && turn_ready();
}

OpenTurn* Session::begin_turn(std::int64_t now_ns) {
    tell(now_ns);
    if (!turn_wanted()) return nullptr;
    open_turn();
    return &open_turn_;
}

// Gives out idle frames until the engine will be done with the next turn, if it cannot do that turn in time or is
// behind already; false where none were needed.
bool Session::show_idle() {
    const std::int64_t first = turn_ * turn_frames_, at_ns = clock_ns();
    const bool in_time = at_ns + pacer_.expected_ns() <= time_of(first) + kFrameNs;
    if (next_frame_ == first && (due(turn_) > now_ns_ || in_time)) return false;
    const std::int64_t done_ns = at_ns + pacer_.last_ns();
    bool any = false;
    for (; queue_.room() >= turn_frames_ && due(next_frame_ / turn_frames_) <= done_ns; any = true) idle_turn();
    return any;
}

void Session::idle_turn() {
    const std::int64_t first = next_frame_, at_ns = clock_ns();
    if (!idle_) start_ease(true);
    idle_ = true;
    agent_.read(first * kSamplesPerFrame, agent_samples_);  // as far as it is known
    for (std::int64_t f = 0; f < turn_frames_; ++f)
        stats_.idle_frames += publish_frame(first + f, no_motion_, loud(f), at_ns);
    next_frame_ = replace_from_ = first + turn_frames_;
}

void Session::generate_turn() {
    open_turn();
    engine_->step({&open_turn_.input, 1}, {&open_turn_.output, 1});  // throws: the turn stays to be generated
    end_turn();
}

void Session::open_turn() {
    open_turn_ = {};
    TurnReport& report = open_turn_.report;
    report.turn = turn_;
    report.skipped_turns = skipped_;
    report.due_ns = due(turn_);
    report.begin_ns = live() ? clock_ns() : report.due_ns;
    TurnInput& input = open_turn_.input;
    input.slot = slot_;
    input.seed = config_.seed;
    input.turn = turn_;
    input.temperature = config_.temperature * info_.noise_scale;
    input.guidance = config_.guidance;
    for (std::size_t i = 0; i < style_.size(); ++i) style_[i] = rig_.style(i);
    input.style = style_;
    input.steps = choose_steps(report.begin_ns);
    next_agent_level_ = agent_level_;  // a turn that fails is made again: it must not count twice
    next_user_level_ = user_level_;
    fill_agent(input);
    fill_user(input);
    open_turn_.output.motion = motion_;
    open_turn_.started_ns = config_.clock();
}

void Session::end_turn() {
    const TurnInput& input = open_turn_.input;
    const TurnOutput& output = open_turn_.output;
    TurnReport& report = open_turn_.report;
    const std::int64_t cost_ns = std::max<std::int64_t>(config_.clock() - open_turn_.started_ns, 0);
    pacer_.measured(cost_ns);
    report.end_ns = report.begin_ns + cost_ns;
    report.speech_ns = output.speech_ns;
    report.backbone_ns = output.backbone_ns;
    report.denoise_ns = output.denoise_ns;
    report.steps = output.steps;
    if (tap_) tap_->turn(as_heard(input), output, turn_ * turn_frames_ - lag_frames_);
    agent_level_ = next_agent_level_;
    user_level_ = next_user_level_;
    if (live()) count_missing();
    if (turn_ * turn_frames_ < next_frame_) {
        report.action = LateAction::kIdle;
        join_.apply(turn_, motion_, false);
    } else {
        const bool late = live() && report.end_ns > time_of(turn_ * turn_frames_);
        report.action = pacer_.fewer() ? LateAction::kFewerSteps : late ? LateAction::kHeld : LateAction::kNone;
        stats_.late_turns += late;
        report.dropped_frames = publish_turn(report.end_ns);
    }
    count_turn(report);
    ++turn_;
    skipped_ = 0;
    use_input();
}

// The turn with the voices as they are, not normalised.
TurnInput Session::as_heard(TurnInput input) const {
    if (!input.agent_audio.empty()) input.agent_audio = agent_samples_;
    if (!input.user_audio.empty()) input.user_audio = user_samples_;
    return input;
}

// What the engine is asked for; 0: its own number.
int Session::choose_steps(std::int64_t begin_ns) {
    if (config_.late != LatePolicy::kFewerSteps || !live()) return config_.steps;
    const int steps = pacer_.choose(begin_ns, time_of(turn_ * turn_frames_));
    return pacer_.fewer() ? steps : config_.steps;
}

void Session::fill_agent(TurnInput& input) {
    const std::int64_t from = turn_ * turn_frames_ * kSamplesPerFrame;
    agent_.settle(from + std::ssize(agent_samples_));
    agent_.read(from, agent_samples_);
    const bool absent = !expects_agent() || (ended_ && !agent_.started());
    if (absent) return;
    input.agent_audio = agent_samples_;
    if (!info_.normalised_audio) return;
    next_agent_level_.normalise(agent_samples_, agent_heard_);
    input.agent_audio = agent_heard_;
}

void Session::fill_user(TurnInput& input) {
    const std::int64_t from = (turn_ * turn_frames_ - lag_frames_) * kSamplesPerFrame;
    const std::int64_t end = from + std::ssize(user_samples_);
    user_.settle(end);
    const bool any = user_.read(from, user_samples_) > 0;
    const bool absent = !expects_user() || (ended_ && !user_.started()) || (live() && end > 0 && !any);
    if (!absent) input.user_audio = user_samples_;
    if (!absent && info_.normalised_audio) {
        next_user_level_.normalise(user_samples_, user_heard_);
        input.user_audio = user_heard_;
    }
    if (user_motion_.read(turn_ * turn_frames_ - lag_frames_, user_values_, user_present_)) {
        input.user_motion = user_values_;
        input.user_motion_present = user_present_;
    }
}

void Session::count_missing() {
    const auto missing = [this](const AudioStream& stream, std::int64_t until_frame) {
        const std::int64_t until = until_frame * kSamplesPerFrame, turn = turn_frames_ * kSamplesPerFrame;
        return std::clamp<std::int64_t>(until - stream.covered(), 0, std::clamp<std::int64_t>(until, 0, turn));
    };
    const std::int64_t end = (turn_ + 1) * turn_frames_;
    if (expects_agent()) agent_.stats.missing += missing(agent_, end);
    if (expects_user()) user_.stats.missing += missing(user_, end - lag_frames_);
}

// Gives out the frames of the turn that was made; returns how many were too late for that.
int Session::publish_turn(std::int64_t at_ns) {
    if (idle_ || (resume_ && !ease_.running())) start_ease(idle_);
    idle_ = resume_ = false;
    join_.apply(turn_, motion_, !ease_.running());  // eased frames go on from others than the turn before
    const std::int64_t first = turn_ * turn_frames_, n_channels = info_.n_channels();
    int n_dropped = 0;
    for (std::int64_t f = 0; f < turn_frames_; ++f)
        if (!ended_ || first + f < n_frames_)
            n_dropped += !publish_frame(first + f, std::span(motion_).subspan(size(f * n_channels), size(n_channels)),
                                        loud(f), at_ns);
    next_frame_ = replace_from_ = first + turn_frames_;
    return n_dropped;
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

// The frame goes through the rig and, unless it is over one frame late, out; false if it is.
bool Session::publish_frame(std::int64_t index, std::span<const float> motion, bool is_loud, std::int64_t at_ns) {
    hang_ = is_loud ? kHangFrames + 1 : std::max(hang_ - 1, 0);
    Frame frame{index, time_of(index), hang_ > 0 ? kSpeaking : kListening};
    const bool late = live() && frame.time_ns < at_ns, dropped = late && frame.time_ns + kFrameNs < at_ns;
    if (late) frame.state |= kLate;
    if (tap_) tap_->frame({index, hang_ > 0, motion.data() == no_motion_.data(), ease_.running()});
    const std::span<float> values = dropped ? std::span<float>(unseen_) : queue_.push(frame);
    stats_.nonfinite_values += rig_.process(motion, hang_ > 0, index, values);
    if (dropped) {
        ++stats_.dropped_frames;
        return false;
    }
    ease_.apply(values);
    stats_.late_frames += late;
    ++stats_.frames;
    return true;
}

void Session::count_turn(const TurnReport& report) {
    ++stats_.turns;
    stats_.idle_turns += report.action == LateAction::kIdle;
    stats_.fewer_steps_turns += report.action == LateAction::kFewerSteps;
    stats_.speech_ns += report.speech_ns;
    stats_.backbone_ns += report.backbone_ns;
    stats_.denoise_ns += report.denoise_ns;
    reports_.push(report);
    if (tap_) tap_->report(report);
}

// What lies before turn_ will not be asked for again.
void Session::use_input() {
    const std::int64_t first = turn_ * turn_frames_, user_first = first - lag_frames_;
    agent_.use_until(first * kSamplesPerFrame);
    user_.use_until(user_first * kSamplesPerFrame);
    user_motion_.use_until(user_first);
}

// The next frames go on from the last one given out.  The eye layer never jumps, nor does the head unless told.
void Session::start_ease(bool head) {
    for (std::size_t c = 0; c < moves_.size(); ++c) {
        const ChannelGroup group = rig_.group(c);
        moves_[c] = group == ChannelGroup::kHead ? head : group != ChannelGroup::kEyes || !info_.eye_layer;
    }
    ease_.begin(moves_);
}

}  // namespace visavis
