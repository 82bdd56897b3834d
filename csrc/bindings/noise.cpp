// _core.noise, _core.philox4x32, _core.VoiceLevel and _core.TurnJoin.
#include "session/noise.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "error.h"
#include "session/turn_join.h"
#include "session/voice_level.h"

namespace py = pybind11;

namespace visavis::bindings {
namespace {

py::array_t<float> noise_array(std::uint64_t seed, std::int64_t first_frame, int n_frames, int n_channels, int n_steps,
                               float coherence) {
    const NoiseRequest request{seed, first_frame, n_frames, n_channels, n_steps, coherence};
    noise_size(request);  // refuses bad counts before numpy sees them
    py::array_t<float> out({1 + n_steps, n_frames, n_channels});
    const std::span<float> values(out.mutable_data(), static_cast<std::size_t>(out.size()));
    const py::gil_scoped_release release;
    noise(request, values);
    return out;
}

py::array_t<float> normalise(VoiceLevel& level,
                             const py::array_t<float, py::array::c_style | py::array::forcecast>& in) {
    py::array_t<float> out(in.size());
    level.normalise({in.data(), static_cast<std::size_t>(in.size())},
                    {out.mutable_data(), static_cast<std::size_t>(out.size())});
    return out;
}

TurnJoin make_join(const std::vector<std::string>& channels, int turn_frames, float share) {
    if (turn_frames < 1 || !(share >= 0 && share <= 1))
        throw Error(Status::kInvalidArgument, "turn join: turns of " + std::to_string(turn_frames) + " frames, share " +
                                                  std::to_string(share) + "; expected at least 1 frame and 0 to 1");
    return {channels, turn_frames, share};
}

py::array_t<float> join_turn(TurnJoin& join, std::int64_t turn,
                             const py::array_t<float, py::array::c_style | py::array::forcecast>& motion, bool shown) {
    if (motion.ndim() != 2 || static_cast<std::size_t>(motion.size()) != join.size())
        throw Error(Status::kInvalidArgument, "turn join: motion of " + std::to_string(motion.size()) +
                                                  " values; expected (F, C), " + std::to_string(join.size()) +
                                                  " in all");
    py::array_t<float> out({motion.shape(0), motion.shape(1)});
    std::copy_n(motion.data(), motion.size(), out.mutable_data());
    join.apply(turn, {out.mutable_data(), static_cast<std::size_t>(out.size())}, shown);
    return out;
}

}  // namespace

void register_noise(py::module_& module) {
    module.def("noise", &noise_array, py::arg("seed"), py::arg("first_frame"), py::arg("n_frames"),
               py::arg("n_channels"), py::arg("n_steps"), py::arg("coherence") = 0.0F,
               "Philox noise (1 + n_steps, n_frames, n_channels), x_T first; frame indices may be negative.");
    module.def("philox4x32", &philox4x32, py::arg("counter"), py::arg("key"),
               "One block of Philox 4x32-10: four 32-bit words from a counter of four and a key of two.");
    py::class_<VoiceLevel>(module, "VoiceLevel", "A live voice's running mean and variance.")
        .def(py::init<>())
        .def("normalise", &normalise, py::arg("samples"), "Counts a turn's samples in and returns them normalised.");
    py::class_<TurnJoin>(module, "TurnJoin", "What a session does where one turn meets the next.")
        .def(py::init(&make_join), py::arg("channels"), py::arg("turn_frames"), py::arg("share"))
        .def("apply", &join_turn, py::arg("turn"), py::arg("motion"), py::arg("shown") = true,
             "The turn's motion (F, C) with its first frame joined to the turn before; turns in rising order.");
}

}  // namespace visavis::bindings
