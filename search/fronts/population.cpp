#include "search/fronts/population.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstring>
#include <string_view>

#include "search/blocks.hpp"
#include "search/fronts/pareto.hpp"

namespace ridgeline {
namespace {

constexpr std::string_view digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz-_";

constexpr std::array<int, 256> digit_values() {
  std::array<int, 256> values{};
  values.fill(-1);
  for (std::size_t i = 0; i < digits.size(); ++i) {
    values[static_cast<unsigned char>(digits[i])] = static_cast<int>(i);
  }
  return values;
}

std::vector<std::size_t> counted_objectives(const SearcherSetup& setup) {
  std::vector<std::size_t> counted;
  for (std::size_t i = 0; i < setup.objectives.size(); ++i) {
    if (!setup.objectives[i].constraint_only) counted.push_back(i);
  }
  if (counted.empty()) {
    throw ConfigError({setup.origin, "", "at least one objective to optimise",
                       setup.objectives.empty() ? "none" : "only objectives that are limited",
                       "add an objective, or use the searcher 'random' or 'exhaustive'"});
  }
  return counted;
}

template <typename T>
void keep_rows(std::vector<T>& rows, std::vector<T>& kept, std::span<const std::uint32_t> indices, std::size_t width,
               std::size_t threads) {
  kept.resize(indices.size() * width);
  over_blocks(indices.size(), threads, [&](std::size_t begin, std::size_t end, std::size_t) {
    for (std::size_t i = begin; i < end; ++i) {
      std::copy_n(rows.data() + indices[i] * width, width, kept.data() + i * width);
    }
  });
  rows.swap(kept);
}

bool comparable(const Trial& trial) {
  return trial.status == Status::ok ||
         (trial.status == Status::infeasible && trial.violation > 0.0 && std::isfinite(trial.violation));
}

}  // namespace

GenomeText::GenomeText(const SearchSpace& space) : space_(&space) {
  for (const Dimension& dimension : space.dims()) {
    const std::size_t most = dimension.choices.size() - 1;
    widths_.push_back(most < 64 ? 1 : most < 4096 ? 2 : 3);
    length_ += widths_.back();
  }
}

std::string GenomeText::write(std::span<const std::uint16_t> genes) const {
  std::string text(length_, '0');
  std::size_t end = 0;
  for (std::size_t i = 0; i < genes.size(); ++i) {
    end += widths_[i];
    std::size_t value = genes[i];
    for (std::size_t k = 1; k <= widths_[i]; ++k, value /= 64) text[end - k] = digits[value % 64];
  }
  return text;
}

std::optional<Genome> GenomeText::read(const std::string& text, JsonReader& reader, const std::string& key) const {
  static constexpr std::array<int, 256> values = digit_values();
  const auto refuse = [&](const std::string& why) {
    reader.note(key, "the text of a genome of this space", fmt::format("'{}' ({})", text, why));
    return std::nullopt;
  };
  if (text.size() != length_) return refuse(fmt::format("{} characters, not {}", text.size(), length_));
  Genome genome;
  std::size_t at = 0;
  for (const std::uint8_t width : widths_) {
    int value = 0;
    for (std::uint8_t k = 0; k < width; ++k) {
      const int digit = values[static_cast<unsigned char>(text[at++])];
      if (digit < 0) return refuse("a character that is no digit");
      value = value * 64 + digit;
    }
    if (value > 0xffff) return refuse("a gene out of range");
    genome.genes.push_back(static_cast<std::uint16_t>(value));
  }
  if (const auto why = space_->violation(genome)) return refuse(*why);
  if (space_->normalise(genome) != genome) return refuse("not normalised");
  return genome;
}

Population::Population(const SearchSpace& space, const SearcherSetup& setup)
    : dims_(space.dims().size()), counted_(counted_objectives(setup)), text_(space) {}

bool Population::beats(std::size_t i, std::size_t j) const {
  if (violations_[i] != violations_[j]) return violations_[i] < violations_[j];
  return violations_[i] == 0.0 && dominates(values(i), values(j));
}

bool Population::equals(std::size_t i, std::size_t j) const {
  return violations_[i] == violations_[j] && (violations_[i] > 0.0 || std::ranges::equal(values(i), values(j)));
}

void Population::append(std::span<const std::uint16_t> genes, double violation) {
  genes_.insert(genes_.end(), genes.begin(), genes.end());
  violations_.push_back(violation);
  hashes_.push_back(hash_genes(genes));
}

bool Population::add(const Trial& trial) {
  if (!comparable(trial)) return false;
  append(trial.genome.genes, trial.status == Status::ok ? 0.0 : trial.violation);
  for (const std::size_t k : counted_) values_.push_back(trial.has_values() ? trial.values[k] : 0.0);
  return true;
}

std::vector<std::size_t> Population::add(std::span<const Trial> trials, std::size_t threads) {
  std::vector<std::size_t> others;
  for (std::size_t i = 0; i < trials.size(); ++i) {
    if (!comparable(trials[i])) others.push_back(i);
  }
  const std::size_t m = objectives(), old = size(), whole = old + trials.size() - others.size();
  genes_.resize(whole * dims_);
  values_.resize(whole * m);
  violations_.resize(whole);
  hashes_.resize(whole);
  over_blocks(trials.size(), threads, [&](std::size_t begin, std::size_t end, std::size_t) {
    auto left_out = std::ranges::lower_bound(others, begin);
    std::size_t at = old + begin - static_cast<std::size_t>(left_out - others.begin());
    for (std::size_t i = begin; i < end; ++i) {
      if (left_out != others.end() && *left_out == i) {
        ++left_out;
        continue;
      }
      const Trial& trial = trials[i];
      std::ranges::copy(trial.genome.genes, genes_.data() + at * dims_);
      for (std::size_t k = 0; k < m; ++k) values_[at * m + k] = trial.has_values() ? trial.values[counted_[k]] : 0.0;
      violations_[at] = trial.status == Status::ok ? 0.0 : trial.violation;
      hashes_[at] = hash_genes(trial.genome.genes);
      ++at;
    }
  });
  return others;
}

void Population::add(const Population& other, std::size_t member) {
  append(other.genes(member), other.violation(member));
  const auto values = other.values(member);
  values_.insert(values_.end(), values.begin(), values.end());
}

void Population::replace(std::size_t i, const Population& other, std::size_t member) {
  std::ranges::copy(other.genes(member), genes_.begin() + static_cast<std::ptrdiff_t>(i * dims_));
  std::ranges::copy(other.values(member), values_.begin() + static_cast<std::ptrdiff_t>(i * objectives()));
  violations_[i] = other.violation(member);
  hashes_[i] = other.hash(member);
}

void Population::erase_first(std::size_t count) {
  const auto cut = [count](auto& rows, std::size_t width) {
    rows.erase(rows.begin(), rows.begin() + static_cast<std::ptrdiff_t>(count * width));
  };
  cut(genes_, dims_);
  cut(values_, objectives());
  cut(violations_, 1);
  cut(hashes_, 1);
}

void Population::keep(std::span<const std::uint32_t> indices, std::size_t threads) {
  keep_rows(genes_, kept_genes_, indices, dims_, threads);
  keep_rows(values_, kept_values_, indices, objectives(), threads);
  keep_rows(violations_, kept_values_, indices, 1, threads);
  keep_rows(hashes_, kept_hashes_, indices, 1, threads);
}

void Population::clear() {
  genes_.clear();
  values_.clear();
  violations_.clear();
  hashes_.clear();
}

Json Population::save() const {
  Json genes = Json::array();
  for (std::size_t i = 0; i < size(); ++i) genes.push_back(text_.write(this->genes(i)));
  return {{"genes", std::move(genes)}, {"values", values_}, {"violations", violations_}};
}

void Population::load(JsonReader& reader, const std::string& key, std::size_t most) {
  clear();
  std::optional<JsonReader> members = reader.object(key);
  if (!members) return;
  const std::vector<std::string> texts = members->strings("genes");
  const std::vector<double> values = members->numbers("values");
  const std::vector<double> violations = members->numbers("violations");
  members->finish();
  if (texts.size() > most) {
    members->note("genes", fmt::format("at most {} members", most), fmt::to_string(texts.size()),
                  "resume with the options it was written with");
  }
  if (violations.size() != texts.size() || values.size() != texts.size() * objectives()) {
    members->note("", fmt::format("{} values and one violation for each genome", objectives()),
                  fmt::format("{} genomes, {} values, {} violations", texts.size(), values.size(), violations.size()));
    return;
  }
  if (std::any_of(violations.begin(), violations.end(), [](double v) { return v < 0.0; })) {
    members->note("violations", "no negative number", "one");
  }
  for (std::size_t i = 0; i < texts.size(); ++i) {
    const std::optional<Genome> genome = text_.read(texts[i], *members, fmt::format("genes[{}]", i));
    if (!genome) return clear();
    append(genome->genes, violations[i]);
  }
  values_ = values;
}

std::uint64_t hash_genes(std::span<const std::uint16_t> genes) {
  std::uint64_t hash = 0x243f6a8885a308d3ULL;
  std::size_t i = 0;
  for (; i + 4 <= genes.size(); i += 4) {
    std::uint64_t word;
    std::memcpy(&word, genes.data() + i, sizeof word);
    hash = (hash ^ word) * 0x9fb21c651e98df25ULL;
    hash ^= hash >> 32;
  }
  for (; i < genes.size(); ++i) {
    hash = (hash ^ genes[i]) * 0x9fb21c651e98df25ULL;
    hash ^= hash >> 32;
  }
  return mix64(hash);
}

}  // namespace ridgeline
