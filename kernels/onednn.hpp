// The one place where oneDNN's interface is seen by the folder: version 2.6 (operation descriptors, output scales in
// the attributes). Included by kernels/*.cpp and by internal headers that only they include.
#pragma once

#include <dnnl.hpp>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "spaces/operator.hpp"

namespace ridgeline {

using MemoryDesc = dnnl::memory::desc;
using DataType = dnnl::memory::data_type;

dnnl::engine& cpu_engine();
dnnl::stream& cpu_stream();

// Does the CPU sum products of 8-bit numbers in 32 bits (VNNI, AMX)? Older ones sum pairs in 16 bits, which saturate.
bool has_wide_int8_sums();

// How a tensor's axes lie in memory. Rank other than four is always plain.
enum class Layout : std::uint8_t { plain, channels_last };

MemoryDesc make_desc(const Shape& shape, DataType type, Layout layout);
MemoryDesc with_type(const MemoryDesc& desc, DataType type);
MemoryDesc with_shape(const MemoryDesc& plain_desc,
                      const Shape& shape);  // the same bytes, row-major, under another shape
// The transposed view: axis i of the result is axis permutation[i] of `desc`.
MemoryDesc permuted(const MemoryDesc& desc, const Shape& permutation);
bool same_bytes(const MemoryDesc& a, const MemoryDesc& b);  // equal but for strides of axes of extent one
bool has_layout(const MemoryDesc& desc, Layout layout);
Shape shape_of(const MemoryDesc& desc);
DataType type_of(const MemoryDesc& desc);

std::string_view text_of(DataType type);      // "f32", "bf16", "s8", "u8"
std::string text_of(const MemoryDesc& desc);  // "u8:1x32x112x112:nhwc"

// One operation after the main one, on f32 values in registers.
struct PostStep {
  enum class Kind : std::uint8_t { eltwise, sum };
  Kind kind = Kind::eltwise;
  dnnl::algorithm algorithm = dnnl::algorithm::undef;
  float scale = 1.0F;  // eltwise: of its result; sum: of what the destination held
  float alpha = 0.0F, beta = 0.0F;
  DataType sum_type = DataType::undef;
};

// The steps of an activation (hard-sigmoid takes two).
std::vector<PostStep> activation_steps(OpKind kind);

// Everything that decides a primitive.
struct PrimitiveSpec {
  Op op;                            // kind and attributes; OpKind::identity is a reorder
  std::vector<MemoryDesc> sources;  // of the activations
  MemoryDesc destination;
  DataType weights_type = DataType::f32;
  bool bias = false;
  bool fused_relu = false;           // batch_norm
  int scale_mask = 0;                // of output_scales
  std::vector<float> output_scales;  // conv2d, linear, matmul, reorder; empty: none
  std::vector<float> source_scales;  // add, mul: one a source; empty: none
  std::vector<PostStep> posts;
  int threads = 1;

  std::string text() const;  // all of it but for the numbers of scales, which do not change the time
  std::string key() const;   // all of it
};

struct CompiledPrimitive {
  dnnl::primitive primitive;
  std::vector<MemoryDesc> sources;
  MemoryDesc weights, destination, scratchpad;
  std::string implementation;
  bool is_reference() const { return implementation.starts_with("ref"); }
};

// Compiled primitives, shared by every Executable of the process and found again by PrimitiveSpec::key(). Thread-safe.
// Throws dnnl::error when oneDNN has no implementation.
std::shared_ptr<const CompiledPrimitive> compile(const PrimitiveSpec& spec);

// Runs a reorder right now (weights).
void reorder_now(const MemoryDesc& from, const void* source, const MemoryDesc& to, void* destination);

// Memory aligned to 64 bytes.
class AlignedBytes {
 public:
  explicit AlignedBytes(std::size_t bytes);  // zeroed
  std::byte* data() { return data_.get(); }
  const std::byte* data() const { return data_.get(); }
  std::size_t size() const { return size_; }

 private:
  struct Free {
    void operator()(std::byte* pointer) const;
  };
  std::unique_ptr<std::byte, Free> data_;
  std::size_t size_;
};

// omp_set_num_threads for a scope: oneDNN plans for and runs on as many threads as OpenMP would start.
class ThreadScope {
 public:
  explicit ThreadScope(int threads);
  ~ThreadScope();
  ThreadScope(const ThreadScope&) = delete;
  ThreadScope& operator=(const ThreadScope&) = delete;

 private:
  int before_;
};

}  // namespace ridgeline
