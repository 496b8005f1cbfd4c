// scratchpad: operator order, offsets and replacement for a scratchpad; tensors in fast and slow memory.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cmath>

#include "cli/command_line.hpp"
#include "cli/design_options.hpp"
#include "experiments/device_costs.hpp"
#include "experiments/report/report_units.hpp"
#include "experiments/tensor_mapping.hpp"
#include "hwmodels/scratchpad/solve.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr std::int64_t most_bytes = std::int64_t{1} << 50;

struct ScratchpadFlags {
  DesignOptions design;
  std::int64_t bytes = 0;  // 0: by the share
  double share = 1.0;
  std::string solver = "exact", order = "network", device, by = "latency";
  bool stream_weights = false, compare = false, map = false, json = false;
  MappingPolicyOptions policy;
  double time_limit_s = 60.0;
};

struct SolverRun {
  std::string solver;
  ScratchpadSolution solution;
  double seconds = 0;
};

std::size_t index_of(std::span<const std::string> names, const std::string& name) {
  return static_cast<std::size_t>(std::ranges::find(names, name) - names.begin());
}

SolverRun run_solver(const ScratchpadProblem& problem, const std::string& name, const std::string& order) {
  ScratchpadEffort effort;
  effort.order = static_cast<OperatorOrder>(index_of(operator_order_names(), order));
  const auto solver = static_cast<ScratchpadSolver>(index_of(scratchpad_solver_names(), name));
  const auto start = std::chrono::steady_clock::now();
  SolverRun run{name, solve_scratchpad(problem, solver, effort), 0};
  run.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return run;
}

ScratchpadProblem problem_of(const Design& design, const ScratchpadFlags& flags) {
  ScratchpadProblem problem = scratchpad_problem(design, {std::int64_t{1} << 62, flags.stream_weights});
  const double share = flags.share * static_cast<double>(problem.largest_working_set_bytes());
  if (flags.bytes == 0 && !(share >= 0.5 && share <= static_cast<double>(most_bytes))) {
    throw ConfigError({"--share", "", fmt::format("a share that makes 1 to {} bytes", most_bytes),
                       fmt::format("{:g}, which makes {:g}", flags.share, share), ""});
  }
  set_capacity(problem, {flags.bytes > 0 ? flags.bytes : std::llround(share), flags.stream_weights});
  return problem;
}

std::string bytes_text(std::int64_t bytes) { return bytes == 0 ? "0" : grouped(bytes); }

std::string proof_text(const ScratchpadSolution& solution) {
  if (solution.optimal()) return "optimal (proved)";
  const std::int64_t gap = solution.traffic.beyond_bytes() - solution.bound_bytes;
  return fmt::format("at least {}, gap {}", bytes_text(solution.bound_bytes), bytes_text(gap));
}

std::string problem_text(const ScratchpadProblem& problem) {
  const auto streaming = std::ranges::count_if(
      problem.ops, [](const ScratchOp& op) { return op.streams_weights || op.streams_output || !op.streams.empty(); });
  return fmt::format(
      "scratchpad of {} bytes; {} operators, {} tensors; the largest operator needs {} bytes, all at once in the "
      "network's order {}\n{} operators stream operands; {} bytes have to cross the chip's border in any case\n",
      grouped(problem.capacity_bytes), problem.ops.size(), problem.tensors.size(),
      grouped(problem.largest_working_set_bytes()),
      grouped(order_peak_bytes(problem, operator_order(problem, OperatorOrder::network))), streaming,
      grouped(problem.compulsory_bytes()));
}

std::string solvers_text(const std::vector<SolverRun>& runs, const TextStyle& style) {
  TextTable table({{"solver", false},
                   {"beyond (B)", true},
                   {"spilled", true},
                   {"reloaded", true},
                   {"streamed", true},
                   {"without gaps", true},
                   {"below lru", true},
                   {"time", true},
                   {"proof", false}});
  const auto lru = std::ranges::find(runs, "lru", &SolverRun::solver);
  for (const SolverRun& run : runs) {
    const ScratchpadTraffic& traffic = run.solution.traffic;
    std::string below;
    if (lru != runs.end() && lru->solution.traffic.beyond_bytes() > 0) {
      const auto most = static_cast<double>(lru->solution.traffic.beyond_bytes());
      below = fmt::format("{:.1f} %", 100.0 * (1.0 - static_cast<double>(traffic.beyond_bytes()) / most));
    }
    table.add({run.solver, bytes_text(traffic.beyond_bytes()), bytes_text(traffic.spill_bytes),
               bytes_text(traffic.reload_bytes), bytes_text(traffic.stream_bytes),
               run.solution.without_gaps_bytes ? bytes_text(*run.solution.without_gaps_bytes) : "", below,
               pretty(run.seconds, "s"), proof_text(run.solution)});
  }
  return table.text(style);
}

std::string moves_text(const ScratchpadProblem& problem, const ScratchStep& step) {
  std::string text;
  const auto add = [&](const std::string& move) { text += (text.empty() ? "" : "; ") + move; };
  for (const ScratchEviction& one : step.evictions) {
    add(fmt::format("{} {}", one.written ? "spill" : "drop", problem.tensors[one.tensor].name));
  }
  for (const ScratchLoad& one : step.loads)
    add(fmt::format("load {} to {}", problem.tensors[one.tensor].name, one.offset));
  const ScratchOp& op = problem.ops[step.op];
  for (const std::size_t t : op.streams) add("stream " + problem.tensors[t].name);
  return text;
}

std::string schedule_text(const ScratchpadProblem& problem, const ScratchpadPlan& plan, const TextStyle& style) {
  TextTable table({{"step", true},
                   {"operator", false},
                   {"output (B)", true},
                   {"at", true},
                   {"weights (B)", true},
                   {"at", true},
                   {"moves before it", false}});
  const auto place = [](const std::optional<std::int64_t>& offset, bool streamed) {
    return offset ? std::to_string(*offset) : streamed ? std::string("streamed") : std::string();
  };
  for (std::size_t k = 0; k < plan.steps.size(); ++k) {
    const ScratchStep& step = plan.steps[k];
    const ScratchOp& op = problem.ops[step.op];
    table.add({std::to_string(k), op.name, grouped(problem.tensors[op.writes].bytes), place(step.output_offset, true),
               op.weight_bytes > 0 ? grouped(op.weight_bytes) : "", place(step.weights_offset, op.weight_bytes > 0),
               moves_text(problem, step)});
  }
  return table.text(style);
}

Json solver_json(const SolverRun& run) {
  const ScratchpadTraffic& traffic = run.solution.traffic;
  return {{"solver", run.solver},
          {"beyond_bytes", traffic.beyond_bytes()},
          {"spill_bytes", traffic.spill_bytes},
          {"reload_bytes", traffic.reload_bytes},
          {"stream_bytes", traffic.stream_bytes},
          {"total_bytes", traffic.total_bytes()},
          {"peak_bytes", traffic.peak_bytes},
          {"without_gaps_bytes", run.solution.without_gaps_bytes ? Json(*run.solution.without_gaps_bytes) : Json()},
          {"bound_bytes", run.solution.bound_bytes},
          {"optimal", run.solution.optimal()},
          {"states", run.solution.states},
          {"seconds", run.seconds}};
}

Json schedule_json(const ScratchpadProblem& problem, const ScratchpadPlan& plan) {
  Json list = Json::array();
  const auto offset = [](const std::optional<std::int64_t>& value) { return value ? Json(*value) : Json(); };
  for (const ScratchStep& step : plan.steps) {
    const ScratchOp& op = problem.ops[step.op];
    Json evicted = Json::array(), loaded = Json::array(), streamed = Json::array();
    for (const ScratchEviction& one : step.evictions) {
      const ScratchTensor& tensor = problem.tensors[one.tensor];
      evicted.push_back({{"tensor", tensor.name}, {"bytes", tensor.bytes}, {"written", one.written}});
    }
    for (const ScratchLoad& one : step.loads) {
      const ScratchTensor& tensor = problem.tensors[one.tensor];
      loaded.push_back({{"tensor", tensor.name}, {"bytes", tensor.bytes}, {"offset", one.offset}});
    }
    for (const std::size_t t : op.streams) streamed.push_back(problem.tensors[t].name);
    list.push_back({{"operator", op.name},
                    {"evict", std::move(evicted)},
                    {"load", std::move(loaded)},
                    {"stream", std::move(streamed)},
                    {"output", {{"bytes", problem.tensors[op.writes].bytes}, {"offset", offset(step.output_offset)}}},
                    {"weights", {{"bytes", op.weight_bytes}, {"offset", offset(step.weights_offset)}}}});
  }
  return list;
}

// The device's levels, where one is named.
std::optional<RooflineDevice> device_of(const CommandLine& cli, const ScratchpadFlags& flags, const Design& design) {
  if (flags.device.empty()) {
    if (flags.map) {
      throw ConfigError({"--map", "", "--device, whose innermost and outermost memory are the fast and the slow one",
                         "none", "ridgeline device list"});
    }
    return std::nullopt;
  }
  const std::unique_ptr<HardwareModel> model = load_device_for(cli.resources.device(flags.device), design);
  const auto* roofline = dynamic_cast<const RooflineModel*>(model.get());
  if (roofline == nullptr) {
    throw ConfigError({"--device", "model", "a device with memory levels (roofline)", "'" + flags.device + "'", ""});
  }
  return roofline->device();
}

// What crosses the border takes at the device's outermost level.
struct BorderCost {
  double seconds = 0, joules = 0;
};
BorderCost border_cost(const RooflineDevice& device, std::int64_t bytes) {
  const MemoryLevel& outermost = device.memory.back();
  const auto amount = static_cast<double>(bytes);
  return {amount / outermost.bandwidth_bytes_per_s, amount * outermost.joules_per_byte};
}

std::string border_text(const RooflineDevice& device, const ScratchpadTraffic& traffic) {
  const BorderCost all = border_cost(device, traffic.total_bytes());
  const BorderCost beyond = border_cost(device, traffic.beyond_bytes());
  std::string text = fmt::format("over {} of {}: {}, of it {} beyond the compulsory", device.memory.back().name,
                                 device.name, pretty(all.seconds, "s"), pretty(beyond.seconds, "s"));
  if (all.joules > 0) text += fmt::format("; {}, of it {}", pretty(all.joules, "J"), pretty(beyond.joules, "J"));
  return text + "\n";
}

struct MappingRun {
  std::string solver;
  MemoryMapping mapping;
  double seconds = 0;
};

std::vector<MappingRun> run_mappings(const MappingProblem& problem, const ScratchpadFlags& flags) {
  std::vector<MappingRun> runs;
  const auto timed = [&](const std::string& name, auto solve) {
    const auto start = std::chrono::steady_clock::now();
    MemoryMapping mapping = solve();
    runs.push_back(
        {name, std::move(mapping), std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count()});
  };
  timed("all slow", [&] { return mapping_of(problem, std::vector<bool>(problem.tensors.size(), false)); });
  timed("greedy", [&] { return greedy_mapping(problem); });
  timed("policy", [&] { return policy_mapping(problem, flags.policy).best; });
  timed("exact", [&] { return exact_mapping(problem, flags.time_limit_s); });
  return runs;
}

std::string mapping_text(const MappingProblem& problem, const std::vector<MappingRun>& runs,
                         const ScratchpadFlags& flags, const TextStyle& style) {
  const std::string unit = flags.by == "energy" ? "J" : "s";
  TextTable table({{"mapping", false},
                   {flags.by + " of moving tensors", true},
                   {"above the bound", true},
                   {"fast tensors", true},
                   {"fast memory used (B)", true},
                   {"time", true}});
  const MemoryMapping& best = runs.back().mapping;
  for (const MappingRun& run : runs) {
    const double above = best.bound ? run.mapping.cost / *best.bound - 1.0 : 0.0;
    table.add({run.solver, pretty(run.mapping.cost, unit),
               !best.bound    ? ""
               : above < 5e-6 ? "0"
                              : fmt::format("{:.3f} %", 100.0 * above),
               fmt::format("{} of {}", std::ranges::count(run.mapping.fast, true), problem.tensors.size()),
               grouped(std::llround(run.mapping.peak_bytes)), pretty(run.seconds, "s")});
  }
  return fmt::format("\nfast memory of {} bytes, {} tensors with the weights\n",
                     grouped(std::llround(problem.capacity_bytes)), problem.tensors.size()) +
         table.text(style) + (best.optimal() ? "the optimum is proved\n" : "the optimum is not proved in time\n");
}

Json mapping_json(const MappingProblem& problem, const std::vector<MappingRun>& runs, const ScratchpadFlags& flags) {
  Json json{{"by", flags.by}, {"fast_bytes", problem.capacity_bytes}, {"solvers", Json::array()}};
  const std::string cost = flags.by == "energy" ? "energy_j" : "latency_s";
  for (const MappingRun& run : runs) {
    json["solvers"].push_back({{"solver", run.solver},
                               {cost, run.mapping.cost},
                               {"peak_bytes", run.mapping.peak_bytes},
                               {"bound", run.mapping.bound ? Json(*run.mapping.bound) : Json()},
                               {"optimal", run.mapping.optimal()},
                               {"seconds", run.seconds}});
  }
  Json tensors = Json::array();
  for (std::size_t t = 0; t < problem.tensors.size(); ++t) {
    const MappedTensor& tensor = problem.tensors[t];
    Json row{{"tensor", tensor.name},
             {"bytes", tensor.bytes},
             {"first_step", tensor.first_step},
             {"last_step", tensor.last_step}};
    for (const MappingRun& run : runs) row[run.solver] = run.mapping.fast[t] ? "fast" : "slow";
    tensors.push_back(std::move(row));
  }
  json["tensors"] = std::move(tensors);
  return json;
}

int plan_scratchpad(const CommandLine& cli, const ScratchpadFlags& flags) {
  const ChosenDesign chosen = choose_design(flags.design, cli.resources);
  const std::optional<RooflineDevice> device = device_of(cli, flags, chosen.design);
  const ScratchpadProblem problem = problem_of(chosen.design, flags);
  std::vector<SolverRun> runs;
  for (const std::string& solver : scratchpad_solver_names()) {
    if (flags.compare || solver == flags.solver) runs.push_back(run_solver(problem, solver, flags.order));
  }
  const SolverRun& asked = *std::ranges::find(runs, flags.solver, &SolverRun::solver);
  std::vector<MappingRun> mappings;
  MappingProblem mapping;
  if (flags.map) {
    mapping = mapping_problem(problem, *device, flags.by == "energy" ? MappingCost::energy : MappingCost::latency);
    mappings = run_mappings(mapping, flags);
  }
  if (!flags.json) {
    std::string text = design_summary(chosen) + "\n" + problem_text(problem) + "\n" + solvers_text(runs, cli.style);
    if (device) text += border_text(*device, asked.solution.traffic);
    if (!flags.compare && !flags.map) text += "\n" + schedule_text(problem, asked.solution.plan, cli.style);
    if (flags.map) text += mapping_text(mapping, mappings, flags, cli.style);
    cli.print(text);
    return exit_done;
  }
  Json json{{"space", chosen.space},
            {"genome", chosen.genome},
            {"scratchpad_bytes", problem.capacity_bytes},
            {"largest_working_set_bytes", problem.largest_working_set_bytes()},
            {"order_peak_bytes", order_peak_bytes(problem, operator_order(problem, OperatorOrder::network))},
            {"compulsory_bytes", problem.compulsory_bytes()},
            {"operators", problem.ops.size()},
            {"tensors", problem.tensors.size()},
            {"solvers", Json::array()},
            {"schedule", schedule_json(problem, asked.solution.plan)}};
  for (const SolverRun& run : runs) {
    json["solvers"].push_back(solver_json(run));
    if (!device) continue;
    const BorderCost cost = border_cost(*device, run.solution.traffic.total_bytes());
    json["solvers"].back()["transfer_latency_s"] = cost.seconds;
    json["solvers"].back()["transfer_energy_j"] = device->energy ? Json(cost.joules) : Json();
  }
  if (flags.map) json["mapping"] = mapping_json(mapping, mappings, flags);
  cli.print_json(json);
  return exit_done;
}

void add_mapping_options(CLI::App& command, ScratchpadFlags& flags) {
  command.add_option("--device", flags.device,
                     "roofline device: what the bytes cost at its outermost memory; and the two memories of --map");
  command.add_flag("--map", flags.map,
                   "each tensor to the device's innermost or outermost memory: greedy, a learned policy, the optimum");
  command.add_option("--by", flags.by, "what --map minimises: latency or energy")
      ->check(CLI::IsMember({"latency", "energy"}))
      ->capture_default_str();
  command.add_option("--games", flags.policy.games, "that --map's policy plays")
      ->check(CLI::Range(1, 1000000))
      ->capture_default_str();
  command.add_option("--policy-seed", flags.policy.seed, "of --map's policy")->capture_default_str();
  command.add_option("--time-limit", flags.time_limit_s, "seconds for --map's optimum")
      ->check(CLI::PositiveNumber)
      ->capture_default_str();
}

}  // namespace

void add_scratchpad_command(CLI::App& app, CommandLine& cli) {
  const auto flags = std::make_shared<ScratchpadFlags>();
  CLI::App* command = add_command(
      app, "scratchpad", "operator order, offsets, spills and reloads that move the fewest bytes for a scratchpad",
      "ridgeline scratchpad vit_small --seed 1 --format int8 --share 1 --compare");
  add_space_options(*command, flags->design);
  command->get_option("space")->description("space, or one network: a checkpoint or an .onnx file");
  add_genome_options(*command, flags->design);
  add_format_option(*command, flags->design);
  auto* bytes = command->add_option("--bytes", flags->bytes, "size of the scratchpad; default: by --share")
                    ->check(CLI::Range(std::int64_t{1}, most_bytes));
  command
      ->add_option(
          "--share", flags->share,
          "size of the scratchpad as a share of what the largest operator needs; below 1 operands are streamed")
      ->check(CLI::PositiveNumber)
      ->excludes(bytes)
      ->capture_default_str();
  command->add_option("--solver", flags->solver, "exact, divide (and conquer), greedy (farthest next use) or lru")
      ->check(
          CLI::IsMember(std::vector<std::string>(scratchpad_solver_names().begin(), scratchpad_solver_names().end())))
      ->capture_default_str();
  command->add_option("--order", flags->order, "of operators, for greedy and lru")
      ->check(CLI::IsMember(std::vector<std::string>(operator_order_names().begin(), operator_order_names().end())))
      ->capture_default_str();
  command->add_flag("--stream-weights", flags->stream_weights, "weights never lie in the scratchpad");
  command->add_flag("--compare", flags->compare, "all four solvers beside each other, without the steps");
  add_mapping_options(*command, *flags);
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return plan_scratchpad(cli, *flags); }; });
}

}  // namespace ridgeline
