#pragma once
#include "engines/cpu/kernels.h"

namespace visavis::cpu {
extern const Kernels kPlainKernels;
}
