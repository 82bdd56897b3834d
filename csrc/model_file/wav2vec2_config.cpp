#include "model_file/wav2vec2_config.h"

#include <string>

#include "text.h"

namespace visavis {
namespace {

std::string key(const char* field) { return std::string("visavis.wav2vec2.") + field; }

int size(const gguf::File& file, const char* field, int most) {
    const std::uint32_t value = file.u32(key(field));
    if (value < 1 || value > static_cast<std::uint32_t>(most)) {
        file.fail("metadata " + quote(key(field)) + " is " + std::to_string(value) + "; expected 1 to " +
                  std::to_string(most));
    }
    return static_cast<int>(value);
}

std::vector<int> sizes(const gguf::File& file, const char* field, int most) {
    const std::vector<std::int32_t> values = file.i32_array(key(field));
    if (values.empty() || values.size() > 16) {
        file.fail("metadata " + quote(key(field)) + " has " + std::to_string(values.size()) +
                  " items; expected 1 to 16");
    }
    for (const std::int32_t value : values) {
        if (value < 1 || value > most) {
            file.fail("metadata " + quote(key(field)) + " holds " + std::to_string(value) + "; expected 1 to " +
                      std::to_string(most));
        }
    }
    return {values.begin(), values.end()};
}

void check(const gguf::File& file, const Wav2Vec2Config& c) {
    if (c.conv_kernels.size() != c.conv_widths.size() || c.conv_strides.size() != c.conv_widths.size()) {
        file.fail("wav2vec2: conv_widths, conv_kernels and conv_strides differ in length");
    }
    if (c.width % c.heads != 0 || c.width % c.position_groups != 0) {
        file.fail("wav2vec2: width " + std::to_string(c.width) + " does not divide by " + std::to_string(c.heads) +
                  " heads or " + std::to_string(c.position_groups) + " groups");
    }
    if (!(c.eps > 0 && c.eps < 1)) file.fail("wav2vec2: eps is " + std::to_string(c.eps) + "; expected 0 < eps < 1");
}

}  // namespace

int Wav2Vec2Config::n_features(int n_samples) const {
    int n = n_samples;
    for (std::size_t i = 0; i < conv_kernels.size(); ++i) {
        if (n < conv_kernels[i]) return 0;
        n = (n - conv_kernels[i]) / conv_strides[i] + 1;
    }
    return n;
}

bool carries_wav2vec2(const gguf::File& file) { return file.has(key("width")); }

Wav2Vec2Config read_wav2vec2(const gguf::File& file) {
    Wav2Vec2Config c;
    c.width = size(file, "width", 16384);
    c.depth = size(file, "depth", 256);
    c.heads = size(file, "heads", 256);
    c.mlp_width = size(file, "mlp_width", 65536);
    c.conv_widths = sizes(file, "conv_widths", 16384);
    c.conv_kernels = sizes(file, "conv_kernels", 1024);
    c.conv_strides = sizes(file, "conv_strides", 1024);
    c.conv_bias = file.boolean(key("conv_bias"));
    const std::string norm = file.text(key("conv_norm"));
    if (norm != "layer" && norm != "group") {
        file.fail("metadata " + quote(key("conv_norm")) + " is " + quote(norm) + "; expected layer or group");
    }
    c.group_norm = norm == "group";
    c.position_kernel = size(file, "position_kernel", 4096);
    c.position_groups = size(file, "position_groups", 16384);
    c.pre_norm = file.boolean(key("pre_norm"));
    c.eps = file.f64(key("eps"));
    check(file, c);
    return c;
}

}  // namespace visavis
