// A stage's log: lines that are kept until somebody asks for them, the oldest forgotten, and passed on at once.
#pragma once
#include <array>
#include <atomic>
#include <cstddef>
#include <cstdint>

namespace visavis {

// Copies as much as there is room for; cuts between characters of UTF-8.
void copy_text(char* to, std::size_t capacity, const char* from);

class StageLog {
  public:
    using PassOn = void (*)(int level, const char* text);
    explicit StageLog(PassOn pass_on) : pass_on_(pass_on) {}

    void say(int level, const char* text);  // levels of vv_log_level
    bool next(std::int32_t* level, char* text, std::size_t capacity);

  private:
    static constexpr std::size_t kLines = 64, kLineBytes = 512;
    struct Line {
        std::int32_t level = 0;
        char text[kLineBytes] = "";
    };
    PassOn pass_on_;
    std::atomic_flag busy_;
    std::array<Line, kLines> lines_{};
    std::size_t written_ = 0, read_ = 0;
};

}  // namespace visavis
