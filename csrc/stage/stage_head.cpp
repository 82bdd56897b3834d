#include "stage/stage_head.h"

#include <algorithm>

#include "error.h"

namespace visavis {
namespace {

constexpr std::int64_t kVoiceAheadNs = 300'000'000;  // of the session clock, in the playback ring
constexpr std::int64_t kDryNs = 3 * kFrameNs;        // the user's queue this far behind: what comes was heard just now

void store(std::atomic<std::int64_t>& to, std::int64_t value) { to.store(value, std::memory_order_relaxed); }

}  // namespace

StageHead::StageHead(std::string head, const ChannelMap& map, const vvi_manner& manner, bool audio)
    : name(std::move(head)), map_(map), show_(new (allocate_block(sizeof(vvi_show), kCacheLine)) vvi_show{}) {
    vvi_show_begin(show_.get(), &manner);
    values_.resize(static_cast<std::size_t>(map.n_channels()));
    user_motion_.resize(values_.size());
    if (!audio) return;
    voice_samples_.resize(VVI_VOICE_SAMPLES);
    show_->voice.samples = voice_samples_.data();
}

Session& StageHead::open(std::shared_ptr<Engine> engine, const SessionConfig& config) {
    session_.emplace(std::move(engine), config);
    voice_.clear();
    user_end_ns_ = kNever;
    last_ = {};
    return *session_;
}

void StageHead::begin(std::int64_t now_ns) {
    const std::uint32_t epoch = figures.epoch.load(std::memory_order_relaxed) + 1;
    vvi_show_restart(show_.get(), epoch);
    vvi_playout_clock(&show_->playout, now_ns, now_ns - origin_ns);
    for (auto* figure : {&figures.turns, &figures.late_turns, &figures.skipped_turns, &figures.dropped_frames,
                         &figures.user_missing, &figures.agent_missing, &figures.user_pushed, &figures.agent_pushed})
        store(*figure, 0);
    store(figures.last_frame_ns, kNever);
    figures.epoch.store(epoch, std::memory_order_relaxed);
    figures.origin_ns.store(origin_ns, std::memory_order_release);
}

// The last frame is held for one more and marked as the end.
void StageHead::close(std::int64_t now_ns) {
    if (!is_open()) return;
    session_.reset();
    vvi_voice_cut(&show_->voice, now_ns - origin_ns);
    if (figures.last_frame_ns.load(std::memory_order_relaxed) != kNever)
        vvi_motion_put(&show_->motion, last_.index + 1, last_.time_ns + kFrameNs, kListening | VVI_STATE_END, face_);
    figures.origin_ns.store(kNever, std::memory_order_release);
}

void StageHead::show_news(std::int64_t now_ns) {
    Frame frame;
    while (session_->poll({&frame, 1}, values_) == 1)
        if (!(frame.state & kWithdrawn)) show_frame(frame, now_ns);  // the cut took the withdrawn ones away
    note();
}

void StageHead::show_frame(const Frame& frame, std::int64_t now_ns) {
    map_.to_face(values_, face_);
    last_ = frame;
    vvi_motion_put(&show_->motion, frame.index, frame.time_ns, frame.state, face_);
    vvi_playout_heard(&show_->playout, now_ns, now_ns);
    vvi_playout_frame(&show_->playout, now_ns, now_ns, frame.time_ns);
    figures.frames.fetch_add(1, std::memory_order_relaxed);
    store(figures.last_frame_ns, now_ns);
}

void StageHead::note() {
    const SessionStats stats = session_->stats();
    store(figures.turns, stats.turns);
    store(figures.late_turns, stats.late_turns);
    store(figures.skipped_turns, stats.skipped_turns);
    store(figures.dropped_frames, stats.dropped_frames);
    store(figures.user_missing, stats.user.missing);
    store(figures.agent_missing, stats.agent.missing);
    store(figures.user_pushed, stats.user.pushed);
    store(figures.agent_pushed, stats.agent.pushed);
}

void StageHead::hear_user(std::span<const float> samples, int rate, std::optional<std::int64_t> session_ns,
                          std::int64_t began_ns) {
    const std::int64_t heard_ns = began_ns - origin_ns;
    const bool anew = user_end_ns_ == kNever || user_end_ns_ < heard_ns - kDryNs || heard_ns <= 0;
    if (!session_ns && anew) session_ns = heard_ns;
    const std::int64_t length_ns = std::ssize(samples) * 1'000'000'000 / rate;
    user_end_ns_ = session_->push_user_audio(samples, rate, session_ns) + length_ns;
    note();
}

void StageHead::speak(std::span<const float> samples, int rate, std::optional<std::int64_t> session_ns,
                      std::int64_t now_ns) {
    session_->tell(now_ns - origin_ns);  // where a burst begins depends on how near the next turn is
    const std::int64_t start_ns = session_->push_agent_audio(samples, rate, session_ns);
    note();
    if (!show_->voice.samples) return;
    if (!voice_.push(samples, static_cast<std::uint32_t>(rate), start_ns + session_->delay_ns()))
        throw Error(Status::kFull, "over two minutes of its voice wait to be heard; send it nearer to its time");
    feed_voice(now_ns);
}

void StageHead::see_user(std::span<const float, VVI_VALUES> face, std::optional<std::int64_t> session_ns,
                         std::int64_t sent_ns) {
    map_.to_motion(face, user_motion_);
    session_->push_user_motion(user_motion_, session_ns.value_or(std::max<std::int64_t>(sent_ns - origin_ns, 0)));
}

void StageHead::set_dial(std::string_view dial, double value) {
    if (dial == "temperature") {
        session_->set_temperature(static_cast<float>(value));
    } else {
        session_->set_dial(dial, value);
    }
}

void StageHead::cancel(std::optional<std::int64_t> from_session_ns, std::int64_t now_ns) {
    const std::int64_t now_session_ns = now_ns - origin_ns;
    const std::int64_t from_ns = std::max(from_session_ns.value_or(now_session_ns), now_session_ns);
    session_->cancel(from_ns);
    voice_.cut(from_ns);
    vvi_show_cut(show_.get(), from_ns);
    figures.cuts.fetch_add(1, std::memory_order_relaxed);
    show_news(now_ns);
}

void StageHead::keep_house(std::int64_t now_ns) {
    vvi_playout_heard(&show_->playout, now_ns, now_ns);
    vvi_playout_tick(&show_->playout, now_ns);
    feed_voice(now_ns);
}

void StageHead::feed_voice(std::int64_t now_ns) {
    for (;;) {
        const VoiceQueue::Piece piece = voice_.take(now_ns - origin_ns + kVoiceAheadNs);
        if (piece.samples.empty()) return;
        vvi_voice_put(&show_->voice, piece.rate, piece.count, piece.time_ns, piece.samples.data(),
                      piece.samples.size());
    }
}

}  // namespace visavis
