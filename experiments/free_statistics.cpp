#include "experiments/free_statistics.hpp"

#include <vector>

#include "experiments/cost_features.hpp"
#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"
#include "spaces/proxies.hpp"

namespace ridgeline {

std::span<const std::string> free_statistic_names() {
  static const std::vector<std::string> names{"log macs",      "log weights", "log elements", "log peak bytes",
                                              "log latency_s", "entropy",     "effectiveness"};
  return names;
}

Eigen::RowVectorXd free_statistics(const Design& design, const HardwareModel& device) {
  const Cost cost = device.estimate(design);
  if (!cost.problem().empty()) {
    throw ConfigError({"--device", "", "a device that runs every network of the space", device.name(),
                       cost.problem() + "; ridgeline device list shows others"});
  }
  const std::vector<double> counts = log_counts(design.network);
  const ProxyScore proxy = score(design.network);
  Eigen::RowVectorXd values(static_cast<Eigen::Index>(free_statistic_names().size()));
  values << counts[0], counts[1], counts[2],
      log_cost(static_cast<double>(peak_activation_bytes(design.network, design.precision))), log_cost(cost.latency_s),
      proxy.entropy, proxy.effectiveness;
  return values;
}

}  // namespace ridgeline
