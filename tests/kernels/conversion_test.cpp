// Every pair of stored types, over every 16-bit pattern and awkward numbers, against conversions written out one by
// one.
#include "kernels/conversion.hpp"

#include <gtest/gtest.h>

#include <bit>
#include <cmath>
#include <cstring>
#include <limits>
#include <vector>

#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

constexpr StoredType types[] = {StoredType::single, StoredType::bfloat, StoredType::s8, StoredType::u8};

std::size_t bytes_of(StoredType type) { return type == StoredType::single ? 4 : type == StoredType::bfloat ? 2 : 1; }

double read(StoredType type, const std::byte* at) {
  float single = 0;
  std::uint16_t half = 0;
  switch (type) {
    case StoredType::single:
      std::memcpy(&single, at, 4);
      return static_cast<double>(single);
    case StoredType::bfloat:
      std::memcpy(&half, at, 2);
      return static_cast<double>(std::bit_cast<float>(std::uint32_t{half} << 16));
    case StoredType::s8:
      return static_cast<double>(static_cast<std::int8_t>(*at));
    case StoredType::u8:
      return static_cast<double>(static_cast<std::uint8_t>(*at));
  }
  return 0;
}

// The nearest bf16, by trying the ones around.
double nearest_bf16(double value) {
  if (std::isnan(value)) return value;
  const auto single = static_cast<float>(value);
  const auto below = static_cast<std::uint16_t>(std::bit_cast<std::uint32_t>(single) >> 16);
  const auto of = [](std::uint16_t code) { return std::bit_cast<float>(std::uint32_t{code} << 16); };
  const auto above = static_cast<std::uint16_t>(below + 1);  // away from 0
  if (std::isinf(single)) return value;
  const double to_below = std::abs(value - static_cast<double>(of(below)));
  // Beyond the largest bf16 the next code is infinity, which stands for the number after it, 2^128.
  const double next =
      std::isinf(of(above)) ? std::copysign(std::ldexp(1.0, 128), value) : static_cast<double>(of(above));
  const double to_above = std::abs(value - next);
  if (to_below != to_above) return static_cast<double>(of(to_below < to_above ? below : above));
  return static_cast<double>(of((below & 1U) == 0 ? below : above));
}

double expected(StoredType to, double value) {
  switch (to) {
    case StoredType::single:
      return value;
    case StoredType::bfloat:
      return nearest_bf16(value);
    case StoredType::s8:
      return std::isnan(value) ? -128 : std::min(127.0, std::max(-128.0, std::nearbyint(value)));
    case StoredType::u8:
      return std::isnan(value) ? 0 : std::min(255.0, std::max(0.0, std::nearbyint(value)));
  }
  return 0;
}

// Bytes of numbers of a type: all codes of up to 16 bits; of f32 random bit patterns, ties and special numbers.
std::vector<std::byte> numbers(StoredType type, std::int64_t& count) {
  std::vector<std::byte> bytes;
  const auto put = [&](const auto& value) {
    const auto* at = reinterpret_cast<const std::byte*>(&value);
    bytes.insert(bytes.end(), at, at + sizeof value);
    ++count;
  };
  if (type == StoredType::bfloat) {
    for (std::uint32_t code = 0; code < 65536; ++code) put(static_cast<std::uint16_t>(code));
  } else if (type != StoredType::single) {
    for (int code = 0; code < 256; ++code) put(static_cast<std::uint8_t>(code));
  } else {
    Rng rng(1, "conversion");
    for (int i = 0; i < 30000; ++i) put(std::bit_cast<float>(static_cast<std::uint32_t>(rng.next())));
    for (int i = -2100; i < 2100; ++i) put(static_cast<float>(i) / 8);
    for (const std::uint32_t high : {0x3f80U, 0x7f7fU, 0x0001U, 0xc2f1U}) {
      for (const std::uint32_t low : {0x7fffU, 0x8000U, 0x8001U}) put(std::bit_cast<float>(high << 16 | low));
    }
    for (const float value : {std::numeric_limits<float>::infinity(), -std::numeric_limits<float>::infinity(),
                              std::numeric_limits<float>::quiet_NaN(), -0.0F}) {
      put(value);
    }
  }
  return bytes;
}

TEST(Conversion, EveryPairOfTypesIsRoundedToNearestAndSaturated) {
  for (const StoredType from : types) {
    std::int64_t count = 0;
    const std::vector<std::byte> in = numbers(from, count);
    for (const StoredType to : types) {
      for (const float scale : {1.0F, 0.37F, 64.0F}) {
        for (const int threads : {1, 2}) {
          std::vector<std::byte> out(static_cast<std::size_t>(count) * bytes_of(to));
          convert_numbers({from, to, count, scale, threads}, in.data(), out.data());
          std::size_t wrong = 0;
          for (std::size_t i = 0; i < static_cast<std::size_t>(count); ++i) {
            const auto scaled = static_cast<float>(read(from, in.data() + i * bytes_of(from))) * scale;
            const double wanted = expected(to, static_cast<double>(scaled));
            const double found = read(to, out.data() + i * bytes_of(to));
            wrong += found == wanted || (std::isnan(found) && std::isnan(wanted)) ? 0U : 1U;
          }
          EXPECT_EQ(wrong, 0U) << static_cast<int>(from) << " to " << static_cast<int>(to) << " scale " << scale;
        }
      }
    }
  }
}

TEST(Conversion, PlanesBecomePixels) {
  Rng rng(2, "planes");
  constexpr std::int64_t images = 2, area = 531;
  std::vector<float> planes(static_cast<std::size_t>(images * 3 * area));
  for (float& value : planes) value = static_cast<float>(100 * rng.normal());
  for (const StoredType to : {StoredType::single, StoredType::bfloat, StoredType::s8}) {
    std::vector<std::byte> pixels(planes.size() * bytes_of(to));
    interleave({images, area, to, 0.5F, 2}, planes.data(), pixels.data());
    for (std::size_t i = 0; i < planes.size(); ++i) {
      const std::size_t image = i / (3 * area), pixel = i / 3 % area, channel = i % 3;
      const float value = planes[(image * 3 + channel) * area + pixel] * 0.5F;
      ASSERT_EQ(read(to, pixels.data() + i * bytes_of(to)), expected(to, static_cast<double>(value))) << i;
    }
  }
}

}  // namespace
}  // namespace ridgeline
