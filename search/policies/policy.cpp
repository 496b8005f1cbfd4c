#include "search/policies/policy.hpp"

#include <algorithm>
#include <cmath>
#include <set>
#include <stdexcept>

#include "search/policies/categorical.hpp"

namespace ridgeline {
namespace {

constexpr double first_decay = 0.9, second_decay = 0.999, tiny = 1e-8;

std::vector<double> shares_of(std::span<const double> logits) {
  std::vector<double> shares(logits.size());
  softmax(logits, {}, shares);
  return shares;
}

bool all_finite(std::span<const double> values) {
  return std::ranges::all_of(values, [](double value) { return std::isfinite(value); });
}

}  // namespace

ChoicePolicy::ChoicePolicy(const SearchSpace& space, std::vector<std::size_t> dims, Genome base,
                           const PolicyOptions& options)
    : space_(&space), dims_(std::move(dims)), base_(std::move(base)), options_(options) {
  const auto too_large = [&](std::size_t dim) { return dim >= space.dims().size(); };
  if (dims_.empty() || std::ranges::any_of(dims_, too_large) ||
      std::set<std::size_t>(dims_.begin(), dims_.end()).size() != dims_.size()) {
    throw std::invalid_argument("a policy chooses dimensions of its space, at least one and each once");
  }
  if (base_.genes.size() != space.dims().size()) throw std::invalid_argument("the base is a genome of another space");
  std::size_t count = 0;
  for (std::size_t i = 0; i < dims_.size(); ++i) {
    offsets_.push_back(count);
    count += choices(i);
  }
  state_.logits.assign(count, 0.0);
  state_.first_moments = state_.second_moments = state_.logits;
  state_.updates.assign(dims_.size(), 0);
}

std::vector<double> ChoicePolicy::probabilities() const {
  std::vector<double> all;
  for (std::size_t i = 0; i < dims_.size(); ++i) {
    const std::vector<double> own = shares_of(of(i, state_.logits));
    all.insert(all.end(), own.begin(), own.end());
  }
  return all;
}

std::optional<Genome> ChoicePolicy::sample(Rng& rng, const Accept& accept) const {
  const std::vector<double> likely = probabilities();
  for (int draw = 0; draw < most_draws; ++draw) {
    Genome genome = base_;
    for (std::size_t i = 0; i < dims_.size(); ++i) genome.genes[dims_[i]] = drawn(of(i, likely), rng);
    genome = space_->normalise(std::move(genome));
    if (!space_->violation(genome) && (!accept || accept(genome))) return genome;
  }
  return std::nullopt;
}

std::optional<Genome> ChoicePolicy::most_likely(Rng& rng, const Accept& accept) const {
  Genome mode = base_;
  for (std::size_t i = 0; i < dims_.size(); ++i) {
    const std::span<const double> logits = of(i, state_.logits);
    mode.genes[dims_[i]] = static_cast<std::uint16_t>(std::max_element(logits.begin(), logits.end()) - logits.begin());
  }
  mode = space_->normalise(std::move(mode));
  if (!space_->violation(mode) && (!accept || accept(mode))) return mode;
  constexpr int repairs = 200;
  std::optional<Genome> best;
  double best_log = 0;
  for (int i = 0; i < repairs; ++i) {
    std::optional<Genome> genome = sample(rng, accept);
    if (!genome) break;
    const double log = log_probability(*genome);
    if (best && log <= best_log) continue;
    best = std::move(genome);
    best_log = log;
  }
  return best;
}

std::vector<std::size_t> ChoicePolicy::active(const Genome& genome) const {
  if (genome.genes.size() != space_->dims().size()) throw std::invalid_argument("a genome of another space");
  const std::vector<bool> which = space_->active(genome);
  std::vector<std::size_t> found;
  for (std::size_t i = 0; i < dims_.size(); ++i) {
    if (genome.genes[dims_[i]] >= choices(i)) throw std::invalid_argument("a gene that is no choice of its dimension");
    if (which[dims_[i]]) found.push_back(i);
  }
  return found;
}

double ChoicePolicy::log_probability(const Genome& genome) const {
  double sum = 0;
  for (const std::size_t i : active(genome)) sum += log_of(shares_of(of(i, state_.logits))[genome.genes[dims_[i]]]);
  return sum;
}

std::vector<double> ChoicePolicy::log_probability_gradient(const Genome& genome) const {
  std::vector<double> gradient(state_.logits.size(), 0.0);
  for (const std::size_t i : active(genome)) {
    add_log_probability_gradient(shares_of(of(i, state_.logits)), genome.genes[dims_[i]], 1.0,
                                 std::span(gradient).subspan(offsets_[i], choices(i)));
  }
  return gradient;
}

double ChoicePolicy::entropy(const Genome& genome) const {
  double sum = 0;
  for (const std::size_t i : active(genome)) sum += entropy_of(shares_of(of(i, state_.logits)));
  return sum;
}

std::vector<double> ChoicePolicy::entropy_gradient(const Genome& genome) const {
  std::vector<double> gradient(state_.logits.size(), 0.0);
  for (const std::size_t i : active(genome)) {
    add_entropy_gradient(shares_of(of(i, state_.logits)), 1.0, std::span(gradient).subspan(offsets_[i], choices(i)));
  }
  return gradient;
}

double ChoicePolicy::most_entropy(const Genome& genome) const {
  double sum = 0;
  for (const std::size_t i : active(genome)) sum += std::log(static_cast<double>(choices(i)));
  return sum;
}

void ChoicePolicy::update(const Genome& genome, double reward, double entropy_bonus) {
  if (!std::isfinite(reward) || !std::isfinite(entropy_bonus)) {
    throw std::invalid_argument("a reward or an entropy bonus that is not finite");
  }
  const std::vector<double> by_choice = log_probability_gradient(genome), by_entropy = entropy_gradient(genome);
  // The first reward has nothing to be compared with.
  if (state_.rewards++ == 0) state_.baseline = reward;
  const double advantage = reward - state_.baseline;
  state_.baseline = options_.baseline_decay * state_.baseline + (1 - options_.baseline_decay) * reward;
  for (const std::size_t i : active(genome)) {
    const auto number = static_cast<double>(++state_.updates[i]);
    const double first_share = 1 - std::pow(first_decay, number), second_share = 1 - std::pow(second_decay, number);
    for (std::size_t k = offsets_[i]; k < offsets_[i] + choices(i); ++k) {
      const double gradient = advantage * by_choice[k] + entropy_bonus * by_entropy[k];
      double &first = state_.first_moments[k], &second = state_.second_moments[k];
      first = first_decay * first + (1 - first_decay) * gradient;
      second = second_decay * second + (1 - second_decay) * gradient * gradient;
      state_.logits[k] += options_.learning_rate * (first / first_share) / (std::sqrt(second / second_share) + tiny);
    }
  }
}

void ChoicePolicy::load(PolicyState state) {
  const std::size_t count = state_.logits.size();
  if (state.logits.size() != count || state.first_moments.size() != count || state.second_moments.size() != count ||
      state.updates.size() != dims_.size()) {
    throw std::invalid_argument("the state is of a policy over other dimensions");
  }
  if (!all_finite(state.logits) || !all_finite(state.first_moments) || !all_finite(state.second_moments) ||
      !std::isfinite(state.baseline) || std::ranges::any_of(state.second_moments, [](double v) { return v < 0; })) {
    throw std::invalid_argument("the state of a policy is not finite");
  }
  state_ = std::move(state);
}

}  // namespace ridgeline
