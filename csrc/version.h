// The version of the runtime.
#pragma once

namespace visavis {

const char* version() noexcept;

}  // namespace visavis
