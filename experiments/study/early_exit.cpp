#include "experiments/study/early_exit.hpp"

#include <fmt/format.h>

#include <cmath>

#include "search/fronts/population.hpp"

namespace ridgeline {

EarlyExit::EarlyExit(StudyConfig config, SearchSpace space, std::vector<Rule> rules)
    : config_(std::move(config)), space_(std::move(space)), rules_(std::move(rules)), counts_(rules_.size(), 0) {
  for (const Rule& rule : rules_) {
    words_.push_back(fmt::format("'{}' {} its early exit at {:.6g}{}{}", rule.objective.name,
                                 rule.objective.direction == Direction::minimise ? "above" : "below",
                                 rule.objective.limit.value(), rule.objective.unit.empty() ? "" : " ",
                                 rule.objective.unit));
  }
}

std::optional<std::string> EarlyExit::operator()(const Genome& genome) {
  const std::lock_guard lock(mutex_);
  const auto [known, fresh] = known_.try_emplace(hash_genes(genome.genes), rules_.size());
  if (fresh) {
    known->second = rule_broken(genome);
    if (known->second < rules_.size()) ++counts_[known->second];
  }
  if (known->second == rules_.size()) return std::nullopt;
  return words_[known->second];
}

std::size_t EarlyExit::rule_broken(const Genome& genome) {
  try {
    const Design design = decode_for(config_, space_, genome);
    for (std::size_t i = 0; i < rules_.size(); ++i) {
      const Candidate candidate{-1, &genome, &design, 0};
      Score score;
      rules_[i].evaluator->evaluate(std::span(&candidate, 1), std::span(&score, 1));
      if (score.status != Status::ok || !std::isfinite(score.value)) continue;
      if (limit_excess(rules_[i].objective, score.value) > 0.0) return i;
    }
  } catch (const ConfigError&) {  // what does not decode fails as a trial, with its reason
  }
  return rules_.size();
}

std::vector<std::pair<std::string, std::int64_t>> EarlyExit::rejected() const {
  const std::lock_guard lock(mutex_);
  std::vector<std::pair<std::string, std::int64_t>> counts;
  for (std::size_t i = 0; i < rules_.size(); ++i) {
    if (counts_[i] > 0) counts.emplace_back(words_[i], counts_[i]);
  }
  return counts;
}

}  // namespace ridgeline
