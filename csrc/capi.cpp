// The C ABI of visavis.h.  Every exception of the library ends in this file: `guarded` turns it into a status and a
// text.
#include <algorithm>
#include <atomic>
#include <cstdarg>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <string>

#include "boundary.h"
#include "engines/cpu/cpu_engine.h"
#include "engines/cuda_engine.h"
#include "memory.h"
#include "model_file/model_file.h"
#include "session/session.h"
#include "version.h"
#include "visavis/visavis.h"

namespace {

using visavis::Error;
using visavis::Status;

static_assert(static_cast<int>(Status::kInternal) == VV_ERROR_INTERNAL);
static_assert(static_cast<int>(Status::kState) == VV_ERROR_STATE && static_cast<int>(Status::kFull) == VV_ERROR_FULL);
static_assert(visavis::kSpeaking == int{VV_FRAME_SPEAKING} && visavis::kListening == int{VV_FRAME_LISTENING});
static_assert(visavis::kLate == int{VV_FRAME_LATE} && visavis::kWithdrawn == int{VV_FRAME_WITHDRAWN});
static_assert(static_cast<int>(visavis::Window::kRing) + 1 == VV_WINDOW_RING);
static_assert(static_cast<int>(visavis::OwnPast::kLagged) + 1 == VV_HISTORY_LAGGED);
static_assert(static_cast<int>(visavis::Sampler::kDpm2m) + 1 == VV_SAMPLER_DPM2M);
static_assert(static_cast<int>(visavis::Voices::kUser) == VV_VOICES_USER);
static_assert(static_cast<int>(visavis::AgentAudio::kLive) == VV_AGENT_AUDIO_LIVE);
static_assert(static_cast<int>(visavis::LatePolicy::kIdle) == VV_LATE_IDLE);
static_assert(static_cast<int>(visavis::LateAction::kIdle) == VV_TURN_IDLE);

}  // namespace

struct vv_model {
    visavis::ModelFile file;
    std::vector<const char*> channels, units;
};

struct vv_session {
    visavis::Session session;
    mutable std::atomic_flag busy{};
};

namespace visavis {
namespace {

// Fixed memory: an error of memory must still be told.
thread_local char last_error[1024] = "";

struct Log {
    std::atomic<vv_log_fn> function{nullptr};
    std::atomic<void*> user{nullptr};
};
Log log_hook;

}  // namespace

void log_message(int level, const char* message) noexcept {
    if (const vv_log_fn f = log_hook.function) f(log_hook.user, static_cast<vv_log_level>(level), message);
}

vv_status fail(vv_status status, const char* format, ...) noexcept {
    va_list arguments;
    va_start(arguments, format);
    std::vsnprintf(last_error, sizeof last_error, format, arguments);
    va_end(arguments);
    log_message(VV_LOG_ERROR, last_error);
    return status;
}

}  // namespace visavis

namespace {

using visavis::check_choice;
using visavis::give;
using visavis::guarded;
using visavis::log_message;
using visavis::merged;
using visavis::require;

// One caller at a time per session: a second one is refused, not raced.
class Caller {
  public:
    explicit Caller(const vv_session* session) : session_(session) {
        require(session, "session");
        if (session->busy.test_and_set(std::memory_order_acquire))
            throw Error(Status::kState, "session: in use by another thread; expected one caller at a time");
    }
    ~Caller() { session_->busy.clear(std::memory_order_release); }
    Caller(const Caller&) = delete;
    Caller& operator=(const Caller&) = delete;

  private:
    const vv_session* session_;
};

void add_model(visavis::ModelFile file, vv_model** model) {
    auto made = std::make_unique<vv_model>(vv_model{std::move(file), {}, {}});
    for (const std::string& channel : made->file.info().channels) made->channels.push_back(channel.c_str());
    for (const std::string& unit : made->file.info().units) made->units.push_back(unit.c_str());
    log_message(VV_LOG_INFO, ("model loaded: " + made->file.info().name).c_str());
    *model = made.release();
}

template <class T>
std::optional<T> chosen(std::uint32_t value) {
    if (value == 0) return std::nullopt;
    return static_cast<T>(value - 1);
}

// What all engines take.
visavis::EngineOptions engine_options(const vv_engine_config& config) {
    check_choice("engine config: kind", config.kind, VV_ENGINE_CUDA);
    check_choice("engine config: window", config.window, VV_WINDOW_RING);
    check_choice("engine config: history", config.history, VV_HISTORY_LAGGED);
    check_choice("engine config: sampler", config.sampler, VV_SAMPLER_DPM2M);
    check_choice("engine config: precision", config.precision, VV_PRECISION_F16);
    visavis::EngineOptions options;
    options.window = chosen<visavis::Window>(config.window);
    options.history = chosen<visavis::OwnPast>(config.history);
    options.sampler = chosen<visavis::Sampler>(config.sampler);
    if (config.steps != 0) options.steps = config.steps;
    if (config.passes != 0) options.passes = config.passes;
    return options;
}

[[noreturn]] void refuse_precision(const char* engine, const char* expected) {
    throw Error(Status::kUnsupported,
                std::string("engine config: precision of engine ") + engine + "; expected " + expected);
}

visavis::CpuEngineOptions cpu_options(const vv_engine_config& config) {
    visavis::CpuEngineOptions options;
    static_cast<visavis::EngineOptions&>(options) = engine_options(config);
    if (config.precision == VV_PRECISION_F16) refuse_precision("cpu", "AUTO, F32, BF16 or INT8");
    options.precision = chosen<visavis::cpu::Precision>(config.precision).value_or(visavis::cpu::Precision::kF32);
    if (config.threads != 0) options.threads = config.threads;
    return options;
}

visavis::CudaEngineOptions cuda_options(const vv_engine_config& config) {
    visavis::CudaEngineOptions options;
    static_cast<visavis::EngineOptions&>(options) = engine_options(config);
    switch (config.precision) {
        case VV_PRECISION_F32:
        case VV_PRECISION_INT8: refuse_precision("cuda", "AUTO, BF16 or F16");
        case VV_PRECISION_BF16: options.precision = visavis::CudaPrecision::kBf16; break;
        case VV_PRECISION_F16: options.precision = visavis::CudaPrecision::kF16; break;
        default: options.precision = visavis::CudaPrecision::kAuto;
    }
    options.device = config.device;
    options.multiprocessors = config.multiprocessors;
    return options;
}

std::shared_ptr<visavis::Engine> make_engine(const visavis::ModelFile& file, const vv_engine_config& config) {
    if (config.kind == VV_ENGINE_CUDA) return std::make_shared<visavis::CudaEngine>(file, cuda_options(config));
    return std::make_shared<visavis::CpuEngine>(file, cpu_options(config));
}

visavis::Session::Time time_of(std::int64_t time_ns) {
    if (time_ns == VV_TIME_NEXT) return std::nullopt;
    return time_ns;
}

using PushAudio = std::int64_t (visavis::Session::*)(std::span<const float>, int, visavis::Session::Time);

vv_status push_audio(PushAudio push, vv_session* session, const float* samples, size_t n_samples, uint32_t sample_rate,
                     int64_t time_ns, int64_t* start_ns) noexcept {
    return guarded([&] {
        const Caller caller(session);
        if (n_samples > 0) require(samples, "samples");
        const int rate = static_cast<int>(std::min<uint32_t>(sample_rate, 1'000'000));
        const std::int64_t start = (session->session.*push)({samples, n_samples}, rate, time_of(time_ns));
        if (start_ns) *start_ns = start;
    });
}

vv_voice_stats voice_stats(const visavis::VoiceStats& from) {
    return {from.pushed, from.missing, from.late, from.gap, from.replaced, from.inserted, from.dropped, from.cancelled};
}

vv_turn turn_of(const visavis::TurnReport& from) {
    vv_turn turn{};
    turn.turn = from.turn;
    turn.skipped_turns = from.skipped_turns;
    turn.due_ns = from.due_ns;
    turn.begin_ns = from.begin_ns;
    turn.end_ns = from.end_ns;
    turn.speech_ns = from.speech_ns;
    turn.backbone_ns = from.backbone_ns;
    turn.denoise_ns = from.denoise_ns;
    turn.steps = from.steps;
    turn.action = static_cast<std::uint32_t>(from.action);
    turn.dropped_frames = static_cast<std::uint32_t>(from.dropped_frames);
    return turn;
}

}  // namespace

visavis::SessionConfig visavis::session_config(const vv_session_config& given) {
    check_choice("session config: agent_audio", given.agent_audio, VV_AGENT_AUDIO_LIVE);
    check_choice("session config: voices", given.voices, VV_VOICES_USER);
    check_choice("session config: late", given.late, VV_LATE_IDLE);
    visavis::SessionConfig config;
    config.seed = given.seed;
    config.temperature = given.temperature;
    config.guidance = given.guidance;
    config.steps = given.steps;
    config.agent_audio = static_cast<visavis::AgentAudio>(given.agent_audio);
    config.voices = static_cast<visavis::Voices>(given.voices);
    config.lead_ns = given.lead_ns;
    config.late = static_cast<visavis::LatePolicy>(given.late);
    if (given.clock) config.clock = [clock = given.clock, user = given.clock_user] { return clock(user); };
    return config;
}

int vv_abi_matches(uint32_t header_version) {
    return header_version >> 16 == VV_ABI_VERSION >> 16 && (header_version & 0xFFFF) <= (VV_ABI_VERSION & 0xFFFF);
}

const char* vv_version(void) { return visavis::version(); }

const char* vv_status_text(vv_status status) {
    switch (status) {
        case VV_OK: return "ok";
        case VV_ERROR_INVALID_ARGUMENT: return "invalid argument";
        case VV_ERROR_FILE: return "file missing or unreadable";
        case VV_ERROR_MODEL_FILE: return "not a valid model file";
        case VV_ERROR_UNSUPPORTED: return "not supported in this build or combination";
        case VV_ERROR_STATE: return "not possible at this time";
        case VV_ERROR_OUT_OF_MEMORY: return "out of memory";
        case VV_ERROR_INTERNAL: return "internal error";
        case VV_ERROR_BUSY: return "another thread is at it";
        case VV_ERROR_FULL: return "full";
    }
    return "unknown status";
}

const char* vv_last_error(void) { return visavis::last_error; }

void vv_set_log(vv_log_fn log, void* user) {
    visavis::log_hook.function = nullptr;  // never the old function with the new user
    visavis::log_hook.user = user;
    visavis::log_hook.function = log;
}

vv_status vv_set_allocator(const vv_allocator* allocator) {
    return guarded([&] {
        visavis::MemoryHooks hooks;
        if (allocator) hooks = {allocator->allocate, allocator->release, allocator->user};
        if (allocator && (!hooks.allocate || !hooks.release))
            throw Error(Status::kInvalidArgument, "allocator: allocate or release is NULL; expected both functions");
        if (!visavis::set_memory_hooks(hooks))
            throw Error(Status::kState, "allocator: blocks are in use; set it before the first model is loaded");
    });
}

vv_status vv_model_load(const char* path, vv_model** model) {
    return guarded([&] {
        require(path, "path");
        require(model, "model");
        const std::filesystem::path utf8(reinterpret_cast<const char8_t*>(path));
        add_model(visavis::ModelFile::open(utf8), model);
    });
}

vv_status vv_model_load_memory(const void* bytes, size_t n_bytes, vv_model** model) {
    return guarded([&] {
        require(bytes, "bytes");
        require(model, "model");
        add_model(visavis::ModelFile::parse({static_cast<const std::byte*>(bytes), n_bytes}, "memory"), model);
    });
}

vv_status vv_model_describe(const vv_model* model, vv_model_info* info) {
    return guarded([&] {
        require(model, "model");
        require(info, "info");
        const visavis::ModelInfo& from = model->file.info();
        vv_model_info all{};
        all.n_channels = from.n_channels();
        all.turn_frames = from.turn_frames;
        all.user_lag_frames = from.user_lag_frames;
        all.agent_lookahead_frames = from.agent_lookahead_frames;
        all.context_turns = from.context_turns;
        all.steps = from.steps;
        all.name = from.name.c_str();
        all.license = model->file.license().c_str();
        all.data_note = model->file.data_note().c_str();
        all.channels = model->channels.data();
        all.units = model->units.data();
        give(info, all, "vv_model_info");
    });
}

void vv_model_destroy(vv_model* model) { delete model; }

vv_status vv_engine_create(const vv_model* model, const vv_engine_config* config, vv_engine** engine) {
    return guarded([&] {
        require(model, "model");
        require(engine, "engine");
        *engine =
            new vv_engine{make_engine(model->file, merged(config, vv_engine_config_default(), "vv_engine_config"))};
    });
}

void vv_engine_destroy(vv_engine* engine) { delete engine; }

vv_status vv_session_create(vv_engine* engine, const vv_session_config* config, vv_session** session) {
    return guarded([&] {
        require(engine, "engine");
        require(session, "session");
        const auto checked = visavis::session_config(merged(config, vv_session_config_default(), "vv_session_config"));
        *session = new vv_session{{engine->engine, checked}};
    });
}

void vv_session_destroy(vv_session* session) { delete session; }

vv_status vv_session_push_user_audio(vv_session* session, const float* samples, size_t n_samples, uint32_t sample_rate,
                                     int64_t time_ns, int64_t* start_ns) {
    return push_audio(&visavis::Session::push_user_audio, session, samples, n_samples, sample_rate, time_ns, start_ns);
}

vv_status vv_session_push_agent_audio(vv_session* session, const float* samples, size_t n_samples, uint32_t sample_rate,
                                      int64_t time_ns, int64_t* start_ns) {
    return push_audio(&visavis::Session::push_agent_audio, session, samples, n_samples, sample_rate, time_ns, start_ns);
}

vv_status vv_session_push_user_motion(vv_session* session, const float* values, size_t n_frames, int64_t time_ns,
                                      int64_t* start_ns) {
    return guarded([&] {
        const Caller caller(session);
        if (n_frames > 0) require(values, "values");
        if (n_frames > static_cast<std::size_t>(visavis::kMaxAheadFrames))
            throw Error(Status::kInvalidArgument, "user motion: " + std::to_string(n_frames) +
                                                      " frames at once; expected at most " +
                                                      std::to_string(visavis::kMaxAheadFrames));
        const auto n_channels = static_cast<std::size_t>(session->session.info().n_channels());
        const std::int64_t start = session->session.push_user_motion({values, n_frames * n_channels}, time_of(time_ns));
        if (start_ns) *start_ns = start;
    });
}

vv_status vv_session_advance(vv_session* session, int64_t now_ns) {
    return guarded([&] {
        const Caller caller(session);
        session->session.advance(now_ns);
    });
}

vv_status vv_session_cancel(vv_session* session, int64_t from_ns, size_t* n_withdrawn) {
    return guarded([&] {
        const Caller caller(session);
        const std::int64_t n = session->session.cancel(from_ns);
        if (n_withdrawn) *n_withdrawn = static_cast<size_t>(n);
    });
}

vv_status vv_session_cancel_user(vv_session* session, int64_t from_ns) {
    return guarded([&] {
        const Caller caller(session);
        session->session.cancel_user(from_ns);
    });
}

vv_status vv_session_set_temperature(vv_session* session, float temperature) {
    return guarded([&] {
        const Caller caller(session);
        session->session.set_temperature(temperature);
    });
}

size_t vv_session_n_dials(const vv_session* session) { return session ? session->session.dials().size() : 0; }

vv_status vv_session_get_dial(const vv_session* session, size_t index, vv_dial* dial) {
    return guarded([&] {
        const Caller caller(session);
        require(dial, "dial");
        const auto dials = session->session.dials();
        if (index >= dials.size())
            throw Error(Status::kInvalidArgument, "dial " + std::to_string(index) + " was asked for; there are " +
                                                      std::to_string(dials.size()) + ", the first is 0");
        const visavis::Dial& from = dials[index];
        give(dial,
             {0, 0, from.name.c_str(), from.meaning.c_str(), from.low, from.high, from.standard,
              session->session.dial(from.name)},
             "vv_dial");
    });
}

vv_status vv_session_set_dial(vv_session* session, const char* name, double value) {
    return guarded([&] {
        const Caller caller(session);
        require(name, "name");
        session->session.set_dial(name, value);
    });
}

vv_status vv_session_end(vv_session* session) {
    return guarded([&] {
        const Caller caller(session);
        session->session.end();
    });
}

vv_status vv_session_poll(vv_session* session, vv_frame* frames, float* values, size_t max_frames, size_t* n_frames) {
    return guarded([&] {
        const Caller caller(session);
        require(n_frames, "n_frames");
        if (max_frames > 0) {
            require(frames, "frames");
            require(values, "values");
        }
        const auto n_channels = static_cast<std::size_t>(session->session.info().n_channels());
        std::size_t n = 0;
        try {
            for (visavis::Frame frame; n < max_frames; ++n) {
                if (session->session.poll({&frame, 1}, {values + n * n_channels, n_channels}) == 0) break;
                frames[n] = {frame.index, frame.time_ns, frame.state, 0};
            }
        } catch (...) {
            if (n == 0) throw;  // else: the frames that are out come first, the error with the next call
        }
        *n_frames = n;
    });
}

vv_status vv_session_poll_turns(vv_session* session, vv_turn* turns, size_t max_turns, size_t* n_turns) {
    return guarded([&] {
        const Caller caller(session);
        require(n_turns, "n_turns");
        if (max_turns > 0) require(turns, "turns");
        size_t n = 0;
        for (visavis::TurnReport from; n < max_turns && session->session.poll_turns({&from, 1}) == 1; ++n)
            turns[n] = turn_of(from);
        *n_turns = n;
    });
}

int64_t vv_session_delay_ns(const vv_session* session) { return session ? session->session.delay_ns() : 0; }

vv_status vv_session_get_stats(const vv_session* session, vv_session_stats* stats) {
    return guarded([&] {
        const Caller caller(session);
        require(stats, "stats");
        const visavis::SessionStats from = session->session.stats();
        vv_session_stats all{};
        all.turns = from.turns;
        all.frames = from.frames;
        all.late_frames = from.late_frames;
        all.withdrawn_frames = from.withdrawn_frames;
        all.nonfinite_values = from.nonfinite_values;
        all.speech_ns = from.speech_ns;
        all.backbone_ns = from.backbone_ns;
        all.denoise_ns = from.denoise_ns;
        all.user = voice_stats(from.user);
        all.agent = voice_stats(from.agent);
        all.user_motion_pushed = from.user_motion.pushed;
        all.user_motion_late = from.user_motion.late;
        all.user_motion_replaced = from.user_motion.replaced;
        all.replaced_frames = from.replaced_frames;
        all.dropped_frames = from.dropped_frames;
        all.idle_frames = from.idle_frames;
        all.skipped_turns = from.skipped_turns;
        all.late_turns = from.late_turns;
        all.fewer_steps_turns = from.fewer_steps_turns;
        all.idle_turns = from.idle_turns;
        give(stats, all, "vv_session_stats");
    });
}
