// Random numbers that are the same on every machine: xoshiro256++ (Blackman and Vigna, 2019) seeded by SplitMix64,
// with the project's own distributions, because those of the standard library differ between implementations.
//
// There is one 64-bit seed a study. A stream is derived from (seed, purpose, number), never from a thread or a clock,
// so results do not depend on how many threads run or where a run was interrupted. Copyable; not thread-safe.
#pragma once

#include <array>
#include <bit>
#include <cmath>
#include <cstdint>
#include <numbers>
#include <span>
#include <string_view>
#include <utility>

namespace ridgeline {

constexpr std::uint64_t mix64(std::uint64_t x) {  // SplitMix64's finaliser: a bijection of the 64-bit words
  x ^= x >> 30;
  x *= 0xbf58476d1ce4e5b9ULL;
  x ^= x >> 27;
  x *= 0x94d049bb133111ebULL;
  return x ^ (x >> 31);
}

class Rng {
 public:
  using State = std::array<std::uint64_t, 4>;

  explicit Rng(std::uint64_t seed) {
    for (std::uint64_t& word : state_) word = mix64(seed += 0x9e3779b97f4a7c15ULL);
  }
  explicit Rng(const State& state) : state_(state) {}
  Rng(std::uint64_t seed, std::string_view purpose, std::uint64_t number = 0) : Rng(derive(seed, purpose, number)) {}

  static std::uint64_t derive(std::uint64_t seed, std::string_view purpose, std::uint64_t number) {
    std::uint64_t h = mix64(seed + 0x9e3779b97f4a7c15ULL);
    for (const char c : purpose) h = mix64(h ^ static_cast<unsigned char>(c)) + 0x9e3779b97f4a7c15ULL;
    return mix64(h ^ mix64(number + 0x632be59bd9b4e019ULL));
  }

  const State& state() const { return state_; }

  std::uint64_t next() {
    const std::uint64_t result = std::rotl(state_[0] + state_[3], 23) + state_[0];
    const std::uint64_t t = state_[1] << 17;
    state_[2] ^= state_[0];
    state_[3] ^= state_[1];
    state_[1] ^= state_[2];
    state_[0] ^= state_[3];
    state_[2] ^= t;
    state_[3] = std::rotl(state_[3], 45);
    return result;
  }

  // Uniform in [0, n); n > 0. Unbiased (Lemire, 2019).
  std::uint64_t below(std::uint64_t n) {
    __extension__ using Wide = unsigned __int128;
    Wide product = static_cast<Wide>(next()) * n;
    auto low = static_cast<std::uint64_t>(product);
    if (low < n) {
      const std::uint64_t threshold = (0 - n) % n;
      while (low < threshold) {
        product = static_cast<Wide>(next()) * n;
        low = static_cast<std::uint64_t>(product);
      }
    }
    return static_cast<std::uint64_t>(product >> 64);
  }

  double uniform() { return static_cast<double>(next() >> 11) * 0x1.0p-53; }  // [0, 1)
  bool chance(double probability) { return uniform() < probability; }

  double normal() {  // mean 0, variance 1; Box and Muller, one of the pair, so that the state is the generator's alone
    const double u = 1.0 - uniform();
    const double v = uniform();
    return std::sqrt(-2.0 * std::log(u)) * std::cos(2.0 * std::numbers::pi * v);
  }

  template <typename T>
  void shuffle(std::span<T> values) {  // Fisher and Yates
    for (std::size_t i = values.size(); i > 1; --i) std::swap(values[i - 1], values[below(i)]);
  }

 private:
  State state_;
};

}  // namespace ridgeline
