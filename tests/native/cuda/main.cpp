// Kernels of the CUDA engine against their twins: `cuda_test kernels`.  Compiled by nvcc it runs on the GPU, compiled
// with tests/native/cuda_emulator on the processor.
#include <algorithm>
#include <cmath>
#include <cstring>

#include "checks.h"

namespace visavis::cuda::test {

Errors& errors() {
    static Errors all;
    return all;
}

void Errors::add(const std::string& name, double error) {
    const auto found = std::find_if(worst.begin(), worst.end(), [&](const auto& entry) { return entry.first == name; });
    if (found == worst.end()) {
        worst.emplace_back(name, error);
    } else {
        found->second = std::max(found->second, error);
    }
}

void Errors::print() const {
    for (const auto& [name, error] : worst) std::printf("%s %.3g\n", name.c_str(), error);
}

void compare(const std::string& name, const std::vector<float>& kernel, const std::vector<float>& twin,
             double tolerance) {
    double difference = 0, length = 0;
    for (std::size_t i = 0; i < twin.size(); ++i) {
        if (std::isnan(kernel[i]) != std::isnan(twin[i])) {
            throw std::runtime_error(name + ": value " + std::to_string(i) + " of " + std::to_string(twin.size()) +
                                     " is " + std::to_string(kernel[i]) + "; its twin's is " + std::to_string(twin[i]));
        }
        if (std::isnan(twin[i])) continue;
        difference += std::pow(static_cast<double>(kernel[i]) - static_cast<double>(twin[i]), 2);
        length += std::pow(static_cast<double>(twin[i]), 2);
    }
    const double error = std::sqrt(difference / std::max(length, 1e-30));
    errors().add(name, error);
    if (!(error <= tolerance)) {
        throw std::runtime_error(name + ": relative error " + std::to_string(error) + "; at most " +
                                 std::to_string(tolerance) + " was expected");
    }
}

void compare(const std::string& name, Half half, Halves& values, double tolerance) {
    const auto floats = [half](const std::vector<std::uint16_t>& bits) {
        std::vector<float> out;
        for (const std::uint16_t x : bits) out.push_back(half_value(half, x));
        return out;
    };
    compare(name, floats(values.of_device()), floats(values.host), tolerance);
}

}  // namespace visavis::cuda::test

int main(int argc, char** argv) {
    using namespace visavis::cuda;
    const std::string what = argc == 2 ? argv[1] : "";
    try {
        if (what == "kernels") {
            int capability = 0;
            check(cudaDeviceGetAttribute(&capability, cudaDevAttrComputeCapabilityMajor, 0), "device");
            for (const Half half : {Half::kF16, Half::kBf16}) {
                if (half == Half::kBf16 && capability < 8) continue;
                test::check_products(half);
                test::check_attention(half);
                test::check_rows(half);
                test::check_tokens(half);
                test::check_speech(half);
                test::check_head(half);
            }
            test::errors().print();
            return 0;
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    std::fprintf(stderr, "usage: cuda_test kernels\n");
    return 2;
}
