#include "engine_test.h"

#include <cstdio>
#include <exception>
#include <span>

int main(int argc, char** argv) {
    const std::span arguments(argv, static_cast<std::size_t>(argc));
    try {
        if (arguments.size() == 2 && std::string(arguments[1]) == "kernels") {
            std::printf("%s\n", visavis::test::test_kernels().c_str());
            return 0;
        }
        if (arguments.size() > 2 && std::string(arguments[1]) == "allocations") {
            for (const char* path : arguments.subspan(2)) visavis::test::test_allocations(path);
            return 0;
        }
        if (arguments.size() == 3 && std::string(arguments[1]) == "sessions") {
            visavis::test::test_sessions(arguments[2]);
            return 0;
        }
    } catch (const std::exception& error) {
        std::fprintf(stderr, "%s\n", error.what());
        return 1;
    }
    std::fprintf(stderr, "usage: engine_test kernels | allocations MODEL... | sessions MODEL\n");
    return 2;
}
