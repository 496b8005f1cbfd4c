// What exporters compute from shapes and constants, computed here.
#include <fmt/format.h>

#include <algorithm>
#include <numeric>

#include "spaces/onnx/importer.hpp"

namespace ridgeline {
namespace {

using Integers = std::vector<std::int64_t>;

// Whole numbers in a list: all that shape arithmetic needs.
void define_list(OnnxImporter& at, Integers values, bool scalar = false) {
  const auto count = static_cast<std::int64_t>(values.size());
  at.define(OnnxConstant{scalar && count == 1 ? Shape{} : Shape{count}, std::move(values)});
}

bool reads_constants(const OnnxImporter& at) {
  for (std::size_t i = 0; i < at.inputs(); ++i) {
    if (at.has_input(i) && !at.input(i).constant) return false;
  }
  return at.inputs() > 0;
}

bool reads_integers(const OnnxImporter& at) {
  if (!reads_constants(at)) return false;
  for (std::size_t i = 0; i < at.inputs(); ++i) {
    if (at.has_input(i) && !std::holds_alternative<Integers>(at.constant(i).values)) return false;
    if (at.has_input(i) && at.constant(i).shape.size() > 1) return false;
  }
  return true;
}

void fold_gather(OnnxImporter& at) {
  const Integers &data = at.integers(0), &indices = at.integers(1);
  const auto count = static_cast<std::int64_t>(data.size());
  Integers picked;
  for (std::int64_t index : indices) {
    if (index < 0) index += count;
    if (index < 0 || index >= count) at.refuse(fmt::format("indices below {}", count), std::to_string(index));
    picked.push_back(data[static_cast<std::size_t>(index)]);
  }
  define_list(at, std::move(picked), at.constant(1).shape.empty());
}

void fold_slice(OnnxImporter& at) {
  const Integers& data = at.integers(0);
  const auto count = static_cast<std::int64_t>(data.size());
  const auto one = [&](const char* name, std::size_t index, std::int64_t fallback) {
    Integers values;
    if (at.opset() < 10) {
      values = at.list(name).value_or(Integers{fallback});
    } else {
      values = at.has_input(index) ? at.integers(index) : Integers{fallback};
    }
    if (values.size() != 1) at.refuse("a slice of one axis", std::to_string(values.size()));
    return values[0];
  };
  if (one("axes", 3, 0) != 0 || one("steps", 4, 1) != 1) at.refuse("a slice of axis 0 in steps of 1", "another one");
  const auto place = [&](std::int64_t value) {
    return std::clamp(value < 0 ? value + count : value, std::int64_t{0}, count);
  };
  const std::int64_t first = place(one("starts", 1, 0)), last = place(one("ends", 2, count));
  define_list(at, {data.begin() + first, data.begin() + std::max(first, last)});
}

void fold_concat(OnnxImporter& at) {
  Integers joined;
  for (std::size_t i = 0; i < at.inputs(); ++i) {
    const Integers& values = at.integers(i);
    joined.insert(joined.end(), values.begin(), values.end());
  }
  define_list(at, std::move(joined));
}

void fold_arithmetic(OnnxImporter& at, const std::string& type) {
  const Integers &left = at.integers(0), &right = at.integers(1);
  if (left.empty() || right.empty() || (left.size() != right.size() && left.size() != 1 && right.size() != 1)) {
    at.refuse("lists of equal length", fmt::format("{} and {}", left.size(), right.size()));
  }
  Integers result(std::max(left.size(), right.size()));
  for (std::size_t i = 0; i < result.size(); ++i) {
    const std::int64_t a = left[left.size() == 1 ? 0 : i], b = right[right.size() == 1 ? 0 : i];
    bool fits = true;
    if (type == "Add") fits = !__builtin_add_overflow(a, b, &result[i]);
    if (type == "Sub") fits = !__builtin_sub_overflow(a, b, &result[i]);
    if (type == "Mul") fits = !__builtin_mul_overflow(a, b, &result[i]);
    if (type == "Div") {
      fits = b != 0 && b != -1;
      if (fits) result[i] = a / b;
    }
    if (!fits) at.refuse("a result of 64 bits", fmt::format("{} and {}", a, b));
  }
  define_list(at, std::move(result), at.constant(0).shape.empty() && at.constant(1).shape.empty());
}

}  // namespace

bool fold_constants(OnnxImporter& at) {
  const std::string& type = at.node().type;
  if (type == "Shape") {
    const Shape& shape = at.shape(0);
    const auto rank = static_cast<std::int64_t>(shape.size());
    const auto place = [&](std::int64_t axis) {
      return std::clamp(axis < 0 ? axis + rank : axis, std::int64_t{0}, rank);
    };
    const std::int64_t start = place(at.integer("start", 0)), end = place(at.integer("end", rank));
    define_list(at, {shape.begin() + start, shape.begin() + std::max(start, end)});
    return true;
  }
  if (type == "Identity" || type == "Dropout") return false;  // copies whatever it reads
  if (!reads_integers(at)) return false;
  const bool arithmetic = type == "Add" || type == "Sub" || type == "Mul" || type == "Div";
  if (arithmetic && at.inputs() == 2) {
    fold_arithmetic(at, type);
  } else if (type == "Gather" && at.inputs() == 2 && at.integer("axis", 0) == 0) {
    fold_gather(at);
  } else if (type == "Slice") {
    fold_slice(at);
  } else if (type == "Concat") {
    fold_concat(at);
  } else if (type == "Cast") {
    at.define(OnnxTensor(at.input(0)));
  } else if (type == "Unsqueeze" || type == "Squeeze" || type == "Reshape") {
    define_list(at, at.integers(0), type == "Squeeze" && at.integers(0).size() == 1);
  } else {
    return false;
  }
  return true;
}

}  // namespace ridgeline
