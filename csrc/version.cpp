// The version of the runtime, from CMake's project version.
#include "version.h"

namespace visavis {

const char* version() noexcept { return VISAVIS_VERSION; }

}  // namespace visavis
