// The kernels of the CUDA engine: what each one computes, as a struct of plain values and device pointers, and the
// functions that start it.  tests/native/cuda/twins.cpp computes the same in plain loops.
//
// "half" is a bfloat16 or an IEEE half, as the engine was asked for: what tensor cores multiply.  Sums, norms, softmax,
// the residual stream, the sampler are float.  Turns of a batch lie one behind the other in every buffer (turn-major),
// so that a kernel needs nothing but their number, which it reads from device memory: a graph that was recorded for 8
// turns runs 5 and leaves the rest alone.
#pragma once
#include <cstdint>

#include "engines/cuda/launch.h"

#if defined(__CUDACC__)
#define VISAVIS_HOST_DEVICE __host__ __device__
#else
#define VISAVIS_HOST_DEVICE
#endif

namespace visavis::cuda {

enum class Half { kBf16, kF16 };
enum class Activation { kNone, kRelu, kGelu, kSilu };

// Rows of a batch: `rows` for each of its turns first..first+most, as far as there are so many.
struct Count {
    const int* n_turns = nullptr;  // device memory
    int most = 0;
    int rows = 1;
    int first = 0;

    int at_most() const { return most * rows; }
    VISAVIS_HOST_DEVICE int turns() const {
        const int n = *n_turns - first;
        return n < 0 ? 0 : n < most ? n : most;
    }
    VISAVIS_HOST_DEVICE int total() const { return turns() * rows; }
};

// Where rows of a matrix begin, in values from its first: at multiples of the stride, or at `offsets`.  Rows may
// overlap (windows of a convolution).  An offset below 0: that row is not written.
struct RowMap {
    std::int64_t stride = 0;
    const std::int32_t* offsets = nullptr;

    VISAVIS_HOST_DEVICE std::int64_t at(int row) const { return offsets ? offsets[row] : row * stride; }
};

// A turn of the batch, in device memory.
struct Turn {
    void* history = nullptr;        // keys and values of its slot, halves (depth, context * T, 2, heads * width)
    float* own = nullptr;           // (F, C) normalised motion of the turn before
    char* voices = nullptr;         // states of user's and agent's voice
    const float* tokens = nullptr;  // (T, D) embedded: what the backbone reads
    float* kept = nullptr;          // (T, D) where keep_tokens puts them
    int place = 0, seen = 0;        // in the history, in turns
    int n_samples[2] = {0, 0};      // of the user's and the agent's voice
    int explicit_noise = 0;
    float temperature = 1, guidance = 1;
    std::uint64_t seed = 0;
    std::int64_t first_frame = 0;
};

// ---- products

// A half matrix (n, k) for tensor cores.  For each 8 rows and 32 columns, 32 lanes with four pairs of values: lane l
// has of row l / 4 the columns 2 * (l % 4) + {0, 8, 16, 24}, each with its neighbour.  Zeros fill up both sides.
struct Packed {
    const void* values = nullptr;
    int n = 0, k = 0;

    VISAVIS_HOST_DEVICE int n_tiles() const { return (n + 7) / 8; }
    VISAVIS_HOST_DEVICE int k_tiles() const { return (k + 31) / 32; }
    VISAVIS_HOST_DEVICE std::int64_t size() const { return std::int64_t{256} * n_tiles() * k_tiles(); }  // values
};

// Where a product of queries, keys and values goes: the first third is stored as any other, the rest into histories,
// behind the keys of the turns before.
struct KeysValues {
    const Turn* turns = nullptr;  // null: an ordinary product
    int tokens = 0;               // T
    int width = 0;                // of a third
    std::int64_t layer = 0;       // values from a history's begin to that of the layer
};

// c = [c +] [gate *] activation(a W^T + bias), in n_batches parts that share rows: part i has its own a, W, bias, c.
struct GemmParams {
    Count count;
    const void* a = nullptr;  // half (rows, k); rows begin at multiples of 8 values
    RowMap a_rows;
    Packed weight;
    const float* bias = nullptr;  // (n), or null
    int n_batches = 1;
    std::int64_t a_batch = 0, c_batch = 0;  // values from one part to the next; weights and biases lie densely
    Activation activation = Activation::kNone;
    const float* gate = nullptr;  // (rows, n)
    std::int64_t gate_stride = 0;
    bool accumulate = false;  // float out alone
    float* out = nullptr;     // one of the two
    void* out_half = nullptr;
    RowMap c_rows;
    KeysValues keys_values;
    float* partial = nullptr;  // room for partial sums and a counter for each tile, zeros: see GemmRoom
    int* counters = nullptr;
    int n_splits = 1;  // of k; set by gemm()
};
// Shared by all products of a stream.
struct GemmRoom {
    static constexpr int kPartials = 1 << 22;  // floats
    static constexpr int kCounters = 4096;
};
void gemm(const Launcher& launcher, Half half, const GemmParams& params);

// The same in float32, for what halves would spoil.  `power`: of a = (re | im), k values each, re^2 + im^2 is taken.
// `log_mel`: (ln(c + 1e-7) + 10) / 4 is stored, as a half.
struct ExactGemmParams {
    Count count;
    const float* a = nullptr;
    RowMap a_rows;
    const float* weight = nullptr;  // (k, padded n): k outermost, n filled up to a multiple of 32
    const float* bias = nullptr;
    int n = 0, k = 0;
    bool power = false, log_mel = false;
    float* out = nullptr;
    void* out_half = nullptr;
    RowMap c_rows;
};
void exact_gemm(const Launcher& launcher, Half half, const ExactGemmParams& params);

// ---- attention

// out = softmax(q k^T * scale + bias) v, head by head, of each turn's T queries over its keys: the `seen` turns of its
// history, or with turns = null the T keys beside the queries; of these there may be several sequences a turn.
struct AttentionParams {
    Count count;  // rows: T
    int sequences = 1;
    const Turn* turns = nullptr;
    const void* q = nullptr;    // half (turns * T, ..), head after head
    std::int64_t q_stride = 0;  // with turns = null keys are `width` and values 2 * `width` behind the queries
    std::int64_t layer = 0;     // values from a history's begin to that of the layer
    int heads = 0;
    int head_width = 0;  // as stored: 32 or 64
    int context = 0;     // turns of a history
    float scale = 1;
    const float* turn_bias = nullptr;  // (heads, context) by distance in the ring, or null
    void* out = nullptr;               // half (turns * T, heads * head_width)
    std::int64_t out_stride = 0;
};
void attention(const Launcher& launcher, Half half, const AttentionParams& params);

// ---- rows

// y = activation(LN(x) [* gain + bias] [* (1 + scale) + shift]), to float, half or both.
struct NormParams {
    Count count;
    const float* in = nullptr;
    RowMap in_rows;
    int width = 0;
    float eps = 1e-6F;
    const float *gain = nullptr, *bias = nullptr;    // (width), both or none
    const float *shift = nullptr, *scale = nullptr;  // first row of each, both or none
    std::int64_t modulation_stride = 0;
    Activation activation = Activation::kNone;
    float* out = nullptr;
    RowMap out_rows;
    void* out_half = nullptr;
    RowMap half_rows;
};
void norm(const Launcher& launcher, Half half, const NormParams& params);

// hidden = LN(tokens + positions).
struct EmbedParams {
    Count count;  // rows: T
    const Turn* turns = nullptr;
    int width = 0;                     // D
    bool absolute = false;             // positions begin at the turn's place
    const float* positions = nullptr;  // (T, D), or (context * T, D)
    const float *gain = nullptr, *bias = nullptr;
    float* hidden = nullptr;  // (turns * T, D)
};
void embed(const Launcher& launcher, const EmbedParams& params);

// z = LN(hidden) + positions of the agent's frames, and behind them the last own frames: the head's condition.
struct ReadOutParams {
    Count count;  // rows: F
    const Turn* turns = nullptr;
    const float* hidden = nullptr;         // (turns * T, D)
    const std::int32_t* tokens = nullptr;  // (F) of the agent's frames
    int n_tokens = 0;                      // T
    int width = 0;                         // D
    bool absolute = false;
    const float* positions = nullptr;
    const float *gain = nullptr, *bias = nullptr;
    int n_own = 0, own_from = 0;   // values of `own` that follow, and where they begin
    float* condition = nullptr;    // of the first turn
    std::int64_t turn_stride = 0;  // from one turn's condition to the next
    std::int64_t frame_stride = 0;
};
void read_out(const Launcher& launcher, const ReadOutParams& params);

// ---- tokens

// Faces as the motion encoder takes them: normalised, 0 where a channel or a frame is not there.
struct MotionRowsParams {
    Count count;  // rows: F
    const Turn* turns = nullptr;
    const float* user = nullptr;                                   // (turns, F, C) raw
    const std::uint8_t* present = nullptr;                         // (turns, F)
    const float *mean = nullptr, *std = nullptr, *mask = nullptr;  // (C)
    int n_channels = 0;
    bool with_own = false;  // own motion, too
    void* out = nullptr;    // half (turns, 2, F, pitch): user, own
    std::int64_t pitch = 0;
};
void motion_rows(const Launcher& launcher, Half half, const MotionRowsParams& params);

// What goes through the projection to the model's width, from the four streams (turns, 4, F, w): user speech, user
// motion, agent speech, agent motion.
struct GatherParams {
    Count count;  // rows: of a turn's tokens
    const float* streams = nullptr;
    const std::uint8_t* present = nullptr;            // (turns, F) of the user's face
    const float *fake = nullptr, *markers = nullptr;  // (w), (10, w)
    const std::int32_t* kinds = nullptr;              // (T)
    const std::int32_t* frames = nullptr;             // (T)
    int n_frames = 0;                                 // F
    int token_width = 0;                              // w
    bool unconditional = false;                       // fake in place of all the user's
    bool masked = false;                              // without own motion
    void* out = nullptr;                              // half (turns * T, pitch)
    std::int64_t pitch = 0;
    const float* mask_token = nullptr;  // (D), written to masked tokens of the marker layout
    float* embedded = nullptr;          // (turns * T, D)
    int width = 0;                      // D
};
void gather_tokens(const Launcher& launcher, Half half, const GatherParams& params);

// ---- speech, log-mel

inline constexpr int kMostConvolutions = 16;
inline constexpr int kMelWindow = 400, kMelHop = 160;      // samples
inline constexpr int kKeptSamples = kMelWindow - kMelHop;  // that the next mel frame sees again

// Inputs of all layers of the log-mel encoder, for the two voices of each turn: what the turn before left, then fresh
// ones.  A voice's state holds what the next turn needs: samples, then each layer's inputs.
struct VoiceLayer {
    void* inputs = nullptr;   // half, of the first voice
    std::int64_t stride = 0;  // values from one voice to the next
    int kept = 0;             // values at the begin that come from the state
    int turn = 0;             // values of a turn: the next state is what stands there
    int state = 0;            // where they lie in the state, halves from its begin
};
struct VoicesParams {
    Count count;  // rows: 2
    const Turn* turns = nullptr;
    const float* samples = nullptr;  // (turns, user's then agent's)
    std::int64_t samples_stride = 0;
    int user_samples = 0;    // room for the user's
    float* audio = nullptr;  // (voices, kept + fresh)
    int n_fresh = 0;         // samples, with those past the turn
    int turn_samples = 0;
    int state_bytes = 0;  // of a voice
    VoiceLayer layers[kMostConvolutions];
    int n_layers = 0;
};
void load_voices(const Launcher& launcher, Half half, const VoicesParams& params);  // state, samples
void save_voices(const Launcher& launcher, Half half, const VoicesParams& params);  // states move on to the turn's end

// ---- speech, wav2vec2

// The first convolution (one channel in) and its norm: of each row, or of each channel over the turn; then GELU.
struct FirstConvolutionParams {
    Count count;  // rows: 2, voices
    const Turn* turns = nullptr;
    const float* samples = nullptr;  // as VoicesParams
    std::int64_t samples_stride = 0;
    int user_samples = 0;
    const float* weight = nullptr;                  // (kernel, width)
    const float* bias = nullptr;                    // (width) or null
    const float *gain = nullptr, *shift = nullptr;  // (width)
    int kernel = 0, stride = 0, width = 0, n_rows = 0;
    bool group_norm = false;
    float* moments = nullptr;  // (voices of count, width, 2) with group_norm: scale and shift of each channel
    void* out = nullptr;       // half (voices of count, n_rows, pitch)
    std::int64_t pitch = 0;
};
void first_convolution(const Launcher& launcher, Half half, const FirstConvolutionParams& params);

// Rows of the convolutions to the turn's frames, linearly; then the norm.
struct InterpolateParams {
    Count count;               // rows: 2 * F
    const void* in = nullptr;  // half (voices, n_rows, pitch)
    std::int64_t pitch = 0;
    int n_rows = 0, n_frames = 0, width = 0;
    float eps = 1e-5F;
    const float *gain = nullptr, *bias = nullptr;
    void* out = nullptr;  // half (voices * F, width)
    std::int64_t out_pitch = 0;
};
void interpolate(const Launcher& launcher, Half half, const InterpolateParams& params);

// Windows over frames for the convolution that gives positions: (voices, groups, before + F + after, group width).
struct PlaceGroupsParams {
    Count count;                    // rows: 2, voices
    const float* hidden = nullptr;  // (voices * F, width)
    int n_frames = 0, width = 0, groups = 0, before = 0, n_rows = 0;
    void* out = nullptr;  // half
    std::int64_t pitch = 0;
};
void place_groups(const Launcher& launcher, Half half, const PlaceGroupsParams& params);

// ---- the head

// Noise as session/noise.h defines it.
struct NoiseParams {
    Count count;
    const Turn* turns = nullptr;
    const float* given = nullptr;                   // (turns, 1 + steps, F, C) for turns with explicit noise
    int n_frames = 0, n_channels = 0, n_steps = 0;  // noise steps
    int n_taps = 1;
    float taps[8] = {1, 0, 0, 0, 0, 0, 0, 0};
    float* out = nullptr;  // (turns, 1 + steps, F, C)
};
void draw_noise(const Launcher& launcher, const NoiseParams& params);

// One step of the sampler, as engines/cpu/schedule.h works it out.
struct Step {
    float x0_weight = 0, x_weight = 0;
    float log_beta = 0, posterior_log_variance = 0;
    float correction = 0;
    int last = 0;
};

// What the sampler changes.  A row is what is denoised together; branches: 1, or 2 with guidance (conditional, then
// unconditional rows of each turn).
struct SamplerState {
    const Turn* turns = nullptr;
    int n_rows = 1;                  // of a turn and branch
    int row_width = 0, row_pad = 0;  // values of a row; rounded up to 8
    int n_channels = 0;
    int branches = 1;
    int noise_steps = 0;
    bool ancestral = false;
    const float* noise = nullptr;             // (turns, 1 + noise_steps, rows, row)
    const float* noise_scale = nullptr;       // (row)
    const float* mask = nullptr;              // (row)
    const float* shares = nullptr;            // (F) of the guidance
    float *x = nullptr, *previous = nullptr;  // (turns, rows, row)
    void* x_half = nullptr;                   // (turns * rows, row_pad)
};
struct StartParams {
    Count count;
    SamplerState state;
};
void start_sampler(const Launcher& launcher, Half half, const StartParams& params);

// silu(time + condition) for some steps.
struct ActivateParams {
    Count count;                       // rows: of the head
    const float* time = nullptr;       // (steps, W)
    const float* condition = nullptr;  // (rows, W)
    int n_steps = 0, width = 0;
    void* out = nullptr;  // half (rows, steps, pitch)
    std::int64_t pitch = 0;
};
void activate_condition(const Launcher& launcher, Half half, const ActivateParams& params);

struct AdvanceParams {
    Count count;
    SamplerState state;
    const float* predicted = nullptr;  // (turns, branches, rows, stride): x_0, from row_pad on v
    std::int64_t predicted_stride = 0;
    Step step;
    int index = 0;
};
void advance_sampler(const Launcher& launcher, Half half, const AdvanceParams& params);

// The whole head in one launch, for few rows: a cooperative grid whose blocks each own some columns of every layer,
// their weights in shared memory if they fit.
struct FusedBlock {
    const float *gain = nullptr, *bias = nullptr;
    Packed in, out;
    const float *in_bias = nullptr, *out_bias = nullptr;
};
struct FusedParams {
    Count count;
    SamplerState state;
    int width = 0, depth = 0;  // W
    Packed input, output;      // output: x_0's row_pad rows, then v's
    const float *input_bias = nullptr, *output_bias = nullptr;
    const FusedBlock* blocks = nullptr;  // (depth), device memory
    const float* modulation = nullptr;   // (rows, steps, (3 * depth + 2) * W)
    const Step* steps = nullptr;         // device memory
    int n_steps = 0;
    float* hidden = nullptr;  // (rows, W)
    void* inner = nullptr;    // half (rows, inner_pitch)
    std::int64_t inner_pitch = 0;
    bool resident = false;  // set by fused_denoiser()
};
inline constexpr int kFusedRows = 64, kFusedWidth = 1024;  // at most
void fused_denoiser(const Launcher& launcher, Half half, const FusedParams& params);
// Whether the GPU can: that many rows, so wide, within a block's shared memory (weights apart), all blocks at once.
bool fused_denoiser_fits(const FusedParams& params);

// From x to motion: normalised into the slots' own motion, raw to the caller.
struct FinishParams {
    Count count;
    const Turn* turns = nullptr;
    const float* x = nullptr;  // (turns, F, C)
    int n_frames = 0, n_channels = 0;
    const float *residual_gain = nullptr, *residual_scale = nullptr;  // (F, C), or null: x is the motion
    const float *mean = nullptr, *std = nullptr, *mask = nullptr;     // (C)
    float* motion = nullptr;                                          // (turns, F, C) raw
};
void finish(const Launcher& launcher, const FinishParams& params);

// Embedded tokens of turns to where their slots keep them.
struct KeepParams {
    Count count;
    const Turn* turns = nullptr;
    const float* tokens = nullptr;  // (turns, size)
    int size = 0;
};
void keep_tokens(const Launcher& launcher, const KeepParams& params);

}  // namespace visavis::cuda
