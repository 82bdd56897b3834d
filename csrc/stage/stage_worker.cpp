// The stage's work: what was sent goes into the sessions, the turns that are due are made, and their frames go to where
// the game's threads see them.
#include <algorithm>
#include <cstdio>
#include <cstring>

#include "error.h"
#include "platform/worker.h"
#include "stage/stage.h"

namespace visavis {
namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr std::int64_t kHouseNs = 20 * kMs;
constexpr std::int64_t kLongestNapNs = 4 * kMs;  // what is sent waits no longer
constexpr std::int64_t kIdleNapNs = 20 * kMs;    // without a head
constexpr int kRecordsAtATime = 64;
constexpr std::int64_t kQuietNs = 1000 * kMs;  // between complaints about what was sent

std::optional<std::int64_t> time_of(const Record& record) {
    return record.time_ns == kNever ? std::nullopt : std::optional(record.time_ns);
}

}  // namespace

void Stage::run() {
    lower_priority();
    Nap nap;
    while (!stopping_.load(std::memory_order_acquire)) {
        work(INT64_MAX);
        const std::int64_t due_ns = scheduler_.next_due_ns();
        nap.sleep(due_ns == INT64_MAX ? kIdleNapNs : std::clamp(due_ns - now_ns(), kMs / 10, kLongestNapNs));
    }
}

void Stage::join() {
    if (!thread_) return;
    stopping_.store(true, std::memory_order_release);
    vvi_thread_join(reinterpret_cast<vvi_thread*>(thread_.get()));
}

// At least one record and one turn, whatever they take; more while the budget lasts, half of it for records.
void Stage::work(std::int64_t budget_ns) {
    if (budget_ns <= 0) return;
    const std::int64_t began_ns = vvi_monotonic_ns();
    const auto half_left = [&] { return vvi_monotonic_ns() - began_ns <= budget_ns / 2; };
    bool turned = false, taken = false, more = true;
    while (more && !stopping_.load(std::memory_order_relaxed)) {
        more = false;
        for (int i = 0; i < kRecordsAtATime && (!taken || half_left()) && take_record(); ++i) more = taken = true;
        const std::int64_t now = now_ns();
        worked_ns_.store(now, std::memory_order_relaxed);
        keep_house(now);
        const std::size_t n_most = scheduler_.turns_within(budget_ns - (vvi_monotonic_ns() - began_ns));
        if ((turned && n_most == 0) || !make_turns(std::max<std::size_t>(n_most, 1), now)) continue;
        more = turned = true;
    }
}

bool Stage::make_turns(std::size_t n_most, std::int64_t now_ns) {
    const auto asked = scheduler_.step(now_ns, n_most);
    for (Scheduled* seat : asked) {
        StageHead& head = static_cast<StageHead&>(*seat);
        head.show_news(now_ns);
        if (head.failure) complain(head, "no turn", head.failure);
    }
    return !asked.empty();
}

void Stage::keep_house(std::int64_t now_ns) {
    if (kept_ns_ != kNever && now_ns - kept_ns_ < kHouseNs) return;
    kept_ns_ = now_ns;
    for (int i = 0; StageHead* head = this->head(i); ++i)
        if (head->is_open()) head->keep_house(now_ns);
}

// ---- What was sent ----

bool Stage::take_record() {
    std::size_t n_bytes = 0;
    const std::uint8_t* bytes = vvi_outbox_peek(&queue_, &n_bytes);
    if (!bytes) return false;
    Record record;
    std::memcpy(&record, bytes, sizeof record);
    const auto* payload = reinterpret_cast<const std::byte*>(bytes + sizeof record);
    StageHead& head = *this->head(record.head);
    bool done = true;
    try {
        if (record.kind == Record::Kind::kUserAudio || record.kind == Record::Kind::kAgentAudio) {
            done = apply_voice(record, payload, head);
        } else {
            apply(record, payload, head);
        }
    } catch (...) {
        refused_.fetch_add(1, std::memory_order_relaxed);
        complain(head, "refused", std::current_exception());
    }
    if (!done) return true;
    taken_of_record_ = 0;
    vvi_outbox_pop(&queue_);
    return true;
}

void Stage::apply(const Record& record, const std::byte* payload, StageHead& head) {
    if (record.kind == Record::Kind::kOpen) {
        SessionConfig* given = nullptr;
        std::memcpy(&given, payload, sizeof given);
        const std::unique_ptr<SessionConfig> config(given);
        open(head, *config);
        return;
    }
    if (!head.is_open()) throw Error(Status::kState, "the head is not open (vv_stage_open_head)");
    switch (record.kind) {
        case Record::Kind::kClose: close(head); break;
        case Record::Kind::kCancel: head.cancel(time_of(record), now_ns()); break;
        case Record::Kind::kDial:
            head.set_dial({reinterpret_cast<const char*>(payload), record.n}, record.value);
            break;
        default: {
            float face[VVI_VALUES];
            std::memcpy(face, payload, sizeof face);
            head.see_user(face, time_of(record), record.sent_ns);
        }
    }
}

// A turn's length of a voice at a time, so that a tick can stop in the middle of a long one.
bool Stage::apply_voice(const Record& record, const std::byte* payload, StageHead& head) {
    if (!head.is_open()) throw Error(Status::kState, "the head is not open (vv_stage_open_head)");
    const auto most = static_cast<std::uint32_t>(record.rate * turn_ns_ / 1'000'000'000);
    const std::uint32_t first = taken_of_record_, n = std::min(record.n - first, most);
    values_.resize(std::max<std::size_t>(values_.size(), n));
    std::memcpy(values_.data(), payload + first * sizeof(float), n * sizeof(float));
    const std::span<const float> samples(values_.data(), n);
    const std::optional<std::int64_t> time = first == 0 ? time_of(record) : std::nullopt;
    if (record.kind == Record::Kind::kAgentAudio) {
        head.speak(samples, static_cast<int>(record.rate), time, now_ns());
    } else {
        const std::int64_t began_ns = record.sent_ns - std::int64_t{record.n - first} * 1'000'000'000 / record.rate;
        head.hear_user(samples, static_cast<int>(record.rate), time, began_ns);
    }
    taken_of_record_ = first + n;
    return taken_of_record_ == record.n;
}

void Stage::open(StageHead& head, const SessionConfig& config) {
    close(head);
    const std::int64_t now = now_ns();
    try {
        scheduler_.add(head, head.open(engine_, config), now);
    } catch (...) {
        if (head.wanted.exchange(false)) unadmit();
        throw;
    }
    head.begin(now);
}

void Stage::close(StageHead& head) {
    if (!head.is_open()) return;
    scheduler_.remove(head);
    head.close(now_ns());
}

void Stage::complain(const StageHead& head, const char* what, const std::exception_ptr& why) {
    const std::int64_t now = now_ns();
    if (complained_ns_ != kNever && now - complained_ns_ < kQuietNs) return;
    complained_ns_ = now;
    char line[512];
    try {
        std::rethrow_exception(why);
    } catch (const std::exception& error) {
        std::snprintf(line, sizeof line, "head \"%s\": %s: %s", head.name.c_str(), what, error.what());
    } catch (...) {
        std::snprintf(line, sizeof line, "head \"%s\": %s: unknown error", head.name.c_str(), what);
    }
    log.say(0, line);
}

}  // namespace visavis
