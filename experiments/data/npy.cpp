#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>
#include <optional>

#include "experiments/data/array_files.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr std::string_view signature = "\x93NUMPY";

struct NpyType {
  std::string_view name;
  std::size_t bytes;
};
constexpr std::array<NpyType, 10> npy_types{{{"|u1", 1},
                                             {"|b1", 1},
                                             {"|i1", 1},
                                             {"<i2", 2},
                                             {"<i4", 4},
                                             {"<i8", 8},
                                             {"<u2", 2},
                                             {"<u4", 4},
                                             {"<f4", 4},
                                             {"<f8", 8}}};

[[noreturn]] void refuse(const std::string& origin, const char* place, std::string expected, std::string found,
                         std::string remedy) {
  throw ConfigError({origin, place, std::move(expected), std::move(found), std::move(remedy)});
}

// The text of the value under `key` in the header's Python dictionary, up to the comma or bracket that ends it.
std::optional<std::string_view> value_of(std::string_view header, std::string_view key) {
  const std::size_t at = header.find(fmt::format("'{}'", key));
  if (at == std::string_view::npos) return std::nullopt;
  std::size_t begin = header.find(':', at + key.size() + 2);
  if (begin == std::string_view::npos) return std::nullopt;
  begin = header.find_first_not_of(" \t", begin + 1);
  if (begin == std::string_view::npos) return std::nullopt;
  const std::size_t end = header[begin] == '(' ? header.find(')', begin) : header.find_first_of(",}", begin);
  if (end == std::string_view::npos) return std::nullopt;
  return header.substr(begin, end - begin + (header[begin] == '(' ? 1 : 0));
}

std::optional<std::vector<std::size_t>> shape_of(std::string_view text) {  // "(10, 28, 28)", "(10,)"
  std::vector<std::size_t> dims;
  const char* at = text.data() + 1;
  const char* const end = text.data() + text.size() - 1;
  while (at < end) {
    while (at < end && (*at == ' ' || *at == ',')) ++at;
    if (at == end) break;
    std::size_t n = 0;
    const auto [next, error] = std::from_chars(at, end, n);
    if (error != std::errc{}) return std::nullopt;
    dims.push_back(n);
    at = next;
  }
  return dims;
}

template <typename Stored, typename Kept>
std::vector<Kept> converted(const char* at, std::size_t count) {
  std::vector<Kept> values(count);
  for (std::size_t i = 0; i < count; ++i) {
    Stored value;
    std::memcpy(&value, at + i * sizeof(Stored), sizeof(Stored));
    values[i] = static_cast<Kept>(value);
  }
  return values;
}

void fill(NumberArray& array, std::string_view type, const char* at, std::size_t count) {
  if (type == "|u1" || type == "|b1") array.values = converted<std::uint8_t, std::uint8_t>(at, count);
  if (type == "|i1") {
    std::vector<std::int64_t> values(count);
    for (std::size_t i = 0; i < count; ++i)
      values[i] = std::int64_t{static_cast<unsigned char>(at[i])} - (at[i] < 0 ? 256 : 0);
    array.values = std::move(values);
  }
  if (type == "<i2") array.values = converted<std::int16_t, std::int64_t>(at, count);
  if (type == "<i4") array.values = converted<std::int32_t, std::int64_t>(at, count);
  if (type == "<i8") array.values = converted<std::int64_t, std::int64_t>(at, count);
  if (type == "<u2") array.values = converted<std::uint16_t, std::int64_t>(at, count);
  if (type == "<u4") array.values = converted<std::uint32_t, std::int64_t>(at, count);
  if (type == "<f4") array.values = converted<float, float>(at, count);
  if (type == "<f8") array.values = converted<double, float>(at, count);
}

// The header's text, and where the values begin.
std::pair<std::string_view, std::size_t> header_of(std::string_view bytes, const std::string& origin) {
  if (!bytes.starts_with(signature)) {
    refuse(origin, "magic number", "an NPY file: \\x93NUMPY",
           fmt::format("{} bytes that begin otherwise", bytes.size()), "is this another format? numpy.save writes NPY");
  }
  const std::size_t version = bytes.size() > 6 ? static_cast<unsigned char>(bytes[6]) : 0;
  if (version < 1 || version > 3) refuse(origin, "version", "1 to 3", std::to_string(version), "");
  const std::size_t width = version == 1 ? 2 : 4;
  std::size_t length = 0;
  for (std::size_t i = 0; i < width && 8 + i < bytes.size(); ++i) {
    length |= static_cast<std::size_t>(static_cast<unsigned char>(bytes[8 + i])) << (8 * i);
  }
  const std::size_t begin = 8 + width;
  if (bytes.size() < begin || length > bytes.size() - begin) {
    refuse(origin, "header", fmt::format("{} bytes", length), "fewer", "the file is cut; fetch it again");
  }
  return {bytes.substr(begin, length), begin + length};
}

}  // namespace

NumberArray parse_npy(std::string_view bytes, const std::string& origin) {
  const auto [header, begin] = header_of(bytes, origin);
  const auto descr = value_of(header, "descr");
  const auto order = value_of(header, "fortran_order");
  const auto shape = value_of(header, "shape");
  const auto dims = shape && shape->size() >= 2 && shape->front() == '(' ? shape_of(*shape) : std::nullopt;
  if (!descr || descr->size() < 2 || !order || !dims) {
    refuse(origin, "header", "'descr', 'fortran_order' and 'shape'", "something else", "write it with numpy.save");
  }
  const std::string_view name = descr->substr(1, descr->size() - 2);
  const auto type =
      std::find_if(npy_types.begin(), npy_types.end(), [&](const NpyType& one) { return one.name == name; });
  if (type == npy_types.end()) {
    refuse(origin, "descr", "little-endian integers up to 64 bits, float32 or float64", std::string(name.substr(0, 20)),
           "convert with array.astype('uint8') or astype('float32')");
  }
  if (!order->starts_with("False")) {
    refuse(origin, "fortran_order", "False", "True", "save numpy.ascontiguousarray(array)");
  }
  NumberArray array;
  array.dims = *dims;
  std::size_t count = 0;
  const std::size_t there = bytes.size() - begin;
  if (!product_of(array.dims, count) || count * type->bytes != there) {
    refuse(origin, "length", fmt::format("[{}] values of {} bytes", fmt::join(array.dims, ", "), type->bytes),
           fmt::format("{} bytes after the header", there), "the file is cut or damaged; save it again");
  }
  fill(array, type->name, bytes.data() + begin, count);
  return array;
}

std::string npy_bytes(std::span<const float> values, std::size_t columns) {
  std::string header =
      fmt::format("{{'descr': '<f4', 'fortran_order': False, 'shape': ({}, {}), }}", values.size() / columns, columns);
  constexpr std::size_t preamble = 10, alignment = 64;  // the values begin at a multiple of 64 bytes
  header.append(alignment - (preamble + header.size() + 1) % alignment, ' ');
  header += '\n';
  std::string bytes(signature);
  bytes += {'\x01', '\x00', static_cast<char>(header.size() & 0xff), static_cast<char>(header.size() >> 8)};
  bytes += header;
  bytes.append(reinterpret_cast<const char*>(values.data()), values.size_bytes());
  return bytes;
}

}  // namespace ridgeline
