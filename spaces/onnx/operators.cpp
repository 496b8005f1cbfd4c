#include "spaces/onnx/operators.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <numbers>
#include <numeric>
#include <stdexcept>
#include <utility>

namespace ridgeline {
namespace {

using Integers = std::vector<std::int64_t>;

Integers integers(const auto& values) { return {values.begin(), values.end()}; }

std::size_t at(std::int64_t index) { return static_cast<std::size_t>(index); }

// Adds the nodes of one operator, each reading what the one before it made.
class OnnxSteps {
 public:
  OnnxSteps(OnnxGraph& graph, const OnnxCall& call) : graph_(&graph), call_(&call) {}

  // A node in the midst of the operator; its tensor.
  std::string between(std::string type, std::vector<std::string> inputs, const std::string& label,
                      std::map<std::string, OnnxAttribute> attributes = {}) {
    return put(std::move(type), std::move(inputs), fmt::format("{}/{}", call_->name, label), std::move(attributes));
  }
  // The node that makes the operator's output.
  void last(std::string type, std::vector<std::string> inputs, std::map<std::string, OnnxAttribute> attributes = {}) {
    put(std::move(type), std::move(inputs), call_->output, std::move(attributes));
    graph_->nodes.back().name = call_->title;
  }
  // A number, or a list of whole ones, that the operator's nodes read.
  std::string constant(double value, const std::string& label) {
    return hold({}, std::vector<float>{static_cast<float>(value)}, label);
  }
  std::string constant(const Integers& values, const std::string& label) {
    return hold({static_cast<std::int64_t>(values.size())}, values, label);
  }

 private:
  std::string put(std::string type, std::vector<std::string> inputs, std::string output,
                  std::map<std::string, OnnxAttribute> attributes) {
    graph_->nodes.push_back({std::move(type), std::move(inputs), output, std::move(attributes)});
    return output;
  }
  template <typename Values>
  std::string hold(Shape shape, Values values, const std::string& label) {
    graph_->initializers.push_back({fmt::format("{}/{}", call_->name, label), std::move(shape), std::move(values)});
    return graph_->initializers.back().name;
  }
  OnnxGraph* graph_;
  const OnnxCall* call_;
};

std::map<std::string, OnnxAttribute> window_attributes(const Op& op) {
  return {{"kernel_shape", integers(op.kernel)}, {"strides", integers(op.stride)}, {"pads", integers(op.padding)}};
}

void add_conv2d(OnnxSteps& steps, const OnnxCall& call) {
  std::map<std::string, OnnxAttribute> attributes = window_attributes(call.op);
  attributes["dilations"] = integers(call.op.dilation);
  attributes["group"] = std::int64_t{call.op.groups};
  std::vector<std::string> inputs{call.inputs[0], call.parameters.kernel};
  if (call.op.bias) inputs.push_back(call.parameters.bias);
  steps.last("Conv", std::move(inputs), std::move(attributes));
}

void add_linear(OnnxSteps& steps, const OnnxCall& call) {
  const std::string& kernel = call.parameters.kernel;
  if (!onnx_kernel_layout(call.op, call.input_shapes[0]).transposed) {
    std::vector<std::string> inputs{call.inputs[0], kernel};
    if (call.op.bias) inputs.push_back(call.parameters.bias);
    steps.last("Gemm", std::move(inputs), {{"transB", std::int64_t{1}}});
  } else if (call.op.bias) {
    const std::string product = steps.between("MatMul", {call.inputs[0], kernel}, "product");
    steps.last("Add", {product, call.parameters.bias});
  } else {
    steps.last("MatMul", {call.inputs[0], kernel});
  }
}

void add_matmul(OnnxSteps& steps, const OnnxCall& call) {
  std::string right = call.inputs[1];
  if (call.op.transpose_b) {
    Integers order(call.input_shapes[1].size());
    std::iota(order.begin(), order.end(), 0);
    std::swap(order.end()[-1], order.end()[-2]);
    right = steps.between("Transpose", {right}, "transposed", {{"perm", std::move(order)}});
  }
  steps.last("MatMul", {call.inputs[0], right});
}

void add_batch_norm(OnnxSteps& steps, const OnnxCall& call) {
  const OnnxParameters& own = call.parameters;
  steps.last("BatchNormalization", {call.inputs[0], own.scale, own.shift, own.mean, own.variance},
             {{"epsilon", static_cast<float>(call.op.epsilon)}});
}

void add_layer_norm(OnnxSteps& steps, const OnnxCall& call) {
  const std::map<std::string, OnnxAttribute> last_axis{{"axes", Integers{-1}}, {"keepdims", std::int64_t{1}}};
  const std::string mean = steps.between("ReduceMean", {call.inputs[0]}, "mean", last_axis);
  const std::string centred = steps.between("Sub", {call.inputs[0], mean}, "centred");
  const std::string square = steps.between("Pow", {centred, steps.constant(2, "two")}, "square");
  const std::string variance = steps.between("ReduceMean", {square}, "variance", last_axis);
  const std::string padded =
      steps.between("Add", {variance, steps.constant(call.op.epsilon, "epsilon")}, "variance_epsilon");
  const std::string deviation = steps.between("Sqrt", {padded}, "deviation");
  const std::string normalised = steps.between("Div", {centred, deviation}, "normalised");
  const std::string scaled = steps.between("Mul", {normalised, call.parameters.scale}, "scaled");
  steps.last("Add", {scaled, call.parameters.shift});
}

void add_activation(OnnxSteps& steps, const OnnxCall& call) {
  const std::string& x = call.inputs[0];
  const std::map<std::string, OnnxAttribute> sixth{{"alpha", 1.0F / 6.0F}, {"beta", 0.5F}};
  switch (call.op.kind) {
    case OpKind::relu:
      return steps.last("Relu", {x});
    case OpKind::relu6:
      return steps.last("Clip", {x, steps.constant(0, "least"), steps.constant(6, "most")});
    case OpKind::hard_swish:
      return steps.last("Mul", {x, steps.between("HardSigmoid", {x}, "gate", sixth)});
    case OpKind::hard_sigmoid:
      return steps.last("HardSigmoid", {x}, sixth);
    case OpKind::sigmoid:
      return steps.last("Sigmoid", {x});
    case OpKind::swish:
      return steps.last("Mul", {x, steps.between("Sigmoid", {x}, "gate")});
    case OpKind::gelu: {
      const std::string divided = steps.between("Div", {x, steps.constant(std::numbers::sqrt2, "sqrt_two")}, "divided");
      const std::string error = steps.between("Erf", {divided}, "erf");
      const std::string raised = steps.between("Add", {error, steps.constant(1, "one")}, "raised");
      const std::string product = steps.between("Mul", {x, raised}, "product");
      return steps.last("Mul", {product, steps.constant(0.5, "half")});
    }
    default:
      throw std::logic_error(fmt::format("{} has no spelling in ONNX", name_of(call.op.kind)));
  }
}

void add_pool(OnnxSteps& steps, const OnnxCall& call) {
  std::map<std::string, OnnxAttribute> attributes = window_attributes(call.op);
  if (call.op.kind == OpKind::max_pool) return steps.last("MaxPool", {call.inputs[0]}, std::move(attributes));
  attributes["count_include_pad"] = std::int64_t{call.op.count_include_pad ? 1 : 0};
  steps.last("AveragePool", {call.inputs[0]}, std::move(attributes));
}

void add_reshape(OnnxSteps& steps, const OnnxCall& call) {
  Integers target = call.output_shape;
  std::replace(target.begin(), target.end(), symbolic_batch, std::int64_t{0});  // 0: as the input's same axis
  steps.last("Reshape", {call.inputs[0], steps.constant(target, "target")});
}

void add_zero(OnnxSteps& steps, const OnnxCall& call) {
  std::string kept = call.inputs[0];
  if (call.op.stride != std::array<int, 2>{1, 1}) {
    constexpr std::int64_t to_the_end = std::numeric_limits<std::int64_t>::max();
    kept = steps.between("Slice",
                         {kept, steps.constant({0, 0}, "starts"), steps.constant({to_the_end, to_the_end}, "ends"),
                          steps.constant({2, 3}, "axes"), steps.constant(integers(call.op.stride), "steps")},
                         "kept");
  }
  steps.last("Mul", {kept, steps.constant(0, "nothing")});
}

std::vector<float> transposed(const std::vector<float>& matrix, std::int64_t rows) {
  const std::size_t height = at(rows), width = matrix.size() / height;
  std::vector<float> result(matrix.size());
  for (std::size_t row = 0; row < height; ++row) {
    for (std::size_t column = 0; column < width; ++column) {
      result[column * height + row] = matrix[row * width + column];
    }
  }
  return result;
}

std::string add_parameter(OnnxGraph& graph, const OnnxCall& call, const char* label, Shape shape,
                          std::vector<float> values) {
  const auto fixed = std::none_of(shape.begin(), shape.end(), [](std::int64_t extent) { return extent < 1; });
  if (!fixed || static_cast<std::int64_t>(values.size()) != elements(shape)) {
    throw std::invalid_argument(
        fmt::format("{}: {} values of the {} for shape {}", call.name, values.size(), label, shape_text(shape)));
  }
  std::string name = fmt::format("{}.{}", call.name, label);
  graph.initializers.push_back({name, std::move(shape), std::move(values)});
  return name;
}

}  // namespace

OnnxKernelLayout onnx_kernel_layout(const Op& op, const Shape& input) {
  if (op.kind == OpKind::conv2d) return {{op.channels, input[1] / op.groups, op.kernel[0], op.kernel[1]}, false};
  if (input.size() == 2) return {{op.channels, input.back()}, false};
  return {{input.back(), op.channels}, true};
}

OnnxParameters add_onnx_parameters(OnnxGraph& graph, const OnnxCall& call, const NodeWeights& weights) {
  OnnxParameters names;
  const Op& op = call.op;
  if (op.kind == OpKind::conv2d || op.kind == OpKind::linear) {
    const OnnxKernelLayout layout = onnx_kernel_layout(op, call.input_shapes[0]);
    names.kernel = add_parameter(graph, call, "kernel", layout.shape,
                                 layout.transposed ? transposed(weights.kernel, op.channels) : weights.kernel);
    if (op.bias) names.bias = add_parameter(graph, call, "bias", {op.channels}, weights.bias);
  }
  if (op.kind == OpKind::batch_norm || op.kind == OpKind::layer_norm) {
    const Shape& input = call.input_shapes[0];
    const Shape width{op.kind == OpKind::batch_norm ? input[1] : input.back()};
    names.scale = add_parameter(graph, call, "scale", width, weights.scale);
    names.shift = add_parameter(graph, call, "shift", width, weights.shift);
    if (op.kind == OpKind::batch_norm) {
      names.mean = add_parameter(graph, call, "mean", width, weights.mean);
      names.variance = add_parameter(graph, call, "variance", width, weights.variance);
    }
  }
  return names;
}

void add_onnx_operator(OnnxGraph& graph, const OnnxCall& call) {
  OnnxSteps steps(graph, call);
  switch (call.op.kind) {
    case OpKind::conv2d:
      return add_conv2d(steps, call);
    case OpKind::linear:
      return add_linear(steps, call);
    case OpKind::matmul:
      return add_matmul(steps, call);
    case OpKind::batch_norm:
      return add_batch_norm(steps, call);
    case OpKind::layer_norm:
      return add_layer_norm(steps, call);
    case OpKind::softmax:
      return steps.last("Softmax", call.inputs, {{"axis", std::int64_t{call.op.axis}}});
    case OpKind::add:
      return steps.last("Add", call.inputs);
    case OpKind::mul:
      return steps.last("Mul", call.inputs);
    case OpKind::concat:
      return steps.last("Concat", call.inputs, {{"axis", std::int64_t{call.op.axis}}});
    case OpKind::max_pool:
    case OpKind::avg_pool:
      return add_pool(steps, call);
    case OpKind::global_avg_pool:
      return steps.last("GlobalAveragePool", call.inputs);
    case OpKind::reshape:
      return add_reshape(steps, call);
    case OpKind::transpose:
      return steps.last("Transpose", call.inputs, {{"perm", call.op.shape}});
    case OpKind::flatten:
      return steps.last("Flatten", call.inputs, {{"axis", std::int64_t{1}}});
    case OpKind::identity:
      return steps.last("Identity", call.inputs);
    case OpKind::zero:
      return add_zero(steps, call);
    default:
      return add_activation(steps, call);
  }
}

}  // namespace ridgeline
