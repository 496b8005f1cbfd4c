#include "spaces/search_space.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <stdexcept>

#include "spaces/hash.hpp"
#include "spaces/search_space_impl.hpp"

namespace ridgeline {
namespace {

constexpr int most_draws = 10'000;

std::string genome_text(const Genome& genome) {
  constexpr std::size_t shown = 48;
  std::string text = fmt::format(
      "{}", fmt::join(genome.genes.begin(),
                      genome.genes.begin() + static_cast<std::ptrdiff_t>(std::min(shown, genome.genes.size())), ","));
  return "[" + text + (genome.genes.size() > shown ? ",...]" : "]");
}

}  // namespace

std::span<const std::string> gene_group_names() {
  static const std::array<std::string, 5> names{"architecture", "precision", "hardware", "schedule", "recipe"};
  return names;
}

SearchSpace::SearchSpace(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
SearchSpace::SearchSpace(SearchSpace&&) noexcept = default;
SearchSpace& SearchSpace::operator=(SearchSpace&&) noexcept = default;
SearchSpace::~SearchSpace() = default;

SearchSpace SearchSpace::load(const std::string& path, const SpaceOptions& options) {
  return parse(JsonDocument::load(path), options);
}

const std::string& SearchSpace::name() const { return impl_->name; }
const std::string& SearchSpace::about() const { return impl_->about; }
std::span<const Dimension> SearchSpace::dims() const { return impl_->dims; }
bool SearchSpace::unconditional() const {
  return impl_->conditional.empty() && impl_->constraints.empty() && !impl_->refusal;
}
double SearchSpace::log10_size() const { return impl_->log10_size; }
std::uint64_t SearchSpace::enumeration_size() const { return impl_->enumeration_size; }
std::uint64_t SearchSpace::fingerprint() const { return impl_->fingerprint; }

std::string SearchSpace::Impl::misfit(const Genome& genome) const {
  if (genome.genes.size() != dims.size()) {
    return fmt::format("a genome of {} genes has {}", dims.size(), genome.genes.size());
  }
  for (std::size_t i = 0; i < dims.size(); ++i) {
    if (genome.genes[i] < choices(i)) continue;
    return fmt::format("gene {} ({}) is {}, the last of its {} choices is {}", i, dims[i].name, genome.genes[i],
                       choices(i), choices(i) - 1);
  }
  return {};
}

bool SearchSpace::Impl::holds(Expr condition, Evaluation& state) const {
  const Value value = pool.evaluate(condition, state);
  if (value.kind != Value::Kind::boolean) throw ExpressionError("true or false", pool.describe(value, state));
  return value.truth();
}

std::vector<Value> SearchSpace::Impl::settle(Genome& genome, std::vector<bool>* active) const {
  if (const std::string why = misfit(genome); !why.empty()) {
    throw ConfigError(problem("", "a genome of this space", why));
  }
  std::vector<Value> genes(dims.size());
  for (std::size_t i = 0; i < dims.size(); ++i) genes[i] = value(i, genome.genes[i]);
  Evaluation state;
  state.genes = genes;
  for (const std::uint32_t i : conditional) {
    try {
      if (holds(conditions[i], state)) continue;
    } catch (const ExpressionError& error) {
      throw ConfigError(problem(paths[i] + ".active_if", error.expected, error.found, "for " + dims[i].name));
    }
    genome.genes[i] = 0;
    genes[i] = resting[i];
    if (active != nullptr) (*active)[i] = false;
  }
  return genes;
}

std::size_t SearchSpace::Impl::broken(std::span<const Value> genes, std::string& why) const {
  Evaluation state;
  state.genes = genes;
  for (std::size_t i = 0; i < constraints.size(); ++i) {
    try {
      if (holds(constraints[i].require, state)) continue;
      why = constraints[i].text;
    } catch (const ExpressionError& error) {
      why = fmt::format("{}: expected {}, found {}", constraints[i].path, error.expected, error.found);
    }
    return i;
  }
  return constraints.size();
}

Genome SearchSpace::sample(Rng& rng) const {
  std::vector<int> refused(impl_->constraints.size() + 1, 0);  // the last: by the refusal
  std::string why, refusal;
  Genome genome;
  for (int draw = 0; draw < most_draws; ++draw) {
    genome.genes.resize(dims().size());
    for (std::size_t i = 0; i < genome.genes.size(); ++i) {
      genome.genes[i] = static_cast<std::uint16_t>(rng.below(impl_->choices(i)));
    }
    const std::vector<Value> genes = impl_->settle(genome);
    const std::size_t broken = impl_->broken(genes, why);
    if (broken == impl_->constraints.size()) {
      std::optional<std::string> unwanted = impl_->refused(genome);
      if (!unwanted) return genome;
      refusal = std::move(*unwanted);
    }
    ++refused[broken];
  }
  const auto worst = std::max_element(refused.begin(), refused.end());
  if (worst == refused.end() - 1) {
    throw ConfigError(
        impl_->problem("", "candidates that are not refused",
                       fmt::format("none in {} draws, {} of them refused: {}", most_draws, *worst, refusal),
                       "relax what refuses them"));
  }
  const Constraint& constraint = impl_->constraints[static_cast<std::size_t>(worst - refused.begin())];
  throw ConfigError(
      impl_->problem(constraint.path, "a constraint that some genome satisfies",
                     fmt::format("none in {} draws, {} of them refused by: {}", most_draws, *worst, constraint.text),
                     "relax the constraint or add choices"));
}

std::optional<std::string> SearchSpace::violation(const Genome& genome) const {
  if (std::string why = impl_->misfit(genome); !why.empty()) return why;
  if (impl_->conditional.empty() && impl_->constraints.empty()) return impl_->refused(genome);
  Genome settled = genome;
  std::string why;
  try {
    const std::vector<Value> genes = impl_->settle(settled);
    if (impl_->broken(genes, why) == impl_->constraints.size()) return impl_->refused(settled);
  } catch (const ConfigError& error) {  // a condition that cannot be evaluated for this genome
    why = error.what();
  }
  return why;
}

std::vector<bool> SearchSpace::active(const Genome& genome) const {
  std::vector<bool> active(dims().size(), true);
  if (impl_->conditional.empty() && impl_->misfit(genome).empty()) return active;
  Genome settled = genome;
  impl_->settle(settled, &active);
  return active;
}

std::span<const std::uint32_t> SearchSpace::condition_reads(std::size_t dimension) const {
  return impl_->reads[dimension];
}

Genome SearchSpace::normalise(Genome genome) const {
  if (impl_->conditional.empty() && impl_->misfit(genome).empty()) return genome;
  impl_->settle(genome);
  return genome;
}

Design SearchSpace::decode(const Genome& genome) const { return impl_->decode(genome, nullptr); }

std::vector<std::string> SearchSpace::places(const Genome& genome) const {
  std::vector<std::string> places;
  impl_->decode(genome, &places);
  return places;
}

Design SearchSpace::Impl::decode(const Genome& genome, std::vector<std::string>* places) const {
  Genome settled = genome;
  const std::vector<Value> genes = settle(settled);
  if (model) {
    for (NodeId node = 0; places != nullptr && node < model->design.network.size(); ++node) {
      places->push_back(fmt::format("node {}", node));
    }
    return model->decode(kept.empty() ? settled : in_whole(settled));
  }
  try {
    Design design = network.build(genes, pool, batch, places);
    design.hardware = settings(hardware, genes);
    design.schedule = settings(schedule, genes);
    return design;
  } catch (const ConfigError& error) {
    Problem problem = error.problems().front();
    problem.remedy += (problem.remedy.empty() ? "" : "; ") + ("met with the genome " + genome_text(settled));
    throw ConfigError(std::move(problem));
  }
}

std::shared_ptr<const Json> SearchSpace::Impl::settings(const std::vector<Setting>& templates,
                                                        std::span<const Value> genes) const {
  if (templates.empty()) return nullptr;
  auto object = std::make_shared<Json>(Json::object());
  Evaluation state;
  state.genes = genes;
  for (const Setting& one : templates) {
    try {
      const Value value = pool.evaluate(one.value, state);
      if (value.kind == Value::Kind::list) throw ExpressionError("a number, a word or a boolean", "a list");
      (*object)[one.name] = pool.json(value);
    } catch (const ExpressionError& error) {
      throw ConfigError(problem(one.path, error.expected, error.found, error.remedy));
    }
  }
  return object;
}

std::optional<Genome> SearchSpace::at(std::uint64_t index) const {
  if (index >= impl_->enumeration_size) return std::nullopt;
  Genome genome;
  genome.genes.resize(dims().size());
  for (std::size_t i = genome.genes.size(); i-- > 0;) {  // the last dimension turns fastest
    genome.genes[i] = static_cast<std::uint16_t>(index % impl_->choices(i));
    index /= impl_->choices(i);
  }
  Genome settled = genome;
  const std::vector<Value> genes = impl_->settle(settled);
  std::string why;
  if (settled != genome || impl_->broken(genes, why) != impl_->constraints.size()) return std::nullopt;
  if (impl_->refused(genome)) return std::nullopt;
  return genome;
}

Json SearchSpace::describe(const Genome& genome) const {
  Json choices = Json::object();
  const std::vector<bool> active_genes = active(genome);
  for (std::size_t i = 0; i < active_genes.size(); ++i) {
    if (active_genes[i]) choices[dims()[i].name] = dims()[i].choices[genome.genes[i]];
  }
  return choices;
}

namespace {

std::string dimension_words(const std::string& word, const std::map<std::string, std::uint32_t>& by_name) {
  std::vector<std::string> names;
  names.reserve(by_name.size());
  for (const auto& [name, index] : by_name) names.push_back(name);
  return known_words(word, names);
}

}  // namespace

Genome SearchSpace::from_json(const Json& value) const {
  Genome genome;
  genome.genes.resize(dims().size(), 0);
  std::vector<Problem> problems;
  const auto note = [&](std::string path, std::string expected, std::string found, std::string remedy = {}) {
    problems.push_back({"genome", std::move(path), std::move(expected), std::move(found), std::move(remedy)});
  };
  if (value.is_array()) {
    if (value.size() != dims().size()) {
      note("", fmt::format("{} gene indices", dims().size()), ridgeline::describe(value),
           "ridgeline space sample shows genomes of the space");
    }
    for (std::size_t i = 0; i < value.size() && problems.empty(); ++i) {
      const bool fits = value[i].is_number_unsigned() && value[i].get<std::uint64_t>() < impl_->choices(i);
      if (fits) genome.genes[i] = value[i].get<std::uint16_t>();
      if (!fits) {
        note(fmt::format("[{}]", i), fmt::format("an index from 0 to {}", impl_->choices(i) - 1),
             ridgeline::describe(value[i]), "gene of " + dims()[i].name);
      }
    }
    if (!problems.empty()) throw ConfigError(std::move(problems));
    return normalise(std::move(genome));
  }
  if (!value.is_object())
    note("", "an object {\"dimension\": choice} or an array of indices", ridgeline::describe(value),
         "ridgeline space sample shows genomes of the space");
  std::vector<bool> given(dims().size(), false);
  const Json named = value.is_object() ? value : Json::object();
  for (const auto& [name, choice] : named.items()) {
    const auto found = impl_->by_name.find(name);
    if (found == impl_->by_name.end()) {
      note(name, "a dimension of the space", fmt::format("'{}'", name), dimension_words(name, impl_->by_name));
      continue;
    }
    const std::vector<Json>& choices = dims()[found->second].choices;
    const auto at = std::find(choices.begin(), choices.end(), choice);
    if (at == choices.end()) {
      note(name, "one of " + Json(choices).dump().substr(0, 200), ridgeline::describe(choice));
    } else {
      genome.genes[found->second] = static_cast<std::uint16_t>(at - choices.begin());
      given[found->second] = true;
    }
  }
  if (problems.empty()) {
    const std::vector<bool> active_genes = active(genome);
    for (std::size_t i = 0; i < given.size(); ++i) {
      if (active_genes[i] && !given[i]) note(dims()[i].name, "a choice for every active dimension", "nothing");
    }
  }
  if (!problems.empty()) throw ConfigError(std::move(problems));
  return normalise(std::move(genome));
}

}  // namespace ridgeline
