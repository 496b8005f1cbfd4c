#include "experiments/report/learned_score.hpp"

#include <fmt/format.h>

#include <stdexcept>

#include "spaces/hash.hpp"

namespace ridgeline {

namespace {

constexpr const char* transfer_name = "transfer";
constexpr const char* graph_name = "graph";

}  // namespace

std::string LearnedForm::text() const {
  const std::string what = kind == ScoreKind::rows       ? by.text()
                           : kind == ScoreKind::transfer ? transfer_name
                                                         : graph_name;
  return what + (logarithm ? ", of the logarithm" : "");
}

std::unique_ptr<ScoreModel> LearnedScore::make_model(std::span<const Genome> known) const {
  if (form.kind == ScoreKind::transfer) return make_transfer_model(sources.others);
  if (form.kind == ScoreKind::graph) {
    return make_graph_model(*space_, *sources.resources, sources.precision, sources.graph);
  }
  return make_row_model(*space_, form.by, sources.costs, known);
}

void LearnedScore::fit(std::shared_ptr<const SearchSpace> space, std::span<const Genome> genomes,
                       const Eigen::VectorXd& values) {
  space_ = std::move(space);
  if (!model_ || form.kind != ScoreKind::graph) model_ = make_model(genomes);
  model_->fit(genomes, form.logarithm ? Eigen::VectorXd(values.array().log()) : values);
  trials = genomes.size();
}

Eigen::VectorXd LearnedScore::predict(std::span<const Genome> genomes) const {
  Eigen::VectorXd values = model_->predict_mean(genomes);
  if (form.logarithm) values = values.array().exp();
  return values;
}

Prediction LearnedScore::predict_fitted(std::span<const Genome> genomes) const { return model_->predict(genomes); }

Json LearnedScore::save() const {
  LearnedForm plain = form;
  plain.logarithm = false;
  Json json{{"ridgeline_predictor", 1},
            {"study", study},
            {"space", {{"name", space_name}, {"fingerprint", hex64(space_fingerprint)}}},
            {"objective", objective},
            {"unit", unit},
            {"predicted_by", plain.text()},
            {"logarithm", form.logarithm},
            {"trials", trials},
            {"held_out",
             {{"trials", held_out.trials},
              {"rmse", held_out.rmse},
              {"mean_absolute_error", held_out.mean_absolute},
              {"least", held_out.least},
              {"most", held_out.most},
              {"spearman", held_out.spearman}}},
            {"state", model_->save()}};
  save_sources(json);
  return json;
}

// "costs" or "from": what the form looks at, with the fingerprint of what was read; "precision" of networks.
void LearnedScore::save_sources(Json& json) const {
  std::optional<std::string> precision;
  if (form.kind == ScoreKind::transfer) {
    const OtherCosts& others = *sources.others;
    json["from"] = {{"names", others.source().names}, {"fingerprint", hex64(others.fingerprint())}};
    if (!others.source().table.empty()) json["from"]["table"] = others.source().table;
    precision = others.precision();
  } else if (form.kind == ScoreKind::graph) {
    precision = sources.precision;
  } else if (has_costs(form.by.features)) {
    const CostFeatures& costs = *sources.costs;
    json["costs"] = {{"devices", costs.source().devices}, {"fingerprint", hex64(costs.fingerprint())}};
    precision = costs.source().precision;
  }
  if (precision) json["precision"] = *precision;
}

// Devices and tables are read again: from one that has changed since, the model would be given other numbers.
void LearnedScore::read_sources(JsonReader& root, const Resources& resources) {
  sources.resources = &resources;
  if (root.has("precision")) sources.precision = root.string("precision");
  const auto same = [](JsonReader& of, std::uint64_t now) {
    const std::string stored = of.string("fingerprint");
    of.finish();
    if (stored == hex64(now)) return;
    of.note("fingerprint", "that of what is there now, " + hex64(now), stored,
            "a device's file or a table has changed: train it again");
  };
  if (form.kind == ScoreKind::transfer) {
    std::optional<JsonReader> from = root.object("from");
    if (!from) return;
    OtherCostSource source{from->string("table", ""), from->strings("names")};
    sources.others = std::make_shared<const OtherCosts>(*space_, resources, std::move(source), sources.precision);
    same(*from, sources.others->fingerprint());
  } else if (form.kind == ScoreKind::rows && has_costs(form.by.features)) {
    std::optional<JsonReader> costs = root.object("costs");
    if (!costs) return;
    CostSource source{costs->strings("devices"), sources.precision};
    sources.costs = std::make_shared<const CostFeatures>(*space_, resources, std::move(source));
    same(*costs, sources.costs->fingerprint());
  }
}

LearnedScore LearnedScore::load(const std::string& path, std::shared_ptr<const SearchSpace> space,
                                const Resources& resources) {
  JsonDocument document = JsonDocument::load(path);
  JsonReader root = document.root();
  LearnedScore score;
  score.space_ = space;
  root.integer("ridgeline_predictor", {.least = 1, .most = 1});
  score.study = root.string("study");
  if (auto of = root.object("space")) {
    score.space_name = of->string("name");
    const std::string fingerprint = of->string("fingerprint");
    if (fingerprint != hex64(space->fingerprint())) {
      of->note("fingerprint", "that of the study's space, " + hex64(space->fingerprint()),
               fmt::format("{}, of '{}'", fingerprint, score.space_name),
               "train it on a study of this space: ridgeline predictor train");
    }
    of->finish();
  }
  score.space_fingerprint = space->fingerprint();
  score.objective = root.string("objective");
  score.unit = root.string("unit");
  const std::string by = root.string("predicted_by");
  score.form.logarithm = root.boolean("logarithm");
  score.trials = static_cast<std::size_t>(root.integer("trials", {.least = 1}));
  if (auto held = root.object("held_out")) {
    score.held_out = {static_cast<std::size_t>(held->integer("trials", {.least = 0})),
                      held->number("rmse"),
                      held->number("mean_absolute_error"),
                      held->number("least"),
                      held->number("most"),
                      held->number("spearman")};
    held->finish();
  }
  const Json* const state = root.any("state", true);
  const std::optional<PredictedBy> parsed = PredictedBy::parse(by);
  if (parsed && parsed->features != FeatureChoice::network) {
    score.form.by = *parsed;
  } else if (by == transfer_name || by == graph_name) {
    score.form.kind = by == transfer_name ? ScoreKind::transfer : ScoreKind::graph;
  } else {
    root.note("predicted_by", "a predictor on features of genes or costs, 'transfer' or 'graph'", describe(by));
  }
  score.read_sources(root, resources);
  root.finish();
  document.raise();
  try {
    score.model_ = score.make_model({});
  } catch (const ConfigError& error) {
    const Problem& problem = error.problems().front();
    throw ConfigError({path, "predicted_by", problem.expected, "'" + by + "'", "train it again"});
  }
  score.model_->load(*state);
  try {
    Rng rng(1, "learned score");
    const Genome any = space->sample(rng);
    score.predict(std::span(&any, 1));  // as many features as the space has?
  } catch (const std::invalid_argument& error) {
    throw ConfigError({path, "state", "a predictor of the space's features", error.what(), "train it again"});
  }
  return score;
}

}  // namespace ridgeline
