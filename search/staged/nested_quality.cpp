#include "search/staged/nested_quality.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace ridgeline {
namespace {

// One character a trial in a state.
constexpr char ok = 'o', infeasible = 'i', failed = 'x';

char code_of(const Trial& trial) {
  return trial.status == Status::ok ? ok : trial.status == Status::infeasible ? infeasible : failed;
}

}  // namespace

NestedQuality::NestedQuality(const SearcherSetup& setup, OptionsReader& options) {
  std::vector<Objective> counted;
  for (const Objective& objective : setup.objectives) {
    if (!objective.constraint_only) counted.push_back(objective);
  }
  std::optional<JsonReader> given = options->object("reference", false);
  if (counted.size() == 1) {
    objective_ = counted.front();
    objective_.limit.reset();  // told as violations
    if (given) {
      options->note("reference", "nothing, with one objective", describe(given->value()),
                    fmt::format("leave it out: what counts is the best '{}'", objective_.name));
    }
    return;
  }
  objective_ = {.name = "hypervolume", .unit = "", .direction = Direction::maximise, .limit = {}};
  reference_.emplace();
  for (const Objective& objective : counted) {
    std::optional<double> value = objective.limit;
    if (given && given->has(objective.name)) value = given->number(objective.name);
    if (!value) {
      options->note("reference." + objective.name,
                    "a value that the candidates worth counting are better than, in natural units", "nothing",
                    "state it, or give the objective a \"limit\"; search --dry-run shows the range of a sample");
    }
    reference_->push_back(minimised(value.value_or(0.0), objective.direction));
  }
  if (given) given->finish();
}

Trial NestedQuality::of(const Population& best) const {
  Trial trial;
  trial.status = Status::failed;
  if (best.empty()) return trial;
  std::size_t least = 0;
  std::vector<Point> feasible;
  for (std::size_t i = 0; i < best.size(); ++i) {
    if (best.violation(i) < best.violation(least)) least = i;
    if (best.violation(i) == 0.0) feasible.emplace_back(best.values(i).begin(), best.values(i).end());
  }
  trial.violation = best.violation(least);
  trial.status = trial.violation > 0.0 ? Status::infeasible : Status::ok;
  if (!reference_) {
    double value = best.values(least)[0];
    for (const Point& point : feasible) value = std::min(value, point[0]);
    trial.values = {value};
    return trial;
  }
  const double volume = feasible.empty() ? 0.0 : hypervolume(feasible, *reference_);
  trial.values = {-(std::isfinite(volume) ? volume : std::numeric_limits<double>::max())};
  return trial;
}

bool better(const Trial& a, const Trial& b) {
  const auto rank = [](const Trial& trial) {
    return trial.status == Status::ok ? 0 : trial.status == Status::infeasible ? 1 : 2;
  };
  if (rank(a) != rank(b)) return rank(a) < rank(b);
  if (a.violation != b.violation) return a.violation < b.violation;
  return a.status == Status::ok && a.values[0] < b.values[0];
}

void ProposalMemory::add(const Trial& trial) {
  const auto same = std::ranges::find(trials_, trial.genome, &Trial::genome);
  if (same != trials_.end()) {
    if (better(trial, *same)) *same = trial;
    return;
  }
  trials_.push_back(trial);
  if (trials_.size() <= most_) return;
  const auto kept = std::ranges::min_element(trials_, better);
  trials_.erase(kept == trials_.begin() ? kept + 1 : trials_.begin());
}

const Trial* ProposalMemory::find(const Genome& genome) const {
  const auto found = std::ranges::find(trials_, genome, &Trial::genome);
  return found == trials_.end() ? nullptr : &*found;
}

const Trial* ProposalMemory::best() const {
  const auto found = std::ranges::min_element(trials_, better);
  return found == trials_.end() || found->status != Status::ok ? nullptr : &*found;
}

Json ProposalMemory::save() const {
  Json genomes = Json::array();
  std::vector<std::int64_t> ids;
  std::string outcomes;
  std::vector<double> values, violations;
  for (const Trial& trial : trials_) {
    genomes.push_back(text_.write(trial.genome.genes));
    ids.push_back(trial.id);
    outcomes += code_of(trial);
    values.insert(values.end(), trial.values.begin(), trial.values.end());
    if (outcomes.back() == infeasible) violations.push_back(trial.violation);
  }
  return {{"genomes", std::move(genomes)},
          {"ids", ids},
          {"outcomes", outcomes},
          {"values", values},
          {"violations", violations}};
}

void ProposalMemory::load(JsonReader& reader, const std::string& key) {
  trials_.clear();
  std::optional<JsonReader> state = reader.object(key);
  if (!state) return;
  const std::vector<std::string> genomes = state->strings("genomes");
  const std::string outcomes = state->string("outcomes");
  const std::vector<double> ids = state->numbers("ids"), values = state->numbers("values"),
                            violations = state->numbers("violations");
  state->finish();
  const auto count = [&](char code) { return static_cast<std::size_t>(std::ranges::count(outcomes, code)); };
  if (genomes.size() > most_ || outcomes.size() != genomes.size() || ids.size() != genomes.size() ||
      count(ok) + count(infeasible) + count(failed) != outcomes.size() ||
      values.size() != count(ok) + count(infeasible) || violations.size() != count(infeasible)) {
    state->note("outcomes", fmt::format("at most {} letters of 'oix', one a genome, with what goes with them", most_),
                fmt::format("'{:.40}', {} genomes, {} ids, {} values, {} violations", outcomes, genomes.size(),
                            ids.size(), values.size(), violations.size()));
    return;
  }
  auto value = values.begin(), violation = violations.begin();
  for (std::size_t i = 0; i < genomes.size(); ++i) {
    std::optional<Genome> genome = text_.read(genomes[i], *state, fmt::format("genomes[{}]", i));
    if (!genome) return;
    if (find(*genome) != nullptr) state->note("genomes", "different genomes", fmt::format("'{}' twice", genomes[i]));
    Trial trial;
    trial.genome = std::move(*genome);
    trial.status = outcomes[i] == ok ? Status::ok : outcomes[i] == infeasible ? Status::infeasible : Status::failed;
    if (trial.status != Status::failed) trial.values = {*value++};
    if (trial.status == Status::infeasible) trial.violation = *violation++;
    const bool whole = ids[i] >= 0.0 && ids[i] <= 0x1p53 && std::floor(ids[i]) == ids[i];
    if (!whole) state->note("ids", "numbers of proposals", fmt::to_string(ids[i]));
    if (trial.violation < 0.0) state->note("violations", "no negative number", fmt::to_string(trial.violation));
    trial.id = whole ? static_cast<std::int64_t>(ids[i]) : 0;
    trials_.push_back(std::move(trial));
  }
}

}  // namespace ridgeline
