#include "hwmodels/memory/layout.hpp"

#include <algorithm>
#include <array>

#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

bool is_element_wise(OpKind kind) {
  return is_activation(kind) || kind == OpKind::batch_norm || kind == OpKind::layer_norm || kind == OpKind::softmax ||
         kind == OpKind::add || kind == OpKind::mul;
}

// Finds the buffers of a list of steps.
class BufferFinder {
 public:
  BufferFinder(const Design& design, const MemoryOptions& options, std::span<const Format> stored,
               std::span<const NodeId> tensors, const MemoryLayout& layout)
      : network_(design.network),
        options_(options),
        stored_(stored),
        steps_(layout.steps),
        stage_(layout.patches ? &*layout.patches : nullptr),
        last_read_(network_.size(), 0),
        kept_(network_.size(), false),
        buffer_of_(network_.size(), none) {
    for (std::size_t s = 0; s < steps_.size(); ++s) {
      for (const NodeId read : steps_[s].reads) last_read_[read] = s;
    }
    for (const NodeId output : network_.outputs()) {
      kept_[tensors[output]] = true;
      last_read_[tensors[output]] = last_step();
    }
    if (stage_ == nullptr || options_.stream_input) return;
    for (const PatchTensor& one : stage_->tensors) {
      if (is_input(one.tensor)) last_read_[one.tensor] = std::max(last_read_[one.tensor], stage_steps() - 1);
    }
  }

  // `apart`: one entry a step; true: it may not write over what it reads.
  std::vector<MemoryBuffer> find(std::span<const NodeId> live, const std::vector<bool>& apart) {
    buffers_.clear();
    narrowed_.clear();
    std::ranges::fill(buffer_of_, none);
    apart_ = &apart;
    for (const NodeId node : live) {
      if (is_input(node)) add(is_streamed(node) ? Role::patch : Role::input, node, 0);
    }
    if (stage_ != nullptr) add(Role::tensor, stage_->output, 0);
    for (std::size_t s = 0; s < steps_.size(); ++s) place(s);
    std::ranges::stable_sort(buffers_, {}, [](const MemoryBuffer& one) { return one.life.first_step; });
    return buffers_;
  }

  // Steps that wrote a smaller tensor over a larger one, whose memory is then held for longer.
  const std::vector<std::size_t>& narrowed() const { return narrowed_; }

 private:
  using Role = MemoryBuffer::Role;
  static constexpr std::size_t none = ~std::size_t{0};

  std::size_t last_step() const { return steps_.empty() ? 0 : steps_.size() - 1; }
  std::size_t stage_steps() const { return stage_ == nullptr ? 0 : stage_->schedule.layers; }
  bool is_input(NodeId node) const { return network_.op(node).kind == OpKind::input; }
  bool is_streamed(NodeId node) const {
    return options_.stream_input && stage_ != nullptr && stage_->find(node) != nullptr;
  }
  bool in_patches(NodeId tensor) const {
    return stage_ != nullptr && tensor != stage_->output && stage_->find(tensor) != nullptr &&
           (!is_input(tensor) || options_.stream_input);
  }

  std::int64_t aligned(std::int64_t bytes) const {
    const std::int64_t unit = options_.alignment_bytes;
    return (bytes + unit - 1) / unit * unit;
  }

  // Bits of one number of a tensor, in whichever patch has most of them.
  int width_of(NodeId tensor) const {
    if (!in_patches(tensor) || is_input(tensor) || stage_->schedule.formats.empty()) return stored_[tensor].width_bits;
    int most = 0;
    for (std::size_t patch = 0; patch < stage_->patches(); ++patch) {
      most = std::max(most, int{stage_->format(patch, tensor).width_bits});
    }
    return most;
  }

  std::int64_t elements_of(NodeId tensor) const {
    const Shape& shape = network_.shape(tensor);
    if (!in_patches(tensor)) return elements(shape);
    return elements(shape) / (shape[2] * shape[3]) * stage_->find(tensor)->most_positions();
  }

  // One patch needs a whole number of bytes; of patches in several formats the largest one counts.
  std::int64_t bytes_of(NodeId tensor) const {
    const auto bytes = [](std::int64_t count, int bits) { return (count * bits + 7) / 8; };
    const bool one_width = !in_patches(tensor) || is_input(tensor) || stage_->schedule.formats.size() < 2;
    if (one_width) return aligned(bytes(elements_of(tensor), width_of(tensor)));
    const Shape& shape = network_.shape(tensor);
    std::int64_t most = 0;
    for (std::size_t patch = 0; patch < stage_->patches(); ++patch) {
      const std::int64_t count = elements(shape) / (shape[2] * shape[3]) * stage_->find(tensor)->positions(patch);
      most = std::max(most, bytes(count, stage_->format(patch, tensor).width_bits));
    }
    return aligned(most);
  }

  void add(Role role, NodeId tensor, std::size_t step) {
    if (role == Role::tensor) role = kept_[tensor] ? Role::output : in_patches(tensor) ? Role::patch : Role::tensor;
    buffer_of_[tensor] = buffers_.size();
    buffers_.push_back({role, tensor, {tensor}, {step, std::max(step, last_read_[tensor]), bytes_of(tensor)}});
  }

  void add_workspace(NodeId node, std::size_t step, std::int64_t parts) {
    const std::int64_t bits = elements_of(node) / parts * width_of(node);
    buffers_.push_back({Role::workspace, node, {}, {step, step, aligned((bits + 7) / 8)}});
  }

  void place(std::size_t s) {
    const MemoryStep& step = steps_[s];
    for (const NodeId read : step.reads) {
      if (buffer_of_[read] == none) add(Role::tensor, read, s);  // a tensor of zeros, which no step makes
    }
    if (stage_ != nullptr && step.node == stage_->output) return;
    const std::optional<NodeId> over = (*apart_)[s] ? std::nullopt : overwritten(s);
    if (!over) {
      add(Role::tensor, step.node, s);
      return;
    }
    MemoryBuffer& buffer = buffers_[buffer_of_[*over]];
    if (bytes_of(step.node) < buffer.life.bytes) narrowed_.push_back(s);
    buffer_of_[step.node] = buffer_of_[*over];
    buffer.life.last_step = std::max(buffer.life.last_step, std::max(s, last_read_[step.node]));
    buffer.tensors.push_back(step.node);
    if (kept_[step.node]) buffer.role = Role::output;
  }

  // May step s write its result over this tensor, element by element?
  bool is_free(NodeId tensor, std::size_t s) const {
    const NodeId made = steps_[s].node;
    return last_read_[tensor] == s && !kept_[tensor] && width_of(made) <= width_of(tensor) &&
           elements_of(made) <= elements_of(tensor);
  }

  // The tensor whose memory takes the result of step s; a workspace is added where that needs one.
  std::optional<NodeId> overwritten(std::size_t s) {
    const MemoryStep& step = steps_[s];
    if (step.added) {
      if (options_.in_place && is_free(*step.added, s)) return step.added;
      return std::nullopt;
    }
    if (options_.in_place && is_element_wise(network_.op(step.anchor).kind)) {
      for (const NodeId read : step.reads) {
        if (network_.shape(read) == network_.shape(step.node) && is_free(read, s)) return read;
      }
      return std::nullopt;
    }
    const std::int64_t parts = parts_in_place(step);
    if (parts == 0 || !is_free(step.reads[0], s)) return std::nullopt;
    add_workspace(step.node, s, parts);
    return step.reads[0];
  }

  // In how many parts a convolution or linear layer may write over its input: channels or tokens; 0: it may not.
  std::int64_t parts_in_place(const MemoryStep& step) const {
    const Op& op = network_.op(step.anchor);
    const Shape& in = network_.shape(step.reads[0]);
    const Shape& out = network_.shape(step.node);
    if (op.kind == OpKind::linear) {
      const bool narrow = options_.tokens_in_place && out.back() <= in.back() && step.reads.size() == 1;
      return narrow ? elements(out) / out.back() : 0;
    }
    if (op.kind != OpKind::conv2d || step.reads.size() != 1) return 0;
    const bool depthwise = op.groups > 1 && op.groups == in[1] && op.channels == in[1];
    if (depthwise) return options_.depthwise_in_place ? out[0] * out[1] : 0;
    const std::array<int, 2> ones{1, 1};
    const bool token_wise = op.kernel == ones && op.stride == ones && op.padding == std::array<int, 4>{0, 0, 0, 0};
    if (!options_.tokens_in_place || !token_wise || out[1] > in[1]) return 0;
    return elements_of(step.node) / out[1];
  }

  const Network& network_;
  const MemoryOptions& options_;
  std::span<const Format> stored_;
  std::span<const MemoryStep> steps_;
  const PatchStage* stage_;
  std::vector<std::size_t> last_read_;  // the last step that needs a tensor
  std::vector<bool> kept_;              // outputs of the network
  std::vector<std::size_t> buffer_of_;
  std::vector<MemoryBuffer> buffers_;
  std::vector<std::size_t> narrowed_;
  const std::vector<bool>* apart_ = nullptr;
};

// The largest sum alive at one step, then the sum over all steps: less is better.
std::pair<std::int64_t, std::int64_t> weight_of(const std::vector<MemoryBuffer>& buffers) {
  std::pair<std::int64_t, std::int64_t> weight{0, 0};
  std::vector<BufferLife> lives;
  for (const MemoryBuffer& one : buffers) lives.push_back(one.life);
  for (const std::int64_t bytes : alive_bytes(lives)) {
    weight.first = std::max(weight.first, bytes);
    weight.second += bytes;
  }
  return weight;
}

// Buffers with all that may be done in place, but for steps that then hold a large buffer for a small tensor and are
// better off with one of their own.
std::vector<MemoryBuffer> best_buffers(BufferFinder finder, std::span<const NodeId> live, std::size_t steps) {
  std::vector<bool> apart(steps, false);
  std::vector<MemoryBuffer> best = finder.find(live, apart);
  const std::vector<std::size_t> narrowed = finder.narrowed();
  auto weight = weight_of(best);
  for (const std::size_t step : narrowed) {
    apart[step] = true;
    std::vector<MemoryBuffer> other = finder.find(live, apart);
    const auto its = weight_of(other);
    apart[step] = its.first <= weight.first && its.second < weight.second;
    if (!apart[step]) continue;
    best = std::move(other);
    weight = its;
  }
  return best;
}

}  // namespace

std::span<const std::string> memory_role_names() {
  static const std::array<std::string, 5> names{"input", "tensor", "patch", "output", "workspace"};
  return names;
}

std::optional<MemoryLayout> memory_layout(const Design& design, const MemoryOptions& options, std::string& why,
                                          std::int64_t most_branches) {
  const std::optional<PatchSchedule> schedule = patch_schedule(design, why);
  if (!schedule) return std::nullopt;
  if (schedule->any() && !options.fusion) {
    why = "patches are runs of executed layers: they need operator fusion";
    return std::nullopt;
  }
  const Network& network = design.network;
  const std::vector<NodeId> live = network.live_nodes();
  const std::vector<NodeId> tensors = stored_tensors(network, live);
  const std::vector<Format> stored = stored_formats(network, design.precision);
  MemoryLayout layout;
  layout.steps = options.fusion
                     ? fused_steps(network, layers_in_order(network, design.precision, stored, live), tensors)
                     : single_steps(network, live, tensors);
  layout.macs = macs(network);
  if (schedule->any()) {
    layout.patches = patch_stage(network, layout.steps, *schedule, why);
    if (!layout.patches) return std::nullopt;
    for (std::size_t i = 0; i < schedule->layers; ++i) {
      layout.extra_macs -= macs(network, layout.steps[i].anchor);
      for (std::size_t patch = 0; patch < layout.patches->patches(); ++patch) {
        layout.extra_macs += patch_macs(network, *layout.patches, layout.steps[i], patch);
      }
    }
  }
  layout.buffers = best_buffers(BufferFinder(design, options, stored, tensors, layout), live, layout.steps.size());
  std::vector<BufferLife> lives;
  for (const MemoryBuffer& one : layout.buffers) lives.push_back(one.life);
  layout.plan = plan_memory(lives, most_branches);
  return layout;
}

std::int64_t bit_operations(const Design& design, const MemoryLayout& layout) {
  const Network& network = design.network;
  const std::size_t staged = layout.patches ? layout.patches->schedule.layers : 0;
  std::int64_t sum = 0;
  for (std::size_t s = 0; s < layout.steps.size(); ++s) {
    const MemoryStep& step = layout.steps[s];
    const OperatorFormats read = design.precision.at(step.anchor);
    const bool product = network.op(step.anchor).kind == OpKind::matmul;
    const auto bits = [&](const Format& activations) {
      return std::int64_t{activations.width_bits} * (product ? activations : read.weights).width_bits;
    };
    if (s >= staged) {
      sum += macs(network, step.anchor) * bits(read.activations);
      continue;
    }
    const bool own = layout.patches->reads_own_format(network, step);
    for (std::size_t patch = 0; patch < layout.patches->patches(); ++patch) {
      const Format& activations = own ? layout.patches->format(patch, step.reads.front()) : read.activations;
      sum += patch_macs(network, *layout.patches, step, patch) * bits(activations);
    }
  }
  return sum;
}

}  // namespace ridgeline
