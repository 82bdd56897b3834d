// The Python module visavis._core: one register call per file of this folder.
#include "bindings/bindings.h"
#include "version.h"

PYBIND11_MODULE(_core, module) {
    module.doc() = "Native core of Visavis: engines, sessions, model files, noise, wire codec.";
    module.attr("__version__") = visavis::version();
    visavis::bindings::register_errors(module);
    visavis::bindings::register_noise(module);
    visavis::bindings::register_engine(module);
    visavis::bindings::register_model_file(module);
    visavis::bindings::register_wire(module);
    visavis::bindings::register_session(module);
    visavis::bindings::register_rig(module);
    visavis::bindings::register_picture(module);
    visavis::bindings::register_tap(module);
    visavis::bindings::register_runtime(module);
}
