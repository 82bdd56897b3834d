#include "twins.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <vector>

#include "engines/cuda/halves.h"
#include "model_file/model_config.h"
#include "session/noise.h"

namespace visavis::cuda::twin {
namespace {

using Index = std::int64_t;
using std::ptrdiff_t;

double half_at(Half half, const void* values, Index at) {
    return static_cast<double>(half_value(half, static_cast<const std::uint16_t*>(values)[at]));
}
void set_half(Half half, void* values, Index at, double x) {
    static_cast<std::uint16_t*>(values)[at] = to_half(half, static_cast<float>(x));
}

double activated(Activation activation, double x) {
    switch (activation) {
        case Activation::kRelu: return std::max(x, 0.0);
        case Activation::kGelu: return 0.5 * x * (1 + std::erf(x / std::sqrt(2.0)));
        case Activation::kSilu: return x / (1 + std::exp(-x));
        default: return x;
    }
}

// Value (row, column) of a packed matrix: the sentence in kernels.h, word for word.
double packed_at(Half half, const Packed& matrix, Index begin, int row, int column) {
    const int eighth = row / 8, deep = column / 32;
    const int lane = row % 8 * 4 + column % 8 / 2;  // of row l / 4 the columns 2 * (l % 4)
    const int pair = column % 32 / 8;               // + {0, 8, 16, 24}
    const Index at = (Index{eighth} * matrix.k_tiles() + deep) * 256 + lane * 8 + pair * 2 + column % 2;
    return half_at(half, matrix.values, begin + at);
}

// y = (x - mean) / sqrt(variance + eps)
std::vector<double> normed(int n, double eps, const std::function<double(int)>& x) {
    double mean = 0, variance = 0;
    for (int i = 0; i < n; ++i) mean += x(i) / n;
    for (int i = 0; i < n; ++i) variance += (x(i) - mean) * (x(i) - mean) / n;
    std::vector<double> out;
    for (int i = 0; i < n; ++i) out.push_back((x(i) - mean) / std::sqrt(variance + eps));
    return out;
}

}  // namespace

void gemm(Half half, const GemmParams& p) {
    for (int batch = 0; batch < p.n_batches; ++batch) {
        for (int row = 0; row < p.count.total(); ++row) {
            for (int n = 0; n < p.weight.n; ++n) {
                double sum = p.bias ? static_cast<double>(p.bias[batch * p.weight.n + n]) : 0;
                for (int k = 0; k < p.weight.k; ++k) {
                    sum += half_at(half, p.a, batch * p.a_batch + p.a_rows.at(row) + k) *
                           packed_at(half, p.weight, batch * p.weight.size(), n, k);
                }
                sum = activated(p.activation, sum);
                if (p.gate) sum *= static_cast<double>(p.gate[row * p.gate_stride + batch * p.weight.n + n]);
                if (p.keys_values.turns && n >= p.keys_values.width) {
                    const Turn& turn = p.keys_values.turns[row / p.keys_values.tokens];
                    const Index token = Index{turn.place} * p.keys_values.tokens + row % p.keys_values.tokens;
                    set_half(half, turn.history,
                             p.keys_values.layer + token * 2 * p.keys_values.width + n - p.keys_values.width, sum);
                    continue;
                }
                if (p.c_rows.at(row) < 0) continue;
                const Index at = batch * p.c_batch + p.c_rows.at(row) + n;
                if (p.out) {
                    p.out[at] = static_cast<float>((p.accumulate ? static_cast<double>(p.out[at]) : 0) + sum);
                } else {
                    set_half(half, p.out_half, at, sum);
                }
            }
        }
    }
}

void exact_gemm(Half half, const ExactGemmParams& p) {
    const int pitch = (p.n + 31) / 32 * 32;
    for (int row = 0; row < p.count.total(); ++row) {
        const float* a = p.a + p.a_rows.at(row);
        for (int n = 0; n < p.n; ++n) {
            double sum = p.bias ? static_cast<double>(p.bias[n]) : 0;
            for (int k = 0; k < p.k; ++k) {
                double x = static_cast<double>(a[k]);
                if (p.power) x = x * x + static_cast<double>(a[p.k + k]) * static_cast<double>(a[p.k + k]);
                sum += x * static_cast<double>(p.weight[Index{k} * pitch + n]);
            }
            if (p.log_mel) {
                set_half(half, p.out_half, p.c_rows.at(row) + n, (std::log(sum + 1e-7) + 10) / 4);
            } else {
                p.out[p.c_rows.at(row) + n] = static_cast<float>(sum);
            }
        }
    }
}

void attention(Half half, const AttentionParams& p) {
    const int tokens = p.count.rows, width = p.heads * p.head_width;
    for (int i = 0; i < p.count.turns() * p.sequences; ++i) {
        const Turn* turn = p.turns ? p.turns + i : nullptr;
        const void* past = turn ? turn->history : p.q;
        const Index begin = turn ? p.layer : Index{i} * tokens * p.q_stride + width;
        const Index stride = turn ? 2 * width : p.q_stride;
        const int n_keys = turn ? turn->seen * tokens : tokens;
        for (int head = 0; head < p.heads; ++head) {
            for (int t = 0; t < tokens; ++t) {
                const Index query = (Index{i} * tokens + t) * p.q_stride + head * p.head_width;
                std::vector<double> weights;
                double most = -1e300, sum = 0;
                for (int key = 0; key < n_keys; ++key) {
                    double logit = 0;
                    for (int d = 0; d < p.head_width; ++d) {
                        logit += half_at(half, p.q, query + d) *
                                 half_at(half, past, begin + key * stride + head * p.head_width + d);
                    }
                    logit *= static_cast<double>(p.scale);
                    if (p.turn_bias) {
                        const int distance = (turn->place - key / tokens + p.context) % p.context;
                        logit += static_cast<double>(p.turn_bias[head * p.context + distance]);
                    }
                    weights.push_back(logit);
                    most = std::max(most, logit);
                }
                for (double& weight : weights) sum += weight = std::exp(weight - most);
                for (int d = 0; d < p.head_width; ++d) {
                    double out = 0;
                    for (int key = 0; key < n_keys; ++key) {
                        out += weights[static_cast<std::size_t>(key)] / sum *
                               half_at(half, past, begin + key * stride + width + head * p.head_width + d);
                    }
                    set_half(half, p.out, (Index{i} * tokens + t) * p.out_stride + head * p.head_width + d, out);
                }
            }
        }
    }
}

void norm(Half half, const NormParams& p) {
    for (int row = 0; row < p.count.total(); ++row) {
        const float* x = p.in + p.in_rows.at(row);
        const auto y = normed(p.width, static_cast<double>(p.eps), [&](int d) { return static_cast<double>(x[d]); });
        for (int d = 0; d < p.width; ++d) {
            double value = y[static_cast<std::size_t>(d)];
            if (p.gain) value = value * static_cast<double>(p.gain[d]) + static_cast<double>(p.bias[d]);
            const Index at = row * p.modulation_stride + d;
            if (p.scale) value = value * (1 + static_cast<double>(p.scale[at])) + static_cast<double>(p.shift[at]);
            value = activated(p.activation, value);
            if (p.out) p.out[p.out_rows.at(row) + d] = static_cast<float>(value);
            if (p.out_half) set_half(half, p.out_half, p.half_rows.at(row) + d, value);
        }
    }
}

void embed(const EmbedParams& p) {
    for (int row = 0; row < p.count.total(); ++row) {
        const Turn& turn = p.turns[row / p.count.rows];
        const Index token = row % p.count.rows, place = p.absolute ? turn.place * p.count.rows : 0;
        const auto y = normed(p.width, 1e-6, [&](int d) {
            return static_cast<double>(turn.tokens[token * p.width + d]) +
                   static_cast<double>(p.positions[(place + token) * p.width + d]);
        });
        for (int d = 0; d < p.width; ++d) {
            p.hidden[Index{row} * p.width + d] = static_cast<float>(
                y[static_cast<std::size_t>(d)] * static_cast<double>(p.gain[d]) + static_cast<double>(p.bias[d]));
        }
    }
}

void read_out(const ReadOutParams& p) {
    for (int i = 0; i < p.count.turns(); ++i) {
        for (int frame = 0; frame < p.count.rows; ++frame) {
            const Turn& turn = p.turns[i];
            const Index token = p.tokens[frame], place = p.absolute ? turn.place * p.n_tokens : 0;
            const float* x = p.hidden + (Index{i} * p.n_tokens + token) * p.width;
            const auto y = normed(p.width, 1e-6, [&](int d) { return static_cast<double>(x[d]); });
            float* out = p.condition + i * p.turn_stride + frame * p.frame_stride;
            for (int d = 0; d < p.width; ++d) {
                out[d] = static_cast<float>(y[static_cast<std::size_t>(d)] * static_cast<double>(p.gain[d]) +
                                            static_cast<double>(p.bias[d]) +
                                            static_cast<double>(p.positions[(place + token) * p.width + d]));
            }
        }
        float* own = p.condition + i * p.turn_stride + (p.count.rows - 1) * p.frame_stride + p.width;
        for (int j = 0; j < p.n_own; ++j) own[j] = p.turns[i].own[p.own_from + j];
    }
}

void keep_tokens(const KeepParams& p) {
    for (int i = 0; i < p.count.turns(); ++i) std::copy_n(p.tokens + Index{i} * p.size, p.size, p.turns[i].kept);
}

void motion_rows(Half half, const MotionRowsParams& p) {
    for (int i = 0; i < p.count.turns(); ++i) {
        for (int frame = 0; frame < p.count.rows; ++frame) {
            for (int c = 0; c < p.n_channels; ++c) {
                const Index row = Index{i} * p.count.rows + frame;
                const Index user = (Index{i} * 2 * p.count.rows + frame) * p.pitch + c;
                double value = 0;
                if (p.present[row]) {
                    const double raw = static_cast<double>(p.user[row * p.n_channels + c]);
                    value = (raw - static_cast<double>(p.mean[c])) / static_cast<double>(p.std[c]) *
                            static_cast<double>(p.mask[c]);
                }
                set_half(half, p.out, user, value);
                if (!p.with_own) continue;
                set_half(half, p.out, user + p.count.rows * p.pitch,
                         static_cast<double>(p.turns[i].own[frame * p.n_channels + c]));
            }
        }
    }
}

void gather_tokens(Half half, const GatherParams& p) {
    const auto token = [&p](int turn, int kind, int frame) -> const float* {
        if (kind < kMarkers) return p.markers + kind * p.token_width;
        const bool of_user = kind == kUserSpeech || kind == kUserMotion;
        if (of_user && p.unconditional) return p.fake;
        if (kind == kUserMotion && !p.present[turn * p.n_frames + frame]) return p.fake;
        return p.streams + ((Index{turn} * 4 + kind - kUserSpeech) * p.n_frames + frame) * p.token_width;
    };
    for (int row = 0; row < p.count.total(); ++row) {
        const int turn = row / p.count.rows, kind = p.kinds[row % p.count.rows], frame = p.frames[row % p.count.rows];
        for (int d = 0; d < p.token_width; ++d) {
            double value;
            if (kind == kUserFrame) {
                value = static_cast<double>(token(turn, kUserSpeech, frame)[d]) +
                        static_cast<double>(token(turn, kUserMotion, frame)[d]);
            } else if (kind == kAgentFrame) {
                value = static_cast<double>(token(turn, kAgentSpeech, frame)[d]);
                if (!p.masked) value += static_cast<double>(token(turn, kAgentMotion, frame)[d]);
            } else {
                value = static_cast<double>(token(turn, kind, frame)[d]);
            }
            set_half(half, p.out, row * p.pitch + d, value);
        }
        if (p.masked && kind == kAgentMotion) std::copy_n(p.mask_token, p.width, p.embedded + Index{row} * p.width);
    }
}

void load_voices(Half, const VoicesParams& p) {
    for (int voice = 0; voice < p.count.total(); ++voice) {
        const Turn& turn = p.turns[voice / 2];
        const char* state = turn.voices + voice % 2 * p.state_bytes;
        const float* samples = p.samples + voice / 2 * p.samples_stride + voice % 2 * p.user_samples;
        float* audio = p.audio + Index{voice} * (kKeptSamples + p.n_fresh);
        std::memcpy(audio, state, kKeptSamples * sizeof(float));
        for (int i = 0; i < p.n_fresh; ++i) audio[kKeptSamples + i] = i < turn.n_samples[voice % 2] ? samples[i] : 0;
        const auto* kept = reinterpret_cast<const std::uint16_t*>(state + kKeptSamples * sizeof(float));
        for (int l = 0; l < p.n_layers; ++l) {
            const VoiceLayer& layer = p.layers[l];
            std::copy_n(kept + layer.state, layer.kept,
                        static_cast<std::uint16_t*>(layer.inputs) + voice * layer.stride);
        }
    }
}

void save_voices(Half, const VoicesParams& p) {
    for (int voice = 0; voice < p.count.total(); ++voice) {
        char* state = p.turns[voice / 2].voices + voice % 2 * p.state_bytes;
        const float* audio = p.audio + Index{voice} * (kKeptSamples + p.n_fresh);
        std::memcpy(state, audio + p.turn_samples, kKeptSamples * sizeof(float));
        auto* kept = reinterpret_cast<std::uint16_t*>(state + kKeptSamples * sizeof(float));
        for (int l = 0; l < p.n_layers; ++l) {
            const VoiceLayer& layer = p.layers[l];
            std::copy_n(static_cast<const std::uint16_t*>(layer.inputs) + voice * layer.stride + layer.turn, layer.kept,
                        kept + layer.state);
        }
    }
}

void first_convolution(Half half, const FirstConvolutionParams& p) {
    for (int voice = 0; voice < p.count.total(); ++voice) {
        const int whole = voice + 2 * p.count.first, known = p.turns[whole / 2].n_samples[whole % 2];
        const float* samples = p.samples + whole / 2 * p.samples_stride + whole % 2 * p.user_samples;
        const auto convolved = [&](int row, int channel) {
            double sum = p.bias ? static_cast<double>(p.bias[channel]) : 0;
            for (int k = 0; k < p.kernel; ++k) {
                const int at = row * p.stride + k;
                if (at >= known) continue;
                sum += static_cast<double>(samples[at]) * static_cast<double>(p.weight[k * p.width + channel]);
            }
            return sum;
        };
        const auto store = [&](int row, int channel, double y) {
            y = y * static_cast<double>(p.gain[channel]) + static_cast<double>(p.shift[channel]);
            set_half(half, p.out, (Index{voice} * p.n_rows + row) * p.pitch + channel, activated(Activation::kGelu, y));
        };
        if (p.group_norm) {
            for (int channel = 0; channel < p.width; ++channel) {
                const auto y = normed(p.n_rows, 1e-5, [&](int row) { return convolved(row, channel); });
                for (int row = 0; row < p.n_rows; ++row) store(row, channel, y[static_cast<std::size_t>(row)]);
            }
            continue;
        }
        for (int row = 0; row < p.n_rows; ++row) {
            const auto y = normed(p.width, 1e-5, [&](int channel) { return convolved(row, channel); });
            for (int channel = 0; channel < p.width; ++channel)
                store(row, channel, y[static_cast<std::size_t>(channel)]);
        }
    }
}

void interpolate(Half half, const InterpolateParams& p) {
    for (int i = 0; i < p.count.total(); ++i) {
        const int voice = i / p.n_frames, frame = i % p.n_frames;
        const double at = p.n_frames > 1 ? frame * (p.n_rows - 1.0) / (p.n_frames - 1.0) : 0;
        const int low = std::min(static_cast<int>(at), p.n_rows - 1), high = std::min(low + 1, p.n_rows - 1);
        const auto y = normed(p.width, static_cast<double>(p.eps), [&](int d) {
            const double a = half_at(half, p.in, (Index{voice} * p.n_rows + low) * p.pitch + d);
            const double b = half_at(half, p.in, (Index{voice} * p.n_rows + high) * p.pitch + d);
            return a + (b - a) * (at - low);
        });
        for (int d = 0; d < p.width; ++d) {
            set_half(half, p.out, (Index{p.count.first} * p.count.rows + i) * p.out_pitch + d,
                     y[static_cast<std::size_t>(d)] * static_cast<double>(p.gain[d]) + static_cast<double>(p.bias[d]));
        }
    }
}

void place_groups(Half half, const PlaceGroupsParams& p) {
    const int group_width = p.width / p.groups;
    for (int voice = 0; voice < p.count.total(); ++voice) {
        for (int group = 0; group < p.groups; ++group) {
            for (int row = 0; row < p.n_rows; ++row) {
                const int frame = row - p.before;
                for (int d = 0; d < group_width; ++d) {
                    const Index from = (Index{voice} * p.n_frames + frame) * p.width + group * group_width + d;
                    const bool there = frame >= 0 && frame < p.n_frames;
                    set_half(half, p.out, ((Index{voice} * p.groups + group) * p.n_rows + row) * p.pitch + d,
                             there ? static_cast<double>(p.hidden[from]) : 0);
                }
            }
        }
    }
}

// The session's own noise; its taps follow from the coherence, which is the ratio of two of them.
void draw_noise(const NoiseParams& p) {
    const Index size = Index{1 + p.n_steps} * p.n_frames * p.n_channels;
    for (int i = 0; i < p.count.turns(); ++i) {
        float* out = p.out + i * size;
        if (p.turns[i].explicit_noise) {
            std::copy_n(p.given + i * size, size, out);
            continue;
        }
        NoiseRequest request;
        request.seed = p.turns[i].seed;
        request.first_frame = p.turns[i].first_frame;
        request.n_frames = p.n_frames;
        request.n_channels = p.n_channels;
        request.n_steps = p.n_steps;
        request.coherence = p.n_taps > 1 ? p.taps[1] / p.taps[0] : 0;
        noise(request, {out, static_cast<std::size_t>(size)});
    }
}

void start_sampler(Half half, const StartParams& p) {
    const SamplerState& s = p.state;
    const int of_turn = s.n_rows * s.row_width;
    for (int i = 0; i < p.count.turns(); ++i) {
        for (int value = 0; value < of_turn; ++value) {
            const int row = i * s.n_rows + value / s.row_width, column = value % s.row_width;
            const float scale = s.ancestral ? 1 : s.turns[i].temperature;
            const float x = scale * s.noise[Index{i} * (1 + s.noise_steps) * of_turn + value] * s.noise_scale[column];
            s.x[Index{i} * of_turn + value] = x;
            set_half(half, s.x_half, Index{row} * s.row_pad + column, static_cast<double>(x));
        }
    }
}

void activate_condition(Half half, const ActivateParams& p) {
    for (int row = 0; row < p.count.total(); ++row) {
        for (int step = 0; step < p.n_steps; ++step) {
            for (int d = 0; d < p.width; ++d) {
                const double x = static_cast<double>(p.time[step * p.width + d]) +
                                 static_cast<double>(p.condition[Index{row} * p.width + d]);
                set_half(half, p.out, (Index{row} * p.n_steps + step) * p.pitch + d, activated(Activation::kSilu, x));
            }
        }
    }
}

void advance_sampler(Half half, const AdvanceParams& p) {
    const SamplerState& s = p.state;
    const int of_turn = s.n_rows * s.row_width;
    for (int i = 0; i < p.count.turns(); ++i) {
        const Turn& turn = s.turns[i];
        for (int value = 0; value < of_turn; ++value) {
            const int row = value / s.row_width, column = value % s.row_width;
            const float* said = p.predicted + (Index{i} * s.branches * s.n_rows + row) * p.predicted_stride + column;
            const auto mask = static_cast<double>(s.mask[column]);
            double x0 = static_cast<double>(said[0]) * mask;
            if (s.branches == 2) {
                const double without = static_cast<double>(said[s.n_rows * p.predicted_stride]) * mask;
                const double guidance =
                    1 + (static_cast<double>(turn.guidance) - 1) * static_cast<double>(s.shares[value / s.n_channels]);
                x0 = without + guidance * (x0 - without);
            }
            float& kept = s.x[Index{i} * of_turn + value];
            auto x = static_cast<double>(kept);
            if (s.ancestral) {
                x = static_cast<double>(p.step.x0_weight) * x0 + static_cast<double>(p.step.x_weight) * x;
                if (!p.step.last) {
                    const double share = (static_cast<double>(said[s.row_pad]) + 1) / 2;
                    const double log_variance = share * static_cast<double>(p.step.log_beta) +
                                                (1 - share) * static_cast<double>(p.step.posterior_log_variance);
                    const Index at = (Index{i} * (1 + s.noise_steps) + p.index + 1) * of_turn + value;
                    x += static_cast<double>(turn.temperature) * std::exp(log_variance / 2) *
                         static_cast<double>(s.noise[at]) * static_cast<double>(s.noise_scale[column]);
                }
            } else {
                float& before = s.previous[Index{i} * of_turn + value];
                if (p.index > 0 && s.noise_scale[column] == 0.0F) x0 = static_cast<double>(before);
                const auto correction = static_cast<double>(p.step.correction);
                const double estimate =
                    p.index == 0 ? x0 : (1 + correction) * x0 - correction * static_cast<double>(before);
                x = p.step.last
                        ? x0
                        : static_cast<double>(p.step.x_weight) * x + static_cast<double>(p.step.x0_weight) * estimate;
                before = static_cast<float>(x0);
            }
            kept = static_cast<float>(x);
            set_half(half, s.x_half, (Index{i} * s.n_rows + row) * s.row_pad + column, x);
        }
    }
}

// Layer by layer, with the twins of the single kernels.
void fused_denoiser(Half half, const FusedParams& p) {
    const SamplerState& s = p.state;
    const int rows = s.branches * s.n_rows, most = p.count.most * rows, modulations = (3 * p.depth + 2) * p.width;
    const auto count = [&](int n) { return Count{p.count.n_turns, p.count.most, n}; };
    std::vector<std::int32_t> sources;  // of x: the same for both branches
    for (int row = 0; row < most; ++row) {
        sources.push_back((row / rows * s.n_rows + row % s.n_rows) * s.row_pad);
    }
    std::vector<float> predicted(static_cast<std::size_t>(most * 2 * s.row_pad));
    std::vector<std::uint16_t> normed_rows(static_cast<std::size_t>(most) * static_cast<std::size_t>(p.width));
    for (int step = 0; step < p.n_steps; ++step) {
        const auto norm_to_rows = [&](int layer, const float* gain, const float* bias) {
            NormParams n;
            n.count = count(rows);
            n.in = p.hidden;
            n.in_rows.stride = n.half_rows.stride = n.width = p.width;
            n.gain = gain;
            n.bias = bias;
            n.shift = p.modulation + step * modulations + 3 * layer * p.width;
            n.scale = n.shift + p.width;
            n.modulation_stride = Index{p.n_steps} * modulations;
            n.out_half = normed_rows.data();
            norm(half, n);
        };
        const auto product = [&](const Packed& weight, const float* bias, const void* a, Index stride) {
            GemmParams g;
            g.count = count(rows);
            g.a = a;
            g.a_rows.stride = stride;
            g.weight = weight;
            g.bias = bias;
            return g;
        };
        GemmParams in = product(p.input, p.input_bias, s.x_half, 0);
        in.a_rows.offsets = sources.data();
        in.out = p.hidden;
        in.c_rows.stride = p.width;
        gemm(half, in);
        for (int j = 0; j < p.depth; ++j) {
            const FusedBlock& block = p.blocks[j];
            norm_to_rows(j, block.gain, block.bias);
            GemmParams first = product(block.in, block.in_bias, normed_rows.data(), p.width);
            first.activation = Activation::kSilu;
            first.out_half = p.inner;
            first.c_rows.stride = p.inner_pitch;
            gemm(half, first);
            GemmParams second = product(block.out, block.out_bias, p.inner, p.inner_pitch);
            second.gate = p.modulation + step * modulations + (3 * j + 2) * p.width;
            second.gate_stride = Index{p.n_steps} * modulations;
            second.accumulate = true;
            second.out = p.hidden;
            second.c_rows.stride = p.width;
            gemm(half, second);
        }
        norm_to_rows(p.depth, nullptr, nullptr);
        GemmParams last = product(p.output, p.output_bias, normed_rows.data(), p.width);
        last.out = predicted.data();
        last.c_rows.stride = 2 * s.row_pad;
        gemm(half, last);
        advance_sampler(half, {p.count, s, predicted.data(), 2 * s.row_pad, p.steps[step], step});
    }
}

void finish(const FinishParams& p) {
    const int of_turn = p.n_frames * p.n_channels;
    for (int i = 0; i < p.count.turns(); ++i) {
        const std::vector<float> base(p.turns[i].own + of_turn - p.n_channels, p.turns[i].own + of_turn);
        for (int at = 0; at < of_turn; ++at) {
            const int c = at % p.n_channels;
            float value = p.x[Index{i} * of_turn + at];
            if (p.residual_scale) {
                value = p.residual_gain[at] * base[static_cast<std::size_t>(c)] + p.residual_scale[at] * value;
            }
            p.turns[i].own[at] = value;
            p.motion[Index{i} * of_turn + at] = p.mask[c] > 0 ? value * p.std[c] + p.mean[c] : 0;
        }
    }
}

}  // namespace visavis::cuda::twin
