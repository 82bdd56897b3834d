#include "engines/cpu/spectrum.h"

#include <cmath>

namespace visavis::cpu {
namespace {

constexpr int kHalf = kMelWindow / 2, kQuarter = kMelWindow / 4;
constexpr int kFoldedBins = kQuarter + 1;                                 // k and 200 - k
constexpr int kInputs[4] = {kQuarter + 1, kQuarter, kQuarter, kQuarter};  // of samples n and 400 - n, as in Scratch
constexpr float kLeast = 1e-8F;                                           // two values so near are one

struct Dft {
    const float* values;

    float cosine(int bin, int n) const { return values[elements(bin, kMelWindow) + elements(n)]; }
    float sine(int bin, int n) const { return cosine(kSpectrumBins + bin, n); }
    bool folds() const {
        const auto are_one = [](float a, float b) { return std::abs(a - b) <= kLeast; };
        for (int k = 0; k < kSpectrumBins; ++k) {
            if (!are_one(sine(k, 0), 0)) return false;
            for (int n = 0; n < kMelWindow; ++n) {
                const int other = (kMelWindow - n) % kMelWindow;
                const float sign = n % 2 == 0 ? 1.0F : -1.0F;
                if (!are_one(cosine(k, n), cosine(k, other)) || !are_one(sine(k, n), -sine(k, other)) ||
                    !are_one(cosine(k, n), sign * cosine(kHalf - k, n)) ||
                    !are_one(sine(k, n), -sign * sine(kHalf - k, n))) {
                    return false;
                }
            }
        }
        return true;
    }
    // The part of samples 2m, or 2m + 1.
    std::vector<float> part(bool of_sine, int odd, int n_inputs) const {
        std::vector<float> out;
        for (int k = 0; k < kFoldedBins; ++k) {
            for (int m = 0; m < n_inputs; ++m) out.push_back(of_sine ? sine(k, 2 * m + odd) : cosine(k, 2 * m + odd));
        }
        return out;
    }
};

}  // namespace

Spectrum::Spectrum(const TensorReader& reader) {
    const std::vector<float> values = reader.values("speech_encoder.dft", {2 * kSpectrumBins, kMelWindow});
    const Dft dft{values.data()};
    folds_ = dft.folds();
    if (!folds_) dense_ = reader.pack(Format::kF32, values, {}, 2 * kSpectrumBins, kMelWindow);
    for (int i = 0; i < 4 && folds_; ++i) {
        folded_[i] = reader.pack(Format::kF32, dft.part(i >= 2, i % 2, kInputs[i]), {}, kFoldedBins, kInputs[i]);
    }
}

Spectrum::Scratch Spectrum::scratch(int n_voices, int n_samples, int n_rows) const {
    Scratch scratch;
    if (!folds_) {
        scratch.dense = Buffer(elements(n_rows, 2 * kSpectrumBins));
        return scratch;
    }
    for (Buffer& half : scratch.audio) half = Buffer(elements(n_voices, n_samples / 2));
    for (int i = 0; i < 4; ++i) {
        scratch.inputs[i] = Buffer(elements(n_rows, kInputs[i]));
        scratch.products[i] = Buffer(elements(n_rows, kFoldedBins));
    }
    return scratch;
}

// Of each window the sums and the differences of samples n and 400 - n, even and odd n apart.
void Spectrum::fold(Scratch& scratch, const float* audio, int n_voices, int n_samples, int n_windows) const {
    const int half = n_samples / 2;
    float *even = scratch.audio[0].data(), *odd = scratch.audio[1].data();
    for (int i = 0; i < n_voices * half; ++i) {
        even[i] = audio[2 * i];
        odd[i] = audio[2 * i + 1];
    }
    float *even_sums = scratch.inputs[0].data(), *odd_sums = scratch.inputs[1].data();
    float *even_differences = scratch.inputs[2].data(), *odd_differences = scratch.inputs[3].data();
    for (int voice = 0; voice < n_voices; ++voice) {
        for (int window = 0; window < n_windows; ++window) {
            const std::ptrdiff_t at = static_cast<std::ptrdiff_t>(voice) * half + window * (kMelHop / 2);
            const float *e = even + at, *o = odd + at;
            even_sums[0] = e[0];
            even_sums[kQuarter] = e[kQuarter];
            even_differences[0] = 0;
            for (int m = 1; m < kQuarter; ++m) {
                even_sums[m] = e[m] + e[kHalf - m];
                even_differences[m] = e[m] - e[kHalf - m];
            }
            for (int m = 0; m < kQuarter; ++m) {
                odd_sums[m] = o[m] + o[kHalf - 1 - m];
                odd_differences[m] = o[m] - o[kHalf - 1 - m];
            }
            even_sums += kInputs[0];
            odd_sums += kInputs[1];
            even_differences += kInputs[2];
            odd_differences += kInputs[3];
        }
    }
}

void Spectrum::run(Compute& compute, Scratch& scratch, const float* audio, int n_voices, int n_samples,
                   Rows power) const {
    const int n_windows = power.rows / n_voices;
    if (!folds_) {
        const Rows dense{scratch.dense.data(), power.rows, 2 * kSpectrumBins};
        compute.apply(dense_, {audio, kMelHop, n_windows, n_samples}, dense);
        for (int row = 0; row < power.rows; ++row) {
            const float *real = dense.row(row), *imaginary = real + kSpectrumBins;
            for (int k = 0; k < kSpectrumBins; ++k) {
                power.row(row)[k] = real[k] * real[k] + imaginary[k] * imaginary[k];
            }
        }
        return;
    }
    fold(scratch, audio, n_voices, n_samples, n_windows);
    for (int i = 0; i < 4; ++i) {
        compute.apply(folded_[i], {scratch.inputs[i].data(), kInputs[i]},
                      {scratch.products[i].data(), power.rows, kFoldedBins});
    }
    for (int row = 0; row < power.rows; ++row) {
        const std::size_t at = elements(row, kFoldedBins);
        const float *real = scratch.products[0].data() + at, *real_odd = scratch.products[1].data() + at;
        const float *imaginary = scratch.products[2].data() + at, *imaginary_odd = scratch.products[3].data() + at;
        float *out = power.row(row), *mirrored = out + kHalf;
        for (int k = 0; k < kFoldedBins; ++k) {
            const float re = real[k] + real_odd[k], im = imaginary[k] + imaginary_odd[k];
            out[k] = re * re + im * im;
        }
        for (int k = 0; k < kQuarter; ++k) {
            const float re = real[k] - real_odd[k], im = imaginary_odd[k] - imaginary[k];
            mirrored[-k] = re * re + im * im;
        }
    }
}

}  // namespace visavis::cpu
