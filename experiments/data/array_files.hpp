// Array files: IDX (the format of MNIST), NPY and NPZ (those of NumPy). All parse bytes that are in memory already, so
// that a declared size is compared with what is there before anything is allocated.
//
// IDX: two zero bytes, a type (8: u8, 9: i8, B: i16, C: i32, D: f32, E: f64), the number of dimensions (1 to 4), the
// dimensions and the values, all big-endian.
// NPY 1.0 to 3.0: little-endian |u1 |b1 |i1 <i2 <i4 <i8 <u2 <u4 <f4 <f8 in C order. NPZ: a zip file of them, stored or
// deflated.
// They throw ConfigError: signature, type, dimensions, length. Pure functions.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "experiments/data/pixels.hpp"

namespace ridgeline {

NumberArray parse_idx(std::string_view bytes, const std::string& origin);
NumberArray parse_npy(std::string_view bytes, const std::string& origin);
NumberArray parse_npz(std::string_view bytes, const std::string& name, const std::string& origin);
// The arrays of an NPZ file, without ".npy", sorted.
std::vector<std::string> npz_names(std::string_view bytes, const std::string& origin);

std::string idx_bytes(const std::vector<std::size_t>& dims, std::span<const std::uint8_t> values);
// A matrix of `columns` columns, row by row, as NPY 1.0 of <f4.
std::string npy_bytes(std::span<const float> values, std::size_t columns);

}  // namespace ridgeline
