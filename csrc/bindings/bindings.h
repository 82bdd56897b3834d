// The register functions of the Python module: one per file of this folder.  Bindings translate and never compute.
#pragma once
#include <pybind11/pybind11.h>

#include <cstdint>
#include <functional>
#include <span>

namespace visavis {
struct Dial;
}

namespace visavis::bindings {

void register_errors(pybind11::module_& module);
void register_noise(pybind11::module_& module);
void register_engine(pybind11::module_& module);
void register_model_file(pybind11::module_& module);
void register_wire(pybind11::module_& module);
void register_session(pybind11::module_& module);
void register_rig(pybind11::module_& module);
void register_picture(pybind11::module_& module);
void register_tap(pybind11::module_& module);
void register_runtime(pybind11::module_& module);

// A caller's clock; none: an empty function, the system's.  What it raises is told as Python's unraisable exceptions
// are, and its last time stands in.
std::function<std::int64_t()> clock_of(const pybind11::object& clock);

// (name, low, high, standard, meaning) of each dial.
pybind11::list dial_list(std::span<const Dial> dials);

}  // namespace visavis::bindings
