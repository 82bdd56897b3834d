// Takes tensors out of a model file and packs them for the kernels.
#pragma once
#include <initializer_list>
#include <string>
#include <vector>

#include "engines/cpu/kernels.h"
#include "engines/cpu/matrix.h"
#include "model_file/model_file.h"

namespace visavis::cpu {

struct Norm {
    Buffer gain, bias;
};

class TensorReader {
  public:
    TensorReader(const ModelFile& file, const Kernels& kernels) : file_(&file), kernels_(&kernels) {}

    const ModelConfig& config() const { return file_->config(); }
    const Kernels& kernels() const { return *kernels_; }

    std::vector<float> values(const std::string& name, std::initializer_list<std::int64_t> shape) const;
    Buffer buffer(const std::string& name, std::initializer_list<std::int64_t> shape) const;
    Linear linear(const std::string& name, int n_out, int n_in) const;  // name.weight, name.bias
    Linear matrix(const std::string& name, int n_out, int n_in) const;  // the tensor alone, bias zero
    Linear convolution(const std::string& name, int n_out, int n_in, int kernel) const;
    Norm norm(const std::string& name, int width) const;

  private:
    const ModelFile* file_;
    const Kernels* kernels_;
};

}  // namespace visavis::cpu
