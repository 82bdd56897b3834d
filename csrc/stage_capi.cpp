// The C ABI of stage.h.
#include <bit>
#include <cmath>
#include <cstddef>
#include <cstdint>

#include "boundary.h"
#include "engines/engine.h"
#include "session/resampler.h"
#include "stage/stage.h"
#include "visavis/visavis.h"

using visavis::Error;
using visavis::fail;
using visavis::guarded;
using visavis::Record;
using visavis::require;
using visavis::StageHead;
using visavis::Status;

// What the client's parts fill is given out as ours.
static_assert(sizeof(vv_face) == sizeof(vvc_frame) && offsetof(vv_face, roll) == offsetof(vvc_frame, roll));
static_assert(sizeof(vv_heard) == sizeof(vvc_audio) && offsetof(vv_heard, n_voiced) == offsetof(vvc_audio, n_voiced));
static_assert(VV_FACE_SPEAKING == int{VVC_SPEAKING} && VV_FACE_LISTENING == int{VVC_LISTENING});
static_assert(VV_FACE_HELD == int{VVC_HELD} && VV_FACE_EASING == int{VVC_EASING});
static_assert(VV_FACE_NEUTRAL == int{VVC_NEUTRAL} && VV_SHAPES == int{VVC_SHAPES});

struct vv_stage {
    visavis::Stage stage;
};

namespace {

constexpr std::int64_t kMs = 1'000'000;
constexpr float kMaxSample = visavis::kMaxSample / 10;
constexpr std::uint32_t kLowestReadRate = 4000, kHighestReadRate = 384000;

void check_range(const char* name, double value, double low, double high) {
    if (value >= low && value <= high) return;
    throw Error(Status::kInvalidArgument, "stage config: " + std::string(name) + " is " + std::to_string(value) +
                                              "; expected " + std::to_string(low) + " to " + std::to_string(high));
}

vv_stage_config stage_defaults() {
    vv_stage_config config{};
    config.struct_size = sizeof config;
    config.max_delay_ns = 200 * kMs;
    config.hold_ns = 250 * kMs;
    config.ease_ns = 500 * kMs;
    config.max_heads = visavis::kMaxHeads;
    config.input_bytes = 4 << 20;
    config.max_load = 0.8F;
    return config;
}

visavis::StageConfig stage_config(const vv_stage_config& given) {
    const auto ns = [](std::int64_t value) { return static_cast<double>(value); };
    check_range("flags", given.flags, 0, VV_STAGE_TICKED | VV_STAGE_NO_AUDIO);
    check_range("min_delay_ns", ns(given.min_delay_ns), 0, 2e9);
    check_range("max_delay_ns", ns(given.max_delay_ns), ns(given.min_delay_ns), 2e9);
    check_range("hold_ns", ns(given.hold_ns), 0, 60e9);
    check_range("ease_ns", ns(given.ease_ns), 1, 60e9);
    check_range("output_ns", ns(given.output_ns), 0, 2e9);
    check_range("max_heads", given.max_heads, 1, visavis::kMaxHeads);
    check_range("input_bytes", given.input_bytes, 64 << 10, 1 << 28);
    check_range("max_load", static_cast<double>(given.max_load), 0, 1000);
    visavis::StageConfig config;
    config.ticked = (given.flags & VV_STAGE_TICKED) != 0;
    config.audio = (given.flags & VV_STAGE_NO_AUDIO) == 0;
    config.manner = {given.min_delay_ns, given.max_delay_ns, given.hold_ns, given.ease_ns, given.output_ns};
    config.max_heads = static_cast<int>(given.max_heads);
    config.input_bytes = given.input_bytes / 16 * 16;
    config.max_load = given.max_load;
    config.clock = vvi_monotonic_ns;
    if (given.clock) config.clock = [clock = given.clock, user = given.clock_user] { return clock(user); };
    config.pass_on = visavis::log_message;
    return config;
}

vv_status no_head(const char* call, std::int32_t handle) noexcept {
    return fail(VV_ERROR_INVALID_ARGUMENT,
                "%s: head %ld is not one of the stage; expected a handle of vv_stage_open_head", call,
                static_cast<long>(handle));
}

// The head behind a handle; where there is none, null, and the reason is told.
StageHead* head_of(const vv_stage* stage, std::int32_t handle, const char* call) noexcept {
    StageHead* head = stage ? stage->stage.head(handle) : nullptr;
    if (!head) no_head(call, handle);
    return head;
}

bool time_ok(std::int64_t ns, const char* call) noexcept {
    if (vvi_time_ok(ns)) return true;
    fail(VV_ERROR_INVALID_ARGUMENT, "%s: the time is %lld ns; expected less than 2^59", call,
         static_cast<long long>(ns));
    return false;
}

vv_status status_of(vvc_result result) noexcept { return result == VVC_OK ? VV_OK : VV_ERROR_BUSY; }

// Whether all values are numbers from -most to most: compared as integers, which a compiler does many at a time.
bool all_within(const float* values, std::uint32_t n, float most) noexcept {
    const auto limit = std::bit_cast<std::uint32_t>(most);
    std::uint32_t n_beyond = 0;
    for (std::uint32_t i = 0; i < n; ++i) n_beyond += (std::bit_cast<std::uint32_t>(values[i]) & 0x7FFFFFFFU) > limit;
    return n_beyond == 0;
}

vv_status fail_value(const float* values, std::uint32_t n, float most, const char* call) noexcept {
    std::uint32_t i = 0;
    while (std::fabs(values[i]) <= most) ++i;
    return fail(VV_ERROR_INVALID_ARGUMENT, "%s: value %lu of %lu is %g; expected finite numbers up to %g", call,
                static_cast<unsigned long>(i), static_cast<unsigned long>(n), static_cast<double>(values[i]),
                static_cast<double>(most));
}

vv_status send(vv_stage* stage, Record record, const float* values, std::uint32_t n, float most,
               const char* call) noexcept {
    if (!head_of(stage, record.head, call)) return VV_ERROR_INVALID_ARGUMENT;
    if (!values || n == 0) return fail(VV_ERROR_INVALID_ARGUMENT, "%s: no values; expected at least one", call);
    if (record.time_ns != VV_TIME_NEXT && !time_ok(record.time_ns, call)) return VV_ERROR_INVALID_ARGUMENT;
    if (!all_within(values, n, most)) return fail_value(values, n, most, call);
    record.n = n;
    if (stage->stage.send(record, values, n * sizeof(float))) return VV_OK;
    return fail(VV_ERROR_FULL, "%s: %lu values do not fit into the queue (config.input_bytes) now", call,
                static_cast<unsigned long>(n));
}

vv_status send_voice(vv_stage* stage, Record::Kind kind, std::int32_t head, const float* samples, std::uint32_t n,
                     std::uint32_t rate, std::int64_t session_ns, const char* call) noexcept {
    if (rate < visavis::kMinRate || rate > visavis::kMaxRate)
        return fail(VV_ERROR_INVALID_ARGUMENT, "%s: the rate is %lu Hz; expected %d to %d", call,
                    static_cast<unsigned long>(rate), int{visavis::kMinRate}, int{visavis::kMaxRate});
    return send(stage, {session_ns, 0, head, kind, rate, 0, 0}, samples, n, kMaxSample, call);
}

void head_stats(const visavis::Stage& stage, const StageHead& head, vv_stage_stats& stats) {
    const visavis::HeadFigures& from = head.figures;
    const auto count = [](const std::atomic<std::int64_t>& figure) {
        return static_cast<std::uint64_t>(figure.load(std::memory_order_relaxed));
    };
    stats.turns = count(from.turns);
    stats.frames = count(from.frames);
    stats.late_turns = count(from.late_turns);
    stats.skipped_turns = count(from.skipped_turns);
    stats.dropped_frames = count(from.dropped_frames);
    stats.cuts = count(from.cuts);
    stats.starved = static_cast<std::uint64_t>(vvi_load64(&head.show().starved));
    stats.audio_jumps = static_cast<std::uint64_t>(vvi_load64(&head.show().voice.jumps));
    stats.user_missing = count(from.user_missing);
    stats.agent_missing = count(from.agent_missing);
    stats.user_pushed = count(from.user_pushed);
    stats.agent_pushed = count(from.agent_pushed);
    stats.delay_ns = vvi_show_delay(&head.show());
    const std::int64_t last_ns = from.last_frame_ns.load(std::memory_order_relaxed);
    stats.silence_ns = last_ns == visavis::kNever ? -1 : stage.now_ns() - last_ns;
    stats.epoch = from.epoch.load(std::memory_order_relaxed);
    stats.open = head.wanted.load(std::memory_order_relaxed);
}

// A handle, or the status of what went wrong with its sign turned.
template <class Call>
std::int32_t handle_of(Call call) noexcept {
    std::int32_t handle = -1;
    const vv_status status = guarded([&] { handle = call(); });
    return status == VV_OK ? handle : -static_cast<std::int32_t>(status);
}

}  // namespace

void vv_default_stage_config(vv_stage_config* config, uint32_t struct_size) {
    if (!config) return;
    vv_stage_config made = stage_defaults();
    made.struct_size = struct_size;
    std::memcpy(config, &made, std::min<std::size_t>(struct_size, sizeof made));
}

void vv_default_session_config(vv_session_config* config, uint32_t struct_size) {
    if (!config) return;
    vv_session_config made = vv_session_config_default();
    made.struct_size = struct_size;
    std::memcpy(config, &made, std::min<std::size_t>(struct_size, sizeof made));
}

uint32_t vv_struct_size(uint32_t which) {
    constexpr std::size_t kSizes[] = {sizeof(vv_stage_config), sizeof(vv_face), sizeof(vv_heard),
                                      sizeof(vv_stage_stats), sizeof(vv_session_config)};
    return which < std::size(kSizes) ? static_cast<uint32_t>(kSizes[which]) : 0;
}

int64_t vv_now(void) { return vvi_monotonic_ns(); }

const char* vv_shape_name(uint32_t shape) { return shape < VV_SHAPES ? vvi_value_name(shape) : nullptr; }

vv_status vv_stage_create(vv_engine* engine, const vv_stage_config* config, vv_stage** stage) {
    return guarded([&] {
        require(engine, "engine");
        require(stage, "stage");
        const auto checked = stage_config(visavis::merged(config, stage_defaults(), "vv_stage_config"));
        *stage = new vv_stage{{engine->engine, checked}};
    });
}

void vv_stage_destroy(vv_stage* stage) { delete stage; }

vv_status vv_stage_tick(vv_stage* stage, uint32_t budget_us) {
    if (!stage || !stage->stage.ticked())
        return fail(stage ? VV_ERROR_STATE : VV_ERROR_INVALID_ARGUMENT,
                    "vv_stage_tick: expected a stage with the flag VV_STAGE_TICKED; others work on their own thread");
    if (stage->stage.ticking.test_and_set(std::memory_order_acquire))
        return fail(VV_ERROR_BUSY, "vv_stage_tick: another thread is in it; expected one at a time");
    const vv_status status = guarded([&] { stage->stage.work(std::int64_t{budget_us} * 1000); });
    stage->stage.ticking.clear(std::memory_order_release);
    return status;
}

int32_t vv_stage_open_head(vv_stage* stage, const char* head, const vv_session_config* config) {
    return handle_of([&] {
        require(stage, "stage");
        require(head, "head");
        const auto given = visavis::merged(config, vv_session_config_default(), "vv_session_config");
        if (given.clock)
            throw Error(Status::kInvalidArgument, "vv_session_config.clock: expected NULL; a stage has its own");
        const visavis::SessionConfig checked = visavis::session_config(given);
        return stage->stage.open_head(head, checked);
    });
}

vv_status vv_stage_close_head(vv_stage* stage, const char* head) {
    return guarded([&] {
        require(stage, "stage");
        require(head, "head");
        stage->stage.close_head(head);
    });
}

int32_t vv_stage_follow(vv_stage* stage, const char* head) {
    return handle_of([&] {
        require(stage, "stage");
        require(head, "head");
        return stage->stage.follow(head);
    });
}

int32_t vv_stage_list_heads(vv_stage* stage, char* names, size_t capacity) {
    if (names && capacity > 0) names[0] = '\0';
    return stage ? stage->stage.list_heads(names, capacity) : 0;
}

vv_status vv_stage_sample(vv_stage* stage, int32_t head, int64_t t_ns, vv_face* face) {
    vvi_show* show = stage ? stage->stage.show(head) : nullptr;
    if (!show) return no_head("vv_stage_sample", head);
    if (!time_ok(t_ns, "vv_stage_sample")) return VV_ERROR_INVALID_ARGUMENT;
    if (!face || face->struct_size < sizeof face->struct_size)
        return fail(VV_ERROR_INVALID_ARGUMENT, "vv_stage_sample: expected a face with struct_size set");
    // Most games sample all heads, in the order of their handles: the memory of the next two comes meanwhile.
    if (const vvi_show* next = stage->stage.show(head + std::int64_t{1})) vvi_show_fetch_frames(next);
    if (const vvi_show* later = stage->stage.show(head + std::int64_t{2})) vvi_show_fetch(later);
    return status_of(vvi_show_sample(show, t_ns, reinterpret_cast<vvc_frame*>(face)));
}

vv_status vv_stage_sample_at(vv_stage* stage, int32_t head, int64_t session_ns, vv_face* face) {
    StageHead* found = head_of(stage, head, "vv_stage_sample_at");
    if (!found || !time_ok(session_ns, "vv_stage_sample_at")) return VV_ERROR_INVALID_ARGUMENT;
    if (!face || face->struct_size < sizeof face->struct_size)
        return fail(VV_ERROR_INVALID_ARGUMENT, "vv_stage_sample_at: expected a face with struct_size set");
    return status_of(vvi_show_sample_at(&found->show(), session_ns, reinterpret_cast<vvc_frame*>(face)));
}

vv_status vv_stage_read_audio(vv_stage* stage, int32_t head, int64_t t_ns, float* samples, uint32_t n_samples,
                              uint32_t rate, vv_heard* heard) {
    StageHead* found = head_of(stage, head, "vv_stage_read_audio");
    if (!found || !time_ok(t_ns, "vv_stage_read_audio")) return VV_ERROR_INVALID_ARGUMENT;
    if (!samples || n_samples == 0 || rate < kLowestReadRate || rate > kHighestReadRate)
        return fail(VV_ERROR_INVALID_ARGUMENT,
                    "vv_stage_read_audio: %lu samples at %lu Hz; expected at least one at "
                    "4000 to 384000 Hz",
                    static_cast<unsigned long>(n_samples), static_cast<unsigned long>(rate));
    return status_of(
        vvi_show_read(&found->show(), t_ns, samples, n_samples, rate, reinterpret_cast<vvc_audio*>(heard)));
}

vv_status vv_stage_send_user_audio(vv_stage* stage, int32_t head, const float* samples, uint32_t n_samples,
                                   uint32_t rate, int64_t session_ns) {
    return send_voice(stage, Record::Kind::kUserAudio, head, samples, n_samples, rate, session_ns,
                      "vv_stage_send_user_audio");
}

vv_status vv_stage_send_agent_audio(vv_stage* stage, int32_t head, const float* samples, uint32_t n_samples,
                                    uint32_t rate, int64_t session_ns) {
    return send_voice(stage, Record::Kind::kAgentAudio, head, samples, n_samples, rate, session_ns,
                      "vv_stage_send_agent_audio");
}

vv_status vv_stage_send_user_face(vv_stage* stage, int32_t head, const float* values, int64_t session_ns) {
    return send(stage, {session_ns, 0, head, Record::Kind::kUserFace, 0, 0, 0}, values, VVI_VALUES, visavis::kMaxMotion,
                "vv_stage_send_user_face");
}

int64_t vv_stage_session_time(vv_stage* stage, int32_t head, int64_t t_ns) {
    const StageHead* found = head_of(stage, head, "vv_stage_session_time");
    if (!found || !time_ok(t_ns, "vv_stage_session_time")) return INT64_MIN;
    const std::int64_t origin_ns = found->figures.origin_ns.load(std::memory_order_acquire);
    return origin_ns == visavis::kNever ? INT64_MIN : t_ns - origin_ns;
}

vv_status vv_stage_set_dial(vv_stage* stage, int32_t head, const char* dial, double value) {
    if (!head_of(stage, head, "vv_stage_set_dial")) return VV_ERROR_INVALID_ARGUMENT;
    const vv_status status = guarded([&] {
        require(dial, "dial");
        stage->stage.check_dial(dial, value);
    });
    if (status != VV_OK) return status;
    const Record record{VV_TIME_NEXT, value, head, Record::Kind::kDial, 0, static_cast<uint32_t>(std::strlen(dial)), 0};
    if (stage->stage.send(record, dial, record.n)) return VV_OK;
    return fail(VV_ERROR_FULL, "vv_stage_set_dial: the queue is full; try again later");
}

vv_status vv_stage_get_dial(vv_stage* stage, size_t index, vv_dial* dial) {
    return guarded([&] {
        require(stage, "stage");
        require(dial, "dial");
        const auto dials = stage->stage.dials();
        if (index >= dials.size())
            throw Error(Status::kInvalidArgument, "dial " + std::to_string(index) + " was asked for; there are " +
                                                      std::to_string(dials.size()) + ", the first is 0");
        const visavis::Dial& from = dials[index];
        visavis::give(
            dial, {0, 0, from.name.c_str(), from.meaning.c_str(), from.low, from.high, from.standard, from.standard},
            "vv_dial");
    });
}

vv_status vv_stage_cancel(vv_stage* stage, int32_t head, int64_t from_session_ns) {
    if (!head_of(stage, head, "vv_stage_cancel")) return VV_ERROR_INVALID_ARGUMENT;
    if (from_session_ns != VV_TIME_NEXT && !time_ok(from_session_ns, "vv_stage_cancel"))
        return VV_ERROR_INVALID_ARGUMENT;
    if (stage->stage.send({from_session_ns, 0, head, Record::Kind::kCancel, 0, 0, 0}, nullptr, 0)) return VV_OK;
    return fail(VV_ERROR_FULL, "vv_stage_cancel: the queue is full; try again later");
}

vv_status vv_stage_get_stats(vv_stage* stage, int32_t head, vv_stage_stats* stats) {
    return guarded([&] {
        require(stage, "stage");
        require(stats, "stats");
        const StageHead* found = stage->stage.head(head);
        if (!found && head != -1)
            throw Error(Status::kInvalidArgument,
                        "head " + std::to_string(head) + ": expected a handle of vv_stage_open_head, or -1");
        vv_stage_stats all{};
        all.n_heads = static_cast<uint32_t>(stage->stage.n_open());
        all.load = static_cast<float>(stage->stage.scheduler().load(stage->stage.n_open()));
        all.ticked = stage->stage.ticked();
        all.turn_ns = stage->stage.scheduler().turn_cost_ns(1);
        all.work_ns = stage->stage.idle_ns();
        all.unsent = static_cast<uint64_t>(stage->stage.unsent());
        all.refused = static_cast<uint64_t>(stage->stage.refused());
        all.silence_ns = -1;
        if (found) head_stats(stage->stage, *found, all);
        visavis::give(stats, all, "vv_stage_stats");
    });
}

vv_status vv_stage_status_text(vv_stage* stage, int32_t head, char* text, size_t capacity) {
    return guarded([&] {
        require(stage, "stage");
        require(capacity > 0 ? text : nullptr, "text");
        const StageHead* found = stage->stage.head(head);
        if (!found && head != -1)
            throw Error(Status::kInvalidArgument,
                        "head " + std::to_string(head) + ": expected a handle of vv_stage_open_head, or -1");
        if (found) {
            stage->stage.status_text(*found, text, capacity);
        } else {
            stage->stage.status_text(text, capacity);
        }
    });
}

int32_t vv_stage_next_log(vv_stage* stage, int32_t* level, char* text, size_t capacity) {
    return stage && stage->stage.log.next(level, text, capacity);
}
