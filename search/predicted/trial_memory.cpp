#include "search/predicted/trial_memory.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "search/fronts/ranking.hpp"

namespace ridgeline {
namespace {

// One character a trial in a state.
constexpr char ok = 'o', infeasible = 'i', without_values = 'x';

char code_of(const Trial& trial) {
  if (!trial.has_values()) return without_values;
  return trial.status == Status::ok ? ok : infeasible;
}

}  // namespace

TrialMemory::TrialMemory(const SearchSpace& space, const SearcherSetup& setup, std::size_t most)
    : space_(&space), setup_(setup), most_(most), text_(space) {
  const Population check(space, setup);
}

void TrialMemory::add(std::span<const Trial> trials) {
  for (const Trial& told : trials) {
    if (!hashes_.insert(hash_genes(told.genome.genes)).second) continue;
    Trial trial;
    trial.genome = told.genome;
    trial.values = told.values;
    trial.status = told.has_values() ? told.status : Status::failed;
    trial.violation = trial.status == Status::infeasible ? told.violation : 0.0;
    trials_.push_back(std::move(trial));
  }
  if (trials_.size() > most_) forget();
}

Population TrialMemory::comparable(std::vector<std::size_t>& places) const {
  Population members(*space_, setup_);
  for (std::size_t i = 0; i < trials_.size(); ++i) {
    if (members.add(trials_[i])) places.push_back(i);
  }
  return members;
}

std::vector<std::size_t> TrialMemory::best(std::size_t count) const {
  std::vector<std::size_t> places, chosen;
  const Population members = comparable(places);
  Ranking ranking;
  ranking.update(members, members.size());
  for (const std::uint32_t member : ranking.best(count)) chosen.push_back(places[member]);
  return chosen;
}

void TrialMemory::forget() {
  std::vector<std::size_t> places;
  const Population members = comparable(places);
  Ranking ranking;
  ranking.update(members, members.size());
  std::vector<bool> on_front(trials_.size(), false);
  for (std::size_t i = 0; i < places.size(); ++i)
    on_front[places[i]] = ranking.rank(static_cast<std::uint32_t>(i)) == 0;
  std::size_t surplus = trials_.size() - most_;
  std::vector<bool> gone(trials_.size(), false);
  for (const bool front : {false, true}) {
    for (std::size_t i = 0; i < trials_.size() && surplus > 0; ++i) {
      if (on_front[i] != front) continue;
      gone[i] = true;
      --surplus;
      hashes_.erase(hash_genes(trials_[i].genome.genes));
    }
  }
  std::size_t kept = 0;
  for (std::size_t i = 0; i < trials_.size(); ++i) {
    if (gone[i]) continue;
    if (kept != i) trials_[kept] = std::move(trials_[i]);
    ++kept;
  }
  trials_.resize(kept);
}

Json TrialMemory::save() const {
  Json genomes = Json::array();
  std::string outcomes;
  std::vector<double> values, violations;
  for (const Trial& trial : trials_) {
    genomes.push_back(text_.write(trial.genome.genes));
    outcomes += code_of(trial);
    values.insert(values.end(), trial.values.begin(), trial.values.end());
    if (outcomes.back() == infeasible) violations.push_back(trial.violation);
  }
  return {{"genomes", std::move(genomes)}, {"outcomes", outcomes}, {"values", values}, {"violations", violations}};
}

void TrialMemory::load(JsonReader& reader, const std::string& key) {
  trials_.clear();
  hashes_.clear();
  std::optional<JsonReader> state = reader.object(key);
  if (!state) return;
  const std::vector<std::string> genomes = state->strings("genomes");
  const std::string outcomes = state->string("outcomes");
  const std::vector<double> values = state->numbers("values"), violations = state->numbers("violations");
  state->finish();
  const std::size_t objectives = setup_.objectives.size();
  const auto count = [&](char code) { return static_cast<std::size_t>(std::ranges::count(outcomes, code)); };
  if (genomes.size() > most_) {
    state->note("genomes", fmt::format("at most {}", most_), fmt::to_string(genomes.size()),
                "resume with the options it was written with");
  }
  if (outcomes.size() != genomes.size() || count(ok) + count(infeasible) + count(without_values) != outcomes.size() ||
      values.size() != (count(ok) + count(infeasible)) * objectives || violations.size() != count(infeasible)) {
    state->note("outcomes", "one letter of 'oix' a genome, and the values and violations that go with them",
                fmt::format("'{:.40}', {} genomes, {} values, {} violations", outcomes, genomes.size(), values.size(),
                            violations.size()));
    return;
  }
  auto value = values.begin();
  auto violation = violations.begin();
  for (std::size_t i = 0; i < genomes.size(); ++i) {
    std::optional<Genome> genome = text_.read(genomes[i], *state, fmt::format("genomes[{}]", i));
    if (!genome) return;
    if (!hashes_.insert(hash_genes(genome->genes)).second) {
      state->note("genomes", "different genomes", fmt::format("'{}' twice", genomes[i]));
    }
    Trial trial;
    trial.genome = std::move(*genome);
    trial.status = outcomes[i] == ok ? Status::ok : outcomes[i] == infeasible ? Status::infeasible : Status::failed;
    if (trial.status != Status::failed) {
      trial.values.assign(value, value + static_cast<std::ptrdiff_t>(objectives));
      value += static_cast<std::ptrdiff_t>(objectives);
    }
    if (trial.status == Status::infeasible && (trial.violation = *violation++) < 0.0) {
      state->note("violations", "no negative number", fmt::to_string(trial.violation));
    }
    trials_.push_back(std::move(trial));
  }
}

}  // namespace ridgeline
