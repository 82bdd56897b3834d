// What the fuzzer drives: one target per reader of bytes from outside.
#pragma once
#include <cstddef>
#include <span>

#include "mutation.h"

namespace fuzz {

class Target {
  public:
    virtual ~Target() = default;
    virtual Seed seed(Bytes valid) const = 0;                       // knows the format of a valid input
    virtual bool read(std::span<const std::byte> bytes) const = 0;  // true: taken; uses all that was read
};

const Target& model_file_target();
const Target& wire_target();
const Target& client_target();  // messages to the native client
const Target& stream_target();  // bytes of its connections

// Finds the numbers and entries of a valid GGUF file.
Seed map_gguf(Bytes valid);

}  // namespace fuzz
