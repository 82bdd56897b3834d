// Translates visavis::Error into the Python exceptions of visavis.errors.
#include "bindings/bindings.h"
#include "error.h"

namespace visavis::bindings {
namespace {

const char* exception_name(Status status) {
    switch (status) {
        case Status::kInvalidArgument: return "InvalidArgument";
        case Status::kFile: return "FileError";
        case Status::kModelFile: return "ModelFileError";
        case Status::kUnsupported: return "Unsupported";
        case Status::kState: return "StateError";
        case Status::kOutOfMemory:
        case Status::kFull: return "FullError";
        default: return "InternalError";
    }
}

}  // namespace

void register_errors(pybind11::module_&) {
    pybind11::register_local_exception_translator([](std::exception_ptr pending) {
        try {
            if (pending) std::rethrow_exception(pending);
        } catch (const Error& error) {
            const auto errors = pybind11::module_::import("visavis.errors");
            pybind11::set_error(errors.attr(exception_name(error.status())), error.what());
        }
    });
}

}  // namespace visavis::bindings
