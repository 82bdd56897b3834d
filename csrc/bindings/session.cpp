// _core.Session and _core.Resampler.  visavis/session.py is the public face of the former.
#include "session/session.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "bindings/python_engine.h"
#include "error.h"
#include "text.h"

namespace py = pybind11;

namespace visavis::bindings {
namespace {

using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;
using Unlocked = py::call_guard<py::gil_scoped_release>;

std::span<const float> values_of(const FloatArray& array) {
    return {array.data(), static_cast<std::size_t>(array.size())};
}

template <class T>
T choice(const char* what, const std::string& name, std::initializer_list<const char*> names) {
    std::string known;
    for (std::size_t i = 0; i < names.size(); ++i) {
        const char* candidate = names.begin()[i];
        if (name == candidate) return static_cast<T>(i);
        known.append(i ? ", " : "").append(candidate);
    }
    throw Error(Status::kInvalidArgument, std::string(what) + " is " + quote(name) + "; expected one of " + known);
}

class PythonClock {
  public:
    explicit PythonClock(py::object clock) : clock_(std::make_shared<Held>(std::move(clock))) {}
    std::int64_t operator()() const {
        const py::gil_scoped_acquire gil;
        try {
            clock_->last_ns = clock_->function().cast<std::int64_t>();
        } catch (py::error_already_set& error) {
            error.discard_as_unraisable("the clock of a session");
        } catch (const py::cast_error&) {
            PyErr_SetString(PyExc_TypeError, "the clock of a session gave no whole number of nanoseconds");
            PyErr_WriteUnraisable(clock_->function.ptr());
        }
        return clock_->last_ns;
    }

  private:
    struct Held {
        explicit Held(py::object object) : function(std::move(object)) {}
        ~Held() {
            const py::gil_scoped_acquire gil;
            function = py::object();
        }
        Held(const Held&) = delete;
        Held& operator=(const Held&) = delete;
        py::object function;
        std::int64_t last_ns = 0;
    };
    std::shared_ptr<Held> clock_;  // copied without the interpreter's lock
};

std::unique_ptr<Session> open_session(const py::object& engine, std::uint64_t seed, float temperature, float guidance,
                                      int steps, const std::string& agent_audio, const std::string& voices,
                                      std::int64_t lead_ns, const std::string& late, const py::object& clock) {
    SessionConfig config;
    config.seed = seed;
    config.temperature = temperature;
    config.guidance = guidance;
    config.steps = steps;
    config.agent_audio = choice<AgentAudio>("agent_audio", agent_audio, {"ahead", "live"});
    config.voices = choice<Voices>("voices", voices, {"both", "agent", "user"});
    config.lead_ns = lead_ns;
    config.late = choice<LatePolicy>("late", late, {"hold", "fewer_steps", "idle"});
    config.clock = clock_of(clock);
    return std::make_unique<Session>(engine_of(engine), config);
}

using Push = std::int64_t (Session::*)(std::span<const float>, int, Session::Time);

template <Push push>
std::int64_t push_audio(Session& session, const FloatArray& samples, int rate, Session::Time time_ns) {
    const auto values = values_of(samples);
    const py::gil_scoped_release release;
    return (session.*push)(values, rate, time_ns);
}

std::int64_t push_motion(Session& session, const FloatArray& values, Session::Time time_ns) {
    const auto span = values_of(values);
    const py::gil_scoped_release release;
    return session.push_user_motion(span, time_ns);
}

template <class T>
py::array_t<T> copy_array(const std::vector<T>& values) {
    return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

// At most max_frames frames: index (n,), time_ns (n,), state (n,), values (n, C).
py::tuple poll(Session& session, std::int64_t max_frames) {
    constexpr std::size_t kBlock = 256;
    const auto n_channels = static_cast<std::size_t>(session.info().n_channels());
    std::vector<Frame> frames;
    std::vector<float> values;
    {
        const py::gil_scoped_release release;
        for (bool more = true; more && static_cast<std::int64_t>(frames.size()) < max_frames;) {
            const std::size_t n_old = frames.size();
            const std::size_t n_ask = std::min(kBlock, static_cast<std::size_t>(max_frames) - n_old);
            frames.resize(n_old + n_ask);
            values.resize(frames.size() * n_channels);
            const std::size_t n_new =
                session.poll(std::span(frames).subspan(n_old), std::span(values).subspan(n_old * n_channels));
            more = n_new == n_ask;
            frames.resize(n_old + n_new);
        }
    }
    std::vector<std::int64_t> index, time_ns;
    std::vector<std::uint16_t> state;
    for (const Frame& frame : frames) {
        index.push_back(frame.index);
        time_ns.push_back(frame.time_ns);
        state.push_back(frame.state);
    }
    const py::array_t<float> motion({static_cast<py::ssize_t>(frames.size()), static_cast<py::ssize_t>(n_channels)},
                                    values.data());
    return py::make_tuple(copy_array(index), copy_array(time_ns), copy_array(state), motion);
}

py::dict voice_dict(const VoiceStats& voice) {
    py::dict dict;
    dict["pushed"] = voice.pushed;
    dict["missing"] = voice.missing;
    dict["late"] = voice.late;
    dict["gap"] = voice.gap;
    dict["replaced"] = voice.replaced;
    dict["inserted"] = voice.inserted;
    dict["dropped"] = voice.dropped;
    dict["cancelled"] = voice.cancelled;
    return dict;
}

py::dict stats_dict(const Session& session) {
    const SessionStats stats = session.stats();
    py::dict dict, motion;
    dict["turns"] = stats.turns;
    dict["frames"] = stats.frames;
    dict["late_frames"] = stats.late_frames;
    dict["withdrawn_frames"] = stats.withdrawn_frames;
    dict["replaced_frames"] = stats.replaced_frames;
    dict["dropped_frames"] = stats.dropped_frames;
    dict["idle_frames"] = stats.idle_frames;
    dict["skipped_turns"] = stats.skipped_turns;
    dict["late_turns"] = stats.late_turns;
    dict["fewer_steps_turns"] = stats.fewer_steps_turns;
    dict["idle_turns"] = stats.idle_turns;
    dict["nonfinite_values"] = stats.nonfinite_values;
    dict["speech_ns"] = stats.speech_ns;
    dict["backbone_ns"] = stats.backbone_ns;
    dict["denoise_ns"] = stats.denoise_ns;
    dict["user"] = voice_dict(stats.user);
    dict["agent"] = voice_dict(stats.agent);
    motion["pushed"] = stats.user_motion.pushed;
    motion["late"] = stats.user_motion.late;
    motion["replaced"] = stats.user_motion.replaced;
    dict["user_motion"] = motion;
    return dict;
}

py::list poll_turns(Session& session) {
    py::list turns;
    for (TurnReport turn; session.poll_turns({&turn, 1}) == 1;) {
        py::dict dict;
        dict["turn"] = turn.turn;
        dict["skipped_turns"] = turn.skipped_turns;
        dict["due_ns"] = turn.due_ns;
        dict["begin_ns"] = turn.begin_ns;
        dict["end_ns"] = turn.end_ns;
        dict["speech_ns"] = turn.speech_ns;
        dict["backbone_ns"] = turn.backbone_ns;
        dict["denoise_ns"] = turn.denoise_ns;
        dict["steps"] = turn.steps;
        dict["action"] = static_cast<int>(turn.action);
        dict["dropped_frames"] = turn.dropped_frames;
        turns.append(dict);
    }
    return turns;
}

void append(std::vector<float>& all, std::span<const float> some) { all.insert(all.end(), some.begin(), some.end()); }

py::array_t<float> resampler_push(Resampler& resampler, const FloatArray& samples) {
    std::vector<float> out;
    for (auto rest = values_of(samples); !rest.empty();) {
        const std::size_t n = std::min<std::size_t>(rest.size(), Resampler::kBlock);
        append(out, resampler.push(rest.first(n)));
        rest = rest.subspan(n);
    }
    return copy_array(out);
}

py::array_t<float> resampler_finish(Resampler& resampler) {
    std::vector<float> out;
    append(out, resampler.settle(resampler.length()));
    resampler.reset();
    return copy_array(out);
}

}  // namespace

std::function<std::int64_t()> clock_of(const py::object& clock) {
    if (clock.is_none()) return {};
    return PythonClock(clock);
}

void register_session(py::module_& module) {
    py::class_<Resampler>(module, "Resampler", "Band-limited streaming resampler to 16 kHz.")
        .def(py::init<int>(), py::arg("rate"))
        .def("push", &resampler_push, py::arg("samples"), "The outputs that no later input can change.")
        .def("finish", &resampler_finish, "The last outputs; the next push begins anew.");
    py::class_<Session, std::shared_ptr<Session>>(module, "Session",
                                                  "One character's conversation; see visavis.session.Session.")
        .def(py::init(&open_session), py::arg("engine"), py::kw_only(), py::arg("seed") = 0,
             py::arg("temperature") = 1.0F, py::arg("guidance") = 1.0F, py::arg("steps") = 0,
             py::arg("agent_audio") = "ahead", py::arg("voices") = "both", py::arg("lead_ns") = kFrameNs,
             py::arg("late") = "hold", py::arg("clock") = py::none())
        .def("push_user_audio", &push_audio<&Session::push_user_audio>, py::arg("samples"), py::arg("rate"),
             py::arg("time_ns") = py::none())
        .def("push_agent_audio", &push_audio<&Session::push_agent_audio>, py::arg("samples"), py::arg("rate"),
             py::arg("time_ns") = py::none())
        .def("push_user_motion", &push_motion, py::arg("values"), py::arg("time_ns") = py::none())
        .def("advance", &Session::advance, py::arg("now_ns"), Unlocked())
        .def("cancel", &Session::cancel, py::arg("from_ns"), Unlocked())
        .def("cancel_user", &Session::cancel_user, py::arg("from_ns"), Unlocked())
        .def("set_temperature", &Session::set_temperature, py::arg("temperature"))
        .def("set_dial", &Session::set_dial, py::arg("name"), py::arg("value"))
        .def("dial", &Session::dial, py::arg("name"))
        .def(
            "dials", [](const Session& session) { return dial_list(session.dials()); },
            "(name, low, high, standard, meaning) of each dial.")
        .def("end", &Session::end, Unlocked())
        .def("poll", &poll, py::arg("max_frames"))
        .def("poll_turns", &poll_turns)
        .def_property_readonly("delay_ns", &Session::delay_ns)
        .def_property_readonly("user_lag_frames", &Session::user_lag_frames)
        .def("stats", &stats_dict);
}

}  // namespace visavis::bindings
