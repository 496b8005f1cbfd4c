// allocate: which format each layer gets, from tables of sensitivities and costs.
#include <fmt/format.h>

#include <chrono>
#include <cmath>
#include <cstdio>

#include "cli/command_line.hpp"
#include "cli/output_file.hpp"
#include "experiments/allocation_file.hpp"
#include "experiments/report/report_units.hpp"
#include "search/allocation/exact_allocation.hpp"
#include "search/allocation/greedy_allocation.hpp"

namespace ridgeline {
namespace {

struct AllocateFlags {
  std::string problem, method = "exact", out;
  std::vector<std::string> budgets;
  double time_limit_s = 60.0;
  bool curve = false, json = false;
};

// What a method found; the steps are greedy's.
struct Outcome {
  AllocationFile file;
  Allocation result;
  std::optional<GreedyAllocation> greedy;
  double seconds = 0.0;
};

Outcome allocate(const CommandLine& cli, const AllocateFlags& flags) {
  Outcome outcome;
  outcome.file = load_allocation(cli.resources.allocation(flags.problem), cli.resources, flags.budgets);
  const auto start = std::chrono::steady_clock::now();
  if (flags.method == "greedy") {
    outcome.greedy = greedy_allocation(outcome.file.problem);
    outcome.result = outcome.greedy->result;
  } else {
    outcome.result = exact_allocation(outcome.file.problem, {flags.time_limit_s});
  }
  outcome.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  return outcome;
}

const char* status_name(AllocationStatus status) {
  switch (status) {
    case AllocationStatus::optimal:
      return "optimal";
    case AllocationStatus::feasible:
      return "feasible";
    case AllocationStatus::infeasible:
      return "infeasible";
    case AllocationStatus::unsolved:
      break;
  }
  return "unsolved";
}

const std::string& choice_name(const AllocationProblem& problem, std::size_t layer, std::size_t choice) {
  return problem.layers[layer].choices[choice].name;
}

std::string layer_names(const AllocationProblem& problem, const std::vector<std::size_t>& layers) {
  std::string names;
  for (const std::size_t l : layers) names += (names.empty() ? "" : " + ") + problem.layers[l].name;
  return names;
}

Json costs_json(const AllocationProblem& problem, const std::vector<double>& costs) {
  Json json = Json::object();
  for (std::size_t b = 0; b < costs.size(); ++b) json[problem.budgets[b].name] = costs[b];
  return json;
}

Json layers_json(const AllocationProblem& problem, const AllocationPlan& plan) {
  Json list = Json::array();
  for (std::size_t l = 0; l < problem.layers.size(); ++l) {
    const AllocationChoice& choice = problem.layers[l].choices[plan.choices[l]];
    list.push_back({{"layer", problem.layers[l].name},
                    {"choice", choice.name},
                    {"penalty", choice.penalty},
                    {"costs", costs_json(problem, choice.costs)}});
  }
  return list;
}

Json steps_json(const AllocationProblem& problem, const GreedyAllocation& greedy) {
  Json list = Json::array();
  for (const GreedyStep& step : greedy.steps) {
    Json layers = Json::array();
    for (const std::size_t l : step.layers) layers.push_back(problem.layers[l].name);
    list.push_back({{"layers", std::move(layers)},
                    {"from", choice_name(problem, step.layers.front(), step.from)},
                    {"to", choice_name(problem, step.layers.front(), step.to)},
                    {"penalty", step.penalty},
                    {"costs", costs_json(problem, step.costs)}});
  }
  return list;
}

Json outcome_json(const Outcome& outcome, const AllocateFlags& flags) {
  const AllocationProblem& problem = outcome.file.problem;
  const Allocation& result = outcome.result;
  const auto number = [](const std::optional<double>& value) { return value ? Json(*value) : Json(); };
  Json json{{"ridgeline_plan", 1},
            {"problem", outcome.file.name},
            {"method", flags.method},
            {"status", status_name(result.status)},
            {"seconds", outcome.seconds}};
  Json budgets = Json::object();
  for (std::size_t b = 0; b < problem.budgets.size(); ++b) {
    const Budget& budget = problem.budgets[b];
    budgets[budget.name] = {{"unit", budget.unit},
                            {"limit", std::isfinite(budget.limit) ? Json(budget.limit) : Json()},
                            {"least", result.least[b]},
                            {"cost", result.plan ? Json(result.plan->costs[b]) : Json()}};
  }
  json["budgets"] = std::move(budgets);
  if (!result.why.empty()) json["why"] = result.why;
  if (result.plan) {
    json["penalty"] = result.plan->penalty;
    json["bound"] = number(result.bound);
    json["gap"] = number(result.gap());
    json["layers"] = layers_json(problem, *result.plan);
    for (std::size_t m = 0; m < problem.metrics.size(); ++m) {
      json["metrics"][problem.metrics[m]] = result.plan->metric_penalties[m];
    }
  }
  if (outcome.greedy) {
    json["start"] = layers_json(problem, outcome.greedy->start);
    json["steps"] = steps_json(problem, *outcome.greedy);
    json["steps_used"] = outcome.greedy->used;
  }
  return json;
}

std::string cost_heading(const Budget& budget) {
  const std::string name = plain_name(budget.name, budget.unit);
  return budget.unit.empty() ? name : fmt::format("{} [{}]", name, budget.unit);
}

std::string number_text(double value) { return fmt::format("{:.6g}", value); }

std::string plan_text(const AllocationProblem& problem, const AllocationPlan& plan, const TextStyle& style) {
  std::vector<TextTable::Column> columns{{"layer", false}, {"choice", false}, {"penalty", true}};
  for (const Budget& budget : problem.budgets) columns.push_back({cost_heading(budget), true});
  TextTable table(columns);
  for (std::size_t l = 0; l < problem.layers.size(); ++l) {
    const AllocationChoice& choice = problem.layers[l].choices[plan.choices[l]];
    std::vector<std::string> row{problem.layers[l].name, choice.name, fmt::format("{:.4g}", choice.penalty)};
    for (const double cost : choice.costs) row.push_back(number_text(cost));
    table.add(std::move(row));
  }
  return table.text(style);
}

std::string budgets_text(const AllocationProblem& problem, const Allocation& result, const TextStyle& style) {
  TextTable table({{"budget", false}, {"plan", true}, {"limit", true}, {"used", true}, {"least", true}});
  for (std::size_t b = 0; b < problem.budgets.size(); ++b) {
    const Budget& budget = problem.budgets[b];
    const bool limited = std::isfinite(budget.limit);
    const std::string used =
        limited && result.plan && budget.limit > 0 ? percent(result.plan->costs[b] / budget.limit) : "-";
    table.add({cost_heading(budget), result.plan ? number_text(result.plan->costs[b]) : "-",
               limited ? number_text(budget.limit) : "none", used, number_text(result.least[b])});
  }
  return table.text(style);
}

// Every prefix of the steps is a plan: one row each, the start first.
std::string curve_text(const AllocationProblem& problem, const GreedyAllocation& greedy, const TextStyle& style) {
  std::vector<TextTable::Column> columns{{"steps", true}, {"lowered", false}, {"penalty", true}};
  for (const Budget& budget : problem.budgets) columns.push_back({cost_heading(budget), true});
  TextTable table(columns);
  const auto add = [&](std::size_t count, const std::string& lowered, double penalty,
                       const std::vector<double>& costs) {
    const bool taken = greedy.result.plan && count == greedy.used;
    std::vector<std::string> row{(taken ? "* " : "") + std::to_string(count), lowered, number_text(penalty)};
    for (const double cost : costs) row.push_back(number_text(cost));
    table.add(std::move(row));
  };
  add(0, "", greedy.start.penalty, greedy.start.costs);
  for (std::size_t s = 0; s < greedy.steps.size(); ++s) {
    const GreedyStep& step = greedy.steps[s];
    const std::string lowered = fmt::format("{}: {} to {}", layer_names(problem, step.layers),
                                            choice_name(problem, step.layers.front(), step.from),
                                            choice_name(problem, step.layers.front(), step.to));
    add(s + 1, lowered, step.penalty, step.costs);
  }
  return table.text(style);
}

std::string verdict_text(const Outcome& outcome, const AllocateFlags& flags) {
  const Allocation& result = outcome.result;
  if (!result.plan) return fmt::format("{}: {}\n", status_name(result.status), result.why);
  std::string text = fmt::format("penalty {:.6g}, ", result.plan->penalty);
  if (outcome.greedy) {
    text += fmt::format("{} of {} greedy steps (no proof; '--method exact' gives one)", outcome.greedy->used,
                        outcome.greedy->steps.size());
  } else if (result.status == AllocationStatus::optimal) {
    text += "optimal (proved)";
  } else {
    text += fmt::format("not proved optimal within {}: a plan may be better by {:.3g} at most",
                        duration(flags.time_limit_s), result.gap().value_or(0.0));
  }
  const auto& metrics = outcome.file.problem.metrics;
  for (std::size_t m = 0; m < metrics.size(); ++m) {
    text += fmt::format("{}{} {:.6g}", m == 0 ? "; " : ", ", metrics[m], result.plan->metric_penalties[m]);
  }
  return fmt::format("{}, {}\n", text, duration(outcome.seconds));
}

int run_allocate(const CommandLine& cli, const AllocateFlags& flags) {
  if (flags.curve && flags.method != "greedy") {
    throw ConfigError(
        {"--curve", "", "--method greedy beside it", "--method " + flags.method, "only the greedy method has steps"});
  }
  if (!flags.out.empty()) check_writable(flags.out, "--out");
  const Outcome outcome = allocate(cli, flags);
  const AllocationProblem& problem = outcome.file.problem;
  const Json json = outcome_json(outcome, flags);
  if (!flags.out.empty() && outcome.result.plan) write_file(flags.out, json.dump(2) + "\n", "--out");
  if (flags.json) {
    cli.print_json(json);
  } else {
    if (outcome.result.plan) cli.print(plan_text(problem, *outcome.result.plan, cli.style) + "\n");
    cli.print(budgets_text(problem, outcome.result, cli.style) + "\n");
    if (flags.curve) cli.print(curve_text(problem, *outcome.greedy, cli.style) + "\n");
    if (outcome.result.plan) cli.print(verdict_text(outcome, flags));
  }
  if (outcome.result.plan) return exit_done;
  std::fputs(verdict_text(outcome, flags).c_str(), stderr);
  return exit_infeasible;
}

}  // namespace

void add_allocate_command(CLI::App& app, CommandLine& cli) {
  const auto flags = std::make_shared<AllocateFlags>();
  CLI::App* command =
      add_command(app, "allocate", "which format each layer gets, from tables of sensitivities and costs",
                  "ridgeline allocate example --budget weight_bytes=14000 --budget latency_s=1e-4");
  command
      ->add_option("problem", flags->problem,
                   "a shipped problem's name or a JSON file (experiments/allocation/README.md)")
      ->required();
  command->add_option("--budget", flags->budgets, "NAME=LIMIT in the file's unit, in place of the file's limit")
      ->allow_extra_args(false);
  command->add_option("--method", flags->method, "exact: integer program with a proof; greedy: a step at a time")
      ->check(CLI::IsMember({"exact", "greedy"}))
      ->capture_default_str();
  command->add_flag("--curve", flags->curve, "every prefix of the greedy steps, which is a plan of its own");
  command->add_option("--time-limit", flags->time_limit_s, "seconds for the proof; then the gap is told")
      ->check(CLI::Range(0.001, 1e9))
      ->capture_default_str();
  command->add_option("--out", flags->out, "write the plan as JSON to this file");
  add_json_option(*command, flags->json);
  command->callback([&cli, flags] { cli.action = [&cli, flags] { return run_allocate(cli, *flags); }; });
}

}  // namespace ridgeline
