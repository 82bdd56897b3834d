// An engine written in Python, as the C++ sessions see it: any object with the methods of visavis.engine.Engine.
#pragma once
#include <pybind11/pybind11.h>

#include <memory>

#include "engines/engine.h"

namespace visavis::bindings {

// The native engine behind `object`, or an adapter that calls its Python methods (and takes the GIL to do so).
std::shared_ptr<Engine> engine_of(const pybind11::object& object);

}  // namespace visavis::bindings
