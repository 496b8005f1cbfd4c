#include "experiments/report/report_preview.hpp"

#include <algorithm>
#include <map>
#include <memory>

#include "experiments/evaluator.hpp"
#include "experiments/report/report_formats.hpp"
#include "experiments/study/device_limits.hpp"

namespace ridgeline {
namespace {

struct Sample {
  std::vector<Genome> genomes;
  std::vector<Design> designs;
  std::vector<Candidate> candidates;
};

Sample drawn(const StudyConfig& config, const SearchSpace& space, std::size_t count) {
  Sample sample;
  for (std::size_t i = 0; i < count; ++i) {
    Rng rng(config.seed, "preview", i);
    sample.genomes.push_back(space.sample(rng));
    sample.designs.push_back(decode_for(config, space, sample.genomes.back()));
  }
  for (std::size_t i = 0; i < count; ++i) {
    sample.candidates.push_back({static_cast<std::int64_t>(i), &sample.genomes[i], &sample.designs[i]});
  }
  return sample;
}

// The objective's own evaluator where it only computes, else its screen, else nothing.
std::unique_ptr<Evaluator> cheap_evaluator(const ObjectiveConfig& objective, const EvaluatorSetup& setup,
                                           Json& source) {
  for (const Json* options : {&objective.from, objective.screen ? &*objective.screen : nullptr}) {
    if (options == nullptr) continue;
    JsonDocument document = JsonDocument::from_value(*options, "objective " + objective.objective.name);
    std::unique_ptr<Evaluator> evaluator = make_evaluator(document.root(), setup);
    document.raise();
    if (evaluator->exclusive()) continue;
    source = *options;
    return evaluator;
  }
  return nullptr;
}

void summarise_values(PreviewObjective& preview, std::vector<double> values) {
  preview.values = values.size();
  preview.objective.scale = scale_for(values, preview.objective.objective.unit);
  if (values.empty()) return;
  std::sort(values.begin(), values.end());
  preview.least = values.front();
  preview.most = values.back();
  preview.median = values[values.size() / 2];
}

bool keeps_limit(double value, const Objective& objective) {
  return !objective.limit || minimised(value, objective.direction) <= minimised(*objective.limit, objective.direction);
}

}  // namespace

double valid_share(const SearchSpace& space, std::uint64_t seed, std::size_t draws) {
  std::size_t valid = 0;
  for (std::size_t i = 0; i < draws; ++i) {
    Rng rng(seed, "valid share", i);
    Genome genome;
    for (const Dimension& dimension : space.dims()) {
      genome.genes.push_back(static_cast<std::uint16_t>(rng.below(dimension.choices.size())));
    }
    valid += space.violation(space.normalise(std::move(genome))) ? 0 : 1;
  }
  return draws == 0 ? 0.0 : static_cast<double>(valid) / static_cast<double>(draws);
}

StudyPreview preview_study(const StudyConfig& config, const Resources& resources, std::size_t sample_size) {
  const SearchSpace space = resources.load_space(config.space, config.space_options);
  StudyPreview preview;
  preview.space = space.name();
  preview.dimensions = space.dims().size();
  preview.log10_size = space.log10_size();
  preview.draws = sample_size;
  preview.valid_share = valid_share(space, config.seed, preview.draws);
  const Sample sample = drawn(config, space, sample_size);
  preview.sample = sample_size;
  std::vector<bool> feasible(sample_size, true);
  std::map<std::string, std::size_t> reasons;
  StudyRecord record;
  record.config = config.canonical.dump();
  for (const ObjectiveConfig& one : config.objectives) record.objectives.push_back(one.objective);
  const std::vector<ReportObjective> described = described_objectives(record);
  for (std::size_t i = 0; i < config.objectives.size(); ++i) {
    PreviewObjective objective;
    objective.objective = described[i];
    EvaluatorSetup setup;
    setup.space = &space;
    setup.resources = &resources;
    setup.objective = config.objectives[i].objective.name;
    setup.seed = config.seed;
    setup.limited_costs = limited_costs(config);
    Json source;
    if (const std::unique_ptr<Evaluator> evaluator = cheap_evaluator(config.objectives[i], setup, source)) {
      objective.by = source_text(source);
      std::vector<Score> scores(sample_size);
      evaluator->evaluate(sample.candidates, scores);
      std::vector<double> values;
      std::size_t within = 0;
      for (std::size_t k = 0; k < sample_size; ++k) {
        const bool ok = scores[k].status == Status::ok;
        if (ok) values.push_back(scores[k].value);
        if (!ok) ++reasons[scores[k].reason];
        const bool keeps = ok && keeps_limit(scores[k].value, config.objectives[i].objective);
        within += keeps ? 1 : 0;
        feasible[k] = feasible[k] && keeps;
      }
      if (!values.empty()) objective.within_limit = static_cast<double>(within) / static_cast<double>(values.size());
      summarise_values(objective, std::move(values));
    }
    preview.objectives.push_back(std::move(objective));
  }
  const auto kept = std::count(feasible.begin(), feasible.end(), true);
  preview.feasible_share = sample_size == 0 ? 0.0 : static_cast<double>(kept) / static_cast<double>(sample_size);
  preview.reasons.assign(reasons.begin(), reasons.end());
  std::stable_sort(preview.reasons.begin(), preview.reasons.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  return preview;
}

Json preview_json(const StudyPreview& preview) {
  Json json{{"space", preview.space},
            {"dimensions", preview.dimensions},
            {"log10_size", preview.log10_size},
            {"draws", preview.draws},
            {"valid_share", preview.valid_share},
            {"sample", preview.sample},
            {"feasible_share", preview.feasible_share}};
  json["objectives"] = Json::array();
  for (const PreviewObjective& one : preview.objectives) {
    Json objective = objective_json(one.objective.objective);
    objective["proxy"] = one.objective.proxy;
    objective["by"] = one.by.empty() ? Json() : Json(one.by);
    objective["values"] = one.values;
    if (one.values > 0) {
      objective["least"] = one.least;
      objective["median"] = one.median;
      objective["most"] = one.most;
      objective["within_limit"] = one.within_limit;
    }
    json["objectives"].push_back(std::move(objective));
  }
  json["reasons"] = Json::array();
  for (const auto& [reason, count] : preview.reasons)
    json["reasons"].push_back({{"reason", reason}, {"candidates", count}});
  return json;
}

}  // namespace ridgeline
