// Turns the groups of a lowered design into the steps of a Program. Internal.
#pragma once

#include <map>
#include <optional>
#include <tuple>
#include <vector>

#include "kernels/program.hpp"
#include "kernels/quantization/fake_quantize.hpp"

namespace ridgeline {

class Builder {
 public:
  Builder(const Design& design, const ExecutableOptions& options, std::span<const Range> ranges);
  Program run();

 private:
  struct Slot {  // a tensor in memory
    MemoryDesc desc;
    std::size_t buffer;
  };
  // Post-operations, and what one unit of the main operation's result must be worth when they begin.
  struct Posts {
    std::vector<PostStep> steps;
    float unit = 1.0F;
  };
  enum class Reading : std::uint8_t { as_is, plain, channels_last };

  // ---- tensors (builder.cpp)
  DataType type_for(NodeId tensor, const Format& format) const;
  std::size_t new_buffer(NodeId node, const MemoryDesc& desc, bool in_arena = true);
  // The tensor in this format and layout; a reorder is emitted where it is stored otherwise.
  Slot fetch(NodeId tensor, const Format& format, Reading reading);
  Slot convert(NodeId tensor, const Slot& from, DataType type, Layout layout);
  bool may_overwrite(std::size_t buffer) const;  // nobody reads it after the group being built
  void define(NodeId tensor, const MemoryDesc& desc, std::size_t buffer);
  void store(const Group& group, const MemoryDesc& computed, std::size_t buffer);
  void emit(const PrimitiveSpec& spec, std::vector<Operand> operands, StepInfo info);
  bool emit_conversion(const PrimitiveSpec& spec, const std::vector<Operand>& operands, const StepInfo& info);
  void append(Step step, const PrimitiveSpec& spec);
  std::shared_ptr<const CompiledPrimitive> compile_for(const PrimitiveSpec& spec, NodeId node) const;
  [[noreturn]] void refuse(NodeId node, const std::string& reason) const;
  Operand operand(int argument, const Slot& slot) const { return {argument, slot.desc, false, slot.buffer}; }
  std::size_t keep_weights(std::shared_ptr<const AlignedBytes> bytes);
  void place_input();
  void finish_outputs();

  // ---- formats without primitives (emulation.cpp)
  bool is_emulated(const Format& format) const;
  bool is_emulated(NodeId node) const;  // a conv2d, linear or matmul
  void plan_rounding();                 // which tensors are computed in f32 and rounded
  Quantizer quantizer_for(NodeId tensor, const Format& format) const;
  void emit_rounding(NodeId tensor, const Format& format, const Slot& from, const Slot& to);
  // The tensor as an operator reads it: as fetch() has it, or in f32 and rounded to a format that is emulated.
  Slot fetch_operand(NodeId reader, std::size_t index, const Group& group, const Format& computed, Reading reading);

  // ---- groups (groups.cpp)
  void build(const Group& group);
  void build_weighted(const Group& group);
  void build_linear_or_conv(const Group& group, const Format& format, DataType result_type);
  struct WeightedForm {
    MemoryDesc source, result;  // in the tensors' own shapes
    bool as_convolution = false;
  };
  PrimitiveSpec weighted_spec(const Group& group, const Format& format, const WeightedForm& form);
  PrimitiveSpec best_weighted_spec(const Group& group, const Format& format, WeightedForm form);
  WeightPacker::Rule kernel_rule(const Group& group) const;
  Posts posts_for(const Group& group, DataType result_type) const;
  Slot memory_for_sum(NodeId tensor, DataType type, const std::vector<Operand>& sources);
  void build_matmul(const Group& group);
  void build_binary(const Group& group);
  void build_concat(const Group& group);
  void build_pool(const Group& group);
  void build_norm(const Group& group);
  void build_softmax(const Group& group);
  void build_activation(const Group& group);
  void build_reshape(const Group& group);
  void build_transpose(const Group& group);
  void build_zero(const Group& group);
  Format checked_format(NodeId node) const;  // of a conv2d, linear or matmul; throws Unsupported
  // The format a follower computes in: how its result is stored, or f32 where it has no 8-bit primitive.
  Format follower_format(const Group& group, bool has_int8) const;
  StepInfo info_for(const Group& group, const Format& format) const;
  PrimitiveSpec spec_for(const Group& group) const;
  Slot destination_for(const Group& group, const MemoryDesc& desc, std::span<const Slot> overwritable);

  const Design& design_;
  const Network& network_;
  const ExecutableOptions& options_;
  Lowered lowered_;
  std::vector<Range> ranges_;  // one a node
  std::vector<TensorScale> scales_;
  std::vector<std::optional<Format>> rounded_;  // one a node: the emulated format that its tensor is stored in
  std::map<std::tuple<NodeId, std::string, Layout>, Slot> rounded_copies_;
  WeightPacker packer_;
  Program program_;
  std::vector<std::optional<Slot>> primary_;  // one a node
  std::map<std::tuple<NodeId, DataType, Layout>, Slot> copies_;
  std::vector<int> readers_left_;          // one a node
  std::vector<std::vector<NodeId>> held_;  // one a buffer: the nodes whose primary tensor it is
};

}  // namespace ridgeline
