#include "engines/cuda/log_mel_encoder.h"

#include <algorithm>
#include <string>

#include "constants.h"

namespace visavis::cuda {
namespace {

constexpr int kMelRate = kSamplesPerFrame / kMelHop;
constexpr int kBins = kMelWindow / 2 + 1;

// Offsets (n_voices, n_rows): voice * voice_stride + first + row * row_stride.
RowMap voice_rows(Arena& arena, int n_voices, int n_rows, std::int64_t voice_stride, std::int64_t first,
                  std::int64_t row_stride) {
    std::vector<std::int32_t> offsets;
    for (int voice = 0; voice < n_voices; ++voice) {
        for (int row = 0; row < n_rows; ++row) {
            offsets.push_back(static_cast<std::int32_t>(voice * voice_stride + first + row * row_stride));
        }
    }
    return {row_stride, arena.upload(offsets)};
}

}  // namespace

LogMelEncoder::LogMelEncoder(const WeightReader& reader)
    : frames_(reader.config().turn_frames),
      ahead_(reader.config().agent_lookahead_frames),
      bands_(reader.config().mel_bands),
      width_(reader.config().speech_width),
      dft_(reader.exact_matrix("speech_encoder.dft", 2 * kBins, kMelWindow)),
      mel_(reader.exact_matrix("speech_encoder.mel", bands_, kBins)) {
    const ModelConfig& config = reader.config();
    int n_in = bands_, rate = kMelRate;
    std::int64_t kept_values = 0;
    for (std::size_t i = 0; i < config.conv_widths.size(); ++i) {
        const int kernel = config.conv_kernels[i], n_out = config.conv_widths[i];
        Layer layer;
        layer.linear = reader.convolution("speech_encoder.conv." + std::to_string(i), n_out, n_in, kernel, true);
        layer.stride = config.conv_strides[i];
        layer.rate = rate;
        layer.kept = std::max(kernel - layer.stride, 0);
        layer.skipped = std::max(layer.stride - kernel, 0);
        layer.pitch = pitch_of(n_in);
        layer.voice = (layer.kept + frames_seen() * rate) * layer.pitch;
        kept_values += layer.kept * layer.pitch;
        n_in = n_out;
        rate /= layer.stride;
        layers_.push_back(layer);
    }
    const std::size_t bytes = kKeptSamples * sizeof(float) + static_cast<std::size_t>(kept_values) * 2;
    state_bytes_ = static_cast<std::size_t>(padded(static_cast<std::int64_t>(bytes), 16));
}

int LogMelEncoder::turns_to_silence() const {
    int reach = kMelWindow / kMelHop + 1;  // mel frames, at most, that a token sees
    for (const Layer& layer : layers_) reach += kMelRate * (layer.kept + layer.stride);
    return reach / (frames_ * kMelRate) + 1;
}

RowMap LogMelEncoder::fresh_rows(Arena& arena, int n_voices, std::size_t index) const {
    const Layer& layer = layers_[index];
    return voice_rows(arena, n_voices, frames_seen() * layer.rate, layer.voice, layer.kept * layer.pitch, layer.pitch);
}

void LogMelEncoder::allocate(Arena& arena, int n_turns) {
    const int voices = 2 * n_turns, mels = frames_seen() * kMelRate;
    const std::int64_t samples = kKeptSamples + std::int64_t{frames_seen()} * kSamplesPerFrame;
    audio_ = arena.take_of<float>(voices * samples);
    spectrum_ = arena.take_of<float>(std::int64_t{voices} * mels * 2 * kBins);
    tokens_ = arena.take_of<std::uint16_t>(std::int64_t{voices} * frames_seen() * pitch_of(width_));
    mel_windows_ = voice_rows(arena, voices, mels, samples, 0, kMelHop);
    fresh_rows_.clear();
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        Layer& layer = layers_[i];
        layer.inputs = arena.zeros<std::uint16_t>(voices * layer.voice);  // what fills rows up is read, too
        layer.windows = voice_rows(arena, voices, frames_seen() * layer.rate / layer.stride, layer.voice,
                                   layer.skipped * layer.pitch, layer.stride * layer.pitch);
        fresh_rows_.push_back(fresh_rows(arena, voices, i));
    }
    // The user's tokens are the first ones, the agent's those that end with the lookahead.
    std::vector<std::int32_t> offsets;
    for (int voice = 0; voice < voices; ++voice) {
        for (int frame = 0; frame < frames_; ++frame) {
            const std::int64_t row = std::int64_t{voice} * frames_seen() + (voice % 2 ? ahead_ : 0) + frame;
            offsets.push_back(static_cast<std::int32_t>(row * pitch_of(width_)));
        }
    }
    token_rows_ = {pitch_of(width_), arena.upload(offsets)};
}

VoicesParams LogMelEncoder::voices(const Batch& batch) const {
    VoicesParams p;
    p.count = batch.rows(2);
    p.turns = batch.turns;
    p.samples = batch.samples;
    p.samples_stride = batch.samples_stride;
    p.user_samples = batch.user_samples;
    p.audio = audio_;
    p.n_fresh = frames_seen() * kSamplesPerFrame;
    p.turn_samples = frames_ * kSamplesPerFrame;
    p.state_bytes = static_cast<int>(state_bytes_);
    int state = 0;
    for (const Layer& layer : layers_) {
        const int kept = static_cast<int>(layer.kept * layer.pitch);
        const int turn = static_cast<int>(frames_ * layer.rate * layer.pitch);
        p.layers[p.n_layers++] = {layer.inputs, layer.voice, kept, turn, state};
        state += kept;
    }
    return p;
}

void LogMelEncoder::log_mel(const Compute& compute, const Batch& batch) const {
    const Count rows = batch.rows(2 * frames_seen() * kMelRate);
    compute.exact(dft_, rows, audio_, mel_windows_, spectrum_, dense(2 * kBins));
    ExactGemmParams p;
    p.count = rows;
    p.a = spectrum_;
    p.a_rows = dense(2 * kBins);
    p.weight = mel_.weight;
    p.n = mel_.n;
    p.k = mel_.k;
    p.power = p.log_mel = true;
    p.out_half = layers_.front().inputs;
    p.c_rows = fresh_rows_.front();
    exact_gemm(compute.launcher, compute.half, p);
}

Features LogMelEncoder::encode(const Compute& compute, const Batch& batch) const {
    const VoicesParams params = voices(batch);
    load_voices(compute.launcher, compute.half, params);
    log_mel(compute, batch);
    for (std::size_t i = 0; i < layers_.size(); ++i) {
        const Layer& layer = layers_[i];
        const bool last = i + 1 == layers_.size();
        const Count rows = batch.rows(2 * frames_seen() * layer.rate / layer.stride);
        const GemmParams p = compute.product(layer.linear, rows, layer.inputs, layer.windows);
        compute.to_half(with(p, Activation::kGelu), last ? tokens_ : layers_[i + 1].inputs,
                        last ? dense(pitch_of(width_)) : fresh_rows_[i + 1]);
    }
    save_voices(compute.launcher, compute.half, params);
    return {tokens_, token_rows_};
}

}  // namespace visavis::cuda
