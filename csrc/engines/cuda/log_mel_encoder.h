// The log-mel speech encoder on the GPU; engines/cpu/log_mel_encoder.h says what is computed.  The user's and the
// agent's voice of every turn go through it together, both as far as the agent's lookahead reaches.
#pragma once
#include <vector>

#include "engines/cuda/batch.h"

namespace visavis::cuda {

class LogMelEncoder {
  public:
    explicit LogMelEncoder(const WeightReader& reader);

    std::size_t state_bytes() const { return state_bytes_; }  // of a voice
    int turns_to_silence() const;                             // after which a state depends on silence alone
    void allocate(Arena& arena, int n_turns);
    Features encode(const Compute& compute, const Batch& batch) const;

  private:
    struct Layer {
        Linear linear;
        int stride = 1, rate = 0;   // inputs per motion frame
        int kept = 0, skipped = 0;  // inputs that the next turn needs again; that no window sees
        std::int64_t pitch = 0;     // of an input row
        std::int64_t voice = 0;     // values from one voice's inputs to the next's
        void* inputs = nullptr;
        RowMap windows;
    };
    VoicesParams voices(const Batch& batch) const;
    void log_mel(const Compute& compute, const Batch& batch) const;
    int frames_seen() const { return frames_ + ahead_; }
    RowMap fresh_rows(Arena& arena, int n_voices, std::size_t layer) const;

    int frames_, ahead_, bands_, width_;
    ExactLinear dft_, mel_;
    std::vector<Layer> layers_;
    std::size_t state_bytes_ = 0;
    float *audio_ = nullptr, *spectrum_ = nullptr;
    void* tokens_ = nullptr;
    RowMap mel_windows_, mel_rows_, token_rows_;
    std::vector<RowMap> fresh_rows_;  // where the layer before, or the spectrum, writes a layer's inputs
};

}  // namespace visavis::cuda
