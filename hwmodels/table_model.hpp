// A device that was calibrated: the latency of a network is the sum over its executed layers of what calibration learnt
// for each, inside whole networks, so that fused operations, layout changes and cache effects are in the numbers.
//
// A layer the table does not have is estimated from its nearest relatives: the roofline's time for it, times the ratio
// between table and roofline of the layers most like it (same kind, formats and kernel; distance over the logarithms of
// channels, sizes and operations). OpCost::bound_by says which it was: "table", "nearest" or, with no relative, the
// roofline's own bound.
//
// On top comes what a layer alone does not tell: what every inference costs or saves whatever its layers, and where the
// weights come from, because a network that outgrows a cache fetches them from the next one at every inference. That
// depends on the footprint of the whole network; it is learnt as a constant and a piecewise linear curve, and shared
// out over the layers by their time.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <unordered_map>
#include <vector>

#include "hwmodels/roofline.hpp"

namespace ridgeline {

struct TableEntry {
  LayerKey key;
  double latency_s = 0;   // corrected: what the layer adds to a whole network
  double measured_s = 0;  // median in context, before the correction
  double mad_s = 0;
  std::int64_t samples = 0;  // networks it was seen in
};

// seconds = constant + sum over knots of slope * max(0, footprint - knot); the footprint is held within what
// calibration saw.
struct FootprintCurve {
  std::vector<double> knots_bytes, slopes_s_per_byte;  // equal lengths
  double least_bytes = 0, most_bytes = 0;
  double constant_s = 0;
  double at(double footprint_bytes) const;
};

// A network of the calibration, by which the machine's speed can be compared with what it was then.
struct Anchor {
  std::string space;              // its name
  std::string space_fingerprint;  // SearchSpace::fingerprint, 16 hexadecimal digits
  std::string format;
  std::vector<std::uint16_t> genes;
};

struct TableDevice {
  RooflineDevice roofline;  // name, about, peaks and bandwidths as measured
  std::string environment;  // fingerprint of the environment it holds for; empty: a table written by hand
  Json environment_json;    // the environment in words, for messages
  int threads = 1;
  std::map<std::string, double> reference_s;        // format -> the reference network's time when this was calibrated
  std::map<std::string, FootprintCurve> footprint;  // arithmetic ("int8") -> curve
  std::vector<TableEntry> layers;
  std::vector<Anchor> anchors;
  Json about_calibration = Json::object();  // protocol, microbenchmarks, fit: for the reader
};

TableDevice read_table_device(JsonDocument& document);  // notes problems in the document; does not raise
Json write_table_device(const TableDevice& device);

class TableModel final : public HardwareModel {
 public:
  explicit TableModel(TableDevice device);  // throws ConfigError: an empty table
  static std::unique_ptr<HardwareModel> make(JsonDocument document);

  const std::string& name() const override { return device_.roofline.name; }
  using HardwareModel::estimate;
  void estimate(std::span<const Design> designs, std::span<Cost> costs) const override;

  const TableDevice& device() const { return device_; }
  const TableEntry* find(const LayerKey& key) const;  // nullptr: not in the table
  // The estimate for a layer that is not in the table; nullopt where it has no relatives.
  std::optional<double> nearest(const ExecutedLayer& layer) const;

 private:
  struct Relative {
    std::array<double, 5> place;  // logarithms of in and out channels, in and out positions, operations
    double log_ratio;             // table over roofline
  };
  void estimate_one(const Design& design, Cost& cost) const;
  // False: nothing is known of this layer's format.
  bool estimate_layer(const ExecutedLayer& layer, double network_weight_bytes, OpCost& op) const;
  // What the network as a whole adds to the sum of its layers.
  double beyond_layers_s(std::span<const ExecutedLayer> layers) const;

  TableDevice device_;
  RooflineModel roofline_;
  std::unordered_map<std::uint64_t, std::size_t> index_;                // LayerKey::hash -> layers
  std::unordered_map<std::uint64_t, std::vector<Relative>> relatives_;  // family -> its members
  std::array<FootprintCurve, arithmetic_count> curves_;
};

}  // namespace ridgeline
