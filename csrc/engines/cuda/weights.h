// Takes tensors out of a model file and puts them into the GPU's memory as the kernels take them.
#pragma once
#include <initializer_list>
#include <span>
#include <string>
#include <vector>

#include "engines/cuda/halves.h"
#include "engines/cuda/memory.h"
#include "model_file/model_file.h"
#include "model_file/wav2vec2_config.h"

namespace visavis::cuda {

inline std::int64_t padded(std::int64_t n, std::int64_t to) { return (n + to - 1) / to * to; }
// Rows of halves begin at multiples of 8 values, so that they are copied 16 bytes at a time.
inline std::int64_t pitch_of(std::int64_t width) { return padded(width, 8); }

struct Linear {
    Packed weight;
    const float* bias = nullptr;
};
struct ExactLinear {
    const float* weight = nullptr;
    const float* bias = nullptr;
    int n = 0, k = 0;
};
struct Norm {
    const float *gain = nullptr, *bias = nullptr;
};

class WeightReader {
  public:
    using Shape = std::initializer_list<std::int64_t>;

    WeightReader(const ModelFile& file, Half half, Arena& arena) : file_(&file), half_(half), arena_(&arena) {}

    const ModelConfig& config() const { return file_->config(); }
    Half half() const { return half_; }

    std::vector<float> values(const std::string& name, Shape shape) const { return file_->floats(name, shape); }
    const float* floats(const std::string& name, Shape shape) const { return arena_->upload(values(name, shape)); }
    template <class T>
    const T* upload(const std::vector<T>& values) const {
        return arena_->upload(values);
    }
    Linear pack(std::span<const float> weight, std::span<const float> bias, int n, int k) const;
    Linear linear(const std::string& name, int n, int k) const;             // name.weight, name.bias
    ExactLinear exact_linear(const std::string& name, int n, int k) const;  // the same in float32
    ExactLinear exact_matrix(const std::string& name, int n, int k) const;  // a tensor alone
    // Over rows of (time, n_in) that lie `pitch_of(n_in)` apart: the taps are outermost, k = kernel * pitch.
    Linear convolution(const std::string& name, int n, int n_in, int kernel, bool bias) const;
    Norm norm(const std::string& name, int width) const;
    // Attention's two layers with every head filled up to `stored` values.
    Linear queries_keys_values(const std::string& name, int width, int heads, int stored) const;
    Linear projection(const std::string& name, int width, int heads, int stored) const;
    // The speech encoder that the file carries; throws Error where it does not fit the model or is not there.
    Wav2Vec2Config wav2vec2() const;

  private:
    const ModelFile* file_;
    Half half_;
    Arena* arena_;
};

// What a head is filled up to; throws Error for one that is too wide.
int stored_head_width(int width, int heads);

}  // namespace visavis::cuda
