// PrimitiveSpec -> oneDNN primitive, and the process-wide store of compiled ones.

#include <fmt/format.h>

#include <list>
#include <mutex>
#include <string_view>
#include <unordered_map>

#include "kernels/onednn.hpp"

namespace ridgeline {
namespace {

using Algorithm = dnnl::algorithm;
constexpr auto inference = dnnl::prop_kind::forward_inference;

dnnl::memory::dims pair_of(int first, int second) { return {first, second}; }

std::string_view short_name(Algorithm algorithm) {
  switch (algorithm) {
    case Algorithm::eltwise_relu:
      return "relu";
    case Algorithm::eltwise_clip:
      return "clip";
    case Algorithm::eltwise_hardswish:
      return "hardswish";
    case Algorithm::eltwise_linear:
      return "linear";
    case Algorithm::eltwise_logistic:
      return "logistic";
    case Algorithm::eltwise_swish:
      return "swish";
    case Algorithm::eltwise_gelu_erf:
      return "gelu";
    default:
      return "?";
  }
}

dnnl::primitive_attr attributes(const PrimitiveSpec& spec) {
  dnnl::primitive_attr attr;
  attr.set_scratchpad_mode(dnnl::scratchpad_mode::user);
  if (!spec.output_scales.empty()) attr.set_output_scales(spec.scale_mask, spec.output_scales);
  for (std::size_t i = 0; i < spec.source_scales.size(); ++i) {
    attr.set_scales(i == 0 ? DNNL_ARG_SRC_0 : DNNL_ARG_SRC_1, 0, {spec.source_scales[i]});
  }
  dnnl::post_ops posts;
  for (const PostStep& step : spec.posts) {
    if (step.kind == PostStep::Kind::sum) {
      posts.append_sum(step.scale, step.sum_type);
    } else {
      posts.append_eltwise(step.scale, step.algorithm, step.alpha, step.beta);
    }
  }
  attr.set_post_ops(posts);
  return attr;
}

template <typename Primitive, typename Description>
CompiledPrimitive finish(const Description& description) {
  CompiledPrimitive compiled;
  compiled.primitive = Primitive(description);
  compiled.destination = description.dst_desc();
  compiled.scratchpad = description.scratchpad_desc();
  compiled.implementation = description.impl_info_str();
  return compiled;
}

// conv2d, linear, matmul: with weights the library lays out as it likes.
template <typename Primitive, typename Description>
CompiledPrimitive finish_weighted(const Description& description) {
  CompiledPrimitive compiled = finish<Primitive>(description);
  compiled.weights = description.weights_desc();
  return compiled;
}

using Conv = dnnl::convolution_forward;

// Where a sum has few terms, the library's direct kernels are faster than the batch-reduced ones that it takes first:
// depthwise convolutions up to 2 times, images of one to three channels 1.1 to 1.6, small 8-bit kernels 1.1 to 1.3
// (kernels/README.md). By shape and not by trying: the same network runs the same code every time.
bool prefers_direct(const PrimitiveSpec& spec, std::string_view first) {
  const bool batch_reduced = first.starts_with("brg") || first.starts_with("brdg");
  if (!batch_reduced || first.find("amx") != std::string_view::npos) return false;
  const Op& op = spec.op;
  const std::int64_t in_channels = spec.sources[0].data.dims[1];
  const DataType read = type_of(spec.sources[0]);
  constexpr std::int64_t most_depthwise = 384, most_dense = 64, image_channels = 4, lanes = 16;
  if (op.groups > 1 && (op.groups != in_channels || op.groups != op.channels)) return false;
  if (op.groups > 1) return read == DataType::bf16 || in_channels <= most_depthwise;
  if (op.kernel[0] * op.kernel[1] == 1) return false;
  if (op.channels % lanes != 0) return false;  // with a rest, oneDNN 2.6 gives wrong numbers for some shapes
  return in_channels <= image_channels || (spec.weights_type == DataType::s8 && in_channels <= most_dense);
}

Conv::primitive_desc describe_conv2d(const Conv::desc& desc, const PrimitiveSpec& spec) {
  const auto described = [&] { return Conv::primitive_desc(desc, attributes(spec), cpu_engine()); };
  Conv::primitive_desc first = described();
  if (!prefers_direct(spec, first.impl_info_str())) return first;
  for (Conv::primitive_desc other = described(); other.next_impl();) {
    const std::string_view name = other.impl_info_str();
    if (name.starts_with("jit") && name.find("avx512") != std::string_view::npos) return other;
  }
  return first;
}

CompiledPrimitive make_conv2d(const PrimitiveSpec& spec) {
  const Op& op = spec.op;
  const std::int64_t in_channels = spec.sources[0].data.dims[1];
  dnnl::memory::dims kernel{op.channels, in_channels / op.groups, op.kernel[0], op.kernel[1]};
  if (op.groups > 1) {
    kernel[0] /= op.groups;
    kernel.insert(kernel.begin(), op.groups);
  }
  const MemoryDesc weights(kernel, spec.weights_type, dnnl::memory::format_tag::any);
  const MemoryDesc bias =
      spec.bias ? MemoryDesc({op.channels}, DataType::f32, dnnl::memory::format_tag::a) : MemoryDesc();
  const Conv::desc desc(inference, Algorithm::convolution_direct, spec.sources[0], weights, bias, spec.destination,
                        pair_of(op.stride[0], op.stride[1]), pair_of(op.dilation[0] - 1, op.dilation[1] - 1),
                        pair_of(op.padding[0], op.padding[1]), pair_of(op.padding[2], op.padding[3]));
  return finish_weighted<Conv>(describe_conv2d(desc, spec));
}

CompiledPrimitive make_linear(const PrimitiveSpec& spec) {
  using Linear = dnnl::inner_product_forward;
  const MemoryDesc weights({spec.op.channels, spec.sources[0].data.dims[1]}, spec.weights_type,
                           dnnl::memory::format_tag::any);
  const MemoryDesc bias =
      spec.bias ? MemoryDesc({spec.op.channels}, DataType::f32, dnnl::memory::format_tag::a) : MemoryDesc();
  const Linear::desc desc(inference, spec.sources[0], weights, bias, spec.destination);
  return finish_weighted<Linear>(Linear::primitive_desc(desc, attributes(spec), cpu_engine()));
}

CompiledPrimitive make_matmul(const PrimitiveSpec& spec) {
  const dnnl::matmul::desc desc(spec.sources[0], spec.sources[1], spec.destination);
  return finish<dnnl::matmul>(dnnl::matmul::primitive_desc(desc, attributes(spec), cpu_engine()));
}

CompiledPrimitive make_batch_norm(const PrimitiveSpec& spec) {
  using Norm = dnnl::batch_normalization_forward;
  using Flags = dnnl::normalization_flags;
  Flags flags = Flags::use_global_stats | Flags::use_scale | Flags::use_shift;
  if (spec.fused_relu) flags = flags | Flags::fuse_norm_relu;
  const Norm::desc desc(inference, spec.sources[0], static_cast<float>(spec.op.epsilon), flags);
  return finish<Norm>(Norm::primitive_desc(desc, attributes(spec), cpu_engine()));
}

CompiledPrimitive make_layer_norm(const PrimitiveSpec& spec) {
  using Norm = dnnl::layer_normalization_forward;
  using Flags = dnnl::normalization_flags;
  const Norm::desc desc(inference, spec.sources[0], static_cast<float>(spec.op.epsilon),
                        Flags::use_scale | Flags::use_shift);
  return finish<Norm>(Norm::primitive_desc(desc, attributes(spec), cpu_engine()));
}

CompiledPrimitive make_softmax(const PrimitiveSpec& spec) {
  using Softmax = dnnl::softmax_forward;
  const int rank = spec.sources[0].data.ndims;
  const Softmax::desc desc(inference, spec.sources[0], spec.op.axis < 0 ? spec.op.axis + rank : spec.op.axis);
  return finish<Softmax>(Softmax::primitive_desc(desc, attributes(spec), cpu_engine()));
}

CompiledPrimitive make_binary(const PrimitiveSpec& spec) {
  const Algorithm algorithm = spec.op.kind == OpKind::add ? Algorithm::binary_add : Algorithm::binary_mul;
  const dnnl::binary::desc desc(algorithm, spec.sources[0], spec.sources[1], spec.destination);
  return finish<dnnl::binary>(dnnl::binary::primitive_desc(desc, attributes(spec), cpu_engine()));
}

CompiledPrimitive make_concat(const PrimitiveSpec& spec) {
  const int rank = spec.destination.data.ndims;
  const int axis = spec.op.axis < 0 ? spec.op.axis + rank : spec.op.axis;
  return finish<dnnl::concat>(
      dnnl::concat::primitive_desc(spec.destination, axis, spec.sources, cpu_engine(), attributes(spec)));
}

CompiledPrimitive make_pool(const PrimitiveSpec& spec) {
  using Pool = dnnl::pooling_forward;
  Op op = spec.op;
  Algorithm algorithm = op.kind == OpKind::max_pool ? Algorithm::pooling_max
                        : op.count_include_pad      ? Algorithm::pooling_avg_include_padding
                                                    : Algorithm::pooling_avg_exclude_padding;
  if (op.kind == OpKind::global_avg_pool) {
    algorithm = Algorithm::pooling_avg_exclude_padding;
    const auto* dims = spec.sources[0].data.dims;
    op.kernel = {static_cast<int>(dims[2]), static_cast<int>(dims[3])};
    op.stride = {1, 1};
    op.padding = {0, 0, 0, 0};
  }
  const Pool::desc desc(inference, algorithm, spec.sources[0], spec.destination, pair_of(op.stride[0], op.stride[1]),
                        pair_of(op.kernel[0], op.kernel[1]), pair_of(op.padding[0], op.padding[1]),
                        pair_of(op.padding[2], op.padding[3]));
  return finish<Pool>(Pool::primitive_desc(desc, attributes(spec), cpu_engine()));
}

CompiledPrimitive make_eltwise(const PrimitiveSpec& spec) {
  using Eltwise = dnnl::eltwise_forward;
  const PostStep& step = spec.posts.at(0);
  PrimitiveSpec bare = spec;
  bare.posts.clear();
  const Eltwise::desc desc(inference, step.algorithm, spec.sources[0], step.alpha, step.beta);
  return finish<Eltwise>(Eltwise::primitive_desc(desc, attributes(bare), cpu_engine()));
}

CompiledPrimitive make_reorder(const PrimitiveSpec& spec) {
  return finish<dnnl::reorder>(
      dnnl::reorder::primitive_desc(cpu_engine(), spec.sources[0], cpu_engine(), spec.destination, attributes(spec)));
}

CompiledPrimitive make(const PrimitiveSpec& spec) {
  const auto made = [&] {
    switch (spec.op.kind) {
      case OpKind::conv2d:
        return make_conv2d(spec);
      case OpKind::linear:
        return make_linear(spec);
      case OpKind::matmul:
        return make_matmul(spec);
      case OpKind::batch_norm:
        return make_batch_norm(spec);
      case OpKind::layer_norm:
        return make_layer_norm(spec);
      case OpKind::softmax:
        return make_softmax(spec);
      case OpKind::add:
      case OpKind::mul:
        return make_binary(spec);
      case OpKind::concat:
        return make_concat(spec);
      case OpKind::max_pool:
      case OpKind::avg_pool:
      case OpKind::global_avg_pool:
        return make_pool(spec);
      case OpKind::identity:
        return make_reorder(spec);
      default:
        return make_eltwise(spec);
    }
  };
  CompiledPrimitive compiled = made();
  compiled.sources = spec.sources;
  return compiled;
}

// Least recently used entries leave when there are too many: a search meets a bounded number of different operators,
// but quantized ones carry their scales.
class PrimitiveStore {
 public:
  std::shared_ptr<const CompiledPrimitive> get(const PrimitiveSpec& spec) {
    const std::string key = spec.key();
    const std::lock_guard lock(mutex_);
    if (const auto found = entries_.find(key); found != entries_.end()) {
      order_.splice(order_.begin(), order_, found->second.place);
      return found->second.compiled;
    }
    auto compiled = std::make_shared<const CompiledPrimitive>(make(spec));
    order_.push_front(key);
    entries_.emplace(key, Entry{compiled, order_.begin()});
    if (entries_.size() > capacity) {
      entries_.erase(order_.back());
      order_.pop_back();
    }
    return compiled;
  }

 private:
  static constexpr std::size_t capacity = 8192;
  struct Entry {
    std::shared_ptr<const CompiledPrimitive> compiled;
    std::list<std::string>::iterator place;
  };
  std::mutex mutex_;
  std::unordered_map<std::string, Entry> entries_;
  std::list<std::string> order_;
};

void append_bytes(std::string& text, const std::vector<float>& values) {
  text += '|';
  if (values.empty()) return;
  text.append(reinterpret_cast<const char*>(values.data()), values.size() * sizeof(float));
}

}  // namespace

std::string PrimitiveSpec::text() const {
  std::string text(op.kind == OpKind::identity ? "reorder" : name_of(op.kind));
  for (const MemoryDesc& source : sources) text += ' ' + text_of(source);
  text += " > " + text_of(destination);
  switch (op.kind) {
    case OpKind::conv2d:
    case OpKind::max_pool:
    case OpKind::avg_pool:
      text += fmt::format(" k{}x{} s{}x{} p{}", op.kernel[0], op.kernel[1], op.stride[0], op.stride[1],
                          fmt::join(op.padding, ","));
      if (op.kind == OpKind::conv2d) text += fmt::format(" d{}x{} g{}", op.dilation[0], op.dilation[1], op.groups);
      if (op.count_include_pad) text += " pad";
      break;
    case OpKind::concat:
    case OpKind::softmax:
      text += fmt::format(" axis{}", op.axis);
      break;
    default:
      break;
  }
  if (op.kind == OpKind::conv2d || op.kind == OpKind::linear) text += fmt::format(" w:{}", text_of(weights_type));
  if (bias) text += " bias";
  if (fused_relu) text += " +relu";
  if (!output_scales.empty()) text += output_scales.size() > 1 ? " scales" : " scale";
  if (!source_scales.empty()) text += " source-scales";
  for (const PostStep& step : posts) {
    text += step.kind == PostStep::Kind::sum ? std::string(" +sum") : fmt::format(" +{}", short_name(step.algorithm));
    if (step.kind == PostStep::Kind::sum && step.sum_type != DataType::undef) text += text_of(step.sum_type);
    if (step.scale != 1.0F) text += "*";
  }
  return text + fmt::format(" t{}", threads);
}

std::string PrimitiveSpec::key() const {
  std::string key = text();
  append_bytes(key, output_scales);
  append_bytes(key, source_scales);
  for (const PostStep& step : posts) append_bytes(key, {step.scale, step.alpha, step.beta});
  append_bytes(key, {static_cast<float>(op.epsilon), static_cast<float>(scale_mask)});
  return key;
}

std::shared_ptr<const CompiledPrimitive> compile(const PrimitiveSpec& spec) {
  static PrimitiveStore store;
  return store.get(spec);
}

void reorder_now(const MemoryDesc& from, const void* source, const MemoryDesc& to, void* destination) {
  dnnl::memory in(from, cpu_engine(), const_cast<void*>(source));
  dnnl::memory out(to, cpu_engine(), destination);
  dnnl::reorder(in, out).execute(cpu_stream(), in, out);
  cpu_stream().wait();
}

}  // namespace ridgeline
