// What candidates cost on other devices: what DeviceTransfer (predictors/device_transfer.hpp) predicts a new one from.
// Either values of a published table, or latencies that described devices' models estimate.
#pragma once

#include <Eigen/Core>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "experiments/evaluators/table.hpp"
#include "hwmodels/hardware_model.hpp"

namespace ridgeline {

struct OtherCostSource {
  std::string table;               // a name or path; empty: devices
  std::vector<std::string> names;  // values of the table, or devices by name or path
  std::string text() const;        // "nasbench201:latency_s_pixel3,latency_s_raspi4", "pixel_6,raspberry_pi_4"
  // From that text.
  static OtherCostSource parse(const std::string& text);
};

// Thread-safe once made.
class OtherCosts {
 public:
  // Throws ConfigError: no such table, value or device; no name; values of the table that are not positive.
  // `precision`: the format of everything, for devices. The space must outlive this.
  OtherCosts(const SearchSpace& space, const Resources& resources, OtherCostSource source,
             std::optional<std::string> precision = {});

  const OtherCostSource& source() const { return source_; }
  const std::optional<std::string>& precision() const { return precision_; }
  // Of everything in the table's columns, or of the device files.
  std::uint64_t fingerprint() const { return fingerprint_; }
  // genomes.size() x names, positive; NaN throughout a row whose costs are not known: no row of the table, a device
  // that cannot run it.
  Eigen::MatrixXd rows(std::span<const Genome> genomes) const;
  // Costs of the designs there are: of all rows of the table, or of 300 random candidates. Rows that are known.
  Eigen::MatrixXd pool() const;

 private:
  std::optional<double> cost(const Genome& genome, const Design* design, std::size_t k) const;

  const SearchSpace* space_;
  OtherCostSource source_;
  std::optional<std::string> precision_;
  std::optional<Table> table_;
  std::vector<std::size_t> columns_;
  std::vector<std::unique_ptr<HardwareModel>> models_;
  std::uint64_t fingerprint_ = 0;
};

}  // namespace ridgeline
