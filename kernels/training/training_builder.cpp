#include "kernels/training/training_builder.hpp"

#include <algorithm>

#include "kernels/executable.hpp"

namespace ridgeline {

using Kind = ParameterBlock::Kind;

TrainingBuilder::TrainingBuilder(const Network& network, const TrainingOptions& options)
    : network_(network),
      options_(options),
      type_(options.format == bf16 ? DataType::bf16 : DataType::f32),
      blocks_(parameter_blocks(network)),
      sites_(rounding_sites(network, options.quantization.plan)),
      values_(network.size()),
      gradients_(network.size()),
      needs_gradient_(network.size(), false) {
  if (options.format != f32 && options.format != bf16) {
    throw Unsupported("training in " + options.format.text() + ": f32 and bf16 are trained in");
  }
  attributes_.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  for (const ParameterBlock& one : blocks_) needs_gradient_[one.node] = true;
  blocks_.insert(blocks_.end(), sites_.ranges.begin(), sites_.ranges.end());
  for (const NodeId node : network.live_nodes()) {  // what has a learned range, and what is before it, teaches it
    if (sites_.range(sites_.range_of[node], Kind::tensor_range) != nullptr) needs_gradient_[node] = true;
  }
}

TrainingProgram TrainingBuilder::run() {
  if (network_.outputs().size() != 1) throw Unsupported("training a network with several outputs");
  program_.parameter_count = parameter_count(blocks_);
  const MemoryDesc flat = make_desc({std::max<std::int64_t>(1, static_cast<std::int64_t>(program_.parameter_count))},
                                    DataType::f32, Layout::plain);
  program_.scratch = make(MemoryDesc(), false).buffer;
  program_.parameters = make(flat, false).buffer;
  program_.gradient = make(flat, false).buffer;
  std::size_t inputs = 0;
  for (const NodeId node : network_.live_nodes()) {
    if (network_.op(node).kind == OpKind::input) {
      if (++inputs > 1) throw Unsupported("training a network with several inputs");
      place_input(node);
      continue;
    }
    for (const NodeId from : network_.inputs(node)) {
      if (needs_gradient_[from]) needs_gradient_[node] = true;
    }
    try {
      if (sites_.kernels[node]) emit_rounding(kernels_.emplace(node, rounded_kernel(node)).first->second);
      if (!values_[node]) build(node);  // else fused into an operator before
      round_made(node);
    } catch (const dnnl::error& problem) {
      throw Unsupported("'" + network_.name(node) + "' has no training primitive here: " + problem.what());
    }
  }
  place_output();
  for (std::size_t i = backward_.size(); options_.gradients && i-- > 0;) backward_[i]();
  return std::move(program_);
}

void TrainingBuilder::place_input(NodeId node) {
  const Shape& shape = network_.shape(node);
  const Tensor given = make(make_desc(shape, DataType::f32, Layout::plain), false);
  program_.input = given.buffer;
  program_.input_size = static_cast<std::size_t>(elements(shape));
  values_[node] = converted(given, image_or_plain(shape));
}

void TrainingBuilder::place_output() {
  const NodeId node = network_.outputs()[0];
  const MemoryDesc desc = make_desc(network_.shape(node), DataType::f32, Layout::plain);
  const Tensor output = make(desc, false), gradient = make(desc, false);
  emit<dnnl::reorder>(dnnl::reorder::primitive_desc(cpu_engine(), values_[node]->desc, cpu_engine(), desc, attributes_),
                      {{DNNL_ARG_FROM, *values_[node]}, {DNNL_ARG_TO, output}});
  program_.output = output.buffer;
  program_.output_gradient = gradient.buffer;
  program_.output_size = static_cast<std::size_t>(elements(network_.shape(node)));
  program_.backward_begins = program_.calls.size();
  accumulate(node, converted(gradient, with_type(desc, type_)));
}

MemoryDesc TrainingBuilder::image_or_plain(const Shape& shape) const {
  return make_desc(shape, type_, Layout::channels_last);
}

MemoryDesc TrainingBuilder::plain(const Shape& shape) const { return make_desc(shape, type_, Layout::plain); }

TrainingTensor TrainingBuilder::make(const MemoryDesc& desc, bool in_arena) {
  program_.buffers.push_back({in_arena, static_cast<std::int64_t>(desc.get_size())});
  return {desc, program_.buffers.size() - 1, 0};
}

TrainingTensor TrainingBuilder::converted(const Tensor& tensor, const MemoryDesc& wanted) {
  if (tensor.desc == wanted) return tensor;
  const bool strided = tensor.desc.data.format_desc.blocking.inner_nblks == 0 &&
                       wanted.data.format_kind == dnnl_blocked && wanted.data.format_desc.blocking.inner_nblks == 0;
  if (strided && same_bytes(tensor.desc, wanted)) return {wanted, tensor.buffer, tensor.offset};
  const Tensor result = make(wanted);
  emit<dnnl::reorder>(dnnl::reorder::primitive_desc(cpu_engine(), tensor.desc, cpu_engine(), wanted, attributes_),
                      {{DNNL_ARG_FROM, tensor}, {DNNL_ARG_TO, result}});
  return result;
}

TrainingTensor TrainingBuilder::value_as(NodeId node, const MemoryDesc& wanted) {
  if (values_[node]->desc == wanted) return *values_[node];
  for (const Tensor& copy : copies_[node]) {
    if (copy.desc == wanted) return copy;
  }
  copies_[node].push_back(converted(*values_[node], wanted));
  return copies_[node].back();
}

TrainingTensor TrainingBuilder::block(NodeId node, Kind kind, const Shape& shape, std::size_t buffer) const {
  const auto found = std::find_if(blocks_.begin(), blocks_.end(),
                                  [&](const ParameterBlock& one) { return one.node == node && one.kind == kind; });
  return {make_desc(shape, DataType::f32, Layout::plain), buffer,
          static_cast<std::int64_t>(found->offset * sizeof(float))};
}

TrainingTensor TrainingBuilder::parameter(NodeId node, Kind kind, const MemoryDesc& wanted) {
  Tensor given = block(node, kind, shape_of(wanted), program_.parameters);
  if (const auto kernel = kernels_.find(node); kind == Kind::kernel && kernel != kernels_.end()) {
    given = {given.desc, kernel->second.to.buffer, 0};
  }
  if (given.desc == wanted) return given;
  std::vector<Tensor>& copies = parameter_copies_[{node, kind}];
  for (const Tensor& copy : copies) {
    if (copy.desc == wanted) return copy;
  }
  copies.push_back(converted(given, wanted));
  return copies.back();
}

void TrainingBuilder::set_gradient(NodeId node, Kind kind, const Tensor& gradient) {
  const Tensor target = block(node, kind, shape_of(gradient.desc), program_.gradient);
  emit<dnnl::reorder>(
      dnnl::reorder::primitive_desc(cpu_engine(), gradient.desc, cpu_engine(), target.desc, attributes_),
      {{DNNL_ARG_FROM, gradient}, {DNNL_ARG_TO, target}});
  const auto kernel = kernels_.find(node);
  if (kind == Kind::kernel && kernel != kernels_.end()) pulled(kernel->second, target, target);
}

void TrainingBuilder::accumulate(NodeId node, const Tensor& gradient) {
  if (!needs_gradient_[node]) return;
  if (!gradients_[node]) {
    gradients_[node] = gradient;
    return;
  }
  const Tensor before = *gradients_[node], other = converted(gradient, before.desc), sum = make(before.desc);
  const dnnl::binary::desc desc(dnnl::algorithm::binary_add, before.desc, other.desc, sum.desc);
  emit<dnnl::binary>(dnnl::binary::primitive_desc(desc, attributes_, cpu_engine()),
                     {{DNNL_ARG_SRC_0, before}, {DNNL_ARG_SRC_1, other}, {DNNL_ARG_DST, sum}});
  gradients_[node] = sum;
}

void TrainingBuilder::on_backward(NodeId node, std::function<void()> work) {
  backward_.push_back([this, node, work = std::move(work)] {
    if (gradients_[node]) work();  // nothing comes back through a `zero`
  });
}

void TrainingBuilder::touch(const Arguments& arguments) {
  for (const auto& [argument, tensor] : arguments) {
    TrainingBuffer& buffer = program_.buffers[tensor.buffer];
    if (!buffer.touched) buffer.first_call = program_.calls.size();
    buffer.last_call = program_.calls.size();
    buffer.touched = true;
  }
}

void TrainingBuilder::emit_job(TrainingJob job, const std::vector<Tensor>& operands) {
  Arguments arguments;
  for (const Tensor& one : operands) arguments.push_back({0, one});
  touch(arguments);
  program_.calls.push_back({{}, std::move(arguments), std::move(job)});
}

void TrainingBuilder::emit(const dnnl::primitive& primitive, const MemoryDesc& scratchpad, Arguments arguments) {
  touch(arguments);
  if (scratchpad.get_size() > 0) {
    std::int64_t& most = program_.buffers[program_.scratch].bytes;
    most = std::max(most, static_cast<std::int64_t>(scratchpad.get_size()));
    arguments.push_back({DNNL_ARG_SCRATCHPAD, {scratchpad, program_.scratch, 0}});
  }
  program_.calls.push_back({primitive, std::move(arguments)});
}

}  // namespace ridgeline
