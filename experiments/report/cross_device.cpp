#include "experiments/report/cross_device.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "experiments/report/report_explain.hpp"
#include "experiments/report/report_text.hpp"
#include "experiments/report/stored_study.hpp"
#include "experiments/study/study_parts.hpp"

namespace ridgeline {
namespace {

struct Side {
  StudyRecord record;
  StudyConfig config;
  std::size_t quality = 0, cost = 0;
  std::vector<Trial> front;
  std::vector<Design> designs;
  StudyParts parts;
};

Side side_of(const Store& store, const Resources& resources, const std::string& study) {
  Side side;
  side.record = find_study(store, study);
  std::tie(side.quality, side.cost) = quality_and_cost_of(store, side.record);
  JsonDocument document = JsonDocument::parse(side.record.config, "stored configuration of " + study);
  side.config = read_study(document);
  side.parts = make_parts(side.config, resources, document);
  document.raise();
  const SearchSpace space = stored_space(side.record, side.config, resources);
  side.front = store.front(side.record.id, front_of(store, study, resources).front_fidelity);
  if (side.front.empty()) {
    throw ConfigError({store.path(), study, "a study with a front", "no feasible trial",
                       "search on: ridgeline resume " + shell_quoted(study)});
  }
  for (const Trial& member : side.front) side.designs.push_back(decode_for(side.config, space, member.genome));
  return side;
}

std::vector<Side> sides_of(const Store& store, const Resources& resources, const std::vector<std::string>& studies) {
  if (studies.size() < 2) {
    throw ConfigError(
        {"study", "", "two studies or more", std::to_string(studies.size()), "name the searches for several devices"});
  }
  std::set<std::string> named;
  for (const std::string& study : studies) {
    if (!named.insert(study).second) {
      throw ConfigError(
          {"study", "", "every study once", "'" + study + "' twice", "name the searches for several devices"});
    }
  }
  std::vector<Side> sides;
  for (const std::string& study : studies) sides.push_back(side_of(store, resources, study));
  const auto quality = [](const Side& side) { return side.record.objectives[side.quality].name; };
  for (const Side& side : sides) {
    if (quality(side) == quality(sides.front())) continue;
    throw ConfigError({store.path(), side.record.name, fmt::format("the quality '{}'", quality(sides.front())),
                       fmt::format("'{}'", quality(side)), "compare studies of one quality"});
  }
  return sides;
}

// The costs of every member of every front by one study's evaluator; nothing where it has none.
std::vector<Score> scores_of(std::span<const Side> sides, Evaluator& evaluator, const std::function<void()>& progress) {
  std::vector<Candidate> candidates;
  for (const Side& side : sides) {
    for (std::size_t i = 0; i < side.front.size(); ++i) {
      candidates.push_back({side.front[i].id, &side.front[i].genome, &side.designs[i], 0});
    }
  }
  std::vector<Score> scores(candidates.size());
  if (!evaluator.exclusive()) {
    evaluator.evaluate(candidates, scores);
    for (std::size_t i = 0; i < scores.size(); ++i) progress();
    return scores;
  }
  std::vector<Measurement> again = evaluator.time_again(candidates, progress);
  for (std::size_t i = 0; i < scores.size(); ++i) {
    scores[i].value = again[i].median_s;
    scores[i].reason = again[i].reason;
    if (again[i].outcome != Measurement::Outcome::ok) scores[i].status = Status::unsupported;
  }
  return scores;
}

void fill_column(CrossDevice& cross, std::span<const Side> sides, std::size_t column, std::span<const Score> scores) {
  std::size_t next = 0;
  std::vector<ComparedFront> fronts;
  for (std::size_t row = 0; row < sides.size(); ++row) {
    const Side& side = sides[row];
    CrossFigures& figures = cross.figures[row][column];
    for (const Trial& member : side.front) {
      const Score& score = scores[next++];
      if (score.status == Status::ok) {
        figures.members.push_back({natural(member.values[side.quality], Direction::maximise), score.value});
        continue;
      }
      ++figures.unsupported;
      if (std::ranges::find(cross.problems, score.reason) == cross.problems.end()) {
        cross.problems.push_back(score.reason);
      }
    }
    fronts.push_back({side.record.name, "", 0, figures.members});
  }
  const std::vector<Objective> objectives{sides[column].record.objectives[sides[column].quality],
                                          sides[column].record.objectives[sides[column].cost]};
  CrossCost& cost = cross.costs[column];
  cost.box = common_box(objectives, fronts);
  const std::vector<Point>& own = cross.figures[column][column].members;
  for (std::size_t row = 0; row < sides.size(); ++row) {
    CrossFigures& figures = cross.figures[row][column];
    if (cost.box.ideal.empty()) continue;
    figures.hypervolume = hypervolume_share(objectives, cost.box, figures.members);
    figures.over_own = at_equal_quality(figures.members, own);
  }
}

}  // namespace

CrossDevice cross_device(const Store& store, const Resources& resources, const CrossOptions& options) {
  std::vector<Side> sides = sides_of(store, resources, options.studies);
  CrossDevice cross;
  cross.figures.assign(sides.size(), std::vector<CrossFigures>(sides.size()));
  std::size_t members = 0, done = 0;
  for (const Side& side : sides) members += side.front.size();
  const auto progress = [&] {
    if (options.progress) options.progress(std::min(++done, members * sides.size()), members * sides.size());
  };
  for (const Side& side : sides) {
    const Objective& cost = side.record.objectives[side.cost];
    cross.costs.push_back({side.record.name, cost.name, source_text(side.config.objectives[side.cost].from), cost, {}});
  }
  for (std::size_t column = 0; column < sides.size(); ++column) {
    const std::vector<Score> scores = scores_of(sides, *sides[column].parts.from[sides[column].cost], progress);
    fill_column(cross, sides, column, scores);
  }
  return cross;
}

Json cross_device_json(const CrossDevice& cross) {
  const auto number = [](const std::optional<double>& value) { return value ? Json(*value) : Json(); };
  Json json{{"costs", Json::array()}, {"fronts", Json::array()}, {"problems", cross.problems}};
  for (const CrossCost& cost : cross.costs) {
    json["costs"].push_back({{"study", cost.study}, {"objective", cost.objective}, {"by", cost.by}});
  }
  for (std::size_t row = 0; row < cross.figures.size(); ++row) {
    Json at = Json::array();
    for (const CrossFigures& figures : cross.figures[row]) {
      at.push_back({{"members", figures.members},
                    {"unsupported", figures.unsupported},
                    {"hypervolume", figures.hypervolume},
                    {"times_own",
                     {{"mean", number(figures.over_own.mean)},
                      {"largest", number(figures.over_own.largest)},
                      {"matched", figures.over_own.matched}}}});
    }
    json["fronts"].push_back({{"study", cross.costs[row].study}, {"at", std::move(at)}});
  }
  return json;
}

}  // namespace ridgeline
