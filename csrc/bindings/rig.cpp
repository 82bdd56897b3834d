// _core.Rig and _core.Retarget.  visavis/rig.py and visavis/retarget.py are their public faces.
#include "rig/rig.h"

#include <pybind11/numpy.h>
#include <pybind11/stl.h>

#include "bindings/bindings.h"
#include "error.h"
#include "rig/retarget.h"

namespace py = pybind11;

namespace visavis::bindings {
namespace {

using FloatArray = py::array_t<float, py::array::c_style | py::array::forcecast>;
using BoolArray = py::array_t<bool, py::array::c_style | py::array::forcecast>;

std::string shape_text(const py::array& array) { return py::str(array.attr("shape")).cast<std::string>(); }

std::size_t size(py::ssize_t n) { return static_cast<std::size_t>(n); }

std::unique_ptr<Rig> make_rig(const std::vector<std::string>& channels, const std::vector<std::string>& units,
                              std::uint64_t seed, bool eye_layer, const std::vector<std::string>& styles) {
    if (channels.size() != units.size())
        throw Error(Status::kInvalidArgument, "rig: " + std::to_string(channels.size()) + " channels and " +
                                                  std::to_string(units.size()) + " units; expected one unit a channel");
    return std::make_unique<Rig>(channels, units, RigConfig{seed, eye_layer, styles});
}

// (n, C) and speaking (n) to (n, C).
py::array_t<float> process(Rig& rig, const FloatArray& motion, const BoolArray& speaking, std::int64_t first_frame) {
    const auto n_channels = static_cast<py::ssize_t>(rig.n_channels());
    if (motion.ndim() != 2 || motion.shape(1) != n_channels || speaking.ndim() != 1 ||
        speaking.shape(0) != motion.shape(0))
        throw Error(Status::kInvalidArgument, "rig: motion of shape " + shape_text(motion) + " and speaking of shape " +
                                                  shape_text(speaking) + "; expected (n, " +
                                                  std::to_string(n_channels) + ") and (n,)");
    const py::ssize_t n_frames = motion.shape(0);
    py::array_t<float> out({n_frames, n_channels});
    const float* from = motion.data();
    float* to = out.mutable_data();
    const bool* talks = speaking.data();
    const py::gil_scoped_release release;
    for (py::ssize_t k = 0; k < n_frames; ++k)
        rig.process({from + k * n_channels, size(n_channels)}, talks[k], first_frame + k,
                    {to + k * n_channels, size(n_channels)});
    return out;
}

std::unique_ptr<Retarget> make_retarget(const FloatArray& matrix, double jaw_weight, double symmetry, double l2) {
    if (matrix.ndim() != 2 || matrix.shape(0) != static_cast<py::ssize_t>(kRetargetShapes) ||
        matrix.shape(1) != static_cast<py::ssize_t>(kRetargetColumns))
        throw Error(Status::kInvalidArgument, "retarget matrix: shape " + shape_text(matrix) +
                                                  "; expected (51, 103), ARKit shapes by FLAME coefficients");
    return std::make_unique<Retarget>(std::span(matrix.data(), size(matrix.size())),
                                      RetargetOptions{jaw_weight, symmetry, l2});
}

// (n, 56) to (n, 55).
py::array_t<float> apply(Retarget& retarget, const FloatArray& flame) {
    constexpr auto kIn = static_cast<py::ssize_t>(kFlameWidth), kOut = static_cast<py::ssize_t>(kArkitWidth);
    if (flame.ndim() != 2 || flame.shape(1) != kIn)
        throw Error(Status::kInvalidArgument,
                    "retarget: motion of shape " + shape_text(flame) + "; expected (n, 56), the channels of flame56");
    const py::ssize_t n_frames = flame.shape(0);
    py::array_t<float> out({n_frames, kOut});
    const float* from = flame.data();
    float* to = out.mutable_data();
    const py::gil_scoped_release release;
    for (py::ssize_t k = 0; k < n_frames; ++k)
        retarget.process({from + k * kIn, kFlameWidth}, {to + k * kOut, kArkitWidth});
    return out;
}

py::array_t<double> rows(const Retarget& retarget) {
    const auto n_columns = static_cast<py::ssize_t>(kRetargetShapes);
    return py::array_t<double>({static_cast<py::ssize_t>(retarget.rows().size()) / n_columns, n_columns},
                               retarget.rows().data());
}

}  // namespace

py::list dial_list(std::span<const Dial> dials) {
    py::list list;
    for (const Dial& dial : dials)
        list.append(py::make_tuple(dial.name, dial.low, dial.high, dial.standard, dial.meaning));
    return list;
}

void register_rig(py::module_& module) {
    py::class_<Rig>(module, "Rig", "What turns motion into what a mesh gets; see visavis.rig.Rig.")
        .def(py::init(&make_rig), py::arg("channels"), py::arg("units"), py::kw_only(), py::arg("seed") = 0,
             py::arg("eye_layer") = false, py::arg("styles") = std::vector<std::string>())
        .def("process", &process, py::arg("motion"), py::arg("speaking"), py::arg("first_frame"))
        .def("set_dial", &Rig::set_dial, py::arg("name"), py::arg("value"))
        .def("dial", &Rig::dial, py::arg("name"))
        .def(
            "dials", [](const Rig& rig) { return dial_list(rig.dials()); },
            "(name, low, high, standard, meaning) of each dial.");
    py::class_<Retarget>(module, "Retarget", "flame56 to arkit55; see visavis.retarget.Retarget.")
        .def(py::init(&make_retarget), py::arg("matrix"), py::kw_only(), py::arg("jaw_weight"), py::arg("symmetry"),
             py::arg("l2"))
        .def("apply", &apply, py::arg("motion"))
        .def("reset", &Retarget::reset)
        .def("rows", &rows, "The rows of the least-squares problem: observations, symmetry, size (n, 51).")
        .def_property_readonly("n_factorisations", &Retarget::n_factorisations);
}

}  // namespace visavis::bindings
