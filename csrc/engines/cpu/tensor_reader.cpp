#include "engines/cpu/tensor_reader.h"

#include <algorithm>

#include "error.h"

namespace visavis::cpu {
namespace {

// A valid convolution over frames-by-channels rows is a matrix product whose input rows overlap: the weight becomes
// (n_out, taps * n_in), the taps outermost.
std::vector<float> taps_first(std::span<const float> taps_last, int n_out, int n_in, const TensorReader::Taps& taps) {
    std::vector<float> weight(elements(n_out, taps.n, n_in));
    float* to = weight.data();
    for (int out = 0; out < n_out; ++out) {
        for (int tap = taps.first; tap < taps.first + taps.n; ++tap) {
            const float* value = taps_last.data() + elements(out, n_in, taps.kernel) + elements(tap);
            for (int in = 0; in < n_in; ++in, value += taps.kernel) *to++ = *value;
        }
    }
    return weight;
}

}  // namespace

std::vector<float> TensorReader::values(const std::string& name, std::initializer_list<std::int64_t> shape) const {
    return file_->floats(name, shape);
}

Buffer TensorReader::buffer(const std::string& name, std::initializer_list<std::int64_t> shape) const {
    const std::vector<float> read = values(name, shape);
    Buffer buffer(read.size());
    std::copy(read.begin(), read.end(), buffer.data());
    return buffer;
}

Linear TensorReader::pack(Format format, std::span<const float> weight, std::span<const float> bias, int n_out,
                          int n_in) const {
    return {*kernels_, format, weight, bias, n_out, n_in};
}

Linear TensorReader::read_linear(Format format, const std::string& name, int n_out, int n_in) const {
    return pack(format, values(name + ".weight", {n_out, n_in}), values(name + ".bias", {n_out}), n_out, n_in);
}

Linear TensorReader::linear(const std::string& name, int n_out, int n_in) const {
    return read_linear(format_, name, n_out, n_in);
}

Linear TensorReader::fine_linear(const std::string& name, int n_out, int n_in) const {
    return read_linear(fine_format(), name, n_out, n_in);
}

Linear TensorReader::exact_linear(const std::string& name, int n_out, int n_in) const {
    return read_linear(Format::kF32, name, n_out, n_in);
}

Linear TensorReader::exact_matrix(const std::string& name, int n_out, int n_in) const {
    return pack(Format::kF32, values(name, {n_out, n_in}), {}, n_out, n_in);
}

Linear TensorReader::read_convolution(Format format, const std::string& name, int n_out, int n_in, int kernel,
                                      bool bias) const {
    const std::vector<float> taps_last = values(name + ".weight", {n_out, n_in, kernel});
    const std::vector<float> biases = bias ? values(name + ".bias", {n_out}) : std::vector<float>();
    return pack(format, taps_first(taps_last, n_out, n_in, {kernel, 0, kernel}), biases, n_out, kernel * n_in);
}

Linear TensorReader::convolution(const std::string& name, int n_out, int n_in, int kernel, bool bias) const {
    return read_convolution(format_, name, n_out, n_in, kernel, bias);
}

Linear TensorReader::exact_convolution(const std::string& name, int n_out, int n_in, int kernel, bool bias) const {
    return read_convolution(Format::kF32, name, n_out, n_in, kernel, bias);
}

std::vector<Linear> TensorReader::grouped_convolution(const std::string& weight, int n_out, int n_in,
                                                      const Taps& taps) const {
    const std::vector<float> taps_last = values(weight, {n_out, n_in, taps.kernel});
    const std::size_t size = elements(n_in, n_in, taps.kernel);
    std::vector<Linear> groups;
    for (std::size_t at = 0; at < taps_last.size(); at += size) {
        const std::vector<float> group = taps_first(std::span(taps_last).subspan(at, size), n_in, n_in, taps);
        groups.push_back(pack(format_, group, {}, n_in, taps.n * n_in));
    }
    return groups;
}

Norm TensorReader::norm(const std::string& name, int width) const {
    return {buffer(name + ".weight", {width}), buffer(name + ".bias", {width})};
}

const Wav2Vec2Config& TensorReader::wav2vec2() const {
    if (!file_->wav2vec2()) {
        throw Error(Status::kUnsupported,
                    "engine cpu: this model hears through wav2vec2, which its file does not carry; import it with its "
                    "speech encoder (visavis import-timar) or use engine torch with the folder");
    }
    return *file_->wav2vec2();
}

}  // namespace visavis::cpu
