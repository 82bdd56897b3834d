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

std::unique_ptr<Session> open_session(const py::object& engine, std::uint64_t seed, float temperature, float guidance,
                                      int steps, const std::string& agent_audio, const std::string& voices,
                                      std::int64_t lead_ns) {
    SessionConfig config;
    config.seed = seed;
    config.temperature = temperature;
    config.guidance = guidance;
    config.steps = steps;
    config.agent_audio = choice<AgentAudio>("agent_audio", agent_audio, {"ahead", "live"});
    config.voices = choice<Voices>("voices", voices, {"both", "agent", "user"});
    config.lead_ns = lead_ns;
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

void register_session(py::module_& module) {
    py::class_<Resampler>(module, "Resampler", "Band-limited streaming resampler to 16 kHz.")
        .def(py::init<int>(), py::arg("rate"))
        .def("push", &resampler_push, py::arg("samples"), "The outputs that no later input can change.")
        .def("finish", &resampler_finish, "The last outputs; the next push begins anew.");
    py::class_<Session>(module, "Session", "One character's conversation; see visavis.session.Session.")
        .def(py::init(&open_session), py::arg("engine"), py::kw_only(), py::arg("seed") = 0,
             py::arg("temperature") = 1.0F, py::arg("guidance") = 1.0F, py::arg("steps") = 0,
             py::arg("agent_audio") = "ahead", py::arg("voices") = "both", py::arg("lead_ns") = kFrameNs)
        .def("push_user_audio", &push_audio<&Session::push_user_audio>, py::arg("samples"), py::arg("rate"),
             py::arg("time_ns") = py::none())
        .def("push_agent_audio", &push_audio<&Session::push_agent_audio>, py::arg("samples"), py::arg("rate"),
             py::arg("time_ns") = py::none())
        .def("push_user_motion", &push_motion, py::arg("values"), py::arg("time_ns") = py::none())
        .def("advance", &Session::advance, py::arg("now_ns"), Unlocked())
        .def("cancel", &Session::cancel, py::arg("from_ns"), Unlocked())
        .def("set_temperature", &Session::set_temperature, py::arg("temperature"))
        .def("set_dial", &Session::set_dial, py::arg("name"), py::arg("value"))
        .def("dial", &Session::dial, py::arg("name"))
        .def(
            "dials", [](const Session& session) { return dial_list(session.dials()); },
            "(name, low, high, standard, meaning) of each dial.")
        .def("end", &Session::end, Unlocked())
        .def("poll", &poll, py::arg("max_frames"))
        .def_property_readonly("delay_ns", &Session::delay_ns)
        .def("stats", &stats_dict);
}

}  // namespace visavis::bindings
