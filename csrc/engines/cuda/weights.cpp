#include "engines/cuda/weights.h"

#include <algorithm>

#include "error.h"

namespace visavis::cuda {
namespace {

std::size_t at(std::int64_t row, std::int64_t column, std::int64_t columns) {
    return static_cast<std::size_t>(row * columns + column);
}

}  // namespace

int stored_head_width(int width, int heads) {
    const int found = width / heads;
    if (found > 64) {
        throw Error(Status::kUnsupported,
                    "engine cuda: heads are " + std::to_string(found) + " wide; expected at most 64: use engine cpu");
    }
    return found > 32 ? 64 : 32;
}

Linear WeightReader::pack(std::span<const float> weight, std::span<const float> bias, int n, int k) const {
    Linear linear;
    linear.weight = {upload(cuda::pack(half_, weight, n, k)), n, k};
    if (!bias.empty()) linear.bias = upload(std::vector<float>(bias.begin(), bias.end()));
    return linear;
}

Linear WeightReader::linear(const std::string& name, int n, int k) const {
    return pack(values(name + ".weight", {n, k}), values(name + ".bias", {n}), n, k);
}

ExactLinear WeightReader::exact_matrix(const std::string& name, int n, int k) const {
    return {upload(pack_exact(values(name, {n, k}), n, k)), nullptr, n, k};
}

ExactLinear WeightReader::exact_linear(const std::string& name, int n, int k) const {
    ExactLinear linear = exact_matrix(name + ".weight", n, k);
    linear.bias = floats(name + ".bias", {n});
    return linear;
}

Linear WeightReader::convolution(const std::string& name, int n, int n_in, int kernel, bool bias) const {
    const std::vector<float> taps_last = values(name + ".weight", {n, n_in, kernel});
    const std::int64_t pitch = pitch_of(n_in), k = kernel * pitch;
    std::vector<float> weight(static_cast<std::size_t>(n * k));
    const float* value = taps_last.data();
    for (int out = 0; out < n; ++out) {
        for (int in = 0; in < n_in; ++in) {
            for (int tap = 0; tap < kernel; ++tap) weight[at(out, tap * pitch + in, k)] = *value++;
        }
    }
    return pack(weight, bias ? values(name + ".bias", {n}) : std::vector<float>(), n, static_cast<int>(k));
}

Norm WeightReader::norm(const std::string& name, int width) const {
    return {floats(name + ".weight", {width}), floats(name + ".bias", {width})};
}

Linear WeightReader::queries_keys_values(const std::string& name, int width, int heads, int stored) const {
    const std::vector<float> weight = values(name + ".weight", {3 * width, width});
    const std::vector<float> bias = values(name + ".bias", {3 * width});
    const int size = width / heads, rows = 3 * heads * stored;
    std::vector<float> wide(static_cast<std::size_t>(rows) * static_cast<std::size_t>(width));
    std::vector<float> wide_bias(static_cast<std::size_t>(rows));
    for (int row = 0; row < 3 * width; ++row) {
        const int to = row / size * stored + row % size;
        std::copy_n(weight.data() + at(row, 0, width), width, wide.data() + at(to, 0, width));
        wide_bias[static_cast<std::size_t>(to)] = bias[static_cast<std::size_t>(row)];
    }
    return pack(wide, wide_bias, rows, width);
}

Linear WeightReader::projection(const std::string& name, int width, int heads, int stored) const {
    const std::vector<float> weight = values(name + ".weight", {width, width});
    const int size = width / heads, columns = heads * stored;
    std::vector<float> wide(static_cast<std::size_t>(width) * static_cast<std::size_t>(columns));
    for (int row = 0; row < width; ++row) {
        for (int column = 0; column < width; ++column) {
            wide[at(row, column / size * stored + column % size, columns)] = weight[at(row, column, width)];
        }
    }
    return pack(wide, values(name + ".bias", {width}), width, columns);
}

Wav2Vec2Config WeightReader::wav2vec2() const {
    if (!carries_wav2vec2(file_->gguf())) {
        throw Error(Status::kUnsupported,
                    "engine cuda: this model hears through wav2vec2, which its file does not carry; import it with its "
                    "speech encoder (visavis import-timar) or use engine torch with the folder");
    }
    Wav2Vec2Config found = read_wav2vec2(file_->gguf());
    const int samples = config().turn_samples(), width = config().speech_width;
    if (found.width != width) {
        file_->gguf().fail("wav2vec2 is " + std::to_string(found.width) + " wide; speech_width is " +
                           std::to_string(width));
    }
    if (found.n_features(samples) < 1) {
        file_->gguf().fail("wav2vec2 sees nothing in the " + std::to_string(samples) + " samples of a turn");
    }
    return found;
}

}  // namespace visavis::cuda
