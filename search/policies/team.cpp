#include "search/policies/team.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "search/policies/categorical.hpp"

namespace ridgeline {
namespace {

constexpr double most_parameter = 100.0;

bool any(std::span<const std::uint8_t> allowed) { return std::ranges::count(allowed, 0) < std::ssize(allowed); }

std::uint16_t resting(std::span<const std::uint8_t> allowed, std::uint16_t wished) {
  if (allowed[wished] != 0) return wished;
  return static_cast<std::uint16_t>(std::ranges::find(allowed, 1) - allowed.begin());
}

}  // namespace

Rollout::Rollout(std::span<const RecurrentPolicy> agents, const Script& script, std::span<const double> context) {
  for (const RecurrentPolicy& agent : agents) passes_.emplace_back(agent, context);
  for (const Decision& decision : script) {
    Pass& pass = passes_[decision.agent];
    places_.push_back({decision.agent, pass.size()});
    pass.decide(decision.dim, decision.allowed);
    pass.take(decision.choice);
  }
}

void Rollout::backward(std::span<const StepGradient> by_decision, std::span<Eigen::VectorXd> gradients) const {
  std::vector<std::vector<StepGradient>> by_agent(passes_.size());
  for (std::size_t i = 0; i < places_.size(); ++i) by_agent[places_[i].agent].push_back(by_decision[i]);
  for (std::size_t agent = 0; agent < passes_.size(); ++agent) {
    passes_[agent].backward(by_agent[agent], gradients[agent]);
  }
}

Team::Team(const SearchSpace& space, const std::vector<std::vector<std::uint32_t>>& agents, std::size_t context,
           std::size_t hidden, Rng& rng)
    : walk_(space), owners_(space.dims().size()) {
  for (std::uint32_t agent = 0; agent < agents.size(); ++agent) {
    RecurrentShape shape{{}, context, hidden};
    for (const std::uint32_t dim : agents[agent]) {
      owners_[dim] = {agent, static_cast<std::uint32_t>(shape.choices.size())};
      shape.choices.push_back(space.dims()[dim].choices.size());
    }
    controllers_.emplace_back(std::move(shape), rng);
    optimisers_.emplace_back(static_cast<std::size_t>(controllers_.back().parameters().size()));
  }
}

std::optional<Genome> Team::draw(const Draw& how, Rng& rng) {
  std::vector<Pass> passes;
  for (const RecurrentPolicy& agent : controllers_) passes.emplace_back(agent, how.context);
  std::vector<std::uint8_t> one;
  walk_.begin();
  while (!walk_.done()) {
    const std::span<const std::uint8_t> allowed = walk_.allowed();
    if (!any(allowed)) return std::nullopt;
    const bool rests = walk_.position() >= how.length;
    std::uint16_t gene = rests ? resting(allowed, how.rest->genes[walk_.dim()]) : std::uint16_t{0};
    if (const Owner owner = owners_[walk_.dim()]; owner.agent != nobody) {
      one.assign(allowed.begin(), allowed.end());
      if (rests) {
        std::ranges::fill(one, std::uint8_t{0});
        one[gene] = 1;
      }
      const std::span<const double> likely = passes[owner.agent].decide(owner.dim, one, how.temperature);
      if (!rests) gene = drawn(likely, rng);
      passes[owner.agent].take(gene);
    }
    walk_.choose(gene);
  }
  return walk_.genome();
}

Script Team::script(const Genome& genome, std::size_t length) {
  Script script;
  walk_.begin();
  while (!walk_.done()) {
    const std::uint16_t gene = genome.genes[walk_.dim()];
    if (const Owner owner = owners_[walk_.dim()]; owner.agent != nobody) {
      Decision& decision = script.emplace_back();
      decision.agent = owner.agent;
      decision.dim = owner.dim;
      decision.choice = gene;
      if (walk_.position() < length) {
        const std::span<const std::uint8_t> allowed = walk_.allowed();
        decision.allowed.assign(allowed.begin(), allowed.end());
      } else {
        decision.allowed.assign(controllers_[owner.agent].shape().choices[owner.dim], 0);
      }
      decision.allowed[gene] = 1;
    }
    walk_.choose(gene);
  }
  return script;
}

std::vector<Eigen::VectorXd> Team::no_gradients() const {
  std::vector<Eigen::VectorXd> zeros;
  for (const RecurrentPolicy& agent : controllers_) zeros.push_back(Eigen::VectorXd::Zero(agent.parameters().size()));
  return zeros;
}

void Team::ascend(std::span<const Eigen::VectorXd> gradients, double learning_rate) {
  for (std::size_t agent = 0; agent < controllers_.size(); ++agent) {
    const Eigen::VectorXd moved =
        controllers_[agent].parameters() + optimisers_[agent].step(gradients[agent], learning_rate);
    controllers_[agent].set_parameters(moved.cwiseMax(-most_parameter).cwiseMin(most_parameter));
  }
}

Json Team::save() const {
  Json agents = Json::array();
  for (std::size_t agent = 0; agent < controllers_.size(); ++agent) {
    agents.push_back(
        {{"parameters", numbers_of(controllers_[agent].parameters())}, {"moments", optimisers_[agent].save()}});
  }
  return agents;
}

void Team::load(JsonReader& reader, const std::string& key) {
  std::vector<JsonReader> agents = reader.array(key);
  if (agents.size() != controllers_.size()) {
    reader.note(key, fmt::format("{} agents", controllers_.size()), fmt::to_string(agents.size()));
    return;
  }
  for (std::size_t agent = 0; agent < controllers_.size(); ++agent) {
    Eigen::VectorXd parameters = controllers_[agent].parameters();
    read_numbers(agents[agent], "parameters", most_parameter, parameters);
    controllers_[agent].set_parameters(parameters);
    optimisers_[agent].load(agents[agent], "moments");
    agents[agent].finish();
  }
}

std::vector<std::vector<std::uint32_t>> one_agent(const SearchSpace& space) {
  std::vector<std::uint32_t> dims;
  for (std::uint32_t dim = 0; dim < space.dims().size(); ++dim) {
    if (space.dims()[dim].choices.size() > 1) dims.push_back(dim);
  }
  if (dims.empty()) return {};
  return {dims};
}

std::vector<std::vector<std::uint32_t>> agents_by_group(const SearchSpace& space) {
  std::vector<std::vector<std::uint32_t>> groups(gene_group_names().size()), each;
  for (const std::vector<std::uint32_t>& dims : one_agent(space)) {
    for (const std::uint32_t dim : dims) {
      groups[static_cast<std::size_t>(space.dims()[dim].group)].push_back(dim);
      each.push_back({dim});
    }
  }
  std::erase_if(groups, [](const std::vector<std::uint32_t>& dims) { return dims.empty(); });
  return groups.size() > 1 ? groups : each;
}

}  // namespace ridgeline
