// Takes tensors out of a model file and packs them for the kernels.
#pragma once
#include <initializer_list>
#include <string>
#include <vector>

#include "engines/cpu/norm.h"
#include "model_file/model_file.h"
#include "model_file/wav2vec2_config.h"

namespace visavis::cpu {

class TensorReader {
  public:
    TensorReader(const ModelFile& file, const Kernels& kernels, Format format)
        : file_(&file), kernels_(&kernels), format_(format) {}

    const ModelConfig& config() const { return file_->config(); }
    const Kernels& kernels() const { return *kernels_; }
    Format format() const { return format_; }                         // of linear layers and convolutions
    Format fine_format() const { return finer(*kernels_, format_); }  // of what bytes would spoil

    std::vector<float> values(const std::string& name, std::initializer_list<std::int64_t> shape) const;
    Buffer buffer(const std::string& name, std::initializer_list<std::int64_t> shape) const;
    Linear pack(Format format, std::span<const float> weight, std::span<const float> bias, int n_out, int n_in) const;
    Linear linear(const std::string& name, int n_out, int n_in) const;       // name.weight, name.bias
    Linear fine_linear(const std::string& name, int n_out, int n_in) const;  // in the fine format
    // Always as float32, whatever the format: a linear layer, a tensor alone.
    Linear exact_linear(const std::string& name, int n_out, int n_in) const;
    Linear exact_matrix(const std::string& name, int n_out, int n_in) const;
    Linear convolution(const std::string& name, int n_out, int n_in, int kernel, bool bias = true) const;
    Linear exact_convolution(const std::string& name, int n_out, int n_in, int kernel, bool bias) const;
    // Some of a kernel's taps, its groups one after the other, each with n_in channels of its own; without the bias.
    struct Taps {
        int kernel, first, n;
    };
    std::vector<Linear> grouped_convolution(const std::string& weight, int n_out, int n_in, const Taps& taps) const;
    Norm norm(const std::string& name, int width) const;
    // The speech encoder that the file carries; throws Error where it does not fit the model or is not there.
    const Wav2Vec2Config& wav2vec2() const;

  private:
    Linear read_linear(Format format, const std::string& name, int n_out, int n_in) const;
    Linear read_convolution(Format format, const std::string& name, int n_out, int n_in, int kernel, bool bias) const;

    const ModelFile* file_;
    const Kernels* kernels_;
    Format format_;
};

}  // namespace visavis::cpu
