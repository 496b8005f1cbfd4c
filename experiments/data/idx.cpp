#include <fmt/format.h>
#include <fmt/ranges.h>

#include <bit>
#include <cstring>

#include "experiments/data/array_files.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

struct IdxType {
  unsigned code;
  std::size_t bytes;
};
constexpr IdxType idx_types[] = {{0x08, 1}, {0x09, 1}, {0x0B, 2}, {0x0C, 4}, {0x0D, 4}, {0x0E, 8}};

// The unsigned big-endian number of `bytes` bytes.
std::uint64_t big_endian(const char* at, std::size_t bytes) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < bytes; ++i) value = (value << 8) | static_cast<unsigned char>(at[i]);
  return value;
}

std::int64_t signed_value(std::uint64_t raw, std::size_t bytes) {
  const std::size_t spare = 64 - 8 * bytes;
  return static_cast<std::int64_t>(raw << spare) >> spare;
}

float float_value(std::uint64_t raw, std::size_t bytes) {
  return bytes == 4 ? std::bit_cast<float>(static_cast<std::uint32_t>(raw))
                    : static_cast<float>(std::bit_cast<double>(raw));
}

const IdxType& type_of(std::string_view bytes, const std::string& origin) {
  const auto at = [&](std::size_t i) { return i < bytes.size() ? static_cast<unsigned char>(bytes[i]) : 0U; };
  for (const IdxType& type : idx_types) {
    if (bytes.size() >= 4 && at(0) == 0 && at(1) == 0 && at(2) == type.code && at(3) >= 1 && at(3) <= 4) return type;
  }
  const std::string found = bytes.size() < 4 ? fmt::format("{} bytes", bytes.size())
                                             : fmt::format("0x{:02x}{:02x}{:02x}{:02x}", at(0), at(1), at(2), at(3));
  throw ConfigError({origin, "magic number", "an IDX file: 0x0000, a type (08 to 0E) and 1 to 4 dimensions", found,
                     "is this another format? see \"format\" in experiments/data/README.md"});
}

}  // namespace

NumberArray parse_idx(std::string_view bytes, const std::string& origin) {
  const IdxType& type = type_of(bytes, origin);
  NumberArray array;
  const auto rank = static_cast<std::size_t>(static_cast<unsigned char>(bytes[3]));
  const std::size_t header = 4 + 4 * rank;
  if (bytes.size() < header) {
    throw ConfigError({origin, "header", fmt::format("{} bytes", header), std::to_string(bytes.size()),
                       "the file is cut; fetch it again"});
  }
  for (std::size_t i = 0; i < rank; ++i) array.dims.push_back(big_endian(bytes.data() + 4 + 4 * i, 4));
  std::size_t count = 0;
  const std::size_t there = bytes.size() - header;
  if (!product_of(array.dims, count) || count * type.bytes != there) {
    throw ConfigError({origin, "length",
                       fmt::format("[{}] values of {} byte{}, as the header says", fmt::join(array.dims, ", "),
                                   type.bytes, type.bytes == 1 ? "" : "s"),
                       fmt::format("{} bytes after the header", there), "the file is cut or damaged; fetch it again"});
  }
  const char* at = bytes.data() + header;
  if (type.code == 0x08) {
    std::vector<std::uint8_t> values(count);
    if (count > 0) std::memcpy(values.data(), at, count);
    array.values = std::move(values);
  } else if (type.code == 0x0D || type.code == 0x0E) {
    std::vector<float> values(count);
    for (std::size_t i = 0; i < count; ++i)
      values[i] = float_value(big_endian(at + i * type.bytes, type.bytes), type.bytes);
    array.values = std::move(values);
  } else {
    std::vector<std::int64_t> values(count);
    for (std::size_t i = 0; i < count; ++i) {
      values[i] = signed_value(big_endian(at + i * type.bytes, type.bytes), type.bytes);
    }
    array.values = std::move(values);
  }
  return array;
}

std::string idx_bytes(const std::vector<std::size_t>& dims, std::span<const std::uint8_t> values) {
  std::string bytes{'\0', '\0', '\x08', static_cast<char>(dims.size())};
  for (const std::size_t n : dims) {
    for (int shift = 24; shift >= 0; shift -= 8) bytes += static_cast<char>((n >> shift) & 0xff);
  }
  bytes.append(values.begin(), values.end());
  return bytes;
}

}  // namespace ridgeline
