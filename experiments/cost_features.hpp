// What described devices and counts say of a candidate, as features for predictors: a roofline's latency is far from a
// measured one, but ranks candidates much as it does, and what is left is easier to learn.
//
// Columns, natural logarithms: "log macs", "log weights", "log elements" (of all tensors), "log weight_bytes", "log
// peak_bytes" (spaces/counts.hpp); for each device "log latency_s of NAME", "log energy_j of NAME" where its model has
// energy, and "NAME cannot run it", 1 where it gives no estimate (its other columns are then 0), else 0. All are 0 for
// a candidate that does not decode. A device is as its file describes it: genes for hardware do not change it.
#pragma once

#include <memory>
#include <optional>

#include "experiments/resources.hpp"
#include "hwmodels/hardware_model.hpp"
#include "search/predicted/feature_set.hpp"

namespace ridgeline {

// Logarithms of MACs, weights and elements of all tensors, in this order, of numbers below 1 that of 1.
std::vector<double> log_counts(const Network& network);
// Of a time or an energy; below 1e-12 that of 1e-12.
double log_cost(double value);

// What the features are of; comes from options and goes into files.
struct CostSource {
  std::vector<std::string> devices;        // names or paths; none: counts alone
  std::optional<std::string> precision{};  // the format of everything, where the space has no precision genes
};

class CostFeatures final : public FeatureSet {
 public:
  // Throws ConfigError: no such device. The space must outlive this.
  CostFeatures(const SearchSpace& space, const Resources& resources, CostSource source);

  std::size_t size() const override { return names_.size(); }
  std::vector<std::string> names() const override { return names_; }
  Eigen::MatrixXd rows(std::span<const Genome> genomes) const override;

  const CostSource& source() const { return source_; }
  std::uint64_t fingerprint() const { return fingerprint_; }  // of the device files, and of plug-ins' own code

 private:
  std::vector<double> row(const Genome& genome) const;

  const SearchSpace* space_;
  CostSource source_;
  std::vector<std::unique_ptr<HardwareModel>> models_;
  std::vector<std::string> names_;
  std::uint64_t fingerprint_ = 0;
};

// The features that a searcher's options ask for, by "features": "costs" (or with others, "genes+costs") or "device":
// a name, or a list of names. Null where they do not. Throws ConfigError, `origin` being where the options stand.
std::shared_ptr<const CostFeatures> searcher_costs(const Json& options, const std::optional<std::string>& precision,
                                                   const SearchSpace& space, const Resources& resources,
                                                   const std::string& origin);

}  // namespace ridgeline
