// Normalisations and softmax: forward in training mode, with what the backward pass needs of them.

#include "kernels/training/training_builder.hpp"

namespace ridgeline {

using Kind = ParameterBlock::Kind;
using Flags = dnnl::normalization_flags;

namespace {

constexpr auto training = dnnl::prop_kind::forward_training;
constexpr auto backward_all = dnnl::prop_kind::backward;
const Flags scale_and_shift = Flags::use_scale | Flags::use_shift;

}  // namespace

// The relu that is the norm's only reader.
std::optional<NodeId> TrainingBuilder::relu_to_fuse(NodeId norm) const {
  const std::vector<NodeId> readers = network_.consumers(norm);
  if (readers.size() != 1 || network_.op(readers[0]).kind != OpKind::relu) return std::nullopt;
  if (norm == network_.outputs()[0]) return std::nullopt;
  return readers[0];
}

void TrainingBuilder::batch_norm(NodeId node) {
  using Forward = dnnl::batch_normalization_forward;
  using Backward = dnnl::batch_normalization_backward;
  const NodeId from = network_.inputs(node)[0];
  const Shape& shape = network_.shape(from);
  const float epsilon = static_cast<float>(network_.op(node).epsilon);
  const std::optional<NodeId> relu = relu_to_fuse(node);
  const NodeId result_node = relu.value_or(node);
  const Flags flags = relu ? scale_and_shift | Flags::fuse_norm_relu : scale_and_shift;
  const MemoryDesc desc = image_or_plain(shape), channels = make_desc({shape[1]}, DataType::f32, Layout::plain);
  const Forward::primitive_desc forward({training, desc, epsilon, flags}, attributes_, cpu_engine());
  const Tensor source = value_as(from, desc), result = make(desc);
  const Tensor mean = make(channels, false), variance = make(channels, false);
  const Tensor scale = parameter(node, Kind::scale, channels), shift = parameter(node, Kind::shift, channels);
  program_.statistics.push_back({node, mean.buffer, variance.buffer, static_cast<std::size_t>(shape[1])});
  Arguments arguments{{DNNL_ARG_SRC, source},        {DNNL_ARG_DST, result},  {DNNL_ARG_MEAN, mean},
                      {DNNL_ARG_VARIANCE, variance}, {DNNL_ARG_SCALE, scale}, {DNNL_ARG_SHIFT, shift}};
  Tensor workspace;
  if (relu) arguments.push_back({DNNL_ARG_WORKSPACE, workspace = make(forward.workspace_desc())});
  emit<Forward>(forward, std::move(arguments));
  values_[node] = result;
  values_[result_node] = result;
  on_backward(result_node, [=, this] {
    const Backward::primitive_desc backward({backward_all, desc, desc, epsilon, flags}, attributes_, cpu_engine(),
                                            forward);
    const Tensor passed = make(desc);
    Arguments needed{{DNNL_ARG_SRC, source},
                     {DNNL_ARG_MEAN, mean},
                     {DNNL_ARG_VARIANCE, variance},
                     {DNNL_ARG_SCALE, scale},
                     {DNNL_ARG_SHIFT, shift},
                     {DNNL_ARG_DIFF_DST, gradient_as(result_node, desc)},
                     {DNNL_ARG_DIFF_SRC, passed},
                     {DNNL_ARG_DIFF_SCALE, block(node, Kind::scale, {shape[1]}, program_.gradient)},
                     {DNNL_ARG_DIFF_SHIFT, block(node, Kind::shift, {shape[1]}, program_.gradient)}};
    if (relu) needed.push_back({DNNL_ARG_WORKSPACE, workspace});
    emit<Backward>(backward, std::move(needed));
    accumulate(from, passed);
  });
}

void TrainingBuilder::layer_norm(NodeId node) {
  using Forward = dnnl::layer_normalization_forward;
  using Backward = dnnl::layer_normalization_backward;
  const NodeId from = network_.inputs(node)[0];
  const Shape& shape = network_.shape(from);
  const float epsilon = static_cast<float>(network_.op(node).epsilon);
  const MemoryDesc desc = plain(shape), width = make_desc({shape.back()}, DataType::f32, Layout::plain);
  const Forward::primitive_desc forward({training, desc, epsilon, scale_and_shift}, attributes_, cpu_engine());
  const Tensor source = plain_value(from), result = make(desc);
  const Tensor mean = make(forward.mean_desc()), variance = make(forward.variance_desc());
  const Tensor scale = parameter(node, Kind::scale, width), shift = parameter(node, Kind::shift, width);
  emit<Forward>(forward, {{DNNL_ARG_SRC, source},
                          {DNNL_ARG_DST, result},
                          {DNNL_ARG_MEAN, mean},
                          {DNNL_ARG_VARIANCE, variance},
                          {DNNL_ARG_SCALE, scale},
                          {DNNL_ARG_SHIFT, shift}});
  values_[node] = result;
  on_backward(node, [=, this] {
    const Backward::primitive_desc backward({backward_all, desc, desc, epsilon, scale_and_shift}, attributes_,
                                            cpu_engine(), forward);
    const Tensor passed = make(desc);
    emit<Backward>(backward, {{DNNL_ARG_SRC, source},
                              {DNNL_ARG_MEAN, mean},
                              {DNNL_ARG_VARIANCE, variance},
                              {DNNL_ARG_SCALE, scale},
                              {DNNL_ARG_SHIFT, shift},
                              {DNNL_ARG_DIFF_DST, gradient_as(node, desc)},
                              {DNNL_ARG_DIFF_SRC, passed},
                              {DNNL_ARG_DIFF_SCALE, block(node, Kind::scale, {shape.back()}, program_.gradient)},
                              {DNNL_ARG_DIFF_SHIFT, block(node, Kind::shift, {shape.back()}, program_.gradient)}});
    accumulate(from, passed);
  });
}

void TrainingBuilder::softmax(NodeId node) {
  using Forward = dnnl::softmax_forward;
  using Backward = dnnl::softmax_backward;
  const NodeId from = network_.inputs(node)[0];
  const Tensor source = *values_[from], result = make(source.desc);
  const int rank = source.desc.data.ndims, given = network_.op(node).axis, axis = given < 0 ? given + rank : given;
  const Forward::primitive_desc forward({training, source.desc, axis}, attributes_, cpu_engine());
  emit<Forward>(forward, {{DNNL_ARG_SRC, source}, {DNNL_ARG_DST, result}});
  values_[node] = result;
  on_backward(node, [=, this] {
    const Backward::primitive_desc backward({source.desc, source.desc, axis}, attributes_, cpu_engine(), forward);
    const Tensor passed = make(source.desc);
    emit<Backward>(
        backward,
        {{DNNL_ARG_DST, result}, {DNNL_ARG_DIFF_DST, gradient_as(node, source.desc)}, {DNNL_ARG_DIFF_SRC, passed}});
    accumulate(from, passed);
  });
}

}  // namespace ridgeline
