// Reading the `visavis` architecture out of a GGUF file.
#include "model_file/model_file.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <set>
#include <utility>

#include "error.h"
#include "model_file/tensor_values.h"
#include "text.h"

namespace visavis {
namespace {

// Reads `visavis.<field>` keys.
class Fields {
  public:
    explicit Fields(const gguf::File& file) : file_(file) {}

    int integer(const char* field) const {
        const std::uint32_t value = file_.u32(key(field));
        if (value > static_cast<std::uint32_t>(std::numeric_limits<int>::max())) {
            file_.fail("metadata " + quote(key(field)) + " is " + std::to_string(value) + "; expected less than 2^31");
        }
        return static_cast<int>(value);
    }
    double number(const char* field) const { return file_.f64(key(field)); }
    std::string text(const char* field) const { return file_.text(key(field)); }
    std::vector<std::string> texts(const char* field) const { return file_.text_array(key(field)); }
    std::vector<int> integers(const char* field) const {
        const std::vector<std::int32_t> values = file_.i32_array(key(field));
        return {values.begin(), values.end()};
    }
    bool has(const char* field) const { return file_.has(key(field)); }

  private:
    static std::string key(const char* field) { return std::string("visavis.") + field; }
    const gguf::File& file_;
};

void check_architecture(const gguf::File& file) {
    const std::string architecture = file.text("general.architecture");
    if (architecture != "visavis") {
        file.fail("holds a model of architecture " + quote(architecture) + "; expected \"visavis\"");
    }
    const std::uint32_t version = file.u32("visavis.format_version");
    if (version != kModelFormatVersion) {
        file.fail("metadata \"visavis.format_version\" is " + std::to_string(version) + "; this build reads " +
                  std::to_string(kModelFormatVersion));
    }
}

ModelConfig read_config(const Fields& fields) {
    ModelConfig c;
    c.motion_space = fields.text("motion_space");
    c.turn_frames = fields.integer("turn_frames");
    c.context_turns = fields.integer("context_turns");
    c.user_lag_frames = fields.integer("user_lag_frames");
    c.agent_lookahead_frames = fields.integer("agent_lookahead_frames");
    c.speech_encoder = speech_encoder_from_name(fields.text("speech_encoder"));
    c.speech_width = fields.integer("speech_width");
    c.mel_bands = fields.integer("mel_bands");
    // GGUF writers leave empty arrays out, and only the log-mel encoder has convolutions.
    if (c.speech_encoder == SpeechEncoder::kLogmel || fields.has("conv_widths")) {
        c.conv_widths = fields.integers("conv_widths");
        c.conv_kernels = fields.integers("conv_kernels");
        c.conv_strides = fields.integers("conv_strides");
    }
    c.layout = layout_from_name(fields.text("layout"));
    c.positions = positions_from_name(fields.text("positions"));
    c.window = window_from_name(fields.text("window"));
    c.own_past = own_past_from_name(fields.text("own_past"));
    c.token_width = fields.integer("token_width");
    c.width = fields.integer("width");
    c.depth = fields.integer("depth");
    c.heads = fields.integer("heads");
    c.mlp_ratio = fields.integer("mlp_ratio");
    c.denoise_unit = denoise_unit_from_name(fields.text("denoise_unit"));
    c.head_context_frames = fields.integer("head_context_frames");
    c.denoise_target = denoise_target_from_name(fields.text("denoise_target"));
    c.head_width = fields.integer("head_width");
    c.head_depth = fields.integer("head_depth");
    c.sampler = sampler_from_name(fields.text("sampler"));
    c.steps = fields.integer("steps");
    c.noise_coherence = fields.number("noise_coherence");
    c.lip_noise = fields.number("lip_noise");
    if (fields.has("noise_scale")) c.noise_scale = fields.number("noise_scale");  // writers leave 1 out
    if (fields.has("turn_join")) c.turn_join = fields.number("turn_join");        // and 0
    c.eyes = eyes_from_name(fields.text("eyes"));
    if (fields.has("styles")) c.styles = fields.texts("styles");  // writers leave empty arrays out
    c.layout_kind = fields.integers("layout_kind");
    c.layout_frame = fields.integers("layout_frame");
    return c;
}

std::size_t motion_space_width(const gguf::File& file, const std::string& motion_space) {
    if (motion_space == "arkit55") return 55;
    if (motion_space == "flame56") return 56;
    file.fail("motion_space is " + quote(motion_space) + "; expected one of arkit55, flame56");
}

void check_channels(const gguf::File& file, const ModelInfo& info, const std::string& motion_space) {
    const std::size_t expected = motion_space_width(file, motion_space);
    if (info.channels.size() != expected || info.units.size() != expected) {
        file.fail("has " + std::to_string(info.channels.size()) + " channels and " + std::to_string(info.units.size()) +
                  " channel_units; motion space " + motion_space + " has " + std::to_string(expected));
    }
    std::set<std::string_view> seen;
    for (const std::string& channel : info.channels) {
        if (channel.empty() || channel.find('\n') != std::string::npos) {
            file.fail("channel name " + quote(channel) + "; expected a text of one line");
        }
        if (!seen.insert(channel).second) file.fail("channel " + quote(channel) + " appears twice");
    }
    for (const std::string& unit : info.units) {
        if (unit != "1" && unit != "rad") file.fail("channel unit " + quote(unit) + "; expected \"1\" or \"rad\"");
    }
}

std::string shape_text(std::span<const std::int64_t> shape) {
    std::string text = "(";
    for (std::size_t i = 0; i < shape.size(); ++i) text += (i == 0 ? "" : ", ") + std::to_string(shape[i]);
    return text + ")";
}

std::optional<Wav2Vec2Config> carried_wav2vec2(const gguf::File& file, const ModelConfig& config) {
    if (config.speech_encoder != SpeechEncoder::kWav2vec2 || !carries_wav2vec2(file)) return std::nullopt;
    Wav2Vec2Config found = read_wav2vec2(file);
    if (found.width != config.speech_width) {
        file.fail("wav2vec2 is " + std::to_string(found.width) + " wide; speech_width is " +
                  std::to_string(config.speech_width));
    }
    if (found.n_features(config.turn_samples()) < 1) {
        file.fail("wav2vec2 sees nothing in the " + std::to_string(config.turn_samples()) + " samples of a turn");
    }
    return found;
}

}  // namespace

ModelFile::ModelFile(gguf::File gguf, std::span<const std::byte> bytes, std::shared_ptr<const MappedFile> mapping)
    : mapping_(std::move(mapping)), bytes_(bytes), gguf_(std::move(gguf)) {
    check_architecture(gguf_);
    const Fields fields(gguf_);
    info_.name = gguf_.text("general.name");
    info_.channels = fields.texts("channels");
    info_.units = fields.texts("channel_units");
    try {
        config_ = read_config(fields);
        check_channels(gguf_, info_, config_.motion_space);
        config_.n_channels = info_.n_channels();
        check_config(config_);
    } catch (const Error& error) {
        if (error.status() != Status::kInvalidArgument) throw;
        gguf_.fail(error.what());
    }
    wav2vec2_ = carried_wav2vec2(gguf_, config_);
    info_.turn_frames = config_.turn_frames;
    info_.user_lag_frames = config_.user_lag_frames;
    info_.agent_lookahead_frames = config_.agent_lookahead_frames;
    info_.context_turns = config_.context_turns;
    info_.steps = config_.steps;
    info_.noise_coherence = static_cast<float>(config_.noise_coherence);
    info_.noise_scale = static_cast<float>(config_.noise_scale);
    info_.turn_join = static_cast<float>(config_.turn_join);
    info_.eye_layer = config_.eyes == Eyes::kLayer;
    info_.styles = config_.styles;
    info_.normalised_audio = config_.speech_encoder == SpeechEncoder::kWav2vec2;
    if (gguf_.has("general.license")) license_ = gguf_.text("general.license");  // writers leave empty texts out
    if (fields.has("data_note")) data_note_ = fields.text("data_note");
}

ModelFile ModelFile::open(const std::filesystem::path& path) {
    auto mapping = std::make_shared<const MappedFile>(path);
    gguf::File file = gguf::File::parse(mapping->bytes(), "model file " + quote_path(path));
    const std::span<const std::byte> bytes = mapping->bytes();
    return {std::move(file), bytes, std::move(mapping)};
}

ModelFile ModelFile::parse(std::span<const std::byte> bytes, std::string source) {
    return {gguf::File::parse(bytes, std::move(source)), bytes, nullptr};
}

const gguf::Tensor& ModelFile::tensor(std::string_view name, std::span<const std::int64_t> shape) const {
    const gguf::Tensor* found = gguf_.find_tensor(name);
    if (found == nullptr) gguf_.fail("tensor " + quote(name) + " is missing; expected shape " + shape_text(shape));
    const std::vector<std::int64_t> shape_found = found->shape();
    if (!std::equal(shape.begin(), shape.end(), shape_found.begin(), shape_found.end())) {
        gguf_.fail("tensor " + quote(name) + " has shape " + shape_text(shape_found) + "; expected " +
                   shape_text(shape));
    }
    return *found;
}

const gguf::Tensor& ModelFile::tensor(std::string_view name, std::initializer_list<std::int64_t> shape) const {
    return tensor(name, std::span(shape.begin(), shape.size()));
}

std::vector<float> ModelFile::floats(std::string_view name, std::span<const std::int64_t> shape) const {
    const gguf::Tensor& found = tensor(name, shape);
    if (!gguf::is_float_type(found.type)) {
        gguf_.fail("tensor " + quote(name) + " holds " + std::string(gguf::type_name(found.type)) +
                   "; expected F32, F16, BF16 or Q8_0");
    }
    std::vector<float> values(static_cast<std::size_t>(found.n_values));
    gguf::convert(found, values);
    const auto wrong = std::find_if(values.begin(), values.end(), [](float value) { return !std::isfinite(value); });
    if (wrong != values.end()) {
        gguf_.fail("tensor " + quote(name) + " holds " + std::to_string(*wrong) + " at value " +
                   std::to_string(wrong - values.begin()) + "; expected finite numbers");
    }
    return values;
}

std::vector<float> ModelFile::floats(std::string_view name, std::initializer_list<std::int64_t> shape) const {
    return floats(name, std::span(shape.begin(), shape.size()));
}

}  // namespace visavis
