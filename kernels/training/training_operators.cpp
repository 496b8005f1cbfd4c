// One function an operator: its forward calls, and a closure with its backward calls.

#include <algorithm>
#include <array>

#include "kernels/executable.hpp"
#include "kernels/training/training_builder.hpp"

namespace ridgeline {

using Kind = ParameterBlock::Kind;
using Algorithm = dnnl::algorithm;
using Tag = dnnl::memory::format_tag;

namespace {

constexpr auto training = dnnl::prop_kind::forward_training;

dnnl::memory::dims pair_of(int first, int second) { return {first, second}; }

MemoryDesc any_layout(const Shape& shape, DataType type) { return {shape, type, Tag::any}; }

Shape swapped_axes(std::size_t rank) {
  Shape axes(rank);
  for (std::size_t i = 0; i < rank; ++i) axes[i] = static_cast<std::int64_t>(i);
  std::swap(axes[rank - 1], axes[rank - 2]);
  return axes;
}

std::size_t normalised(int axis, std::size_t rank) {
  return static_cast<std::size_t>(axis < 0 ? axis + static_cast<int>(rank) : axis);
}

}  // namespace

void TrainingBuilder::build(NodeId node) {
  switch (network_.op(node).kind) {
    case OpKind::conv2d:
      return conv2d(node);
    case OpKind::linear:
      return linear(node);
    case OpKind::matmul:
      return matmul(node);
    case OpKind::batch_norm:
      return batch_norm(node);
    case OpKind::layer_norm:
      return layer_norm(node);
    case OpKind::softmax:
      return softmax(node);
    case OpKind::add:
    case OpKind::mul:
      return add_or_mul(node);
    case OpKind::concat:
      return concat(node);
    case OpKind::max_pool:
    case OpKind::avg_pool:
    case OpKind::global_avg_pool:
      return pool(node);
    case OpKind::reshape:
    case OpKind::flatten:
    case OpKind::identity:
      return reshape(node);
    case OpKind::transpose:
      return transpose(node);
    case OpKind::zero:
      return zero(node);
    default:
      return activation(node);
  }
}

// Of the kernel and the bias of a conv2d or linear.
template <typename Primitive, typename Description>
void TrainingBuilder::weight_gradients(NodeId node, const Description& description, const Tensor& source,
                                       const Tensor& gradient) {
  const Op& op = network_.op(node);
  const Tensor kernel = make(description.diff_weights_desc());
  Arguments needed{{DNNL_ARG_SRC, source}, {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_DIFF_WEIGHTS, kernel}};
  if (op.bias) needed.push_back({DNNL_ARG_DIFF_BIAS, block(node, Kind::bias, {op.channels}, program_.gradient)});
  emit<Primitive>(description, std::move(needed));
  set_gradient(node, Kind::kernel, kernel);
}

void TrainingBuilder::conv2d(NodeId node) {
  const Op& op = network_.op(node);
  const NodeId from = network_.inputs(node)[0];
  Shape kernel{op.channels, network_.shape(from)[1] / op.groups, op.kernel[0], op.kernel[1]};
  if (op.groups > 1) {
    kernel[0] /= op.groups;
    kernel.insert(kernel.begin(), op.groups);
  }
  const MemoryDesc source_desc = image_or_plain(network_.shape(from)),
                   result_desc = image_or_plain(network_.shape(node));
  const MemoryDesc bias_desc = op.bias ? make_desc({op.channels}, DataType::f32, Layout::plain) : MemoryDesc();
  const auto strides = pair_of(op.stride[0], op.stride[1]), dilation = pair_of(op.dilation[0] - 1, op.dilation[1] - 1);
  const auto before = pair_of(op.padding[0], op.padding[1]), after = pair_of(op.padding[2], op.padding[3]);
  using Forward = dnnl::convolution_forward;
  const Forward::primitive_desc forward(
      {training, Algorithm::convolution_direct, source_desc, any_layout(kernel, type_), bias_desc, result_desc, strides,
       dilation, before, after},
      attributes_, cpu_engine());
  const Tensor source = operand(node, from, source_desc), result = make(result_desc);
  Arguments arguments{{DNNL_ARG_SRC, source},
                      {DNNL_ARG_WEIGHTS, parameter(node, Kind::kernel, forward.weights_desc())},
                      {DNNL_ARG_DST, result}};
  if (op.bias) arguments.push_back({DNNL_ARG_BIAS, parameter(node, Kind::bias, bias_desc)});
  emit<Forward>(forward, std::move(arguments));
  values_[node] = result;
  on_backward(node, [=, this] {
    const Tensor gradient = gradient_as(node, result_desc);
    using ByKernel = dnnl::convolution_backward_weights;
    const ByKernel::primitive_desc by_kernel(
        {Algorithm::convolution_direct, source_desc, any_layout(kernel, DataType::f32), bias_desc, result_desc, strides,
         dilation, before, after},
        attributes_, cpu_engine(), forward);
    weight_gradients<ByKernel>(node, by_kernel, source, gradient);
    if (!needs_gradient_[from]) return;
    using BySource = dnnl::convolution_backward_data;
    const BySource::primitive_desc by_source({Algorithm::convolution_direct, source_desc, any_layout(kernel, type_),
                                              result_desc, strides, dilation, before, after},
                                             attributes_, cpu_engine(), forward);
    const Tensor passed = make(source_desc);
    emit<BySource>(by_source, {{DNNL_ARG_DIFF_DST, gradient},
                               {DNNL_ARG_WEIGHTS, parameter(node, Kind::kernel, by_source.weights_desc())},
                               {DNNL_ARG_DIFF_SRC, passed}});
    accumulate_operand(node, from, passed);
  });
}

// Rows of features: [..., C] is [rows, C].
void TrainingBuilder::linear(NodeId node) {
  const Op& op = network_.op(node);
  const NodeId from = network_.inputs(node)[0];
  const Shape& shape = network_.shape(from);
  const std::int64_t width = shape.back(), rows = elements(shape) / width;
  const Shape kernel{op.channels, width};
  const MemoryDesc source_desc = plain({rows, width}), result_desc = plain({rows, op.channels});
  const MemoryDesc bias_desc = op.bias ? make_desc({op.channels}, DataType::f32, Layout::plain) : MemoryDesc();
  using Forward = dnnl::inner_product_forward;
  const Forward::primitive_desc forward({training, source_desc, any_layout(kernel, type_), bias_desc, result_desc},
                                        attributes_, cpu_engine());
  Tensor source = operand(node, from, plain(shape));
  source.desc = source_desc;
  const Tensor result = make(result_desc);
  Arguments arguments{{DNNL_ARG_SRC, source},
                      {DNNL_ARG_WEIGHTS, parameter(node, Kind::kernel, forward.weights_desc())},
                      {DNNL_ARG_DST, result}};
  if (op.bias) arguments.push_back({DNNL_ARG_BIAS, parameter(node, Kind::bias, bias_desc)});
  emit<Forward>(forward, std::move(arguments));
  values_[node] = Tensor{plain(network_.shape(node)), result.buffer, 0};
  on_backward(node, [=, this] {
    Tensor gradient = gradient_as(node, plain(network_.shape(node)));
    gradient.desc = result_desc;
    using ByKernel = dnnl::inner_product_backward_weights;
    const ByKernel::primitive_desc by_kernel({source_desc, any_layout(kernel, DataType::f32), bias_desc, result_desc},
                                             attributes_, cpu_engine(), forward);
    weight_gradients<ByKernel>(node, by_kernel, source, gradient);
    if (!needs_gradient_[from]) return;
    using BySource = dnnl::inner_product_backward_data;
    const BySource::primitive_desc by_source({source_desc, any_layout(kernel, type_), result_desc}, attributes_,
                                             cpu_engine(), forward);
    const Tensor passed = make(source_desc);
    emit<BySource>(by_source, {{DNNL_ARG_DIFF_DST, gradient},
                               {DNNL_ARG_WEIGHTS, parameter(node, Kind::kernel, by_source.weights_desc())},
                               {DNNL_ARG_DIFF_SRC, passed}});
    accumulate_operand(node, from, {plain(network_.shape(from)), passed.buffer, 0});
  });
}

TrainingTensor TrainingBuilder::matrix_product(const Tensor& a, const Tensor& b, const MemoryDesc& result) {
  const Tensor made = make(result);
  emit<dnnl::matmul>(dnnl::matmul::primitive_desc({a.desc, b.desc, result}, attributes_, cpu_engine()),
                     {{DNNL_ARG_SRC, a}, {DNNL_ARG_WEIGHTS, b}, {DNNL_ARG_DST, made}});
  return made;
}

void TrainingBuilder::matmul(NodeId node) {
  const NodeId left = network_.inputs(node)[0], right = network_.inputs(node)[1];
  const Shape axes = swapped_axes(network_.shape(node).size());
  const auto turned = [axes](Tensor tensor) {
    tensor.desc = permuted(tensor.desc, axes);
    return tensor;
  };
  const bool transposed = network_.op(node).transpose_b;
  const Tensor a = operand(node, left, plain(network_.shape(left)));
  const Tensor b = operand(node, right, plain(network_.shape(right)));
  values_[node] = matrix_product(a, transposed ? turned(b) : b, plain(network_.shape(node)));
  on_backward(node, [=, this] {
    const Tensor gradient = gradient_as(node, plain(network_.shape(node)));
    if (needs_gradient_[left]) {
      accumulate_operand(node, left, matrix_product(gradient, transposed ? b : turned(b), plain(network_.shape(left))));
    }
    if (!needs_gradient_[right]) return;
    const Tensor first = transposed ? turned(gradient) : turned(a), second = transposed ? a : gradient;
    accumulate_operand(node, right, matrix_product(first, second, plain(network_.shape(right))));
  });
}

void TrainingBuilder::activation(NodeId node) {
  const NodeId from = network_.inputs(node)[0];
  using Forward = dnnl::eltwise_forward;
  using Backward = dnnl::eltwise_backward;
  struct Stage {
    Forward::primitive_desc forward;
    PostStep step;
    Tensor source;
  };
  std::vector<Stage> stages;
  Tensor tensor = *values_[from];
  for (const PostStep& step : activation_steps(network_.op(node).kind)) {
    const Forward::primitive_desc forward({training, step.algorithm, tensor.desc, step.alpha, step.beta}, attributes_,
                                          cpu_engine());
    const Tensor result = make(tensor.desc);
    emit<Forward>(forward, {{DNNL_ARG_SRC, tensor}, {DNNL_ARG_DST, result}});
    stages.push_back({forward, step, tensor});
    tensor = result;
  }
  values_[node] = tensor;
  on_backward(node, [=, this] {
    Tensor gradient = gradient_as(node, tensor.desc);
    for (std::size_t i = stages.size(); i-- > 0;) {
      const Stage& stage = stages[i];
      const Backward::primitive_desc backward(
          {stage.step.algorithm, gradient.desc, stage.source.desc, stage.step.alpha, stage.step.beta}, attributes_,
          cpu_engine(), stage.forward);
      const Tensor passed = make(stage.source.desc);
      emit<Backward>(backward,
                     {{DNNL_ARG_SRC, stage.source}, {DNNL_ARG_DIFF_DST, gradient}, {DNNL_ARG_DIFF_SRC, passed}});
      gradient = passed;
    }
    accumulate(from, gradient);
  });
}

TrainingTensor TrainingBuilder::multiplied(const Tensor& a, const Tensor& b) {
  const Tensor result = make(a.desc);
  const dnnl::binary::desc desc(Algorithm::binary_mul, a.desc, b.desc, a.desc);
  emit<dnnl::binary>(dnnl::binary::primitive_desc(desc, attributes_, cpu_engine()),
                     {{DNNL_ARG_SRC_0, a}, {DNNL_ARG_SRC_1, b}, {DNNL_ARG_DST, result}});
  return result;
}

TrainingTensor TrainingBuilder::summed_over_image(const Tensor& image) {
  const Shape shape = shape_of(image.desc);
  const Tensor result = make(image_or_plain({shape[0], shape[1], 1, 1}));
  const dnnl::reduction::desc desc(Algorithm::reduction_sum, image.desc, result.desc, 0.0F, 0.0F);
  emit<dnnl::reduction>(dnnl::reduction::primitive_desc(desc, attributes_, cpu_engine()),
                        {{DNNL_ARG_SRC, image}, {DNNL_ARG_DST, result}});
  return result;
}

// The second operand may be [N,C,1,1], spread over the image.
void TrainingBuilder::add_or_mul(NodeId node) {
  const NodeId left = network_.inputs(node)[0], right = network_.inputs(node)[1];
  const bool adds = network_.op(node).kind == OpKind::add;
  const bool spread = network_.shape(left) != network_.shape(right);
  const Tensor a = spread ? value_as(left, image_or_plain(network_.shape(left))) : *values_[left];
  const Tensor b = value_as(right, spread ? image_or_plain(network_.shape(right)) : a.desc);
  const Tensor result = make(a.desc);
  const dnnl::binary::desc desc(adds ? Algorithm::binary_add : Algorithm::binary_mul, a.desc, b.desc, a.desc);
  emit<dnnl::binary>(dnnl::binary::primitive_desc(desc, attributes_, cpu_engine()),
                     {{DNNL_ARG_SRC_0, a}, {DNNL_ARG_SRC_1, b}, {DNNL_ARG_DST, result}});
  values_[node] = result;
  on_backward(node, [=, this] {
    const Tensor gradient = gradient_as(node, a.desc);
    if (needs_gradient_[left]) accumulate(left, adds ? gradient : multiplied(gradient, b));
    if (!needs_gradient_[right]) return;
    const Tensor image = adds ? gradient : multiplied(gradient, a);
    accumulate(right, spread ? summed_over_image(image) : image);
  });
}

void TrainingBuilder::concat(NodeId node) {
  const auto inputs = network_.inputs(node);
  const Shape& shape = network_.shape(node);
  const std::size_t axis = normalised(network_.op(node).axis, shape.size());
  const MemoryDesc result_desc =
      values_[inputs[0]]->desc == plain(network_.shape(inputs[0])) ? plain(shape) : image_or_plain(shape);
  const bool is_plain = result_desc == plain(shape);
  const std::vector<NodeId> parts(inputs.begin(), inputs.end());
  std::vector<MemoryDesc> descs;
  Arguments arguments;
  for (const NodeId part : parts) {
    descs.push_back(is_plain ? plain(network_.shape(part)) : image_or_plain(network_.shape(part)));
    arguments.push_back({DNNL_ARG_MULTIPLE_SRC + static_cast<int>(arguments.size()), value_as(part, descs.back())});
  }
  const Tensor result = make(result_desc);
  arguments.push_back({DNNL_ARG_DST, result});
  emit<dnnl::concat>(
      dnnl::concat::primitive_desc(result_desc, static_cast<int>(axis), descs, cpu_engine(), attributes_),
      std::move(arguments));
  values_[node] = result;
  on_backward(node, [=, this] {
    const Tensor gradient = gradient_as(node, result_desc);
    Shape begin(shape.size(), 0);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      const Shape& extent = network_.shape(parts[i]);
      const Tensor view{gradient.desc.submemory_desc(extent, begin), gradient.buffer, gradient.offset};
      if (needs_gradient_[parts[i]]) accumulate(parts[i], converted(view, descs[i]));
      begin[axis] += extent[axis];
    }
  });
}

void TrainingBuilder::pool(NodeId node) {
  const Op& op = network_.op(node);
  const NodeId from = network_.inputs(node)[0];
  const Shape& shape = network_.shape(from);
  const bool global = op.kind == OpKind::global_avg_pool, largest = op.kind == OpKind::max_pool;
  const Algorithm algorithm = largest                ? Algorithm::pooling_max
                              : op.count_include_pad ? Algorithm::pooling_avg_include_padding
                                                     : Algorithm::pooling_avg_exclude_padding;
  const auto strides = global ? pair_of(1, 1) : pair_of(op.stride[0], op.stride[1]);
  const auto window = global ? dnnl::memory::dims{shape[2], shape[3]} : pair_of(op.kernel[0], op.kernel[1]);
  const auto before = global ? pair_of(0, 0) : pair_of(op.padding[0], op.padding[1]);
  const auto after = global ? pair_of(0, 0) : pair_of(op.padding[2], op.padding[3]);
  const MemoryDesc source_desc = image_or_plain(shape), result_desc = image_or_plain(network_.shape(node));
  using Forward = dnnl::pooling_forward;
  const Forward::primitive_desc forward({training, algorithm, source_desc, result_desc, strides, window, before, after},
                                        attributes_, cpu_engine());
  const Tensor result = make(result_desc);
  Arguments arguments{{DNNL_ARG_SRC, value_as(from, source_desc)}, {DNNL_ARG_DST, result}};
  Tensor workspace;
  if (largest) arguments.push_back({DNNL_ARG_WORKSPACE, workspace = make(forward.workspace_desc())});
  emit<Forward>(forward, std::move(arguments));
  values_[node] = result;
  on_backward(node, [=, this] {
    using Backward = dnnl::pooling_backward;
    const Backward::primitive_desc backward({algorithm, source_desc, result_desc, strides, window, before, after},
                                            attributes_, cpu_engine(), forward);
    const Tensor passed = make(source_desc);
    Arguments needed{{DNNL_ARG_DIFF_DST, gradient_as(node, result_desc)}, {DNNL_ARG_DIFF_SRC, passed}};
    if (largest) needed.push_back({DNNL_ARG_WORKSPACE, workspace});
    emit<Backward>(backward, std::move(needed));
    accumulate(from, passed);
  });
}

void TrainingBuilder::reshape(NodeId node) {
  const NodeId from = network_.inputs(node)[0];
  const bool same = network_.shape(from) == network_.shape(node);
  const MemoryDesc inner = same ? values_[from]->desc : plain(network_.shape(from));
  const MemoryDesc outer = same ? inner : plain(network_.shape(node));
  const Tensor source = value_as(from, inner);
  values_[node] = Tensor{outer, source.buffer, source.offset};
  on_backward(node, [=, this] {
    const Tensor gradient = gradient_as(node, outer);
    accumulate(from, {inner, gradient.buffer, gradient.offset});
  });
}

void TrainingBuilder::transpose(NodeId node) {
  const NodeId from = network_.inputs(node)[0];
  const Shape& axes = network_.op(node).shape;
  Shape back(axes.size());
  for (std::size_t i = 0; i < axes.size(); ++i) back[static_cast<std::size_t>(axes[i])] = static_cast<std::int64_t>(i);
  const auto turn = [this](Tensor tensor, const Shape& order, const MemoryDesc& result) {
    tensor.desc = permuted(tensor.desc, order);
    return converted(tensor, result);
  };
  values_[node] = turn(plain_value(from), axes, plain(network_.shape(node)));
  on_backward(node, [=, this] {
    accumulate(from, turn(gradient_as(node, plain(network_.shape(node))), back, plain(network_.shape(from))));
  });
}

// Memory outside the arena is zeroed once, and nobody writes to it.
void TrainingBuilder::zero(NodeId node) { values_[node] = make(image_or_plain(network_.shape(node)), false); }

}  // namespace ridgeline
