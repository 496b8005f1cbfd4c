#include "experiments/report/memory_report.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/report/report_units.hpp"
#include "hwmodels/mcu.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

// "96x112x112": without the batch.
std::string extent_text(const Shape& shape) { return shape_text(Shape(shape.begin() + 1, shape.end())); }

std::string tensor_label(const Network& network, NodeId node) {
  if (network.op(node).kind == OpKind::input) return network.name(node) + " " + extent_text(network.shape(node));
  return extent_text(network.shape(node));
}

// "patch of 96x112x112, then 1 more".
std::string buffer_label(const Network& network, const MemoryBuffer& buffer) {
  std::string label = tensor_label(network, buffer.tensor);
  if (buffer.role == MemoryBuffer::Role::patch) label.insert(0, "patch of ");
  if (buffer.role == MemoryBuffer::Role::workspace) label.insert(0, "for ");
  if (buffer.tensors.size() > 1) label += fmt::format(", then {} more", buffer.tensors.size() - 1);
  return label;
}

double share(std::int64_t part, std::int64_t whole) {
  return whole == 0 ? 0.0 : static_cast<double>(part) / static_cast<double>(whole);
}

std::string proof_text(const MemoryPlan& plan) {
  if (plan.arena_bytes == plan.lower_bound_bytes) return "no plan is smaller: it is the sum alive at one step";
  const std::string bound =
      fmt::format("the largest sum alive at one step is {}, {:.2f} % less", grouped(plan.lower_bound_bytes),
                  100 * (1 - share(plan.lower_bound_bytes, plan.arena_bytes)));
  return plan.optimal ? bound + "; no plan is smaller, all were tried" : bound + "; a smaller plan is not excluded";
}

std::string options_text(const MemoryOptions& options) {
  std::string text = options.fusion ? "operators fused" : "operators not fused";
  if (options.in_place) text += ", element-wise in place";
  if (options.depthwise_in_place) text += ", depthwise in place";
  if (options.tokens_in_place) text += ", tokens in place";
  if (options.stream_input) text += ", input streamed to patches";
  if (options.alignment_bytes > 1) text += fmt::format(", buffers aligned to {} B", options.alignment_bytes);
  return text;
}

std::string patches_text(const MemoryReport& report) {
  const PatchSchedule& schedule = report.layout.patches->schedule;
  std::string text =
      fmt::format("patches: the first {} layers on a grid of {} x {}", schedule.layers, schedule.grid, schedule.grid);
  if (!schedule.formats.empty()) {
    text += ", activations between them in ";
    for (std::size_t i = 0; i < schedule.formats.size(); ++i) {
      text += fmt::format("{}{}", i == 0 ? "" : ",", schedule.formats[i].text());
    }
  }
  text += fmt::format("\n  extra MACs where they overlap: {} of {} ({:.2f} %)\n", grouped(report.layout.extra_macs),
                      grouped(report.layout.macs), 100 * share(report.layout.extra_macs, report.layout.macs));
  text +=
      fmt::format("  without patches: {} B, {:.2f} times as much; {} bit operations, {:.2f} times as many\n",
                  grouped(*report.whole_arena_bytes), share(*report.whole_arena_bytes, report.layout.plan.arena_bytes),
                  pretty(static_cast<double>(report.whole_bit_operations), ""),
                  share(report.whole_bit_operations, report.bit_operations));
  return text;
}

}  // namespace

std::string layer_label(const Network& network, NodeId anchor, NodeId node, bool added) {
  const Op& op = network.op(anchor);
  std::string kind(name_of(op.kind));
  if (op.kind == OpKind::conv2d) {
    const bool depthwise = op.groups > 1 && op.groups == op.channels;
    kind = fmt::format("{} {}x{}", depthwise ? "depthwise" : "conv", op.kernel[0], op.kernel[1]);
    if (op.stride[0] > 1) kind += fmt::format(" /{}", op.stride[0]);
  }
  return fmt::format("{}{} -> {}", kind, added ? " + add" : "", extent_text(network.shape(node)));
}

MemoryReport memory_report(const Design& design, const std::string& name, const MemoryOptions& options,
                           const McuModel* device) {
  MemoryReport report;
  report.network = name;
  report.options = options;
  std::string why;
  std::optional<MemoryLayout> layout = memory_layout(design, options, why, branches_of_a_command);
  if (!layout) {
    throw ConfigError({"schedule", "", "one that the network can run in", why,
                       "choose another --patch-layers or --patch-grid; 'ridgeline memory ... --schedules' lists them"});
  }
  report.layout = std::move(*layout);
  for (const MemoryStep& one : report.layout.steps) {
    report.steps.push_back(layer_label(design.network, one.anchor, one.node, one.added.has_value()));
  }
  for (const MemoryBuffer& one : report.layout.buffers) report.buffers.push_back(buffer_label(design.network, one));
  report.bit_operations = bit_operations(design, report.layout);
  if (report.layout.patches) {
    Design whole = design;
    whole.schedule.reset();
    const std::optional<MemoryLayout> other = memory_layout(whole, options, why, branches_of_a_command);
    report.whole_arena_bytes = other.value().plan.arena_bytes;
    report.whole_bit_operations = bit_operations(whole, *other);
  }
  if (device == nullptr) return report;
  report.device = device->name();
  report.sram_bytes = device->device().sram_bytes;
  report.reserved_bytes = device->device().reserved_sram_bytes;
  const Cost cost = device->estimate(design);
  const ResourceUse* flash = cost.resource("flash_bytes");
  if (flash == nullptr) {
    report.device_cost = cost.unsupported;
    return report;
  }
  report.device_cost =
      fmt::format("estimated latency {}{}; {} of {} B of flash{}", pretty(cost.latency_s, "s"),
                  device->has_energy() ? fmt::format(", {}", pretty(cost.energy_j, "J")) : "",
                  grouped(static_cast<std::int64_t>(flash->used)), grouped(static_cast<std::int64_t>(flash->available)),
                  flash->fits() ? "" : ": does not fit");
  return report;
}

std::string memory_text(const MemoryReport& report, const TextStyle& style) {
  const MemoryPlan& plan = report.layout.plan;
  std::string text =
      fmt::format("{}: {} B of activations at the peak ({} KiB); {}\n", report.network, grouped(plan.arena_bytes),
                  fmt::format("{:.1f}", static_cast<double>(plan.arena_bytes) / 1024), proof_text(plan));
  text += fmt::format("  {}; the network's input and output are counted\n", options_text(report.options));
  if (report.layout.patches) text += patches_text(report);
  if (!report.device.empty()) {
    text += fmt::format("{}: {} of {} B of SRAM, {} of them reserved: {}\n  {}\n", report.device,
                        grouped(report.used_bytes()), grouped(report.sram_bytes), grouped(report.reserved_bytes),
                        report.used_bytes() <= report.sram_bytes ? "fits" : "does not fit", report.device_cost);
  }
  TextTable table({{"offset", true},
                   {"bytes", true},
                   {"first", true},
                   {"last", true},
                   {"role", false},
                   {"holds", false},
                   {"made by", false}});
  for (std::size_t i = 0; i < report.layout.buffers.size(); ++i) {
    const MemoryBuffer& one = report.layout.buffers[i];
    const auto maker = std::ranges::find(report.layout.steps, one.tensor, &MemoryStep::node);
    const auto at = static_cast<std::size_t>(maker - report.layout.steps.begin());
    table.add({grouped(plan.offsets_bytes[i]), grouped(one.life.bytes), std::to_string(one.life.first_step),
               std::to_string(one.life.last_step), memory_role_names()[static_cast<std::size_t>(one.role)],
               report.buffers[i], maker == report.layout.steps.end() ? "" : report.steps[at]});
  }
  return text + "\n" + table.text(style);
}

Json memory_json(const MemoryReport& report) {
  const MemoryLayout& layout = report.layout;
  Json json{{"network", report.network},
            {"arena_bytes", layout.plan.arena_bytes},
            {"lower_bound_bytes", layout.plan.lower_bound_bytes},
            {"optimal", layout.plan.optimal},
            {"macs", layout.macs},
            {"extra_macs", layout.extra_macs},
            {"bit_operations", report.bit_operations},
            {"options",
             {{"fusion", report.options.fusion},
              {"in_place", report.options.in_place},
              {"depthwise_in_place", report.options.depthwise_in_place},
              {"tokens_in_place", report.options.tokens_in_place},
              {"stream_input", report.options.stream_input},
              {"alignment_bytes", report.options.alignment_bytes}}},
            {"steps", report.steps},
            {"buffers", Json::array()}};
  for (std::size_t i = 0; i < layout.buffers.size(); ++i) {
    const MemoryBuffer& one = layout.buffers[i];
    json["buffers"].push_back({{"node", one.tensor},
                               {"role", memory_role_names()[static_cast<std::size_t>(one.role)]},
                               {"label", report.buffers[i]},
                               {"offset_bytes", layout.plan.offsets_bytes[i]},
                               {"bytes", one.life.bytes},
                               {"first_step", one.life.first_step},
                               {"last_step", one.life.last_step}});
  }
  if (layout.patches) {
    json["patches"] = {{"layers", layout.patches->schedule.layers},
                       {"grid", layout.patches->schedule.grid},
                       {"whole_arena_bytes", *report.whole_arena_bytes},
                       {"whole_bit_operations", report.whole_bit_operations}};
  }
  if (!report.device.empty()) {
    json["device"] = {{"name", report.device},
                      {"sram_bytes", report.sram_bytes},
                      {"reserved_bytes", report.reserved_bytes},
                      {"fits", report.used_bytes() <= report.sram_bytes}};
  }
  return json;
}

std::vector<ScheduleCost> best_schedules(const Design& design, const MemoryOptions& options, std::int64_t most_grid) {
  std::vector<ScheduleCost> all;
  std::string why;
  Design whole = design;
  whole.schedule.reset();
  const std::optional<MemoryLayout> layers = memory_layout(whole, options, why);
  all.push_back({0, 1, layers.value().plan.arena_bytes, 0});
  for (std::size_t n = 1; n <= layers->steps.size(); ++n) {
    for (std::int64_t grid = 2; grid <= most_grid; ++grid) {
      const auto layout = memory_layout(with_patches(whole, n, grid, ""), options, why);
      if (!layout) break;  // a finer grid is no more legal than this one
      all.push_back({n, grid, layout->plan.arena_bytes, layout->extra_macs});
    }
  }
  std::ranges::stable_sort(all, [](const ScheduleCost& a, const ScheduleCost& b) {
    return a.extra_macs != b.extra_macs ? a.extra_macs < b.extra_macs : a.arena_bytes < b.arena_bytes;
  });
  std::vector<ScheduleCost> best;
  for (const ScheduleCost& one : all) {
    if (best.empty() || one.arena_bytes < best.back().arena_bytes) best.push_back(one);
  }
  return best;
}

std::string schedules_text(const std::vector<ScheduleCost>& schedules, std::int64_t macs, const TextStyle& style) {
  TextTable table({{"patch layers", true},
                   {"grid", true},
                   {"peak B", true},
                   {"of the whole", true},
                   {"extra MACs", true},
                   {"more", true}});
  for (const ScheduleCost& one : schedules) {
    table.add({std::to_string(one.patch_layers), fmt::format("{0}x{0}", one.patch_grid), grouped(one.arena_bytes),
               fmt::format("1/{:.2f}", share(schedules.front().arena_bytes, one.arena_bytes)), grouped(one.extra_macs),
               fmt::format("{:.2f} %", 100 * share(one.extra_macs, macs))});
  }
  return "schedules that no other beats in both peak and extra MACs\n" + table.text(style);
}

Json schedules_json(const std::vector<ScheduleCost>& schedules) {
  Json json = Json::array();
  for (const ScheduleCost& one : schedules) {
    json.push_back({{"patch_layers", one.patch_layers},
                    {"patch_grid", one.patch_grid},
                    {"arena_bytes", one.arena_bytes},
                    {"extra_macs", one.extra_macs}});
  }
  return json;
}

Design with_patches(Design design, std::size_t layers, std::int64_t grid, const std::string& format) {
  Json schedule = design.schedule ? *design.schedule : Json::object();
  schedule["patch_layers"] = layers;
  schedule["patch_grid"] = grid;
  if (!format.empty()) schedule["patch_format"] = format;
  design.schedule = std::make_shared<const Json>(std::move(schedule));
  return design;
}

}  // namespace ridgeline
