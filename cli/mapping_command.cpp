// mapping
#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "cli/command_line.hpp"
#include "cli/design_options.hpp"
#include "cli/operators.hpp"
#include "cli/progress.hpp"
#include "cli/shared_options.hpp"
#include "experiments/device_costs.hpp"
#include "experiments/report/report_space.hpp"
#include "hwmodels/spatial/array_simulation.hpp"
#include "hwmodels/spatial/spatial_model.hpp"
#include "hwmodels/spatial/systolic_model.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

struct MappingFlags {
  DesignOptions design;
  std::string device;
  bool simulate = false, json = false, quiet = false;
};

std::vector<ExecutedLayer> multiplying_layers(const Design& design) {
  std::vector<ExecutedLayer> layers = executed_layers(
      design.network, design.precision, stored_formats(design.network, design.precision), design.network.live_nodes());
  std::erase_if(layers, [](const ExecutedLayer& layer) { return !matrix_product(layer.key); });
  return layers;
}

std::string product_text(const MatrixProduct& product) {
  std::string text = fmt::format("{} x {} x {}", product.m, product.k, product.n);
  if (product.count > 1) text += fmt::format(", {} times", product.count);
  return text;
}

// The scratchpads in words of the layer's formats, and DRAM's words a cycle.
Scratchpads scratchpads_of(const SystolicDevice& device, const ExecutedLayer& layer) {
  const double input_bytes = layer.key.activations.width_bits / 8.0, weight_bytes = layer.key.weights.width_bits / 8.0;
  const auto words = [](double bytes, double each) { return static_cast<std::int64_t>(bytes / each); };
  const double a_cycle = device.dram_bytes_per_s / device.clock_hz / input_bytes;
  return {words(device.scratchpad_bytes[0], input_bytes), words(device.scratchpad_bytes[1], weight_bytes),
          words(device.scratchpad_bytes[2], 4.0), std::max<std::int64_t>(1, std::llround(a_cycle))};
}

std::optional<ScratchpadRun> simulated(const SystolicDevice& device, const ExecutedLayer& layer) {
  if (device.array.dataflow == Dataflow::row_stationary) return std::nullopt;
  ArrayOperands operands{*matrix_product(layer.key), {}};
  operands.product.count = 1;
  if (layer.key.kind == OpKind::conv2d && layer.key.groups == 1 && layer.key.batch == 1)
    operands.convolution = layer.key;
  return simulate_array(operands, device.array, scratchpads_of(device, layer));
}

int show_systolic(const CommandLine& cli, const MappingFlags& flags, const ChosenDesign& chosen,
                  const SystolicModel& model) {
  std::vector<TextTable::Column> columns{{"node", true},        {"operator", false},  {"product M x K x N", false},
                                         {"folds", true},       {"cycles", true},     {"units used", true},
                                         {"utilisation", true}, {"array (us)", true}, {"DRAM (us)", true}};
  if (flags.simulate) columns.insert(columns.end(), {{"stalls, simulated", true}, {"DRAM words, simulated", true}});
  TextTable table(columns);
  Json rows = Json::array();
  double sum = 0;
  const std::vector<ExecutedLayer> layers = multiplying_layers(chosen.design);
  PhaseLine progress(!flags.quiet, cli.progress_bar, 2.0);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    const ExecutedLayer& one = layers[i];
    if (flags.simulate) progress.show("simulating layers", i, layers.size());
    std::string why;
    const std::optional<SystolicLayer> layer = model.layer(one, why);
    if (!layer) throw ConfigError(Problem{flags.device, "multiplier", "a unit for " + why, "none", "choose --format"});
    sum += layer->run.utilisation;
    std::vector<std::string> row{std::to_string(one.node),
                                 operator_text(chosen.design.network.op(one.anchor)),
                                 product_text(*matrix_product(one.key)),
                                 grouped(layer->run.folds),
                                 grouped(layer->run.cycles),
                                 percent(layer->run.mapping_efficiency),
                                 percent(layer->run.utilisation),
                                 fmt::format("{:.2f}", layer->array_s * 1e6),
                                 fmt::format("{:.2f}", layer->dram_s * 1e6)};
    Json json{{"node", one.node},
              {"product", {matrix_product(one.key)->m, matrix_product(one.key)->k, matrix_product(one.key)->n}},
              {"count", matrix_product(one.key)->count},
              {"folds", layer->run.folds},
              {"cycles", layer->run.cycles},
              {"mapping_efficiency", layer->run.mapping_efficiency},
              {"utilisation", layer->run.utilisation},
              {"array_s", layer->array_s},
              {"dram_s", layer->dram_s},
              {"dram_bytes", layer->dram_bytes}};
    if (flags.simulate) {
      const std::optional<ScratchpadRun> run = simulated(model.device(), one);
      row.push_back(run ? grouped(run->stall_cycles) : "not systolic");
      const auto& side = run.value_or(ScratchpadRun{}).dram_side;
      row.push_back(run ? grouped(side[0].words + side[1].words + side[2].words) : "");
      if (run) json["simulated"] = {{"stall_cycles", run->stall_cycles}, {"last_cycle", run->last_cycle}};
    }
    table.add(std::move(row));
    rows.push_back(std::move(json));
  }
  if (flags.json) {
    cli.print_json({{"device", flags.device}, {"space", chosen.space}, {"genome", chosen.genome}, {"layers", rows}});
    return exit_done;
  }
  const auto& array = model.device().array;
  cli.print(design_summary(chosen) + "\n" + table.text(cli.style) +
            fmt::format("{} x {} units, {}-stationary; mean utilisation {}\n", array.rows, array.cols,
                        std::array{"weight", "input", "output", "row"}[static_cast<std::size_t>(array.dataflow)],
                        percent(layers.empty() ? 0 : sum / static_cast<double>(layers.size()))) +
            (flags.simulate ? "simulated: one product of the layer behind double-buffered scratchpads, DRAM's whole "
                              "bandwidth for each of them\n"
                            : ""));
  return exit_done;
}

std::string loops_text(std::span<const Loop> loops) {
  static constexpr std::array<char, loop_dimensions> letters{'N', 'G', 'M', 'C', 'P', 'Q', 'R', 'S'};
  std::string text;
  for (const Loop& loop : loops) {
    text +=
        fmt::format("{}{}{}", text.empty() ? "" : " ", letters[static_cast<std::size_t>(loop.dimension)], loop.extent);
  }
  return text;
}

Json level_json(const StorageLevel& level, const LevelLoops& loops, const LevelTraffic& traffic) {
  Json json{{"level", level.name},
            {"temporal", loops_text(loops.temporal)},
            {"spatial", loops_text(loops.spatial)},
            {"instances", traffic.instances},
            {"energy_j", traffic.energy_pj * 1e-12}};
  for (std::size_t o = 0; o < loop_operands; ++o) {
    if (!level.keeps[o]) continue;
    const OperandTraffic& one = traffic.operand[o];
    json["words"][operand_names()[o]] = {
        {"tile", one.tile}, {"reads", one.reads}, {"fills", one.fills}, {"updates", one.updates}};
  }
  return json;
}

int show_spatial(const CommandLine& cli, const MappingFlags& flags, const ChosenDesign& chosen,
                 const SpatialModel& model) {
  const std::vector<StorageLevel>& levels = model.device().architecture.levels;
  TextTable table({{"node", true},
                   {"operator", false},
                   {"cycles", true},
                   {"energy", true},
                   {"utilisation", true},
                   {"level", false},
                   {"in time", false},
                   {"over instances", false}});
  Json rows = Json::array();
  PhaseLine progress(!flags.quiet, cli.progress_bar, 2.0);
  const std::vector<ExecutedLayer> layers = multiplying_layers(chosen.design);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    progress.show("mapping layers", i, layers.size());
    std::string why;
    if (!model.layer_cost(layers[i], chosen.design.network, why)) {
      throw ConfigError(Problem{flags.device, "", "a mapping for every layer", why, "choose --format"});
    }
    const FoundMapping* found = model.mapping(layers[i].key);
    Json json{{"node", layers[i].node},
              {"cycles", found->cost.cycles},
              {"energy_j", found->cost.energy_pj * 1e-12},
              {"utilisation", found->cost.utilisation},
              {"levels", Json::array()}};
    for (std::size_t l = 0; l < levels.size(); ++l) {
      const LevelLoops& loops = found->mapping[l];
      json["levels"].push_back(level_json(levels[l], loops, found->cost.levels[l]));
      if (l > 0 && loops.temporal.empty() && loops.spatial.empty()) continue;
      const bool first = l == 0;
      table.add({first ? std::to_string(layers[i].node) : "",
                 first ? operator_text(chosen.design.network.op(layers[i].anchor)) : "",
                 first ? grouped(std::llround(found->cost.cycles)) : "",
                 first ? pretty(found->cost.energy_pj * 1e-12, "J") : "", first ? percent(found->cost.utilisation) : "",
                 levels[l].name, loops_text(loops.temporal), loops_text(loops.spatial)});
    }
    rows.push_back(std::move(json));
  }
  if (flags.json) {
    cli.print_json({{"device", flags.device}, {"space", chosen.space}, {"genome", chosen.genome}, {"layers", rows}});
    return exit_done;
  }
  cli.print(design_summary(chosen) + "\n" + table.text(cli.style) +
            "loops from the outermost: N batch, G groups, M outputs, C inputs, P Q output rows and columns, R S of the "
            "kernel\n");
  return exit_done;
}

int show_mapping(const CommandLine& cli, const MappingFlags& flags) {
  const ChosenDesign chosen = choose_design(flags.design, cli.resources);
  const std::unique_ptr<HardwareModel> model = load_device_for(cli.resources.device(flags.device), chosen.design);
  if (const auto* systolic = dynamic_cast<const SystolicModel*>(model.get())) {
    return show_systolic(cli, flags, chosen, *systolic);
  }
  if (const auto* spatial = dynamic_cast<const SpatialModel*>(model.get())) {
    if (flags.simulate) {
      throw ConfigError(Problem{"--simulate", "", "a systolic array", "the spatial device " + flags.device, ""});
    }
    return show_spatial(cli, flags, chosen, *spatial);
  }
  throw ConfigError(Problem{"--device", "", "a device with an array of multipliers (\"systolic\" or \"spatial\")",
                            flags.device, "ridgeline device list shows the model of each"});
}

}  // namespace

void add_mapping_command(CLI::App& app, CommandLine& cli) {
  auto flags = std::make_shared<MappingFlags>();
  CLI::App* command =
      add_command(app, "mapping", "how a network's layers lie on an array of multipliers: folds or loops, utilisation",
                  "ridgeline mapping mobilenet_v1 --seed 1 --device systolic_64x64");
  add_space_options(*command, flags->design);
  command->get_option("space")->description("space, or one network: a checkpoint or an .onnx file");
  add_genome_options(*command, flags->design);
  add_format_option(*command, flags->design);
  command->add_option("--device", flags->device, "device file, or the name of a shipped device: systolic or spatial")
      ->required();
  command->add_flag("--simulate", flags->simulate, "systolic arrays: stalls of every layer, cycle by cycle");
  add_quiet_option(*command, flags->quiet);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return show_mapping(cli, *flags); }; });
}

}  // namespace ridgeline
