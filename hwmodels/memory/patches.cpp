#include "hwmodels/memory/patches.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

std::string label(const Network& network, NodeId node) {
  const std::string& name = network.name(node);
  return name.empty() ? fmt::format("{} (node {})", name_of(network.op(node).kind), node) : fmt::format("'{}'", name);
}

bool is_window(OpKind kind) { return kind == OpKind::conv2d || kind == OpKind::max_pool || kind == OpKind::avg_pool; }

// An element of the result depends on elements at the same place only.
bool is_pointwise(const Network& network, NodeId node) {
  const Op& op = network.op(node);
  const auto inputs = network.inputs(node);
  switch (op.kind) {
    case OpKind::batch_norm:
      return true;
    case OpKind::add:
    case OpKind::mul:
      return network.shape(inputs[0]) == network.shape(inputs[1]);
    case OpKind::concat:
      return op.axis == 1 || op.axis == -3;
    default:
      return is_activation(op.kind);
  }
}

PatchSpan hull(const PatchSpan& a, const PatchSpan& b) {
  if (a.length() == 0) return b;
  if (b.length() == 0) return a;
  return {std::min(a.first, b.first), std::max(a.end, b.end)};
}

// What the outputs `span` of a window operator read along one axis (0: rows) of an image that has `size` there: from
// the first to the last place that some tap falls on, as windows with gaps need not begin at the edge.
PatchSpan read_through(const Op& op, std::size_t axis, const PatchSpan& span, std::int64_t size) {
  if (!is_window(op.kind)) return span;
  PatchSpan read{size, 0};
  for (std::int64_t at = span.first; at < span.end; ++at) {
    for (std::int64_t tap = 0; tap < op.kernel[axis]; ++tap) {
      const std::int64_t place = at * op.stride[axis] - op.padding[axis] + tap * op.dilation[axis];  // top, left
      if (place < 0 || place >= size) continue;
      read.first = std::min(read.first, place);
      read.end = std::max(read.end, place + 1);
    }
  }
  return read;
}

class StageBuilder {
 public:
  StageBuilder(const Network& network, std::span<const MemoryStep> steps, const PatchSchedule& schedule)
      : network_(network), steps_(steps), schedule_(schedule) {}

  std::optional<PatchStage> build(std::string& why) {
    why = illegal();
    if (!why.empty()) return std::nullopt;
    stage_.schedule = schedule_;
    stage_.output = steps_[schedule_.layers - 1].node;
    add_tensors();
    split_output();
    for (std::size_t i = schedule_.layers; i-- > 0;) follow_back(steps_[i]);
    return std::move(stage_);
  }

 private:
  std::string illegal() const {
    const std::size_t layers = schedule_.layers;
    if (layers > steps_.size()) {
      return fmt::format("patch_layers is {}, but the network runs as {} layers", layers, steps_.size());
    }
    for (std::size_t i = 0; i < layers; ++i) {
      if (const std::string why = not_local(steps_[i]); !why.empty()) {
        return fmt::format("layer {} of the {} that would run in patches, {}", i + 1, layers, why);
      }
    }
    if (const std::string why = read_afterwards(); !why.empty()) return why;
    const Shape& shape = network_.shape(steps_[layers - 1].node);
    if (shape[2] < schedule_.grid || shape[3] < schedule_.grid) {
      return fmt::format(
          "the {} layers that would run in patches end in an image of {}x{}, too small for {}x{} patches", layers,
          shape[2], shape[3], schedule_.grid, schedule_.grid);
    }
    return {};
  }

  std::string not_local(const MemoryStep& step) const {
    const OpKind kind = network_.op(step.anchor).kind;
    if (!is_window(kind) && !is_pointwise(network_, step.anchor)) {
      return fmt::format("{}, looks at more than a patch", label(network_, step.anchor));
    }
    for (const NodeId read : step.reads) {
      if (network_.shape(read).size() != 4) return fmt::format("{}, reads no image", label(network_, step.anchor));
    }
    for (const NodeId input : network_.inputs(step.anchor)) {
      if (network_.shape(input).size() != 4 || network_.op(input).kind == OpKind::zero) {
        return fmt::format("{}, reads no image that a layer made", label(network_, step.anchor));
      }
    }
    return {};
  }

  // Everything but the last result must end with the stage.
  std::string read_afterwards() const {
    const NodeId last = steps_[schedule_.layers - 1].node;
    std::vector<NodeId> within;
    for (std::size_t i = 0; i < schedule_.layers; ++i) {
      within.insert(within.end(), steps_[i].reads.begin(), steps_[i].reads.end());
      within.push_back(steps_[i].node);
    }
    const auto leaves = [&](NodeId tensor) {
      return tensor != last && std::ranges::find(within, tensor) != within.end();
    };
    const auto text = [&](NodeId tensor) {
      return fmt::format("the first {} layers do not end in one tensor: {} is needed after them beside {}",
                         schedule_.layers, label(network_, tensor), label(network_, last));
    };
    for (std::size_t i = schedule_.layers; i < steps_.size(); ++i) {
      for (const NodeId read : steps_[i].reads) {
        if (leaves(read)) return text(read);
      }
    }
    for (const NodeId output : network_.outputs()) {
      if (leaves(output)) return text(output);
    }
    return {};
  }

  void add_tensors() {
    const auto add = [&](NodeId tensor) {
      if (stage_.find(tensor) != nullptr) return;
      const auto grid = static_cast<std::size_t>(schedule_.grid);
      stage_.tensors.push_back({tensor, std::vector<PatchSpan>(grid), std::vector<PatchSpan>(grid)});
    };
    for (std::size_t i = 0; i < schedule_.layers; ++i) {
      for (const NodeId read : steps_[i].reads) {
        if (network_.op(read).kind == OpKind::input) add(read);
      }
    }
    for (std::size_t i = 0; i < schedule_.layers; ++i) add(steps_[i].node);
  }

  PatchTensor& tensor(NodeId node) { return *std::ranges::find(stage_.tensors, node, &PatchTensor::tensor); }

  void split_output() {
    PatchTensor& output = tensor(stage_.output);
    const Shape& shape = network_.shape(stage_.output);
    for (std::int64_t i = 0; i < schedule_.grid; ++i) {
      const auto at = static_cast<std::size_t>(i);
      output.rows[at] = {i * shape[2] / schedule_.grid, (i + 1) * shape[2] / schedule_.grid};
      output.columns[at] = {i * shape[3] / schedule_.grid, (i + 1) * shape[3] / schedule_.grid};
    }
  }

  // The anchor reads windows; what is added to its result is read at the result's own places.
  void follow_back(const MemoryStep& step) {
    const PatchTensor made = tensor(step.node);
    const Op& op = network_.op(step.anchor);
    for (std::size_t k = 0; k < step.reads.size(); ++k) {
      PatchTensor& needed = tensor(step.reads[k]);
      const Shape& shape = network_.shape(step.reads[k]);
      for (std::size_t i = 0; i < made.rows.size(); ++i) {
        if (k < step.anchor_reads) {
          needed.rows[i] = hull(needed.rows[i], read_through(op, 0, made.rows[i], shape[2]));
          needed.columns[i] = hull(needed.columns[i], read_through(op, 1, made.columns[i], shape[3]));
        }
        if (step.added == step.reads[k]) {
          needed.rows[i] = hull(needed.rows[i], made.rows[i]);
          needed.columns[i] = hull(needed.columns[i], made.columns[i]);
        }
      }
    }
  }

  const Network& network_;
  std::span<const MemoryStep> steps_;
  const PatchSchedule& schedule_;
  PatchStage stage_;
};

bool read_count(const Json& schedule, const char* key, std::int64_t most, std::int64_t& value, std::string& why) {
  if (!schedule.contains(key)) return true;
  const Json& found = schedule.at(key);
  const double number = found.is_number() ? found.get<double>() : -1.0;
  if (number < 0 || number > static_cast<double>(most) || number != static_cast<double>(std::int64_t(number))) {
    why = fmt::format("the schedule's {} is {}, not a whole number from 0 to {}", key, found.dump(), most);
    return false;
  }
  value = static_cast<std::int64_t>(number);
  return true;
}

bool read_formats(const std::string& text, PatchSchedule& schedule, std::string& why) {
  for (std::size_t at = 0; at <= text.size();) {
    const std::size_t comma = std::min(text.find(',', at), text.size());
    try {
      schedule.formats.push_back(Format::parse(text.substr(at, comma - at)));
    } catch (const ConfigError& error) {
      why = "the schedule's patch_format: " + error.problems().front().text();
      return false;
    }
    at = comma + 1;
  }
  if (!schedule.any()) return true;
  const std::size_t patches = schedule.patches(), all = patches * schedule.maps();
  for (const std::size_t known : {std::size_t{1}, patches, all}) {
    if (schedule.formats.size() == known) return true;
  }
  why = fmt::format(
      "the schedule's patch_format names {} formats for {} patches; name one, or one a patch, or {} for each feature "
      "map "
      "of each patch",
      schedule.formats.size(), patches, all);
  return false;
}

}  // namespace

std::int64_t PatchTensor::positions(std::size_t patch) const {
  return rows[patch / columns.size()].length() * columns[patch % columns.size()].length();
}

std::int64_t PatchTensor::most_positions() const {
  std::int64_t most_rows = 0, most_columns = 0;
  for (const PatchSpan& span : rows) most_rows = std::max(most_rows, span.length());
  for (const PatchSpan& span : columns) most_columns = std::max(most_columns, span.length());
  return most_rows * most_columns;
}

const Format& PatchStage::format(std::size_t patch, NodeId tensor) const {
  const auto found = std::ranges::find(tensors, tensor, &PatchTensor::tensor);
  const auto after_inputs = static_cast<std::size_t>(tensors.end() - found);  // the last one is the result
  return schedule.format(patch, schedule.layers - after_inputs);
}

const PatchTensor* PatchStage::find(NodeId tensor) const {
  const auto found = std::ranges::find(tensors, tensor, &PatchTensor::tensor);
  return found == tensors.end() ? nullptr : &*found;
}

bool PatchStage::reads_own_format(const Network& network, const MemoryStep& step) const {
  return !schedule.formats.empty() && network.op(step.reads.front()).kind != OpKind::input;
}

std::optional<PatchSchedule> patch_schedule(const Design& design, std::string& why) {
  PatchSchedule schedule;
  if (!design.schedule) return schedule;
  std::int64_t layers = 0;
  if (!read_count(*design.schedule, "patch_layers", 1'000'000, layers, why)) return std::nullopt;
  if (!read_count(*design.schedule, "patch_grid", most_patch_grid, schedule.grid, why)) return std::nullopt;
  schedule.layers = static_cast<std::size_t>(layers);
  if (!design.schedule->contains("patch_format")) return schedule;
  const Json& format = design.schedule->at("patch_format");
  if (!format.is_string()) {
    why = fmt::format("the schedule's patch_format is {}, not the name of a format", format.dump());
    return std::nullopt;
  }
  if (!read_formats(format.get<std::string>(), schedule, why)) return std::nullopt;
  return schedule;
}

std::optional<PatchStage> patch_stage(const Network& network, std::span<const MemoryStep> steps,
                                      const PatchSchedule& schedule, std::string& why) {
  return StageBuilder(network, steps, schedule).build(why);
}

std::int64_t patch_macs(const Network& network, const PatchStage& stage, const MemoryStep& step, std::size_t patch) {
  const Shape& shape = network.shape(step.anchor);
  if (shape.size() != 4) return 0;
  return macs(network, step.anchor) / (shape[2] * shape[3]) * stage.find(step.node)->positions(patch);
}

}  // namespace ridgeline
