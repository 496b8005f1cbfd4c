#include "experiments/training/controller.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <numbers>

#include "kernels/training/shared_parameters.hpp"
#include "search/staged/held_front.hpp"
#include "spaces/config_error.hpp"
#include "spaces/operator_names.hpp"

namespace ridgeline {
namespace {

void check_numbers(const ControllerConfig& config) {
  const auto check = [](bool fine, const char* flag, const char* expected, double found) {
    if (!fine) throw ConfigError(Problem{flag, "", expected, fmt::format("{}", found), ""});
  };
  if (!std::isfinite(config.target) || config.target <= 0) {
    throw ConfigError(Problem{"--cost-target", "", "a number above 0, in the unit of --cost",
                              fmt::format("{}", config.target), "for example --cost weight_bytes --cost-target 60e3"});
  }
  check(std::isfinite(config.weight) && config.weight >= 0, "--cost-weight", "a number of at least 0", config.weight);
  check(config.from >= 0 && config.from < 1, "--controller-from", "a share of at least 0 and below 1", config.from);
  check(std::isfinite(config.learning_rate) && config.learning_rate > 0, "--controller-learning-rate",
        "a number above 0", config.learning_rate);
  check(std::isfinite(config.entropy) && config.entropy >= 0, "--controller-entropy", "a number of at least 0",
        config.entropy);
}

std::unique_ptr<Evaluator> make_costs(const ControllerConfig& config, const SearchSpace& space,
                                      const Resources& resources) {
  Json source{{"evaluator", config.device.empty() ? "count" : "cost"}, {"quantity", config.cost}};
  if (!config.device.empty()) source["device"] = config.device;
  JsonDocument document = JsonDocument::from_value(source, "--cost");
  EvaluatorSetup setup;
  setup.space = &space;
  setup.resources = &resources;
  setup.objective = config.cost;
  std::unique_ptr<Evaluator> costs = make_evaluator(document.root(), setup);
  if (document.problems().empty()) return costs;
  std::vector<Problem> problems = document.problems();
  if (config.device.empty()) problems.front().remedy += "; what a device's model gives needs --cost-device NAME";
  throw ConfigError(std::move(problems));
}

std::unique_ptr<ChoicePolicy> make_policy(const SearchSpace& space, const ControllerConfig& config) {
  std::vector<std::size_t> dims;
  bool precise = false;
  for (std::size_t i = 0; i < space.dims().size(); ++i) {
    const Dimension& dimension = space.dims()[i];
    const bool precision = dimension.group == GeneGroup::precision;
    if (dimension.choices.size() < 2) continue;
    precise = precise || precision;
    if (precision || (config.all && dimension.group == GeneGroup::architecture)) dims.push_back(i);
  }
  if (!precise) {
    throw ConfigError(Problem{"--controller", "", "a space with precision genes that have several choices",
                              fmt::format("space '{}', which has none", space.name()),
                              "train another space, such as mobiledets_small, or without --controller"});
  }
  return std::make_unique<ChoicePolicy>(space, std::move(dims), largest_genome(space),
                                        PolicyOptions{.learning_rate = config.learning_rate});
}

Json layers_json(const Design& design) {
  Json layers = Json::array();
  for (const auto& [node, name] : operator_names(design.network)) {
    const OperatorFormats formats = design.precision.at(node);
    layers.push_back(
        {{"layer", name}, {"weights", formats.weights.text()}, {"activations", formats.activations.text()}});
  }
  return layers;
}

}  // namespace

double absolute_reward(double quality, double cost, const ControllerConfig& config) {
  return quality - config.weight * std::abs(cost / config.target - 1);
}

Controller::Controller(const ModelSource& model, const Resources& resources, const ControllerConfig& config,
                       std::uint64_t seed, std::uint64_t total_steps)
    : config_(config),
      resources_(resources),
      space_(open_space(model, resources)),
      seed_(seed),
      first_step_(0),
      total_steps_(total_steps) {
  check_numbers(config_);
  first_step_ = static_cast<std::uint64_t>(config_.from * static_cast<double>(total_steps));
  policy_ = make_policy(space_, config_);
  costs_ = make_costs(config_, space_, resources_);
  check_costs();
}

// Before hours of training: whether the largest candidate, in its own formats or in some that are the same everywhere,
// has a cost at all.
void Controller::check_costs() {
  const Genome largest = space_.normalise(largest_genome(space_));
  std::vector<std::pair<Json, Genome>> tried = uniform(largest);
  tried.emplace_back(Json(), largest);
  if (std::ranges::any_of(tried, [&](const auto& one) { return cost(one.second).has_value(); })) return;
  const Design design = space_.decode(largest);
  throw ConfigError(Problem{"--cost", "", "a cost of this space's candidates",
                            fmt::format("none: {}", score(largest, design, function_hash(design)).reason),
                            "name another --cost or --cost-device"});
}

Score Controller::score(const Genome& genome, const Design& design, std::uint64_t hash) {
  if (const auto found = known_.find(hash); found != known_.end()) return found->second;
  const Candidate candidate{0, &genome, &design, hash};
  Score made;
  costs_->evaluate({&candidate, 1}, {&made, 1});
  if (made.status == Status::ok && !std::isfinite(made.value)) {
    made.status = Status::failed;
    made.reason = "a cost that is not finite";
  }
  return known_.emplace(hash, std::move(made)).first->second;
}

std::optional<double> Controller::cost(const Genome& genome) {
  const Design design = space_.decode(genome);
  const Score found = score(genome, design, function_hash(design));
  return found.status == Status::ok ? std::optional<double>(found.value) : std::nullopt;
}

Genome Controller::draw(std::uint64_t step) {
  Rng rng(seed_, "controller", step);
  std::optional<Genome> drawn = policy_->sample(rng, [&](const Genome& genome) { return cost(genome).has_value(); });
  if (drawn) return std::move(*drawn);
  throw ConfigError(Problem{"--controller", "", "candidates that keep the space's constraints and have a cost",
                            fmt::format("none in {} draws", ChoicePolicy::most_draws),
                            "name another --cost-device, or --controller-dims all"});
}

void Controller::learn(std::uint64_t step, const Genome& genome, double quality) {
  const double done = static_cast<double>(step - first_step_) / static_cast<double>(total_steps_ - first_step_);
  const double bonus = config_.entropy * 0.5 * (1 + std::cos(std::numbers::pi * done));
  policy_->update(genome, absolute_reward(quality, cost(genome).value(), config_), bonus);
}

Genome Controller::most_likely() {
  Rng rng(seed_, "most likely");
  std::optional<Genome> mode =
      policy_->most_likely(rng, [&](const Genome& genome) { return cost(genome).has_value(); });
  return mode ? std::move(*mode) : draw(total_steps_);  // which says what is wrong
}

double Controller::entropy_share() {
  const Genome genome = most_likely();
  const double most = policy_->most_entropy(genome);
  return most > 0 ? policy_->entropy(genome) / most : 0.0;
}

Json Controller::save() const {
  const PolicyState& state = policy_->save();
  return {{"policy",
           {{"logits", state.logits},
            {"first_moments", state.first_moments},
            {"second_moments", state.second_moments},
            {"updates", state.updates},
            {"baseline", state.baseline},
            {"rewards", state.rewards}}}};
}

void Controller::load(const Json& state) {
  try {
    const Json& policy = state.at("policy");
    PolicyState read;
    policy.at("logits").get_to(read.logits);
    policy.at("first_moments").get_to(read.first_moments);
    policy.at("second_moments").get_to(read.second_moments);
    policy.at("updates").get_to(read.updates);
    policy.at("baseline").get_to(read.baseline);
    policy.at("rewards").get_to(read.rewards);
    policy_->load(std::move(read));
  } catch (const Json::exception& problem) {
    throw std::invalid_argument(fmt::format("no state of a controller: {}", problem.what()));
  }
}

std::vector<std::pair<Json, Genome>> Controller::uniform(const Genome& like) const {
  std::vector<std::pair<Json, Genome>> made;
  for (const UniformFormat& format : uniform_formats(space_)) {
    if (std::optional<Genome> genome = in_format(space_, format, like)) made.emplace_back(format.choice, *genome);
  }
  return made;
}

Json Controller::found(const std::function<double(const Genome&)>& accuracy) {
  const auto scored = [&](const Genome& genome) -> Json {
    return {{"genes", genome.genes}, {"cost", cost(genome).value()}, {"accuracy", accuracy(genome)}};
  };
  const Genome chosen = most_likely();
  Json most_likely = scored(chosen);
  most_likely["choices"] = space_.describe(chosen);
  most_likely["layers"] = layers_json(space_.decode(chosen));
  Json list = Json::array();
  for (const auto& [choice, genome] : uniform(chosen)) {
    if (!cost(genome)) continue;
    list.push_back(scored(genome));
    list.back()["choice"] = choice;
  }
  return {{"most_likely", std::move(most_likely)}, {"uniform", std::move(list)}};
}

}  // namespace ridgeline
