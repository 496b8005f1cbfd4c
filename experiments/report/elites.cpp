#include "experiments/report/elites.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <map>

#include "experiments/report/report_explain.hpp"
#include "experiments/report/stored_study.hpp"
#include "search/evolution/elite_grid.hpp"

namespace ridgeline {
namespace {

constexpr std::int64_t default_cells = 10;

std::optional<double> number_of(std::string_view text) {
  double value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || !std::isfinite(value)) return std::nullopt;
  return value;
}

// The trials that count, and what names mean.
class Candidates {
 public:
  Candidates(const Store& store, const StudyRecord& record, const SearchSpace& space)
      : record_(record), space_(space), trials_(store.load(record.id)) {
    for (const Trial& trial : trials_) {
      if (trial.status == Status::ok) fidelity_ = std::max(fidelity_, trial.fidelity);
    }
    std::erase_if(trials_, [&](const Trial& t) { return t.status != Status::ok || t.fidelity != fidelity_; });
    if (!trials_.empty()) return;
    throw ConfigError({store.path(), record.name, "a feasible trial", "none",
                       fmt::format("search on: ridgeline resume {} --trials {} --db {}", shell_quoted(record.name),
                                   std::max<std::int64_t>(100, 2 * record.trials), shell_quoted(store.path()))});
  }

  const StudyRecord& record() const { return record_; }
  const SearchSpace& space() const { return space_; }
  std::span<const Trial> trials() const { return trials_; }
  Fidelity fidelity() const { return fidelity_; }

  double value(const Trial& trial, std::size_t objective) const {
    return natural(trial.values[objective], record_.objectives[objective].direction);
  }
  std::pair<double, double> range(std::size_t objective) const {
    std::pair<double, double> range{value(trials_[0], objective), value(trials_[0], objective)};
    for (const Trial& trial : trials_) {
      range.first = std::min(range.first, value(trial, objective));
      range.second = std::max(range.second, value(trial, objective));
    }
    return range;
  }

  std::optional<std::size_t> objective(const std::string& name) const {
    const auto found = std::ranges::find(record_.objectives, name, &Objective::name);
    if (found == record_.objectives.end()) return std::nullopt;
    return static_cast<std::size_t>(found - record_.objectives.begin());
  }
  std::optional<std::size_t> dimension(const std::string& name) const {
    const auto found = std::ranges::find(space_.dims(), name, &Dimension::name);
    if (found == space_.dims().end()) return std::nullopt;
    return static_cast<std::size_t>(found - space_.dims().begin());
  }
  [[noreturn]] void unknown(const std::string& flag, const std::string& name) const {
    std::vector<std::string> known;
    for (const Objective& one : record_.objectives) known.push_back(one.name);
    for (const Dimension& one : space_.dims()) known.push_back(one.name);
    throw ConfigError(
        {flag, "", "an objective or a dimension of the study", "'" + name + "'", known_words(name, known)});
  }
  // The gene of a choice as it is printed.
  std::uint16_t gene(const std::string& flag, std::size_t dimension, const std::string& word) const {
    const Dimension& dim = space_.dims()[dimension];
    std::vector<std::string> known;
    for (const Json& choice : dim.choices) known.push_back(choice_text(choice));
    const auto found = std::ranges::find(known, word);
    if (found != known.end()) return static_cast<std::uint16_t>(found - known.begin());
    throw ConfigError({flag, "", "a choice of " + dim.name, "'" + word + "'", known_words(word, known)});
  }

 private:
  const StudyRecord& record_;
  const SearchSpace& space_;
  std::vector<Trial> trials_;
  Fidelity fidelity_ = Fidelity::analytic;
};

// One of "descriptors" from "latency_s=0:0.02:10", "latency_s", "edge[0]".
Json descriptor_of(const Candidates& candidates, const std::string& text) {
  const std::string name = text.substr(0, text.find('='));
  const std::optional<std::size_t> objective = candidates.objective(name);
  const bool ranged = name.size() < text.size();
  if (!objective && !candidates.dimension(name)) candidates.unknown("--by", name);
  const auto refuse = [&](const std::string& expected) {
    throw ConfigError({"--by", "", expected, "'" + text + "'",
                       objective ? "for example " + name + "=0:1:10" : name + " alone, a cell a choice"});
  };
  if (!objective) {
    if (ranged) refuse("no range, as a dimension has a cell for each of its choices");
    return {{"dimension", name}};
  }
  if (!ranged) {
    auto [from, to] = candidates.range(*objective);
    if (!(from < to)) to = from + std::max(std::abs(from), 1.0);  // all alike: in the first cell
    return {{"objective", name}, {"from", from}, {"to", to}, {"cells", default_cells}};
  }
  std::vector<std::string> parts{""};
  for (const char c : text.substr(name.size() + 1)) {
    if (c == ':') {
      parts.emplace_back();
    } else {
      parts.back() += c;
    }
  }
  if (parts.size() < 2 || parts.size() > 3) refuse("NAME=FROM:TO or NAME=FROM:TO:CELLS");
  const auto from = number_of(parts[0]), to = number_of(parts[1]);
  const auto cells = number_of(parts.size() == 3 ? parts[2] : std::to_string(default_cells));
  if (!from || !to || !cells || !(*from < *to)) refuse("two numbers that ascend, in the objective's unit");
  if (*cells < 1 || *cells > 100'000 || *cells != std::floor(*cells)) refuse("1 to 100000 cells");
  return {{"objective", name}, {"from", *from}, {"to", *to}, {"cells", static_cast<std::int64_t>(*cells)}};
}

EliteGrid grid_of(const Candidates& candidates, const StudyConfig& config, const ElitesOptions& options) {
  Json descriptors = Json::object();
  if (!options.by.empty()) {
    for (const std::string& one : options.by) descriptors["descriptors"].push_back(descriptor_of(candidates, one));
  } else if (config.searcher == "map-elites") {
    if (config.searcher_options.contains("descriptors")) {
      descriptors["descriptors"] = config.searcher_options.at("descriptors");
    }
  } else {
    const std::string last = candidates.record().objectives.back().name;
    throw ConfigError(
        {"--by", "", "what candidates are told apart by, as the study was searched by " + config.searcher, "none",
         fmt::format("for example --by {} --by {}, objectives with or without FROM:TO:CELLS and dimensions", last,
                     candidates.space().dims().front().name)});
  }
  JsonDocument document = JsonDocument::from_value(std::move(descriptors), "--by");
  JsonReader root = document.root();
  EliteGrid grid(root, candidates.space(), candidates.record().objectives);
  document.raise();
  if (!grid.axes().empty()) return grid;
  throw ConfigError(
      {"--by", "", "something that candidates are told apart by", "none", "name objectives or dimensions"});
}

// The natural order of an objective that is maximised is the other way round.
bool reversed(const EliteAxis& axis, std::span<const Objective> objectives) {
  return axis.by_value && objectives[axis.index].direction == Direction::maximise;
}

ElitesAxis axis_of(const EliteAxis& axis, const Candidates& candidates) {
  ElitesAxis made{axis.name, axis.name, axis.by_value, {}, {}, {}};
  if (!axis.by_value) {
    for (const Json& choice : candidates.space().dims()[axis.index].choices) made.labels.push_back(choice_text(choice));
    return made;
  }
  const Objective& objective = candidates.record().objectives[axis.index];
  const bool turned = reversed(axis, candidates.record().objectives);
  const double from = turned ? -axis.to : axis.from, to = turned ? -axis.from : axis.to;
  for (std::size_t i = 0; i <= axis.cells; ++i) {
    made.bounds.push_back(from + (to - from) * static_cast<double>(i) / static_cast<double>(axis.cells));
  }
  made.scale = scale_for(made.bounds, objective.unit);
  made.label = plain_name(objective.name, objective.unit);
  for (std::size_t i = 0; i < axis.cells; ++i) {
    made.labels.push_back(
        fmt::format("{} to {}", made.scale.number(made.bounds[i]), made.scale.number(made.bounds[i + 1])));
  }
  return made;
}

// The archive: the best candidate of each cell.
class Archive {
 public:
  Archive(const Candidates& candidates, const EliteGrid& grid, std::size_t score)
      : candidates_(candidates), grid_(grid), score_(score) {
    for (const Trial& trial : candidates.trials()) {
      const Trial*& elite = cells_[grid.cell(trial.genome.genes, trial.values)];
      if (elite == nullptr || better(trial, *elite)) elite = &trial;
    }
  }

  // Of equal ones the earlier.
  bool better(const Trial& a, const Trial& b) const {
    return a.values[score_] != b.values[score_] ? a.values[score_] < b.values[score_] : a.id < b.id;
  }
  const std::map<std::size_t, const Trial*>& cells() const { return cells_; }

  Elite elite(const Trial& trial) const {
    Elite made;
    made.place = grid_.place(grid_.cell(trial.genome.genes, trial.values));
    for (std::size_t i = 0; i < made.place.size(); ++i) {
      const EliteAxis& axis = grid_.axes()[i];
      if (reversed(axis, candidates_.record().objectives)) made.place[i] = axis.cells - 1 - made.place[i];
    }
    made.trial = trial.id;
    made.score = candidates_.value(trial, score_);
    for (std::size_t i = 0; i < trial.values.size(); ++i) made.values.push_back(candidates_.value(trial, i));
    made.genome = candidates_.space().describe(trial.genome);
    made.choices = grouped_choices(candidates_.space(), trial.genome);
    return made;
  }

 private:
  const Candidates& candidates_;
  const EliteGrid& grid_;
  std::size_t score_;
  std::map<std::size_t, const Trial*> cells_;
};

// One of --where.
struct Condition {
  enum class Kind : std::uint8_t { below, at_most, above, at_least, equal };
  Kind kind = Kind::equal;
  std::optional<std::size_t> objective;
  double bound = 0, range = 1;
  std::size_t dimension = 0;
  std::uint16_t gene = 0;

  // 0 where it holds.
  double miss(const Candidates& candidates, const Trial& trial) const {
    if (!objective) {
      const bool active = candidates.space().active(trial.genome)[dimension];
      return active && trial.genome.genes[dimension] == gene ? 0.0 : 1.0;
    }
    const double value = candidates.value(trial, *objective);
    const bool holds = (kind == Kind::below && value < bound) || (kind == Kind::at_most && value <= bound) ||
                       (kind == Kind::above && value > bound) || (kind == Kind::at_least && value >= bound) ||
                       (kind == Kind::equal && value == bound);
    // At a bound that is not met itself the distance is 0, and it is missed all the same.
    return holds ? 0.0 : std::max(std::abs(value - bound) / range, 1e-12);
  }
};

Condition condition_of(const Candidates& candidates, const std::string& text) {
  const std::size_t at = text.find_first_of("<>=");
  const char* const form = "NAME<VALUE, NAME<=VALUE, NAME>VALUE, NAME>=VALUE or NAME=VALUE";
  if (at == std::string::npos || at == 0) {
    throw ConfigError({"--where", "", form, "'" + text + "'",
                       fmt::format("for example \"{}<1\", in quotes", candidates.record().objectives.back().name)});
  }
  const bool with_equal = text[at] != '=' && at + 1 < text.size() && text[at + 1] == '=';
  const std::string name = text.substr(0, at), bound = text.substr(at + (with_equal ? 2 : 1));
  using Kind = Condition::Kind;
  Condition made;
  made.kind = text[at] == '<'   ? (with_equal ? Kind::at_most : Kind::below)
              : text[at] == '>' ? (with_equal ? Kind::at_least : Kind::above)
                                : Kind::equal;
  made.objective = candidates.objective(name);
  if (made.objective) {
    const std::optional<double> value = number_of(bound);
    if (!value) {
      const std::string& unit = candidates.record().objectives[*made.objective].unit;
      throw ConfigError({"--where", "", unit.empty() ? "a number" : "a number of " + unit, "'" + bound + "'", ""});
    }
    made.bound = *value;
    const auto [least, most] = candidates.range(*made.objective);
    if (least < most) made.range = most - least;
    return made;
  }
  const std::optional<std::size_t> dimension = candidates.dimension(name);
  if (!dimension) candidates.unknown("--where", name);
  if (made.kind != Kind::equal) {
    throw ConfigError({"--where", "", name + "=CHOICE, as a dimension has choices", "'" + text + "'", ""});
  }
  made.dimension = *dimension;
  made.gene = candidates.gene("--where", *dimension, bound);
  return made;
}

ElitesAnswer answer_of(const Candidates& candidates, const Archive& archive, const std::vector<std::string>& where) {
  ElitesAnswer answer;
  std::vector<Condition> conditions;
  for (const std::string& one : where) {
    conditions.push_back(condition_of(candidates, one));
    answer.asked += (answer.asked.empty() ? "" : " and ") + one;
  }
  const auto missed = [&](const Trial& trial) {
    double sum = 0.0;
    for (const Condition& one : conditions) sum += one.miss(candidates, trial);
    return sum;
  };
  const Trial* best = nullptr;
  for (const Trial& trial : candidates.trials()) {
    if (missed(trial) > 0.0) continue;
    ++answer.meeting;
    if (best == nullptr || archive.better(trial, *best)) best = &trial;
  }
  if (best != nullptr) {
    answer.best = archive.elite(*best);
    return answer;
  }
  double least = 0.0;
  for (const auto& [cell, elite] : archive.cells()) {
    const double miss = missed(*elite);
    if (best != nullptr && (miss > least || (miss == least && !archive.better(*elite, *best)))) continue;
    least = miss;
    best = elite;
  }
  answer.nearest = archive.elite(*best);
  return answer;
}

// A cell on one axis, and how far another is from it.
struct Wanted {
  std::size_t axis = 0;
  std::size_t cell = 0;
  bool ordered = true;
};

Wanted wanted_of(const Candidates& candidates, const EliteGrid& grid, const std::string& text) {
  const std::size_t equals = text.find('=');
  const std::string name = text.substr(0, equals);
  std::vector<std::string> known;
  for (const EliteAxis& axis : grid.axes()) known.push_back(axis.name);
  const auto found = std::ranges::find(known, name);
  if (equals == std::string::npos || found == known.end()) {
    throw ConfigError(
        {"--near", "", "NAME=VALUE, with one of the axes of --by", "'" + text + "'", known_words(name, known)});
  }
  Wanted wanted{static_cast<std::size_t>(found - known.begin()), 0, true};
  const EliteAxis& axis = grid.axes()[wanted.axis];
  const std::string word = text.substr(equals + 1);
  if (!axis.by_value) {
    wanted.cell = candidates.gene("--near", axis.index, word);
    wanted.ordered = candidates.space().dims()[axis.index].ordered;
    return wanted;
  }
  const std::optional<double> value = number_of(word);
  if (!value) throw ConfigError({"--near", "", "a number", "'" + word + "'", ""});
  std::vector<double> values(candidates.record().objectives.size(), 0.0);
  values[axis.index] = minimised(*value, candidates.record().objectives[axis.index].direction);
  wanted.cell = axis.cell({}, values);
  return wanted;
}

ElitesNeighbour neighbour_of(const Candidates& candidates, const EliteGrid& grid, const Archive& archive,
                             const std::vector<std::string>& near) {
  ElitesNeighbour found;
  std::vector<Wanted> wanted;
  for (const std::string& one : near) {
    wanted.push_back(wanted_of(candidates, grid, one));
    found.asked += (found.asked.empty() ? "" : " and ") + one;
  }
  const Trial* best = nullptr;
  double least = 0.0;
  for (const auto& [cell, elite] : archive.cells()) {
    const std::vector<std::size_t> place = grid.place(cell);
    double squares = 0.0;
    for (const Wanted& one : wanted) {
      const double away = static_cast<double>(place[one.axis]) - static_cast<double>(one.cell);
      squares += one.ordered ? away * away : (away == 0.0 ? 0.0 : 1.0);
    }
    if (best != nullptr && (squares > least || (squares == least && !archive.better(*elite, *best)))) continue;
    least = squares;
    best = elite;
  }
  found.distance = std::sqrt(least);
  found.elite = archive.elite(*best);
  return found;
}

std::size_t score_of(const Candidates& candidates, const std::string& name) {
  const std::vector<Objective>& objectives = candidates.record().objectives;
  std::vector<std::string> known;
  for (std::size_t i = 0; i < objectives.size(); ++i) {
    if (objectives[i].constraint_only) continue;
    if (name.empty() || objectives[i].name == name) return i;
    known.push_back(objectives[i].name);
  }
  throw ConfigError({"--score", "", "an objective that is optimised", "'" + name + "'", known_words(name, known)});
}

}  // namespace

ElitesReport elites_of(const Store& store, const Resources& resources, const ElitesOptions& options) {
  const StudyRecord record = find_study(store, options.study);
  const StudyConfig config = parse_study(JsonDocument::parse(record.config, "stored configuration"));
  const SearchSpace space = stored_space(record, config, resources);
  const Candidates candidates(store, record, space);
  const EliteGrid grid = grid_of(candidates, config, options);
  ElitesReport report;
  report.study = record.name;
  report.database = store.path();
  report.score = score_of(candidates, options.score);
  report.fidelity = candidates.fidelity();
  report.cells = grid.cells();
  report.candidates = candidates.trials().size();
  report.objectives = described_objectives(record);
  for (std::size_t i = 0; i < report.objectives.size(); ++i) {
    const auto [least, most] = candidates.range(i);
    const std::vector<double> ends{least, most};
    report.objectives[i].scale = scale_for(ends, report.objectives[i].objective.unit);
  }
  for (const EliteAxis& axis : grid.axes()) report.axes.push_back(axis_of(axis, candidates));
  const auto [least, most] = candidates.range(report.score);
  report.worst = record.objectives[report.score].direction == Direction::maximise ? least : most;
  const Archive archive(candidates, grid, report.score);
  for (const auto& [cell, trial] : archive.cells()) {
    report.elites.push_back(archive.elite(*trial));
    report.qd_score += std::abs(report.elites.back().score - report.worst);
  }
  std::ranges::sort(report.elites, {}, &Elite::place);
  if (!options.where.empty()) report.answer = answer_of(candidates, archive, options.where);
  if (!options.near.empty()) report.neighbour = neighbour_of(candidates, grid, archive, options.near);
  return report;
}

std::vector<std::vector<std::optional<std::size_t>>> elites_table(const ElitesReport& report) {
  const std::size_t rows = report.axes[0].labels.size();
  const std::size_t columns = report.axes.size() > 1 ? report.axes[1].labels.size() : 1;
  std::vector<std::vector<std::optional<std::size_t>>> table(rows, std::vector<std::optional<std::size_t>>(columns));
  const bool most = report.objectives[report.score].objective.direction == Direction::maximise;
  for (std::size_t i = 0; i < report.elites.size(); ++i) {
    const Elite& one = report.elites[i];
    std::optional<std::size_t>& there = table[one.place[0]][report.axes.size() > 1 ? one.place[1] : 0];
    const bool better =
        !there || (most ? one.score > report.elites[*there].score : one.score < report.elites[*there].score);
    if (better) there = i;
  }
  return table;
}

}  // namespace ridgeline
