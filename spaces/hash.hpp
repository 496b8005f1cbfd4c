// A 64-bit hash of a sequence of words and strings, the same on every machine and in every version:
// it is stored (fingerprints, trial keys). Not for untrusted keys.
#pragma once

#include <bit>
#include <cstdint>
#include <string>
#include <string_view>

#include "spaces/rng.hpp"

namespace ridgeline {

class Hasher {
 public:
  Hasher& add(std::uint64_t word) {
    value_ = mix64(value_ ^ mix64(word + 0x9e3779b97f4a7c15ULL)) + (++count_ * 0xd6e8feb86659fd93ULL);
    return *this;
  }
  Hasher& add(std::int64_t word) { return add(static_cast<std::uint64_t>(word)); }
  Hasher& add(int word) { return add(static_cast<std::int64_t>(word)); }
  Hasher& add(double number) { return add(std::bit_cast<std::uint64_t>(number == 0.0 ? 0.0 : number)); }
  Hasher& add(std::string_view text) {
    add(static_cast<std::uint64_t>(text.size()));
    std::uint64_t word = 0;
    int filled = 0;
    for (const char c : text) {
      word = (word << 8) | static_cast<unsigned char>(c);
      if (++filled == 8) {
        add(word);
        word = 0;
        filled = 0;
      }
    }
    return filled > 0 ? add(word) : *this;
  }
  std::uint64_t value() const { return mix64(value_ ^ count_); }

 private:
  std::uint64_t value_ = 0x243f6a8885a308d3ULL;
  std::uint64_t count_ = 0;
};

// Sixteen lower-case hexadecimal digits.
std::string hex64(std::uint64_t value);

}  // namespace ridgeline
