#include "experiments/quantization/plan_allocation.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>

#include "search/allocation/exact_allocation.hpp"
#include "search/allocation/greedy_allocation.hpp"
#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"
#include "spaces/rng.hpp"

namespace ridgeline {
namespace {

using Genes = std::vector<std::uint16_t>;
using Table = std::vector<std::vector<double>>;  // [choice of the producer][choice of the consumer]

constexpr std::size_t backgrounds = 24;  // plans around which pairs are looked at

// Takes the means of rows and columns out of a table.
void centre(Table& table) {
  const auto rows = static_cast<double>(table.size()), columns = static_cast<double>(table[0].size());
  for (std::vector<double>& row : table) {
    const double mean = std::accumulate(row.begin(), row.end(), 0.0) / columns;
    for (double& cell : row) cell -= mean;
  }
  for (std::size_t c = 0; c < table[0].size(); ++c) {
    double mean = 0.0;
    for (const std::vector<double>& row : table) mean += row[c] / rows;
    for (std::vector<double>& row : table) row[c] -= mean;
  }
}

double least(const std::vector<double>& values) { return *std::ranges::min_element(values); }

// predict() as a sum over dimensions and boundaries. Choices are indices into PlanLatency::choices().
class Projection {
 public:
  Projection(const PlanLatency& latency, std::uint64_t seed)
      : latency_(latency), boundaries_(latency.parts().boundaries()) {
    const std::size_t dimensions = latency.space().names.size();
    Rng rng(seed, "plan-allocation");
    for (std::size_t k = 0; k < backgrounds; ++k) {
      std::vector<std::size_t> plan;
      for (std::size_t d = 0; d < dimensions; ++d) plan.push_back(rng.below(latency.choices(d).size()));
      plans_.push_back(std::move(plan));
    }
    for (const auto& [producer, consumer] : boundaries_) tables_.push_back(pair_table(producer, consumer));
    for (std::size_t d = 0; d < dimensions; ++d) alone_.push_back(own_costs(d));
    find_constant();
    make_positive();
  }

  const std::vector<std::pair<std::size_t, std::size_t>>& boundaries() const { return boundaries_; }
  const std::vector<Table>& tables() const { return tables_; }              // one a boundary, >= 0
  const std::vector<std::vector<double>>& alone() const { return alone_; }  // [dimension][choice], >= 0
  double constant() const { return constant_; }                             // >= 0

 private:
  double predict(const std::vector<std::size_t>& plan) const {
    Genes genes;
    for (std::size_t d = 0; d < plan.size(); ++d) genes.push_back(latency_.choices(d)[plan[d]]);
    return latency_.predict(genes);
  }

  Table pair_table(std::size_t producer, std::size_t consumer) const {
    const std::size_t rows = latency_.choices(producer).size(), columns = latency_.choices(consumer).size();
    Table mean(rows, std::vector<double>(columns, 0.0));
    for (std::vector<std::size_t> plan : plans_) {
      for (plan[producer] = 0; plan[producer] < rows; ++plan[producer]) {
        for (plan[consumer] = 0; plan[consumer] < columns; ++plan[consumer]) {
          mean[plan[producer]][plan[consumer]] += predict(plan) / static_cast<double>(backgrounds);
        }
      }
    }
    centre(mean);
    return mean;
  }

  double pairs(const std::vector<std::size_t>& plan, std::size_t only) const {
    double sum = 0.0;
    for (std::size_t e = 0; e < boundaries_.size(); ++e) {
      const auto [producer, consumer] = boundaries_[e];
      if (producer == only || consumer == only) sum += tables_[e][plan[producer]][plan[consumer]];
    }
    return sum;
  }

  // What each choice costs beyond the mean of the dimension's, its boundaries taken out.
  std::vector<double> own_costs(std::size_t d) const {
    std::vector<double> costs(latency_.choices(d).size(), 0.0);
    for (std::vector<std::size_t> plan : plans_) {
      for (plan[d] = 0; plan[d] < costs.size(); ++plan[d]) {
        costs[plan[d]] += (predict(plan) - pairs(plan, d)) / static_cast<double>(backgrounds);
      }
    }
    const double mean = std::accumulate(costs.begin(), costs.end(), 0.0) / static_cast<double>(costs.size());
    for (double& cost : costs) cost -= mean;
    return costs;
  }

  void find_constant() {
    for (const std::vector<std::size_t>& plan : plans_) {
      double sum = 0.0;
      for (std::size_t d = 0; d < plan.size(); ++d) sum += alone_[d][plan[d]];
      for (std::size_t e = 0; e < boundaries_.size(); ++e) {
        sum += tables_[e][plan[boundaries_[e].first]][plan[boundaries_[e].second]];
      }
      constant_ += (predict(plan) - sum) / static_cast<double>(backgrounds);
    }
  }

  // Moves the least of every table into the constant, and what a layer costs in any format back from it.
  void make_positive() {
    for (Table& table : tables_) {
      double smallest = table[0][0];
      for (const std::vector<double>& row : table) smallest = std::min(smallest, least(row));
      constant_ += smallest;
      for (std::vector<double>& row : table) {
        for (double& cell : row) cell -= smallest;
      }
    }
    std::vector<double> floors = operator_floors();
    for (std::vector<double>& costs : alone_) {
      const double smallest = least(costs);
      constant_ += smallest;
      for (double& cost : costs) cost -= smallest;
    }
    const double wanted = std::accumulate(floors.begin(), floors.end(), 0.0);
    const double share = wanted > 0 ? std::clamp(constant_ / wanted, 0.0, 1.0) : 0.0;
    for (std::size_t d = 0; d < alone_.size(); ++d) {
      for (double& cost : alone_[d]) cost += share * floors[d];
    }
    constant_ = std::max(0.0, constant_ - share * wanted);
  }

  // What each dimension's operators take at least, over the plans that are uniform.
  std::vector<double> operator_floors() const {
    std::vector<double> floors(alone_.size(), std::numeric_limits<double>::infinity());
    for (std::size_t c = 0; c < latency_.space().words.size(); ++c) {
      Genes genes;
      for (std::size_t d = 0; d < alone_.size(); ++d) {
        const Genes& can = latency_.choices(d);
        genes.push_back(can[std::min(c, can.size() - 1)]);
      }
      const LatencyParts parts = latency_.break_down(genes);
      for (std::size_t d = 0; d < floors.size(); ++d) floors[d] = std::min(floors[d], parts.operators_s[d]);
    }
    return floors;
  }

  const PlanLatency& latency_;
  std::vector<std::pair<std::size_t, std::size_t>> boundaries_;
  std::vector<std::vector<std::size_t>> plans_;
  std::vector<Table> tables_;
  std::vector<std::vector<double>> alone_;
  double constant_ = 0.0;
};

void check_penalties(const PlanLatency& latency, std::span<const std::vector<double>> penalties) {
  const PlanSpace& space = latency.space();
  const auto refuse = [](const std::string& path, const std::string& expected, const std::string& found) {
    throw ConfigError(Problem{"penalties", path, expected, found, ""});
  };
  if (penalties.size() != space.names.size()) {
    refuse("", fmt::format("{} rows, one an operator", space.names.size()), std::to_string(penalties.size()));
  }
  for (std::size_t d = 0; d < penalties.size(); ++d) {
    if (penalties[d].size() != space.words.size()) {
      refuse(space.names[d], fmt::format("{} numbers, one a format", space.words.size()),
             std::to_string(penalties[d].size()));
    }
    for (const std::uint16_t choice : latency.choices(d)) {
      if (std::isfinite(penalties[d][choice])) continue;
      refuse(fmt::format("{}, {}", space.names[d], space.words[choice]), "a finite number",
             fmt::format("{}", penalties[d][choice]));
    }
  }
}

struct Sizes {
  double weight_bytes = 0.0, bit_operations = 0.0;
};

Sizes sizes_of(const PlanSpace& space, std::size_t dimension, std::size_t choice) {
  const Network& network = space.design.network;
  PrecisionPlan plan;
  plan.operators.assign(network.size(), space.formats[choice]);
  const auto bits = [](const Format& format) { return static_cast<double>(format.width_bits); };
  Sizes sizes;
  for (const NodeId node : space.members[dimension]) {
    const OperatorFormats& formats = space.formats[choice];
    const bool weighted = has_weights(network.op(node).kind);
    sizes.weight_bytes += static_cast<double>(weight_bytes(network, node, plan));
    sizes.bit_operations += static_cast<double>(macs(network, node)) * bits(formats.activations) *
                            bits(weighted ? formats.weights : formats.activations);
  }
  return sizes;
}

// Bytes of weights that no choice changes: of norms that stand alone.
double other_weight_bytes(const PlanLatency& latency) {
  const Network& network = latency.space().design.network;
  double bytes = 0.0;
  for (const NodeId node : network.live_nodes()) {
    if (!latency.parts().dimension_of(node)) bytes += static_cast<double>(weight_bytes(network, node, PrecisionPlan{}));
  }
  return bytes;
}

std::string unused_name(const std::vector<std::string>& names) {
  std::string name = "other steps";
  while (std::ranges::find(names, name) != names.end()) name += "'";
  return name;
}

AllocationProblem with_latency_limit(AllocationProblem problem, double limit_s) {
  problem.budgets[static_cast<std::size_t>(PlanBudget::latency_s)].limit = limit_s;
  return problem;
}

double latency_of(const AllocationPlan& plan) { return plan.costs[static_cast<std::size_t>(PlanBudget::latency_s)]; }

}  // namespace

AllocationProblem allocation_problem(const PlanLatency& latency, std::span<const std::vector<double>> penalties,
                                     std::uint64_t seed) {
  check_penalties(latency, penalties);
  const PlanSpace& space = latency.space();
  const Projection projection(latency, seed);
  AllocationProblem problem;
  problem.budgets = {{"latency_s", "s"}, {"weight_bytes", "B"}, {"bit_operations", ""}};
  for (std::size_t d = 0; d < space.names.size(); ++d) {
    AllocationLayer layer{space.names[d], 0, {}};
    for (std::size_t i = 0; i < latency.choices(d).size(); ++i) {
      const std::uint16_t choice = latency.choices(d)[i];
      const Sizes sizes = sizes_of(space, d, choice);
      layer.choices.push_back({space.words[choice],
                               "",
                               penalties[d][choice],
                               {projection.alone()[d][i], sizes.weight_bytes, sizes.bit_operations}});
    }
    problem.layers.push_back(std::move(layer));
  }
  for (std::size_t e = 0; e < projection.boundaries().size(); ++e) {
    const auto [producer, consumer] = projection.boundaries()[e];
    FormatBoundary boundary{producer, consumer, 1.0, {}};
    for (std::size_t a = 0; a < latency.choices(producer).size(); ++a) {
      for (std::size_t b = 0; b < latency.choices(consumer).size(); ++b) {
        boundary.conversions.push_back({space.words[latency.choices(producer)[a]],
                                        space.words[latency.choices(consumer)[b]],
                                        {projection.tables()[e][a][b], 0.0, 0.0}});
      }
    }
    problem.boundaries.push_back(std::move(boundary));
  }
  const double bytes = other_weight_bytes(latency);
  if (projection.constant() > 0 || bytes > 0) {
    problem.layers.push_back(
        {unused_name(space.names), 0, {{"as it is", "", 0.0, {projection.constant(), bytes, 0.0}}}});
  }
  check_allocation(problem, "layer costs");
  return problem;
}

Genome plan_genome(const PlanLatency& latency, const AllocationPlan& plan) {
  Genome genome;
  for (std::size_t d = 0; d < latency.space().names.size(); ++d) {
    genome.genes.push_back(latency.choices(d)[plan.choices[d]]);
  }
  return genome;
}

std::vector<AllocatedPlan> allocated_plans(const PlanLatency& latency, std::span<const std::vector<double>> penalties,
                                           const AllocatedPlansOptions& options) {
  if (options.count == 0) throw ConfigError(Problem{"", "latency limits", "at least one", "0", ""});
  const AllocationProblem problem = allocation_problem(latency, penalties, options.seed);
  const ExactOptions exact{options.time_limit_s};
  std::map<Genome, AllocatedPlan> found;
  const auto add = [&](const AllocationPlan& plan, bool is_exact) {
    const Genome genome = plan_genome(latency, plan);
    AllocatedPlan& one = found[genome];
    one = {genome, latency.predict(genome.genes), plan.penalty, one.exact || is_exact};
  };
  // No plan takes no time: asked for one, the exact allocator says what the fastest takes.
  const double fastest = exact_allocation(with_latency_limit(problem, 0.0), exact).least.front();
  const GreedyAllocation greedy = greedy_allocation(with_latency_limit(problem, fastest));
  const double slowest = std::max(fastest, latency_of(greedy.start));
  for (std::size_t steps = 0; steps <= greedy.steps.size(); ++steps) add(greedy.prefix(problem, steps), false);
  for (std::size_t i = 0; i < options.count; ++i) {
    const double share = options.count > 1 ? static_cast<double>(i) / static_cast<double>(options.count - 1) : 1.0;
    // The solver adds up in another order than predict().
    const double limit = (fastest + share * (slowest - fastest)) * (1.0 + 1e-9);
    const Allocation best = exact_allocation(with_latency_limit(problem, limit), exact);
    if (best.plan) add(*best.plan, true);
  }
  std::vector<AllocatedPlan> all;
  for (auto& [genome, plan] : found) all.push_back(std::move(plan));
  std::ranges::stable_sort(all, {},
                           [](const AllocatedPlan& plan) { return std::pair(plan.predicted_s, plan.penalty); });
  std::vector<AllocatedPlan> plans;  // fastest first: worth keeping is what loses less than all before
  for (AllocatedPlan& plan : all) {
    if (plans.empty() || plan.penalty < plans.back().penalty) plans.push_back(std::move(plan));
  }
  return plans;
}

}  // namespace ridgeline
