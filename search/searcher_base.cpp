#include "search/searcher_base.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

std::string rng_text(const Rng& rng) {
  std::string text;
  for (const std::uint64_t word : rng.state()) text += hex64(word);
  return text;
}

Rng::State rng_state(JsonReader& reader, const std::string& key) {
  const std::string text = reader.string(key, "");
  Rng::State state{};
  bool good = text.size() == 16 * state.size();
  for (std::size_t i = 0; good && i < state.size(); ++i) {
    const char* begin = text.data() + 16 * i;
    const auto [end, error] = std::from_chars(begin, begin + 16, state[i], 16);
    good = error == std::errc() && end == begin + 16;
  }
  // A generator of zeros would give zeros for ever.
  if (!good || state == Rng::State{}) reader.note(key, "64 hexadecimal digits, not all 0", fmt::format("'{}'", text));
  return state;
}

}  // namespace

SearcherBase::SearcherBase(const SearchSpace& space, const SearcherSetup& setup, std::string signature)
    : space_(&space),
      signature_(std::move(signature)),
      fingerprint_(hex64(space.fingerprint())),
      objectives_(setup.objectives.size()),
      seed_(setup.seed),
      rng_(setup.seed, signature_),
      warm_(setup.warm) {}

Genome SearcherBase::draw(Rng& rng) {
  if (begun_with_ < warm_.genomes.size()) return warm_.genomes[begun_with_++];
  return space_->normalise(space_->sample(rng));
}

std::vector<Genome> SearcherBase::ask(std::size_t n) {
  if (n == 0) throw std::logic_error("Searcher::ask: n is 0");
  if (asked_ != 0) throw std::logic_error("Searcher::ask: the last batch was not told");
  std::vector<Genome> genomes = propose(n);
  asked_ = genomes.size();
  return genomes;
}

void SearcherBase::tell(std::span<const Trial> trials) {
  if (trials.size() != asked_) {
    throw std::logic_error(fmt::format("Searcher::tell: {} trials told, {} asked", trials.size(), asked_));
  }
  for (const Trial& trial : trials) check(trial);
  asked_ = 0;
  learn(trials);
}

void SearcherBase::check(const Trial& trial) const {
  const bool may_have_values = trial.status == Status::ok || trial.status == Status::infeasible;
  const bool right = trial.genome.genes.size() == space_->dims().size() && trial.rung == rung() &&
                     (trial.has_values() ? may_have_values && trial.values.size() == objectives_
                                         : trial.status != Status::ok || objectives_ == 0) &&
                     std::all_of(trial.values.begin(), trial.values.end(), [](double v) { return std::isfinite(v); });
  if (!right) throw std::logic_error(fmt::format("Searcher::tell: trial {} has the wrong shape", trial.id));
}

State SearcherBase::save() const {
  if (asked_ != 0) throw std::logic_error("Searcher::save: the last batch was not told");
  Json data = {{"space", fingerprint_}, {"rng", rng_text(rng_)}};
  if (!warm_.genomes.empty()) data["begun_with"] = begun_with_;
  write(data);
  return {signature_, std::move(data)};
}

void SearcherBase::load(const State& state) {
  const std::string origin = "saved state of the searcher";
  if (state.signature != signature_) {
    throw ConfigError({origin, "signature", fmt::format("'{}'", signature_), fmt::format("'{}'", state.signature),
                       "resume with the program and searcher that wrote it"});
  }
  JsonDocument document = JsonDocument::from_value(state.data, origin);
  JsonReader reader = document.root();
  if (const std::string found = reader.string("space", ""); found != fingerprint_) {
    reader.note("space", fmt::format("a state of the space {}", fingerprint_), fmt::format("'{}'", found),
                "resume with the space it was written for");
  }
  const Rng::State words = rng_state(reader, "rng");
  if (!warm_.genomes.empty()) {
    begun_with_ = static_cast<std::size_t>(reader.integer(
        "begun_with", {.fallback = {}, .least = 0, .most = static_cast<std::int64_t>(warm_.genomes.size())}));
  }
  document.raise();
  read(reader);
  reader.finish();
  document.raise();
  rng_ = Rng(words);
  asked_ = 0;
}

std::size_t OptionsReader::count(const std::string& key, std::int64_t fallback, std::int64_t least, std::int64_t most) {
  const std::int64_t value = reader_.integer(key, {.fallback = fallback, .least = least, .most = most});
  return static_cast<std::size_t>(std::clamp(value, least, most));
}

std::vector<Genome> OptionsReader::genomes(const std::string& key, const SearchSpace& space) {
  std::vector<Genome> genomes;
  const Json* list = reader_.any(key);
  if (list == nullptr) return genomes;
  if (!list->is_array()) reader_.note(key, "a list of genomes", describe(*list));
  for (std::size_t i = 0; list->is_array() && i < list->size(); ++i) {
    try {
      Genome genome = space.from_json((*list)[i]);
      const std::optional<std::string> wrong = space.violation(genome);
      if (wrong) reader_.note(key, "genomes that keep the space's constraints", *wrong);
      if (!wrong) genomes.push_back(std::move(genome));
    } catch (const ConfigError& error) {
      const Problem& problem = error.problems().front();
      reader_.note(key, problem.expected, fmt::format("{} in genome {}", problem.found, i), problem.remedy);
    }
  }
  return genomes;
}

void OptionsReader::done() {
  reader_.finish();
  document_.raise();
}

}  // namespace ridgeline
