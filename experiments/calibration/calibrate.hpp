// Learning this machine: peaks, bandwidths, and the latency of layers inside whole networks.
//
// Networks are sampled from the spaces the machine will be searched with, chosen so that as many kinds of layer as
// possible are in them, and from chains of layers that no space was asked about. Each is timed as a whole and layer by
// layer, in many short turns in random order, beside a small reference network: every sample is taken relative to the
// reference's time around it, so that the machine's changes of speed fall out. The layers' own times are the prior of a
// linear model of the whole times (predictors/ridge.hpp): what a layer adds to a network, with what fusion, layouts and
// caches make of it.
//
// The result is a table device (hwmodels/table_model.hpp), usable wherever a device file is.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "experiments/store/store.hpp"
#include "hwmodels/table_model.hpp"
#include "kernels/environment.hpp"
#include "kernels/microbenchmark.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {

struct CalibrationProgress {
  std::string phase;  // "peaks", "bandwidth", "mobilenet_v2 int8", "shapes bf16", "fit"
  std::size_t done = 0, total = 0;
};

struct CalibrateOptions {
  std::string name = "host";
  std::vector<const SearchSpace*> spaces;                        // what to learn well; may be empty
  std::vector<std::string> formats{"f32", "int8"};               // the spaces in these
  std::vector<std::string> grid_formats{"f32", "bf16", "int8"};  // the chains of layers in these
  int threads = 1;
  double budget_s = 270.0;  // of everything; at least 10
  std::uint64_t seed = 1;
  bool microbenchmarks = true;
};

// How well the fitted table explains the networks it was made from, each predicted without itself.
struct CalibrationFit {
  std::string format;
  std::size_t networks = 0, layers = 0;
  double penalty = 0;  // chosen by the same leave-one-out error
  double mape_percent = 0, within_5 = 0, within_10 = 0;
  double gap_percent = 0;  // median of (sum of the layers' own times - whole) / whole
};

struct CalibrationResult {
  TableDevice device;
  Json json;                         // what host.json holds
  std::vector<LayerLatency> layers;  // rows of the store
  Environment environment;
  std::vector<PeakResult> peaks;
  std::vector<BandwidthResult> bandwidths;
  std::vector<CalibrationFit> fits;
  double elapsed_s = 0;
};

// Throws ConfigError: an unknown format, a budget below 10 s, formats this machine does not execute.
CalibrationResult calibrate(const CalibrateOptions& options,
                            const std::function<void(const CalibrationProgress&)>& progress = {});

// What the machine's speed is read from: a mobile network small enough to stay in a core's own caches in every format.
Design reference_network(const Format& format);

// A chain of random convolutions (full, pointwise, depthwise), pools and a linear layer, in the shapes that image
// networks have.
Design random_chain(std::uint64_t seed, std::uint64_t number, const Format& format);

// A space's genome in a uniform format, or in its own where it has precision genes (an empty format text).
Design decode_as(const SearchSpace& space, const Genome& genome, const std::string& format);

// One network as calibration saw it.
struct TimedNetwork {
  std::vector<LayerKey> layers;
  std::vector<double> layer_s;  // each layer's own time, median; empty when only the whole was timed
  std::vector<double> layer_mad_s;
  std::vector<double> whole_s;  // samples
  std::uint64_t function_hash = 0;
  double footprint_bytes = 0;  // hwmodels/layers.hpp
  double reference_s = 0;      // the reference network's median time while this was timed
};

// The table of one format from its networks. Exposed for tests.
struct LayerFit {
  std::vector<TableEntry> entries;
  FootprintCurve footprint;
  CalibrationFit quality;
};
LayerFit fit_layers(std::span<const TimedNetwork> networks, std::span<const double> knots_bytes);

// Footprints at which the curve may bend: around the size of every cache beyond the first.
std::vector<double> footprint_knots(const Environment& environment, int threads);

// Why a calibrated device does not hold here, naming both environments; empty when it does.
std::string environment_mismatch(const TableDevice& device, const Environment& here);

}  // namespace ridgeline
