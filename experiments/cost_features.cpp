#include "experiments/cost_features.hpp"

#include <algorithm>
#include <cmath>

#include "experiments/device_costs.hpp"
#include "spaces/counts.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

double log_count(double value) { return std::log(std::max(value, 1.0)); }

}  // namespace

double log_cost(double value) { return std::log(std::max(value, 1e-12)); }

std::vector<double> log_counts(const Network& network) {
  double tensor_elements = 0;
  for (const NodeId node : network.live_nodes()) tensor_elements += static_cast<double>(elements(network.shape(node)));
  return {log_count(static_cast<double>(macs(network))), log_count(static_cast<double>(parameters(network))),
          log_count(tensor_elements)};
}

CostFeatures::CostFeatures(const SearchSpace& space, const Resources& resources, CostSource source)
    : space_(&space),
      source_(std::move(source)),
      names_{"log macs", "log weights", "log elements", "log weight_bytes", "log peak_bytes"} {
  DeviceCosts files;
  Hasher hash;
  for (const std::string& device : source_.devices) {
    const std::string path = resources.device(device);
    models_.push_back(load_device(path));
    hash.add(files.fingerprint(path));
    names_.push_back("log latency_s of " + device);
    if (models_.back()->has_energy()) names_.push_back("log energy_j of " + device);
    names_.push_back(device + " cannot run it");
  }
  fingerprint_ = hash.value();
}

std::vector<double> CostFeatures::row(const Genome& genome) const {
  Design design;
  try {
    design = space_->decode(genome);
    if (source_.precision) design.precision = PrecisionPlan::uniform(design.network, *source_.precision);
  } catch (const ConfigError&) {  // the study will find the same, and say why
    return std::vector<double>(size(), 0.0);
  }
  std::vector<double> row = log_counts(design.network);
  row.push_back(log_count(static_cast<double>(weight_bytes(design.network, design.precision))));
  row.push_back(log_count(static_cast<double>(peak_activation_bytes(design.network, design.precision))));
  for (const std::unique_ptr<HardwareModel>& model : models_) {
    const Cost cost = model->estimate(design);
    const bool runs = cost.problem().empty();
    row.push_back(runs ? log_cost(cost.latency_s) : 0.0);
    if (model->has_energy()) row.push_back(runs ? log_cost(cost.energy_j) : 0.0);
    row.push_back(runs ? 0.0 : 1.0);
  }
  return row;
}

Eigen::MatrixXd CostFeatures::rows(std::span<const Genome> genomes) const {
  Eigen::MatrixXd rows(static_cast<Eigen::Index>(genomes.size()), static_cast<Eigen::Index>(size()));
  for (std::size_t i = 0; i < genomes.size(); ++i) {
    const std::vector<double> one = row(genomes[i]);
    rows.row(static_cast<Eigen::Index>(i)) =
        Eigen::Map<const Eigen::RowVectorXd>(one.data(), static_cast<Eigen::Index>(one.size()));
  }
  return rows;
}

std::shared_ptr<const CostFeatures> searcher_costs(const Json& options, const std::optional<std::string>& precision,
                                                   const SearchSpace& space, const Resources& resources,
                                                   const std::string& origin) {
  if (!options.is_object()) return nullptr;
  const auto features = options.find("features"), device = options.find("device");
  const bool named = features != options.end() && features->is_string() &&
                     features->get<std::string>().find(name_of(FeatureChoice::costs)) != std::string::npos;
  if (!named && device == options.end()) return nullptr;
  CostSource source{{}, precision};
  if (device != options.end()) {
    JsonDocument document = JsonDocument::from_value({{"device", *device}}, origin);
    JsonReader reader = document.root();
    source.devices = device->is_array() ? reader.strings("device") : std::vector{reader.string("device")};
    document.raise();
  }
  return std::make_shared<const CostFeatures>(space, resources, std::move(source));
}

}  // namespace ridgeline
