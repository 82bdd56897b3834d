#include "stage/stage_log.h"

#include <cstring>

#include "stage/try_lock.h"

namespace visavis {

void copy_text(char* to, std::size_t capacity, const char* from) {
    if (!to || capacity == 0) return;
    std::size_t n_bytes = std::strlen(from);
    if (n_bytes >= capacity) {
        n_bytes = capacity - 1;
        while (n_bytes > 0 && (static_cast<unsigned char>(from[n_bytes]) & 0xC0) == 0x80) --n_bytes;
    }
    std::memcpy(to, from, n_bytes);
    to[n_bytes] = '\0';
}

void StageLog::say(int level, const char* text) {
    if (pass_on_) pass_on_(level, text);
    const TryLock lock(busy_);
    if (!lock) return;
    Line& line = lines_[written_++ % kLines];
    line.level = level;
    copy_text(line.text, kLineBytes, text);
    if (written_ - read_ > kLines) read_ = written_ - kLines;
}

bool StageLog::next(std::int32_t* level, char* text, std::size_t capacity) {
    const TryLock lock(busy_);
    if (!lock || read_ == written_) return false;
    const Line& line = lines_[read_++ % kLines];
    if (level) *level = line.level;
    copy_text(text, capacity, line.text);
    return true;
}

}  // namespace visavis
