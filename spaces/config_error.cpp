#include "spaces/config_error.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <numeric>
#include <utility>

namespace ridgeline {
namespace {

std::size_t edit_distance(std::string_view a, std::string_view b) {
  std::vector<std::size_t> row(b.size() + 1);
  std::iota(row.begin(), row.end(), std::size_t{0});
  for (std::size_t i = 1; i <= a.size(); ++i) {
    std::size_t diagonal = row[0];
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t substituted = diagonal + (a[i - 1] == b[j - 1] ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({row[j] + 1, row[j - 1] + 1, substituted});
    }
  }
  return row[b.size()];
}

std::string joined(const std::vector<Problem>& problems) {
  std::string text;
  for (const Problem& problem : problems) {
    if (!text.empty()) text += '\n';
    text += problem.text();
  }
  return text;
}

}  // namespace

std::string Problem::text() const {
  std::string line = file;
  if (!path.empty()) line += (line.empty() ? "" : ": ") + path;
  if (!line.empty()) line += ": ";
  line += "expected " + expected;
  if (!found.empty()) line += ", found " + found;
  if (!remedy.empty()) line += "; " + remedy;
  return line;
}

ConfigError::ConfigError(std::vector<Problem> problems) : problems_(std::move(problems)), what_(joined(problems_)) {}

ConfigError::ConfigError(Problem problem) : ConfigError(std::vector<Problem>{std::move(problem)}) {}

std::string nearest_word(std::string_view word, std::span<const std::string> known) {
  std::string best;
  std::size_t best_distance = std::max<std::size_t>(2, word.size() / 3) + 1;
  for (const std::string& candidate : known) {
    const std::size_t distance = edit_distance(word, candidate);
    // Two words without a letter in common are no slip of each other, however short.
    if (distance < best_distance && distance < std::max(word.size(), candidate.size())) {
      best_distance = distance;
      best = candidate;
    }
  }
  return best;
}

std::string known_words(std::string_view word, std::span<const std::string> known) {
  constexpr std::size_t most = 12;
  std::string text;
  if (const std::string nearest = nearest_word(word, known); !nearest.empty()) {
    text = fmt::format("did you mean '{}'? ", nearest);
  }
  text += "known: ";
  for (std::size_t i = 0; i < known.size() && i < most; ++i) text += (i ? ", " : "") + known[i];
  if (known.size() > most) text += fmt::format(" and {} more", known.size() - most);
  return text;
}

}  // namespace ridgeline
