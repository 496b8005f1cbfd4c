#include "tests/spaces/onnx_interpreter.hpp"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <functional>
#include <limits>
#include <set>
#include <stdexcept>

namespace ridgeline::test {
namespace {

using Index = std::int64_t;
using Integers = std::vector<Index>;
using Arrays = std::vector<const OnnxArray*>;

std::size_t at(Index index) { return static_cast<std::size_t>(index); }

// The attributes of a node; each must be asked for.
class Attributes {
 public:
  explicit Attributes(const onnx::NodeProto& node) {
    for (const onnx::AttributeProto& attribute : node.attribute()) {
      if (!protos_.emplace(attribute.name(), &attribute).second)
        throw std::runtime_error("an attribute is there twice");
    }
  }
  Index integer(const char* name, Index otherwise) {
    const onnx::AttributeProto* proto = take(name, onnx::AttributeProto::INT);
    return proto == nullptr ? otherwise : proto->i();
  }
  double number(const char* name, double otherwise) {
    const onnx::AttributeProto* proto = take(name, onnx::AttributeProto::FLOAT);
    return proto == nullptr ? otherwise : static_cast<double>(proto->f());
  }
  Integers integers(const char* name, Integers otherwise) {
    const onnx::AttributeProto* proto = take(name, onnx::AttributeProto::INTS);
    return proto == nullptr ? otherwise : Integers(proto->ints().begin(), proto->ints().end());
  }
  void require_all_read() const {
    for (const auto& [name, proto] : protos_) {
      if (!read_.contains(name)) throw std::runtime_error("attribute " + name + " is not known here");
    }
  }

 private:
  const onnx::AttributeProto* take(const char* name, onnx::AttributeProto::AttributeType type) {
    const auto it = protos_.find(name);
    if (it == protos_.end()) return nullptr;
    if (it->second->type() != type) throw std::runtime_error(std::string("attribute ") + name + " has another type");
    read_.insert(name);
    return it->second;
  }
  std::map<std::string, const onnx::AttributeProto*> protos_;
  std::set<std::string> read_;
};

OnnxArray filled(Shape shape, double value = 0.0) {
  const std::size_t count = at(elements(shape));
  return {std::move(shape), std::vector<double>(count, value)};
}

// Calls `visit(index, position)` for every element of `shape`, in order.
void for_each_index(const Shape& shape, const std::function<void(const Shape&, std::size_t)>& visit) {
  Shape index(shape.size(), 0);
  const std::size_t count = at(elements(shape));
  for (std::size_t position = 0; position < count; ++position) {
    visit(index, position);
    for (std::size_t axis = shape.size(); axis-- > 0;) {
      if (++index[axis] < shape[axis]) break;
      index[axis] = 0;
    }
  }
}

// The element of `array` at `index` of a shape that it is broadcast to: axes are aligned at the end, those of length 1
// are spread.
std::size_t broadcast_position(const OnnxArray& array, const Shape& index) {
  std::size_t position = 0;
  const std::size_t skipped = index.size() - array.shape.size();
  for (std::size_t axis = 0; axis < array.shape.size(); ++axis) {
    position = position * at(array.shape[axis]) + (array.shape[axis] == 1 ? 0 : at(index[skipped + axis]));
  }
  return position;
}

Shape broadcast_shape(const Shape& a, const Shape& b) {
  Shape shape(std::max(a.size(), b.size()), 1);
  for (const Shape* one : {&a, &b}) {
    for (std::size_t i = 0; i < one->size(); ++i) {
      Index& extent = shape[shape.size() - one->size() + i];
      if (extent != 1 && (*one)[i] != 1 && extent != (*one)[i]) throw std::runtime_error("shapes do not broadcast");
      extent = std::max(extent, (*one)[i]);
    }
  }
  return shape;
}

OnnxArray binary(const Arrays& in, double (*operate)(double, double)) {
  OnnxArray out = filled(broadcast_shape(in[0]->shape, in[1]->shape));
  for_each_index(out.shape, [&](const Shape& index, std::size_t position) {
    out.values[position] =
        operate(in[0]->values[broadcast_position(*in[0], index)], in[1]->values[broadcast_position(*in[1], index)]);
  });
  return out;
}

OnnxArray unary(const OnnxArray& in, const std::function<double(double)>& operate) {
  OnnxArray out = in;
  std::transform(in.values.begin(), in.values.end(), out.values.begin(), operate);
  return out;
}

Index positive_axis(Index axis, const Shape& shape) {
  const auto rank = static_cast<Index>(shape.size());
  if (axis < -rank || axis >= rank) throw std::runtime_error("an axis that the tensor does not have");
  return axis < 0 ? axis + rank : axis;
}

// A window sliding over [H, W], as Conv and the pools share it.
struct Window {
  Integers kernel, strides, pads, dilations;
  Index height, width;

  Window(Attributes& attributes, const Shape& image, const Integers& kernel_shape, bool dilates)
      : kernel(attributes.integers("kernel_shape", kernel_shape)),
        strides(attributes.integers("strides", {1, 1})),
        pads(attributes.integers("pads", {0, 0, 0, 0})),
        dilations(dilates ? attributes.integers("dilations", {1, 1}) : Integers{1, 1}),
        height(image[2]),
        width(image[3]) {
    if (image.size() != 4 || kernel.size() != 2) throw std::runtime_error("not an image");
  }
  Index positions(std::size_t side) const {
    const Index length = side == 0 ? height : width;
    return (length + pads[side] + pads[side + 2] - dilations[side] * (kernel[side] - 1) - 1) / strides[side] + 1;
  }
  // Calls `visit(tap, row, column)` for every tap of the window at (y, x) that lies on the image.
  template <typename Visit>
  void taps(Index y, Index x, const Visit& visit) const {
    for (Index i = 0; i < kernel[0]; ++i) {
      for (Index j = 0; j < kernel[1]; ++j) {
        const Index row = y * strides[0] - pads[0] + i * dilations[0];
        const Index column = x * strides[1] - pads[1] + j * dilations[1];
        if (row >= 0 && row < height && column >= 0 && column < width) visit(i * kernel[1] + j, row, column);
      }
    }
  }
};

OnnxArray conv(const Arrays& in, Attributes& attributes) {
  const OnnxArray &x = *in[0], &w = *in[1];
  const Window window(attributes, x.shape, {w.shape[2], w.shape[3]}, true);
  const Index group = attributes.integer("group", 1), group_in = w.shape[1], area = w.shape[2] * w.shape[3];
  if (x.shape[1] != group * group_in || w.shape[0] % group != 0) throw std::runtime_error("groups do not fit");
  OnnxArray out = filled({x.shape[0], w.shape[0], window.positions(0), window.positions(1)});
  for_each_index(out.shape, [&](const Shape& index, std::size_t position) {
    const Index feature = index[1], first = feature / (w.shape[0] / group) * group_in;
    double sum = in.size() > 2 ? in[2]->values[at(feature)] : 0.0;
    window.taps(index[2], index[3], [&](Index tap, Index row, Index column) {
      for (Index c = 0; c < group_in; ++c) {
        const Index from = ((index[0] * x.shape[1] + first + c) * x.shape[2] + row) * x.shape[3] + column;
        sum += x.values[at(from)] * w.values[at((feature * group_in + c) * area + tap)];
      }
    });
    out.values[position] = sum;
  });
  return out;
}

OnnxArray pool(const OnnxArray& x, Attributes& attributes, bool average) {
  const Window window(attributes, x.shape, {}, false);
  const bool whole = average && attributes.integer("count_include_pad", 0) != 0;
  if (attributes.integer("ceil_mode", 0) != 0) throw std::runtime_error("ceil_mode is not known here");
  OnnxArray out = filled({x.shape[0], x.shape[1], window.positions(0), window.positions(1)});
  for_each_index(out.shape, [&](const Shape& index, std::size_t position) {
    double sum = 0.0, largest = -std::numeric_limits<double>::infinity(), count = 0.0;
    window.taps(index[2], index[3], [&](Index, Index row, Index column) {
      const Index from = ((index[0] * x.shape[1] + index[1]) * x.shape[2] + row) * x.shape[3] + column;
      sum += x.values[at(from)];
      largest = std::max(largest, x.values[at(from)]);
      count += 1.0;
    });
    if (whole) count = static_cast<double>(window.kernel[0] * window.kernel[1]);
    out.values[position] = average ? sum / count : largest;
  });
  return out;
}

OnnxArray gemm(const Arrays& in, Attributes& attributes) {
  const OnnxArray &a = *in[0], &b = *in[1];
  const double alpha = attributes.number("alpha", 1.0), beta = attributes.number("beta", 1.0);
  const bool flip_a = attributes.integer("transA", 0) != 0, flip_b = attributes.integer("transB", 0) != 0;
  const auto value = [](const OnnxArray& matrix, Index row, Index column, bool flip) {
    return matrix.values[at(flip ? column * matrix.shape[1] + row : row * matrix.shape[1] + column)];
  };
  const Index inner = a.shape[flip_a ? 0 : 1];
  if (a.shape.size() != 2 || b.shape.size() != 2 || b.shape[flip_b ? 1 : 0] != inner) {
    throw std::runtime_error("matrices do not fit");
  }
  OnnxArray out = filled({a.shape[flip_a ? 1 : 0], b.shape[flip_b ? 0 : 1]});
  for_each_index(out.shape, [&](const Shape& index, std::size_t position) {
    double sum = 0.0;
    for (Index k = 0; k < inner; ++k) sum += value(a, index[0], k, flip_a) * value(b, k, index[1], flip_b);
    out.values[position] = alpha * sum;
    if (in.size() > 2) out.values[position] += beta * in[2]->values[broadcast_position(*in[2], index)];
  });
  return out;
}

OnnxArray matmul(const OnnxArray& a, const OnnxArray& b) {
  const Index rows = a.shape.end()[-2], inner = a.shape.back(), columns = b.shape.back();
  if (b.shape.end()[-2] != inner) throw std::runtime_error("matrices do not fit");
  // Stacks of matrices: leading axes are broadcast. What broadcast_position finds is the number of a matrix.
  const OnnxArray a_stack{{a.shape.begin(), a.shape.end() - 2}, {}}, b_stack{{b.shape.begin(), b.shape.end() - 2}, {}};
  const Shape stack = broadcast_shape(a_stack.shape, b_stack.shape);
  Shape shape = stack;
  shape.insert(shape.end(), {rows, columns});
  OnnxArray out = filled(shape);
  for_each_index(stack, [&](const Shape& index, std::size_t number) {
    const std::size_t left = broadcast_position(a_stack, index), right = broadcast_position(b_stack, index);
    for (Index i = 0; i < rows; ++i) {
      for (Index j = 0; j < columns; ++j) {
        double sum = 0.0;
        for (Index k = 0; k < inner; ++k) {
          sum += a.values[left * at(rows * inner) + at(i * inner + k)] *
                 b.values[right * at(inner * columns) + at(k * columns + j)];
        }
        out.values[number * at(rows * columns) + at(i * columns + j)] = sum;
      }
    }
  });
  return out;
}

OnnxArray batch_normalization(const Arrays& in, Attributes& attributes) {
  const double epsilon = attributes.number("epsilon", 1e-5);
  OnnxArray out = *in[0];
  for_each_index(out.shape, [&](const Shape& index, std::size_t position) {
    const std::size_t c = at(index[1]);
    out.values[position] =
        (out.values[position] - in[3]->values[c]) / std::sqrt(in[4]->values[c] + epsilon) * in[1]->values[c] +
        in[2]->values[c];
  });
  return out;
}

OnnxArray reduce_mean(const OnnxArray& x, Attributes& attributes) {
  Shape shape = x.shape;
  for (const Index axis : attributes.integers("axes", {})) shape[at(positive_axis(axis, x.shape))] = 1;
  if (attributes.integer("keepdims", 1) != 1) throw std::runtime_error("keepdims = 0 is not known here");
  OnnxArray out = filled(shape);
  const double count = static_cast<double>(elements(x.shape)) / static_cast<double>(elements(shape));
  for_each_index(x.shape, [&](const Shape& index, std::size_t position) {
    out.values[broadcast_position(out, index)] += x.values[position] / count;
  });
  return out;
}

OnnxArray softmax(const OnnxArray& x, Attributes& attributes) {
  Shape shape = x.shape;
  shape[at(positive_axis(attributes.integer("axis", -1), x.shape))] = 1;
  OnnxArray largest = filled(shape, -std::numeric_limits<double>::infinity()), sum = filled(shape), out = x;
  for_each_index(x.shape, [&](const Shape& index, std::size_t position) {
    double& most = largest.values[broadcast_position(largest, index)];
    most = std::max(most, x.values[position]);
  });
  for_each_index(x.shape, [&](const Shape& index, std::size_t position) {
    const std::size_t row = broadcast_position(sum, index);
    sum.values[row] += out.values[position] = std::exp(x.values[position] - largest.values[row]);
  });
  for_each_index(x.shape, [&](const Shape& index, std::size_t position) {
    out.values[position] /= sum.values[broadcast_position(sum, index)];
  });
  return out;
}

OnnxArray concat(const Arrays& in, Attributes& attributes) {
  const std::size_t axis = at(positive_axis(attributes.integer("axis", 0), in[0]->shape));
  Shape shape = in[0]->shape;
  shape[axis] = 0;
  for (const OnnxArray* one : in) shape[axis] += one->shape[axis];
  OnnxArray out = filled(shape);
  for_each_index(shape, [&](const Shape& index, std::size_t position) {
    Shape inner = index;
    std::size_t which = 0;
    while (inner[axis] >= in[which]->shape[axis]) inner[axis] -= in[which++]->shape[axis];
    std::size_t from = 0;
    for (std::size_t i = 0; i < inner.size(); ++i) from = from * at(in[which]->shape[i]) + at(inner[i]);
    out.values[position] = in[which]->values[from];
  });
  return out;
}

OnnxArray reshape(const OnnxArray& x, const OnnxArray& target) {
  OnnxArray out{{}, x.values};
  Index known = 1;
  for (std::size_t i = 0; i < target.values.size(); ++i) {
    const auto extent = static_cast<Index>(target.values[i]);
    out.shape.push_back(extent == 0 ? x.shape.at(i) : extent);
    if (extent != -1) known *= out.shape.back();
  }
  for (Index& extent : out.shape) {
    if (extent == -1) extent = elements(x.shape) / known;
  }
  if (elements(out.shape) != elements(x.shape)) throw std::runtime_error("reshape changes the number of elements");
  return out;
}

OnnxArray transpose(const OnnxArray& x, Attributes& attributes) {
  const Integers order = attributes.integers("perm", {});
  Shape shape;
  for (const Index axis : order) shape.push_back(x.shape.at(at(axis)));
  OnnxArray out = filled(shape);
  for_each_index(shape, [&](const Shape& index, std::size_t position) {
    Shape source(index.size());
    for (std::size_t i = 0; i < order.size(); ++i) source[at(order[i])] = index[i];
    out.values[position] = x.values[broadcast_position(x, source)];
  });
  return out;
}

OnnxArray flatten(const OnnxArray& x, Attributes& attributes) {
  const Index axis = attributes.integer("axis", 1);
  const Index rows = elements({x.shape.begin(), x.shape.begin() + axis});
  return {{rows, elements(x.shape) / rows}, x.values};
}

OnnxArray slice(const Arrays& in) {  // data, starts, ends, axes, steps; steps forward
  const OnnxArray& x = *in[0];
  Shape start(x.shape.size(), 0), step(x.shape.size(), 1), shape = x.shape;
  for (std::size_t i = 0; i < in[3]->values.size(); ++i) {
    const std::size_t axis = at(positive_axis(static_cast<Index>(in[3]->values[i]), x.shape));
    const auto length = static_cast<double>(x.shape[axis]);
    start[axis] = static_cast<Index>(std::min(in[1]->values[i], length));
    step[axis] = static_cast<Index>(in[4]->values[i]);
    const auto end = static_cast<Index>(std::min(in[2]->values[i], length));
    shape[axis] = (end - start[axis] + step[axis] - 1) / step[axis];
  }
  OnnxArray out = filled(shape);
  for_each_index(shape, [&](const Shape& index, std::size_t position) {
    std::size_t from = 0;
    for (std::size_t i = 0; i < index.size(); ++i) from = from * at(x.shape[i]) + at(start[i] + index[i] * step[i]);
    out.values[position] = x.values[from];
  });
  return out;
}

OnnxArray global_average(const OnnxArray& x) {
  OnnxArray out = filled({x.shape[0], x.shape[1], 1, 1});
  const auto area = static_cast<double>(x.shape[2] * x.shape[3]);
  for_each_index(x.shape, [&](const Shape& index, std::size_t position) {
    out.values[broadcast_position(out, index)] += x.values[position] / area;
  });
  return out;
}

using Operate = std::function<OnnxArray(const Arrays&, Attributes&)>;

OnnxArray hard_sigmoid(const Arrays& in, Attributes& attributes) {
  const double alpha = attributes.number("alpha", 0.2), beta = attributes.number("beta", 0.5);
  return unary(*in[0], [=](double x) { return std::max(0.0, std::min(1.0, alpha * x + beta)); });
}

// Scale and zero point of the element: one in all, or along an axis.
std::size_t quantizer_of(const OnnxArray& x, const OnnxArray& scale, const Shape& index, Index axis) {
  if (scale.values.size() == 1) return 0;
  const auto length = static_cast<Index>(x.shape.size());
  return at(index[at(axis < 0 ? axis + length : axis)]);
}

OnnxArray quantize(const Arrays& in, Attributes& attributes) {
  const OnnxArray &x = *in[0], &scale = *in[1], &zero = *in[2];
  const Index axis = attributes.integer("axis", 1);
  const double least = zero.is_unsigned ? 0 : -128, most = zero.is_unsigned ? 255 : 127;
  OnnxArray out = filled(x.shape);
  out.is_unsigned = zero.is_unsigned;
  for_each_index(x.shape, [&](const Shape& index, std::size_t position) {
    const std::size_t k = quantizer_of(x, scale, index, axis);
    const double code = std::nearbyint(x.values[position] / scale.values[k]) + zero.values[k];  // ties to even
    out.values[position] = std::min(std::max(code, least), most);
  });
  return out;
}

OnnxArray dequantize(const Arrays& in, Attributes& attributes) {
  const OnnxArray &x = *in[0], &scale = *in[1], &zero = *in[2];
  const Index axis = attributes.integer("axis", 1);
  OnnxArray out = filled(x.shape);
  for_each_index(x.shape, [&](const Shape& index, std::size_t position) {
    const std::size_t k = quantizer_of(x, scale, index, axis);
    out.values[position] = (x.values[position] - zero.values[k]) * scale.values[k];
  });
  return out;
}

OnnxArray clip(const Arrays& in, Attributes&) {
  return unary(*in[0], [&](double x) { return std::min(std::max(x, in[1]->values[0]), in[2]->values[0]); });
}

const std::map<std::string, Operate>& operators() {
  static const std::map<std::string, Operate> table{
      {"Add", [](const Arrays& in, Attributes&) { return binary(in, [](double a, double b) { return a + b; }); }},
      {"Sub", [](const Arrays& in, Attributes&) { return binary(in, [](double a, double b) { return a - b; }); }},
      {"Mul", [](const Arrays& in, Attributes&) { return binary(in, [](double a, double b) { return a * b; }); }},
      {"Div", [](const Arrays& in, Attributes&) { return binary(in, [](double a, double b) { return a / b; }); }},
      {"Pow", [](const Arrays& in, Attributes&) { return binary(in, std::pow); }},
      {"Relu", [](const Arrays& in, Attributes&) { return unary(*in[0], [](double x) { return std::max(x, 0.0); }); }},
      {"Sigmoid", [](const Arrays& in,
                     Attributes&) { return unary(*in[0], [](double x) { return 1.0 / (1.0 + std::exp(-x)); }); }},
      {"Erf", [](const Arrays& in, Attributes&) { return unary(*in[0], [](double x) { return std::erf(x); }); }},
      {"Sqrt", [](const Arrays& in, Attributes&) { return unary(*in[0], [](double x) { return std::sqrt(x); }); }},
      {"Identity", [](const Arrays& in, Attributes&) { return *in[0]; }},
      {"HardSigmoid", hard_sigmoid},
      {"Clip", clip},
      {"Conv", conv},
      {"Gemm", gemm},
      {"MatMul", [](const Arrays& in, Attributes&) { return matmul(*in[0], *in[1]); }},
      {"BatchNormalization", batch_normalization},
      {"ReduceMean", [](const Arrays& in, Attributes& attributes) { return reduce_mean(*in[0], attributes); }},
      {"Softmax", [](const Arrays& in, Attributes& attributes) { return softmax(*in[0], attributes); }},
      {"Concat", concat},
      {"MaxPool", [](const Arrays& in, Attributes& attributes) { return pool(*in[0], attributes, false); }},
      {"AveragePool", [](const Arrays& in, Attributes& attributes) { return pool(*in[0], attributes, true); }},
      {"GlobalAveragePool", [](const Arrays& in, Attributes&) { return global_average(*in[0]); }},
      {"Reshape", [](const Arrays& in, Attributes&) { return reshape(*in[0], *in[1]); }},
      {"Transpose", [](const Arrays& in, Attributes& attributes) { return transpose(*in[0], attributes); }},
      {"Flatten", [](const Arrays& in, Attributes& attributes) { return flatten(*in[0], attributes); }},
      {"QuantizeLinear", quantize},
      {"DequantizeLinear", dequantize},
      {"Slice", [](const Arrays& in, Attributes&) { return slice(in); }},
  };
  return table;
}

template <typename Stored>
std::vector<double> raw_values(const std::string& raw) {
  std::vector<double> values(raw.size() / sizeof(Stored));
  for (std::size_t i = 0; i < values.size(); ++i) {
    Stored value;
    std::memcpy(&value, raw.data() + i * sizeof(Stored), sizeof(Stored));
    values[i] = static_cast<double>(value);
  }
  return values;
}

}  // namespace

OnnxArray array_of(const onnx::TensorProto& proto) {
  OnnxArray array{{proto.dims().begin(), proto.dims().end()}, {}};
  if (proto.data_type() == onnx::TensorProto::FLOAT) array.values = raw_values<float>(proto.raw_data());
  if (proto.data_type() == onnx::TensorProto::INT32) array.values = raw_values<std::int32_t>(proto.raw_data());
  if (proto.data_type() == onnx::TensorProto::INT8) array.values = raw_values<std::int8_t>(proto.raw_data());
  if (proto.data_type() == onnx::TensorProto::UINT8) array.values = raw_values<std::uint8_t>(proto.raw_data());
  array.is_unsigned = proto.data_type() == onnx::TensorProto::UINT8;
  if (proto.data_type() == onnx::TensorProto::INT64) array.values = raw_values<std::int64_t>(proto.raw_data());
  if (static_cast<Index>(array.values.size()) != elements(array.shape)) {
    throw std::runtime_error(proto.name() + ": values do not fill its shape");
  }
  return array;
}

OnnxArrays run_onnx(const onnx::ModelProto& model, OnnxArrays inputs) {
  OnnxArrays arrays = std::move(inputs);
  for (const onnx::TensorProto& proto : model.graph().initializer()) arrays[proto.name()] = array_of(proto);
  for (const onnx::NodeProto& node : model.graph().node()) {
    const auto operate = operators().find(node.op_type());
    if (operate == operators().end() || node.output_size() != 1) {
      throw std::runtime_error("operator " + node.op_type() + " is not known here");
    }
    Arrays in;
    for (const std::string& name : node.input()) in.push_back(&arrays.at(name));
    Attributes attributes(node);
    OnnxArray out = operate->second(in, attributes);
    attributes.require_all_read();
    if (!arrays.emplace(node.output(0), std::move(out)).second) throw std::runtime_error("a tensor is written twice");
  }
  return arrays;
}

}  // namespace ridgeline::test
