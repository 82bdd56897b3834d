// A `visavis` model file: configuration, names and tensors of a GGUF file, checked.
#pragma once
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "engines/engine.h"
#include "model_file/gguf.h"
#include "model_file/model_config.h"
#include "model_file/wav2vec2_config.h"
#include "platform/mapped_file.h"

namespace visavis {

inline constexpr std::uint32_t kModelFormatVersion = 1;

// Immutable after construction: any number of threads may read it at once.
class ModelFile {
  public:
    static ModelFile open(const std::filesystem::path& path);  // throws Error(kFile), Error(kModelFile)
    // The same for bytes in memory, which must outlive the ModelFile; `source` names them in errors.
    static ModelFile parse(std::span<const std::byte> bytes, std::string source);

    const ModelInfo& info() const { return info_; }
    const ModelConfig& config() const { return config_; }
    // The speech encoder that the file carries; none: the log-mel encoder, or a wav2vec2 that lies elsewhere.
    const std::optional<Wav2Vec2Config>& wav2vec2() const { return wav2vec2_; }
    const std::string& license() const { return license_; }
    const std::string& data_note() const { return data_note_; }
    const gguf::File& gguf() const { return gguf_; }
    std::span<const std::byte> bytes() const { return bytes_; }  // of the whole file

    bool has_tensor(std::string_view name) const { return gguf_.find_tensor(name) != nullptr; }
    // The tensor of that name and torch shape; an error names the tensor, the shape found and the shape expected.
    const gguf::Tensor& tensor(std::string_view name, std::span<const std::int64_t> shape) const;
    const gguf::Tensor& tensor(std::string_view name, std::initializer_list<std::int64_t> shape) const;
    // Its values as float32; an error names the tensor if it holds integers, NaN or infinity.
    std::vector<float> floats(std::string_view name, std::span<const std::int64_t> shape) const;
    std::vector<float> floats(std::string_view name, std::initializer_list<std::int64_t> shape) const;

  private:
    ModelFile(gguf::File gguf, std::span<const std::byte> bytes, std::shared_ptr<const MappedFile> mapping);

    std::shared_ptr<const MappedFile> mapping_;
    std::span<const std::byte> bytes_;
    gguf::File gguf_;
    ModelConfig config_;
    std::optional<Wav2Vec2Config> wav2vec2_;
    ModelInfo info_;
    std::string license_;
    std::string data_note_;
};

}  // namespace visavis
