#include "experiments/quantization/patch_execution.hpp"

#include <algorithm>
#include <map>

#include "experiments/training/evaluate.hpp"
#include "kernels/executable.hpp"
#include "kernels/reference.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t images_at_once = 16;

// Rows or columns that a window reads beyond both ends of the image, and what it reads of it.
struct Window {
  PatchSpan inside;
  std::int64_t before = 0, after = 0;
};

Window window_of(const Op& op, std::size_t axis, const PatchSpan& made, std::int64_t size) {
  const std::int64_t first = made.first * op.stride[axis] - op.padding[axis];
  const std::int64_t end =
      (made.end - 1) * op.stride[axis] - op.padding[axis] + op.dilation[axis] * (op.kernel[axis] - 1) + 1;
  return {{std::max<std::int64_t>(first, 0), std::min(end, size)},
          std::max<std::int64_t>(-first, 0),
          std::max<std::int64_t>(end - size, 0)};
}

bool is_window(OpKind kind) { return kind == OpKind::conv2d || kind == OpKind::max_pool || kind == OpKind::avg_pool; }

// A rectangle of a tensor [N, C, rows, columns] that begins at (top, left) of the whole.
struct Part {
  Tensor values;
  std::int64_t top = 0, left = 0;
};

Tensor cut(const Part& from, const PatchSpan& rows, const PatchSpan& columns) {
  const Shape& shape = from.values.shape;
  Tensor out{{shape[0], shape[1], rows.length(), columns.length()}, {}};
  out.values.reserve(static_cast<std::size_t>(elements(out.shape)));
  for (std::int64_t plane = 0; plane < shape[0] * shape[1]; ++plane) {
    for (std::int64_t y = rows.first - from.top; y < rows.end - from.top; ++y) {
      const auto line = from.values.values.begin() + (plane * shape[2] + y) * shape[3] + columns.first - from.left;
      out.values.insert(out.values.end(), line, line + columns.length());
    }
  }
  return out;
}

class StageRunner {
 public:
  StageRunner(const Design& design, std::span<const MemoryStep> steps, const PatchStage& stage,
              const PatchQuantizers& rounding)
      : network_(design.network), steps_(steps), stage_(stage), rounding_(rounding) {
    for (std::size_t i = 0; i < stage.schedule.layers; ++i) chains_.push_back(chain_of(steps[i]));
    for (const std::vector<NodeId>& chain : chains_) {
      for (const NodeId node : chain) weights_[node] = rounded(design, node);
    }
  }

  // One patch's part of the stage's result, of `count` images.
  Part run(std::size_t patch, std::span<const float> images, std::int64_t count) const {
    std::map<NodeId, Part> parts;
    for (const PatchTensor& tensor : stage_.tensors) {
      if (network_.op(tensor.tensor).kind != OpKind::input) continue;
      Shape shape = network_.shape(tensor.tensor);
      shape[0] = count;
      std::vector<float>& values = parts[tensor.tensor].values.values;
      values.assign(images.begin(), images.end());
      parts[tensor.tensor].values.shape = shape;
      if (rounding_.input) fake_quantize(values, values, values.size(), *rounding_.input);
    }
    for (std::size_t i = 0; i < stage_.schedule.layers; ++i) {
      Part made = step(i, patch, parts);
      if (i + 1 < stage_.schedule.layers && !rounding_.maps.empty()) {
        std::vector<float>& values = made.values.values;
        fake_quantize(values, values, values.size(), rounding_.maps[patch][i]);
      }
      parts[steps_[i].node] = std::move(made);
    }
    return std::move(parts[stage_.output]);
  }

 private:
  // The operators from a step's anchor to its result.
  std::vector<NodeId> chain_of(const MemoryStep& step) const {
    std::vector<NodeId> chain{step.node};
    while (chain.back() != step.anchor) {
      const auto inputs = network_.inputs(chain.back());
      // Of an addition the operand computed last, as it was fused.
      chain.push_back(inputs.size() == 1 ? inputs[0] : std::max(inputs[0], inputs[1]));
    }
    std::ranges::reverse(chain);
    return chain;
  }

  static NodeWeights rounded(const Design& design, NodeId node) {
    NodeWeights weights = (*design.weights)[node];
    const Format format = design.precision.at(node).weights;
    if (design.network.op(node).kind != OpKind::conv2d || !format.is_quantized() || weights.kernel.empty()) {
      return weights;
    }
    Quantizer quantizer{format};
    if (design.quantization && !design.quantization->weights.empty())
      quantizer.ranges = design.quantization->weights[node];
    const std::size_t row = weights.kernel.size() / static_cast<std::size_t>(design.network.op(node).channels);
    fake_quantize(weights.kernel, weights.kernel, row, quantizer);
    return weights;
  }

  Part step(std::size_t i, std::size_t patch, const std::map<NodeId, Part>& parts) const {
    const PatchTensor& tensor = *stage_.find(steps_[i].node);
    const PatchSpan &rows = tensor.rows[patch / tensor.columns.size()],
                    &columns = tensor.columns[patch % tensor.columns.size()];
    Part made{anchor(steps_[i], rows, columns, parts), rows.first, columns.first};
    for (std::size_t k = 1; k < chains_[i].size(); ++k) {
      const NodeId node = chains_[i][k];
      const Op& op = network_.op(node);
      if (op.kind == OpKind::add) {
        const Tensor other = cut(parts.at(*steps_[i].added), rows, columns);
        const std::array<const Tensor*, 2> inputs{&made.values, &other};
        made.values = reference_op(op, inputs, {});
      } else {
        const std::array<const Tensor*, 1> inputs{&made.values};
        made.values = reference_op(op, inputs, weights_.at(node));
      }
    }
    return made;
  }

  Tensor anchor(const MemoryStep& step, const PatchSpan& rows, const PatchSpan& columns,
                const std::map<NodeId, Part>& parts) const {
    Op op = network_.op(step.anchor);
    if (is_window(op.kind)) {
      const Shape& shape = network_.shape(step.reads.front());
      const Window vertical = window_of(op, 0, rows, shape[2]), horizontal = window_of(op, 1, columns, shape[3]);
      op.padding = {static_cast<int>(vertical.before), static_cast<int>(horizontal.before),
                    static_cast<int>(vertical.after), static_cast<int>(horizontal.after)};
      const Tensor read = cut(parts.at(step.reads.front()), vertical.inside, horizontal.inside);
      const std::array<const Tensor*, 1> inputs{&read};
      return reference_op(op, inputs, weights_.at(step.anchor));
    }
    // Element by element: at the same places; an operand read twice is there twice.
    std::vector<Tensor> read;
    for (const NodeId input : network_.inputs(step.anchor)) {
      read.push_back(cut(parts.at(parts.contains(input) ? input : step.reads.front()), rows, columns));
    }
    std::vector<const Tensor*> inputs;
    for (const Tensor& one : read) inputs.push_back(&one);
    return reference_op(op, inputs, weights_.at(step.anchor));
  }

  const Network& network_;
  std::span<const MemoryStep> steps_;
  const PatchStage& stage_;
  const PatchQuantizers& rounding_;
  std::vector<std::vector<NodeId>> chains_;  // one a step
  std::map<NodeId, NodeWeights> weights_;
};

}  // namespace

std::vector<float> run_patch_stage(const Design& design, std::span<const MemoryStep> steps, const PatchStage& stage,
                                   std::span<const float> images, std::int64_t count, const PatchQuantizers& rounding) {
  const StageRunner runner(design, steps, stage, rounding);
  Shape shape = design.network.shape(stage.output);
  shape[0] = count;
  std::vector<float> result(static_cast<std::size_t>(elements(shape)));
  for (std::size_t patch = 0; patch < stage.patches(); ++patch) {
    const Part part = runner.run(patch, images, count);
    const Shape& its = part.values.shape;
    for (std::int64_t plane = 0; plane < its[0] * its[1]; ++plane) {
      for (std::int64_t y = 0; y < its[2]; ++y) {
        const auto line = part.values.values.begin() + (plane * its[2] + y) * its[3];
        std::copy(line, line + its[3], result.begin() + (plane * shape[2] + part.top + y) * shape[3] + part.left);
      }
    }
  }
  return result;
}

Design behind_stage(const Design& design, const PatchStage& stage) {
  const Network& network = design.network;
  std::vector<bool> before(network.size(), false);
  before[stage.output] = true;
  for (NodeId node = stage.output + 1; node-- > 0;) {
    if (!before[node]) continue;
    for (const NodeId input : network.inputs(node)) before[input] = true;
  }
  Design made;
  std::vector<NodeId> node_of(network.size(), 0);
  Weights weights;
  Quantization quantization;
  const auto add_entry = [&](NodeId of, bool operates) {
    weights.push_back(operates && design.weights ? (*design.weights)[of] : NodeWeights{});
    made.precision.operators.push_back(operates ? design.precision.at(of) : OperatorFormats{});
    if (!design.quantization) return;
    quantization.tensors.push_back(design.quantization->tensors[of]);
    const bool has = operates && !design.quantization->weights.empty();
    quantization.weights.push_back(has ? design.quantization->weights[of] : std::vector<Range>{});
  };
  node_of[stage.output] = made.network.add_input(network.shape(stage.output));
  add_entry(stage.output, false);
  if (never_negative(network)[stage.output]) {  // says so here too: 8 bits then need no sign
    Op relu;
    relu.kind = OpKind::relu;
    node_of[stage.output] = made.network.add(relu, {node_of[stage.output]});
    add_entry(stage.output, false);
  }
  for (const NodeId node : network.live_nodes()) {
    if (before[node]) continue;
    std::vector<NodeId> inputs;
    for (const NodeId input : network.inputs(node)) inputs.push_back(node_of[input]);
    node_of[node] = made.network.add(network.op(node), inputs, network.name(node));
    add_entry(node, true);
  }
  for (const NodeId output : network.outputs()) made.network.mark_output(node_of[output]);
  made.weights = std::make_shared<const Weights>(std::move(weights));
  if (design.quantization) made.quantization = std::make_shared<const Quantization>(std::move(quantization));
  return made;
}

double patch_accuracy(const Design& design, std::span<const MemoryStep> steps, const PatchStage& stage,
                      const LabelledImages& images, const Normalisation& normalisation, const PatchQuantizers& rounding,
                      int threads) {
  const auto size = static_cast<std::size_t>(elements(design.network.shape(stage.output)));
  std::vector<float> made(images.size() * size);
  visit_batches(design.network, images, normalisation, images_at_once, threads, [&](const ImageBatchView& view) {
    const std::vector<float> part =
        run_patch_stage(design, steps, stage, view.values, static_cast<std::int64_t>(view.count), rounding);
    std::ranges::copy(part, made.begin() + static_cast<std::ptrdiff_t>(view.first * size));
  });
  Executable behind(behind_stage(design, stage), {.threads = threads, .emulation = Emulation::missing});
  std::size_t right = 0;
  for (std::size_t image = 0; image < images.size(); ++image) {
    const auto first = made.begin() + static_cast<std::ptrdiff_t>(image * size);
    std::copy(first, first + static_cast<std::ptrdiff_t>(size), behind.input().begin());
    behind.run();
    const std::span<const float> answer = behind.output();
    right += std::ranges::max_element(answer) - answer.begin() == images.label(image) ? 1U : 0U;
  }
  return images.size() == 0 ? 0.0 : static_cast<double>(right) / static_cast<double>(images.size());
}

}  // namespace ridgeline
