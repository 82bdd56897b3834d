// Figures of a stage for people: why nothing moves, and the remedy.
#include <cstdio>
#include <cstring>

#include "stage/stage.h"

namespace visavis {
namespace {

constexpr std::int64_t kSecond = 1'000'000'000;

double ms(std::int64_t ns) { return static_cast<double>(ns) * 1e-6; }
double seconds(std::int64_t ns) { return static_cast<double>(ns) * 1e-9; }
std::int64_t value(const std::atomic<std::int64_t>& figure) { return figure.load(std::memory_order_relaxed); }

}  // namespace

std::int64_t Stage::idle_ns() const {
    const std::int64_t worked_ns = worked_ns_.load(std::memory_order_relaxed);
    return worked_ns == kNever ? -1 : now_ns() - worked_ns;
}

std::int32_t Stage::list_heads(char* names, std::size_t capacity) const {
    if (names && capacity > 0) names[0] = '\0';
    std::int32_t n_open = 0;
    std::size_t used = 0;
    for (int i = 0; const StageHead* head = this->head(i); ++i) {
        if (!head->wanted.load(std::memory_order_relaxed)) continue;
        ++n_open;
        if (!names || used + head->name.size() + 2 > capacity) continue;
        if (used > 0) names[used++] = '\n';
        std::memcpy(names + used, head->name.c_str(), head->name.size() + 1);
        used += head->name.size();
    }
    return n_open;
}

void Stage::status_text(char* text, std::size_t capacity) const {
    char line[512];
    const double needed = scheduler_.load(n_open()), cost_ms = ms(scheduler_.turn_cost_ns(n_open()));
    const std::int64_t wait_ns = scheduler_.turn_wait_ns();
    const double needed_with_waiting = n_open() * static_cast<double>(wait_ns) / static_cast<double>(turn_ns_);
    if (config_.ticked && idle_ns() < 0) {
        std::snprintf(line, sizeof line, "vv_stage_tick was not called yet; call it once a frame");
    } else if (idle_ns() > kSecond) {
        std::snprintf(line, sizeof line,
                      config_.ticked ? "vv_stage_tick was last called %.1f s ago; call it once a frame"
                                     : "the stage's thread got no processor time for %.1f s; other threads take it all",
                      seconds(idle_ns()));
    } else if (needed > static_cast<double>(config_.max_load)) {
        std::snprintf(line, sizeof line,
                      "%d heads need %.2f of a processor core (%.2f ms for each turn of %.0f ms), more than %.2f "
                      "(config.max_load): close some, or open them with fewer steps",
                      n_open(), needed, cost_ms, ms(turn_ns_), static_cast<double>(config_.max_load));
    } else if (needed_with_waiting > 1) {
        std::snprintf(line, sizeof line,
                      "%d heads need %.2f of a processor core, but other threads take it: a turn takes %.1f ms instead "
                      "of %.2f; leave a core to the stage's thread, or close some heads",
                      n_open(), needed, ms(wait_ns), cost_ms);
    } else {
        std::snprintf(line, sizeof line, "%d heads %s, %.2f ms for each turn of %.0f ms: %.2f of a processor core",
                      n_open(), config_.ticked ? "in vv_stage_tick" : "on the stage's thread", cost_ms, ms(turn_ns_),
                      needed);
    }
    copy_text(text, capacity, line);
}

void Stage::status_text(const StageHead& head, char* text, std::size_t capacity) const {
    const HeadFigures& figures = head.figures;
    const char* name = head.name.c_str();
    const std::int64_t last_ns = value(figures.last_frame_ns), silence_ns = now_ns() - last_ns;
    char line[512];
    if (!head.wanted.load(std::memory_order_relaxed)) {
        const bool never = figures.epoch.load(std::memory_order_relaxed) == 0;
        std::snprintf(line, sizeof line, "head \"%s\" %s; open it with vv_stage_open_head", name,
                      never ? "is not open" : "was closed");
    } else if (idle_ns() < 0 || idle_ns() > kSecond || last_ns == kNever || silence_ns > kSecond) {
        char why[400];
        status_text(why, sizeof why);
        std::snprintf(line, sizeof line, "head \"%s\" shows nothing new: %s", name, why);
        if (last_ns == kNever && idle_ns() >= 0 && idle_ns() <= kSecond)
            std::snprintf(line, sizeof line, "head \"%s\" is open, its first turn is still to come", name);
    } else {
        const char* hint = "";
        if (value(figures.agent_pushed) == 0)
            hint = "; its own voice has not come yet (vv_stage_send_agent_audio), so its mouth rests";
        else if (value(figures.user_pushed) == 0)
            hint = "; the player's voice has not come yet (vv_stage_send_user_audio)";
        std::snprintf(line, sizeof line,
                      "head \"%s\" is live: shown %.0f ms after its clock, %lld frames, %lld turns "
                      "late%s",
                      name, ms(vvi_show_delay(&head.show())), static_cast<long long>(value(figures.frames)),
                      static_cast<long long>(value(figures.late_turns)), hint);
    }
    copy_text(text, capacity, line);
}

}  // namespace visavis
