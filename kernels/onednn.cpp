#include "kernels/onednn.hpp"

#include <fmt/format.h>
#include <omp.h>

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <new>

namespace ridgeline {

dnnl::engine& cpu_engine() {
  static dnnl::engine engine(dnnl::engine::kind::cpu, 0);
  return engine;
}

dnnl::stream& cpu_stream() {
  static dnnl::stream stream(cpu_engine());
  return stream;
}

bool has_wide_int8_sums() {
  switch (dnnl::get_effective_cpu_isa()) {
    case dnnl::cpu_isa::sse41:
    case dnnl::cpu_isa::avx:
    case dnnl::cpu_isa::avx2:
    case dnnl::cpu_isa::avx512_core:
      return false;
    default:
      return true;
  }
}

namespace {

dnnl::memory::dims row_major(const Shape& shape) {
  dnnl::memory::dims strides(shape.size(), 1);
  for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * shape[i];
  return strides;
}

dnnl::memory::dims strides_of(const MemoryDesc& desc) {
  const auto* strides = desc.data.format_desc.blocking.strides;
  return {strides, strides + desc.data.ndims};
}

}  // namespace

MemoryDesc make_desc(const Shape& shape, DataType type, Layout layout) {
  if (layout == Layout::channels_last && shape.size() == 4) return {shape, type, dnnl::memory::format_tag::acdb};
  return {shape, type, row_major(shape)};
}

Shape shape_of(const MemoryDesc& desc) { return desc.dims(); }
DataType type_of(const MemoryDesc& desc) { return desc.data_type(); }

MemoryDesc with_type(const MemoryDesc& desc, DataType type) { return {shape_of(desc), type, strides_of(desc)}; }

MemoryDesc with_shape(const MemoryDesc& plain_desc, const Shape& shape) {
  return {shape, type_of(plain_desc), row_major(shape)};
}

MemoryDesc permuted(const MemoryDesc& desc, const Shape& permutation) {
  const Shape from = shape_of(desc);
  const dnnl::memory::dims from_strides = strides_of(desc);
  Shape shape;
  dnnl::memory::dims strides;
  for (const std::int64_t axis : permutation) {
    shape.push_back(from[static_cast<std::size_t>(axis)]);
    strides.push_back(from_strides[static_cast<std::size_t>(axis)]);
  }
  return {shape, type_of(desc), strides};
}

bool same_bytes(const MemoryDesc& a, const MemoryDesc& b) {
  if (shape_of(a) != shape_of(b) || type_of(a) != type_of(b)) return false;
  const dnnl::memory::dims left = strides_of(a), right = strides_of(b);
  for (std::size_t i = 0; i < left.size(); ++i) {
    if (a.data.dims[i] != 1 && left[i] != right[i]) return false;
  }
  return true;
}

bool has_layout(const MemoryDesc& desc, Layout layout) {
  return same_bytes(desc, make_desc(shape_of(desc), type_of(desc), layout));
}

std::string_view text_of(DataType type) {
  switch (type) {
    case DataType::f32:
      return "f32";
    case DataType::bf16:
      return "bf16";
    case DataType::s8:
      return "s8";
    case DataType::u8:
      return "u8";
    default:
      return "none";
  }
}

std::string text_of(const MemoryDesc& desc) {
  const Shape shape = shape_of(desc);
  std::string text = fmt::format("{}:{}", text_of(type_of(desc)), shape_text(shape));
  if (shape.size() != 4 || has_layout(desc, Layout::channels_last)) return text + (shape.size() == 4 ? ":nhwc" : "");
  if (has_layout(desc, Layout::plain)) return text + ":nchw";
  return text + fmt::format(":strides{}", fmt::join(strides_of(desc), ","));
}

std::vector<PostStep> activation_steps(OpKind kind) {
  using Algorithm = dnnl::algorithm;
  const auto step = [](Algorithm algorithm, float alpha, float beta) {
    return PostStep{PostStep::Kind::eltwise, algorithm, 1.0F, alpha, beta, DataType::undef};
  };
  switch (kind) {
    case OpKind::relu:
      return {step(Algorithm::eltwise_relu, 0.0F, 0.0F)};
    case OpKind::relu6:
      return {step(Algorithm::eltwise_clip, 0.0F, 6.0F)};
    case OpKind::hard_swish:
      return {step(Algorithm::eltwise_hardswish, 0.0F, 0.0F)};
    case OpKind::hard_sigmoid:
      return {step(Algorithm::eltwise_linear, 1.0F / 6.0F, 0.5F), step(Algorithm::eltwise_clip, 0.0F, 1.0F)};
    case OpKind::sigmoid:
      return {step(Algorithm::eltwise_logistic, 0.0F, 0.0F)};
    case OpKind::swish:
      return {step(Algorithm::eltwise_swish, 1.0F, 0.0F)};
    default:
      return {step(Algorithm::eltwise_gelu_erf, 0.0F, 0.0F)};
  }
}

AlignedBytes::AlignedBytes(std::size_t bytes) : size_(bytes) {
  const std::size_t rounded = std::max<std::size_t>(64, (bytes + 63) / 64 * 64);
  data_.reset(static_cast<std::byte*>(std::aligned_alloc(64, rounded)));
  if (!data_) throw std::bad_alloc();
  std::memset(data_.get(), 0, rounded);
}

void AlignedBytes::Free::operator()(std::byte* pointer) const { std::free(pointer); }

ThreadScope::ThreadScope(int threads) : before_(omp_get_max_threads()) {
  if (threads != before_) omp_set_num_threads(threads);
}
ThreadScope::~ThreadScope() {
  if (omp_get_max_threads() != before_) omp_set_num_threads(before_);
}

}  // namespace ridgeline
