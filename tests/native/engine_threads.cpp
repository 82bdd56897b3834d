// Threads that share an engine's turns, or each turn, for ThreadSanitizer: the bytes of one thread, whatever the crew's
// size; rounds of any number of tasks; an error in a task reaches the caller.
#include <atomic>
#include <cstdio>
#include <stdexcept>
#include <vector>

#include "engines/cpu/cpu_engine.h"

namespace {

using namespace visavis;

constexpr std::size_t kHeads = 30;
constexpr int kTurns = 5;

void expect(bool condition, const char* what) {
    if (!condition) throw std::runtime_error(std::string("failed: ") + what);
}

std::vector<float> run(const char* path, int threads, bool share_each_turn) {
    CpuEngineOptions options;
    options.threads = threads;
    options.share_each_turn = share_each_turn;
    options.precision = cpu::Precision::kAuto;
    CpuEngine engine(ModelFile::open(path), options);
    const ModelConfig& config = engine.config();
    const auto size = static_cast<std::size_t>(config.turn_frames * config.n_channels);
    const std::vector<float> audio(static_cast<std::size_t>(config.turn_samples()), 0.1F);
    std::vector<float> motion(kHeads * size), all;
    std::vector<TurnInput> inputs(kHeads);
    std::vector<TurnOutput> outputs(kHeads);
    for (std::size_t i = 0; i < kHeads; ++i) {
        inputs[i].slot = engine.open();
        inputs[i].seed = i;
        outputs[i].motion = std::span(motion).subspan(i * size, size);
    }
    for (std::size_t turn = 0; turn < kTurns; ++turn) {
        for (std::size_t i = 0; i < kHeads; ++i) {
            inputs[i].agent_audio = (i + turn) % 3 ? std::span<const float>(audio) : std::span<const float>();
            inputs[i].guidance = (i + turn) % 7 ? 1.0F : 1.5F;
        }
        engine.step(inputs, outputs);
        all.insert(all.end(), motion.begin(), motion.end());
    }
    return all;
}

// Large enough that its panels are handed out.
void check_product() {
    constexpr int kRows = 50, kOut = 331, kIn = 200;
    cpu::Precision precision = cpu::Precision::kAuto;
    const cpu::Kernels& kernels = cpu::choose_kernels(precision);
    const cpu::Format format = precision == cpu::Precision::kBf16 ? cpu::Format::kBf16 : cpu::Format::kF32;
    std::vector<float> x(cpu::elements(kRows, kIn)), weight(cpu::elements(kOut, kIn)), bias(kOut, 0.5F);
    for (std::size_t i = 0; i < weight.size(); ++i) weight[i] = static_cast<float>(i % 17) * 0.1F;
    for (std::size_t i = 0; i < x.size(); ++i) x[i] = static_cast<float>(i % 13) - 6;
    const cpu::Linear linear(kernels, format, weight, bias, kOut, kIn);
    cpu::Crew crew(4);
    cpu::Compute shared(kernels, &crew), alone(kernels);
    std::vector<float> y(cpu::elements(kRows, kOut)), z(y.size());
    alone.apply(linear, {x.data(), kIn}, {z.data(), kRows, kOut});
    for (int i = 0; i < 20; ++i) {
        shared.apply(linear, {x.data(), kIn}, {y.data(), kRows, kOut});
        expect(y == z, "the product of one thread");
    }
}

void check_crew() {
    std::atomic<int> sum{0};
    cpu::Crew crew(4);
    const auto work = [&](int, int task) {
        if (task == 13) throw std::runtime_error("thirteen");
        sum += task + 1;
    };
    int expected = 0;
    for (int round = 0; round < 200; ++round) {
        const int n = round % 9;
        crew.run(n, work);
        expected += n * (n + 1) / 2;
        expect(sum == expected, "every task once");
    }
    bool thrown = false;
    try {
        crew.run(20, work);
    } catch (const std::runtime_error&) {
        thrown = true;
    }
    expect(thrown && sum == expected + 210 - 14, "an error comes when the others are done");
    crew.run(3, work);
    expect(sum == expected + 210 - 14 + 6, "the crew works on");
}

}  // namespace

int main(int argc, char** argv) {
    try {
        check_crew();
        check_product();
        for (int i = 1; i < argc; ++i) {
            const std::vector<float> alone = run(argv[i], 1, false);
            for (const int threads : {2, 4}) {
                for (const bool each : {false, true}) {
                    expect(run(argv[i], threads, each) == alone, "the motion of one thread");
                }
            }
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    return 0;
}
