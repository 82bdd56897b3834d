// The one exception of the core: a status for the C ABI and a text (thing, value found, value expected, remedy).
#pragma once
#include <stdexcept>
#include <string>

namespace visavis {

// The values are those of vv_status in visavis.h.
enum class Status {
    kOk = 0,
    kInvalidArgument = 1,
    kFile = 2,
    kModelFile = 3,
    kUnsupported = 4,
    kState = 5,
    kOutOfMemory = 6,
    kInternal = 7,
    kBusy = 8,
    kFull = 9,
};

class Error : public std::runtime_error {
  public:
    Error(Status status, const std::string& message) : std::runtime_error(message), status_(status) {}
    Status status() const noexcept { return status_; }

  private:
    Status status_;
};

}  // namespace visavis
