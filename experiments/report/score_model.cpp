#include "experiments/report/score_model.hpp"

#include <limits>

#include "experiments/free_statistics.hpp"
#include "predictors/device_transfer.hpp"
#include "predictors/graph/graph_regressor.hpp"

namespace ridgeline {
namespace {

constexpr double unknown = std::numeric_limits<double>::quiet_NaN();

class RowModel final : public ScoreModel {
 public:
  RowModel(std::shared_ptr<const FeatureSet> features, std::unique_ptr<Predictor> predictor)
      : features_(std::move(features)), predictor_(std::move(predictor)) {}

  void fit(std::span<const Genome> genomes, const Eigen::VectorXd& values) override {
    predictor_->fit(features_->rows(genomes), values);
  }
  Prediction predict(std::span<const Genome> genomes) const override {
    return predictor_->predict(features_->rows(genomes));
  }
  Eigen::VectorXd predict_mean(std::span<const Genome> genomes) const override {
    return predictor_->predict_mean(features_->rows(genomes));
  }
  Json save() const override { return predictor_->save(); }
  void load(const Json& state) override { predictor_->load(state); }
  const FeatureSet* features() const override { return features_.get(); }
  const Predictor* predictor() const override { return predictor_.get(); }

 private:
  std::shared_ptr<const FeatureSet> features_;
  std::unique_ptr<Predictor> predictor_;
};

// `made` of the candidates that something is known of, NaN of the others.
template <typename Predict>
Prediction of_known(const std::vector<Eigen::Index>& known, Eigen::Index count, const Predict& predict) {
  Prediction all{Eigen::VectorXd::Constant(count, unknown), Eigen::VectorXd::Constant(count, unknown)};
  if (known.empty()) return all;
  const Prediction made = predict();
  all.mean(known) = made.mean;
  all.stddev(known) = made.stddev;
  return all;
}

class TransferModel final : public ScoreModel {
 public:
  explicit TransferModel(std::shared_ptr<const OtherCosts> others) : others_(std::move(others)) {
    const Eigen::MatrixXd pool = others_->pool();
    if (pool.rows() == 0) {
      throw ConfigError({"--from", "", "devices that run candidates of the space", others_->source().text(),
                         "ridgeline device list shows others"});
    }
    transfer_.emplace(pool);
  }

  void fit(std::span<const Genome> genomes, const Eigen::VectorXd& values) override {
    const Eigen::MatrixXd rows = others_->rows(genomes);
    const std::vector<Eigen::Index> known = finite(rows);
    if (known.empty() || !(values.minCoeff() > 0)) {
      throw ConfigError({"--from", "", "positive values, of candidates whose other costs are known",
                         others_->source().text(), "name other devices, or another objective"});
    }
    transfer_->fit(rows(known, Eigen::all), values(known));
  }
  Prediction predict(std::span<const Genome> genomes) const override {
    const Eigen::MatrixXd rows = others_->rows(genomes);
    const std::vector<Eigen::Index> known = finite(rows);
    return of_known(known, rows.rows(), [&] { return transfer_->predict(rows(known, Eigen::all)); });
  }
  Json save() const override { return transfer_->save(); }
  void load(const Json& state) override {
    transfer_->load(state);
    if (transfer_->devices() == static_cast<Eigen::Index>(others_->source().names.size())) return;
    throw ConfigError({"transfer state", "centre", "as many devices as are named", std::to_string(transfer_->devices()),
                       "train it again"});
  }

 private:
  static std::vector<Eigen::Index> finite(const Eigen::MatrixXd& rows) {
    std::vector<Eigen::Index> known;
    for (Eigen::Index i = 0; i < rows.rows(); ++i) {
      if (rows.row(i).allFinite()) known.push_back(i);
    }
    return known;
  }

  std::shared_ptr<const OtherCosts> others_;
  std::optional<DeviceTransfer> transfer_;
};

class GraphModel final : public ScoreModel {
 public:
  GraphModel(const SearchSpace& space, const Resources& resources, std::optional<std::string> precision,
             GraphScoreOptions options)
      : space_(&space),
        resources_(&resources),
        precision_(std::move(precision)),
        options_(std::move(options)),
        regressor_(options_of(options_)) {}

  void fit(std::span<const Genome> genomes, const Eigen::VectorXd& values) override {
    if (options_.pretrain > 0 && !regressor_.pretrained()) pretrain();
    std::vector<NetworkGraph> graphs;
    const std::vector<Eigen::Index> known = graphs_of(genomes, graphs);
    if (known.empty()) {
      throw ConfigError({"--predictor", "", "candidates that decode to networks", "none", "use ridge"});
    }
    const std::vector<const NetworkGraph*> pointers = pointers_to(graphs);
    const GraphTask task{0, pointers, values(known)};
    regressor_.fit({&task, 1});
  }
  Prediction predict(std::span<const Genome> genomes) const override {
    std::vector<NetworkGraph> graphs;
    const std::vector<Eigen::Index> known = graphs_of(genomes, graphs);
    const std::vector<const NetworkGraph*> pointers = pointers_to(graphs);
    return of_known(known, static_cast<Eigen::Index>(genomes.size()), [&] { return regressor_.predict(pointers); });
  }
  Json save() const override { return regressor_.save(); }
  void load(const Json& state) override { regressor_.load(state); }

 private:
  static GraphRegressorOptions options_of(const GraphScoreOptions& options) {
    GraphRegressorOptions made;
    made.seed = options.seed;
    return made;
  }
  static std::vector<const NetworkGraph*> pointers_to(const std::vector<NetworkGraph>& graphs) {
    std::vector<const NetworkGraph*> pointers;
    for (const NetworkGraph& graph : graphs) pointers.push_back(&graph);
    return pointers;
  }

  std::optional<Design> design_of(const Genome& genome) const {
    try {
      Design design = space_->decode(genome);
      if (precision_) design.precision = PrecisionPlan::uniform(design.network, *precision_);
      return design;
    } catch (const ConfigError&) {  // the study will find the same, and say why
      return std::nullopt;
    }
  }

  // Of those that decode; which these are.
  std::vector<Eigen::Index> graphs_of(std::span<const Genome> genomes, std::vector<NetworkGraph>& graphs) const {
    std::vector<Eigen::Index> known;
    for (std::size_t i = 0; i < genomes.size(); ++i) {
      const std::optional<Design> design = design_of(genomes[i]);
      if (!design) continue;
      known.push_back(static_cast<Eigen::Index>(i));
      graphs.push_back(network_graph(design->network, design->precision));
    }
    return known;
  }

  void pretrain() {
    const std::unique_ptr<HardwareModel> device = load_device(resources_->device(options_.device));
    Rng rng(options_.seed, "unlabelled networks");
    std::vector<NetworkGraph> graphs;
    std::vector<Eigen::RowVectorXd> rows;
    for (std::size_t i = 0; i < options_.pretrain; ++i) {
      const std::optional<Design> design = design_of(space_->sample(rng));
      if (!design) continue;
      graphs.push_back(network_graph(design->network, design->precision));
      rows.push_back(free_statistics(*design, *device));
    }
    RowMatrix statistics(static_cast<Eigen::Index>(rows.size()),
                         static_cast<Eigen::Index>(free_statistic_names().size()));
    for (std::size_t i = 0; i < rows.size(); ++i) statistics.row(static_cast<Eigen::Index>(i)) = rows[i];
    const std::vector<const NetworkGraph*> pointers = pointers_to(graphs);
    const GraphSpace space{pointers, statistics};
    regressor_.pretrain({&space, 1}, options_.progress);
  }

  const SearchSpace* space_;
  const Resources* resources_;
  std::optional<std::string> precision_;
  GraphScoreOptions options_;
  GraphRegressor regressor_;
};

}  // namespace

std::unique_ptr<ScoreModel> make_row_model(const SearchSpace& space, const PredictedBy& by,
                                           std::shared_ptr<const CostFeatures> costs, std::span<const Genome> known) {
  std::shared_ptr<const FeatureSet> features = make_feature_set(by.features, space, known, {std::move(costs)});
  if (!features) {
    throw ConfigError({"--features", "", "features that '" + space.name() + "' has, and not too many",
                       name_of(by.features), "use genes"});
  }
  return std::make_unique<RowModel>(std::move(features), make_predictor(by.predictor));
}

std::unique_ptr<ScoreModel> make_transfer_model(std::shared_ptr<const OtherCosts> others) {
  return std::make_unique<TransferModel>(std::move(others));
}

std::unique_ptr<ScoreModel> make_graph_model(const SearchSpace& space, const Resources& resources,
                                             const std::optional<std::string>& precision,
                                             const GraphScoreOptions& options) {
  return std::make_unique<GraphModel>(space, resources, precision, options);
}

}  // namespace ridgeline
