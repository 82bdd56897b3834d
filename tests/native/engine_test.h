// Native tests of the CPU engine: `engine_test kernels`, `engine_test allocations MODEL...`, `engine_test sessions
// MODEL`.
#pragma once
#include <stdexcept>
#include <string>
#include <string_view>

namespace visavis::test {

inline void expect(bool condition, std::string_view what) {
    if (!condition) throw std::runtime_error(std::string("failed: ").append(what));
}

std::string test_kernels();  // the names of the tables that were tested
void test_allocations(const std::string& model_path);
void test_sessions(const std::string& model_path);

}  // namespace visavis::test
