#include "engines/cpu/log_mel_encoder.h"

#include <cmath>
#include <string>

#include "constants.h"

namespace visavis::cpu {
namespace {

constexpr int kKept = kMelWindow - kMelHop;  // samples that the next mel frame sees again
constexpr int kMelRate = kSamplesPerFrame / kMelHop;
constexpr float kMelFloor = 1e-7F, kMelShift = 10.0F, kMelScale = 4.0F;

}  // namespace

LogMelEncoder::LogMelEncoder(const TensorReader& reader)
    : frames_(reader.config().turn_frames),
      ahead_(reader.config().agent_lookahead_frames),
      bands_(reader.config().mel_bands),
      spectrum_(reader),
      mel_(reader.exact_matrix("speech_encoder.mel", reader.config().mel_bands, kSpectrumBins)) {
    const ModelConfig& config = reader.config();
    int width = bands_, rate = kMelRate;
    for (std::size_t i = 0; i < config.conv_widths.size(); ++i) {
        const int kernel = config.conv_kernels[i], n_out = config.conv_widths[i];
        Convolution layer;
        layer.n_in = width;
        layer.rate = rate;
        layer.stride = config.conv_strides[i];
        layer.kept = std::max(kernel - layer.stride, 0);
        layer.skipped = std::max(layer.stride - kernel, 0);
        layer.linear = reader.convolution("speech_encoder.conv." + std::to_string(i), n_out, width, kernel);
        width = n_out;
        rate /= layer.stride;
        convolutions_.push_back(std::move(layer));
    }
}

std::size_t LogMelEncoder::state_size() const {
    std::size_t size = kKept;
    for (const Convolution& layer : convolutions_) size += elements(layer.kept, layer.n_in);
    return size;
}

LogMelEncoder::Scratch LogMelEncoder::scratch(Compute& compute, int n_voices) const {
    const int frames = frames_ + ahead_, mels = n_voices * frames * kMelRate;
    Scratch scratch;
    const int samples = kKept + frames * kSamplesPerFrame;
    scratch.audio = Buffer(elements(n_voices, samples));
    scratch.spectrum = spectrum_.scratch(n_voices, samples, mels);
    scratch.power = Buffer(elements(mels, kSpectrumBins));
    std::size_t inputs = 0, outputs = elements(mels, bands_);
    for (const Convolution& layer : convolutions_) {
        const int rows = n_voices * frames * layer.rate / layer.stride;
        inputs = std::max(inputs, elements(n_voices, layer.kept + frames * layer.rate, layer.n_in));
        outputs = std::max(outputs, elements(rows, layer.linear.weight.n_out()));
        compute.reserve(rows, layer.linear.weight.n_in());
    }
    scratch.inputs = Buffer(inputs);
    scratch.outputs = Buffer(outputs);
    return scratch;
}

// Per voice [kept samples | turn and what lies ahead]; the state moves on to the turn's end.
void LogMelEncoder::take_audio(Scratch& scratch, std::span<const Voice> voices, int ahead) const {
    const std::size_t turn = elements(frames_, kSamplesPerFrame), size = elements(frames_ + ahead, kSamplesPerFrame);
    float* audio = scratch.audio.data();
    for (const Voice& voice : voices) {
        const std::size_t n = std::min(voice.samples.size(), size);
        std::copy_n(voice.state, kKept, audio);
        std::copy_n(voice.samples.data(), n, audio + kKept);
        std::fill_n(audio + kKept + n, size - n, 0.0F);
        std::copy_n(audio + turn, kKept, voice.state);
        audio += kKept + size;
    }
}

// The spectrum of every voice to (voices * mel frames, bands), in scratch.outputs.
void LogMelEncoder::log_mel(Compute& compute, Scratch& scratch, int n_voices, int n_mel_frames) const {
    const int rows = n_voices * n_mel_frames;
    const Rows power{scratch.power.data(), rows, kSpectrumBins};
    spectrum_.run(compute, scratch.spectrum, scratch.audio.data(), n_voices, kKept + n_mel_frames * kMelHop, power);
    compute.apply(mel_, power, {scratch.outputs.data(), rows, bands_});
    for (float& x : scratch.outputs.span().first(elements(rows, bands_))) {
        x = (std::log(x + kMelFloor) + kMelShift) / kMelScale;
    }
}

// Per voice [kept inputs | what the layer before gave], and the state, whose part begins at `at`, moves on.
void LogMelEncoder::take_inputs(Scratch& scratch, const Convolution& layer, std::size_t at,
                                std::span<const Voice> voices, int ahead) const {
    const std::size_t kept = elements(layer.kept, layer.n_in), turn = elements(frames_, layer.rate, layer.n_in);
    const std::size_t fresh = elements(frames_ + ahead, layer.rate, layer.n_in);
    const float* given = scratch.outputs.data();
    float* input = scratch.inputs.data();
    for (const Voice& voice : voices) {
        std::copy_n(voice.state + at, kept, input);
        std::copy_n(given, fresh, input + kept);
        std::copy_n(input + turn, kept, voice.state + at);
        given += fresh;
        input += kept + fresh;
    }
}

void LogMelEncoder::encode(Compute& compute, Scratch& scratch, std::span<const Voice> voices, int ahead,
                           Rows out) const {
    const int n_voices = static_cast<int>(voices.size()), frames = frames_ + ahead;
    take_audio(scratch, voices, ahead);
    log_mel(compute, scratch, n_voices, frames * kMelRate);
    std::size_t at = kKept;
    for (const Convolution& layer : convolutions_) {
        take_inputs(scratch, layer, at, voices, ahead);
        at += elements(layer.kept, layer.n_in);
        const bool last = &layer == &convolutions_.back();
        const int begin = layer.skipped + (last ? ahead * layer.rate : 0);  // tokens of the past are known
        const int rows = last ? frames_ : frames * layer.rate / layer.stride;
        const ConstRows windows{scratch.inputs.data() + elements(begin, layer.n_in),
                                static_cast<std::ptrdiff_t>(layer.stride) * layer.n_in, rows,
                                static_cast<std::ptrdiff_t>(layer.kept + frames * layer.rate) * layer.n_in};
        const Rows dense{scratch.outputs.data(), n_voices * rows, layer.linear.weight.n_out()};
        compute.apply(layer.linear, windows, last ? out : dense, {.activation = Activation::kGelu});
    }
}

Buffer LogMelEncoder::silence(Compute& compute, Scratch& scratch) const {
    Buffer state(state_size()), tokens(elements(frames_, convolutions_.back().linear.weight.n_out()));
    const Voice voice{state.data(), {}};
    int reach = kMelWindow / kMelHop + 1;  // mel frames, at most, that a token sees
    for (const Convolution& layer : convolutions_) reach += kMelRate * (layer.kept + layer.stride);
    for (int mels = 0; mels < reach; mels += frames_ * kMelRate) {
        encode(compute, scratch, {&voice, 1}, 0, {tokens.data(), frames_, convolutions_.back().linear.weight.n_out()});
    }
    return state;
}

}  // namespace visavis::cpu
