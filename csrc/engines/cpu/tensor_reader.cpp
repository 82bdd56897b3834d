#include "engines/cpu/tensor_reader.h"

#include <algorithm>

namespace visavis::cpu {

std::vector<float> TensorReader::values(const std::string& name, std::initializer_list<std::int64_t> shape) const {
    return file_->floats(name, shape);
}

Buffer TensorReader::buffer(const std::string& name, std::initializer_list<std::int64_t> shape) const {
    const std::vector<float> read = values(name, shape);
    Buffer buffer(read.size());
    std::copy(read.begin(), read.end(), buffer.data());
    return buffer;
}

Linear TensorReader::linear(const std::string& name, int n_out, int n_in) const {
    return {*kernels_, values(name + ".weight", {n_out, n_in}), values(name + ".bias", {n_out}), n_out, n_in};
}

Linear TensorReader::matrix(const std::string& name, int n_out, int n_in) const {
    return {*kernels_, values(name, {n_out, n_in}), {}, n_out, n_in};
}

// A valid convolution over frames-by-channels rows is a matrix product whose input rows overlap: the weight becomes
// (n_out, kernel * n_in), the kernel's taps outermost.
Linear TensorReader::convolution(const std::string& name, int n_out, int n_in, int kernel) const {
    const std::vector<float> taps_last = values(name + ".weight", {n_out, n_in, kernel});
    std::vector<float> weight(taps_last.size());
    const float* value = taps_last.data();
    for (int out = 0; out < n_out; ++out) {
        for (int in = 0; in < n_in; ++in) {
            for (int tap = 0; tap < kernel; ++tap) {
                weight[elements(out, kernel, n_in) + elements(tap, n_in) + elements(in)] = *value++;
            }
        }
    }
    return {*kernels_, weight, values(name + ".bias", {n_out}), n_out, kernel * n_in};
}

Norm TensorReader::norm(const std::string& name, int width) const {
    return {buffer(name + ".weight", {width}), buffer(name + ".bias", {width})};
}

}  // namespace visavis::cpu
