// Runs a few turns of different sessions together, so that every matrix is read once for all of them; the memory that
// one thread needs for that.
#pragma once
#include <vector>

#include "engines/cpu/network.h"
#include "engines/cpu/slot.h"
#include "engines/engine.h"

namespace visavis::cpu {

struct Turn {
    Slot* slot = nullptr;
    const TurnInput* input = nullptr;
    TurnOutput* output = nullptr;
    int steps = 0;

    bool guided() const { return input->guidance != 1; }
    bool goes_with(const Turn& other) const { return steps == other.steps && guided() == other.guided(); }
};

class TurnGroup {
  public:
    // crew: the threads that share each turn's work; null: none.
    TurnGroup(const Network& network, const Kernels& kernels, Crew* crew = nullptr);

    static int most_turns(const ModelConfig& config);  // that are run together
    // Whether one turn is so much work that several threads had better share it than make a turn each.
    static bool is_large(const ModelConfig& config);
    Compute& compute() { return compute_; }
    // The state of a voice that has not been heard; wav2vec2 needs none.
    Buffer silence() { return network_->log_mel ? network_->log_mel->silence(compute_, log_mel_) : Buffer(); }
    void prepare(int steps);                // allocates what turns of so many steps need
    void run(std::span<const Turn> turns);  // that go with one another; every step number was prepared

  private:
    static int most_encoded(const ModelConfig& config);
    const ModelConfig& config() const { return network_->config; }
    void hear(std::span<const Turn> turns);
    void see(std::span<const Turn> turns);
    void denoise(std::span<const Turn> turns);
    void commit(std::span<const Turn> turns);
    void finish(std::span<const Turn> turns);
    void encode(std::span<const Turn> turns, Branch branch, float* z);
    void prepare_window(Slot& slot);
    void re_encode(Slot& slot, std::int64_t first_turn, int n_turns);
    bool slides(const Slot& slot) const;
    int place(const Slot& slot) const;
    int seen(const Slot& slot) const;
    float* embedded(Slot& slot, std::int64_t turn) const;
    const float* noise_of(const Turn& turn, std::size_t index);

    const Network* network_;
    Compute compute_;
    LogMelEncoder::Scratch log_mel_;
    Wav2Vec2Encoder::Scratch wav2vec2_;
    TurnTokens::Scratch tokens_;
    Backbone::Scratch backbone_;
    Denoiser::Scratch denoiser_;
    Buffer features_, embedded_, z_, unconditional_, own_, motion_;  // (B * F, ..), embedded (B * T, D)
    std::vector<float> noise_, guidance_;                            // (B, 1 + steps, F, C), (B * F)
    std::vector<Voice> voices_;
    std::vector<TurnTokens::UserMotion> user_motions_;
    std::vector<BackboneTurn> backbone_turns_;
    std::vector<DenoiseTurn> denoise_turns_;
};

}  // namespace visavis::cpu
