// _core.SessionTap: what recordings (visavis/takes) know of a session.
#include "session/tap.h"

#include <pybind11/numpy.h>

#include "bindings/bindings.h"
#include "constants.h"
#include "session/session.h"

namespace py = pybind11;

namespace visavis::bindings {
namespace {

template <class T>
py::object array_or_none(const std::vector<T>& values) {
    if (values.empty()) return py::none();
    return py::array_t<T>(static_cast<py::ssize_t>(values.size()), values.data());
}

py::dict turn_dict(const TappedTurn& turn) {
    const TurnReport& report = turn.report;
    py::dict dict;
    dict["turn"] = report.turn;
    dict["user_frame"] = turn.user_frame;
    dict["steps"] = report.steps;
    dict["temperature"] = turn.temperature;
    dict["guidance"] = turn.guidance;
    dict["style"] = array_or_none(turn.style);
    dict["stage_ns"] = py::make_tuple(report.speech_ns, report.backbone_ns, report.denoise_ns);
    dict["clock_ns"] = py::make_tuple(report.due_ns, report.begin_ns, report.end_ns);
    dict["action"] = static_cast<int>(report.action);
    dict["dropped_frames"] = report.dropped_frames;
    dict["agent_audio"] = array_or_none(turn.agent_audio);
    dict["user_audio"] = array_or_none(turn.user_audio);
    dict["user_motion"] = array_or_none(turn.user_motion);
    dict["user_motion_there"] = array_or_none(turn.user_motion_there);
    dict["motion"] = array_or_none(turn.motion);
    py::list skipped;
    for (const TappedVoice& voice : turn.skipped)
        if (!voice.samples.empty())
            skipped.append(py::make_tuple(voice.agent, voice.first, array_or_none(voice.samples)));
    dict["skipped"] = skipped;
    return dict;
}

py::list take_turns(SessionTap& tap) {
    py::list list;
    for (const TappedTurn& turn : tap.take_turns()) list.append(turn_dict(turn));
    return list;
}

// index (n,), and flags (n, 3): speaking, idle, eased
py::tuple take_frames(SessionTap& tap) {
    const std::vector<TappedFrame> frames = tap.take_frames();
    const auto n = static_cast<py::ssize_t>(frames.size());
    py::array_t<std::int64_t> index(n);
    py::array_t<bool> flags({n, py::ssize_t{3}});
    for (py::ssize_t i = 0; i < n; ++i) {
        const TappedFrame& frame = frames[static_cast<std::size_t>(i)];
        index.mutable_at(i) = frame.index;
        flags.mutable_at(i, 0) = frame.speaking;
        flags.mutable_at(i, 1) = frame.idle;
        flags.mutable_at(i, 2) = frame.eased;
    }
    return py::make_tuple(index, flags);
}

// The voice that is queued between two samples of the session clock (16 kHz), silence in its gaps.
py::array_t<float> queued_voice(const Session& session, bool agent, std::int64_t from, std::int64_t until) {
    const std::vector<float> samples = session.queued_voice(agent, from, until);
    return py::array_t<float>(static_cast<py::ssize_t>(samples.size()), samples.data());
}

}  // namespace

void register_tap(py::module_& module) {
    py::class_<SessionTap, std::shared_ptr<SessionTap>>(module, "SessionTap", "What recordings know of a session.")
        .def("take_turns", &take_turns, "The turns since the last call, as the engine saw and made them.")
        .def("take_frames", &take_frames, "The frames that went through the rig since then: index (n,), flags (n, 3).");
    module.def(
        "start_tap", [](Session& session) { return session.start_tap(); }, py::arg("session"),
        "From now on the session fills this tap; drain it between its calls.");
    module.def("queued_voice", &queued_voice, py::arg("session"), py::arg("agent"), py::arg("from_sample"),
               py::arg("until_sample"));
}

}  // namespace visavis::bindings
