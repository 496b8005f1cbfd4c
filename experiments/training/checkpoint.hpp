// A trained, or half-trained, network in one file: what it is, how it was trained, its numbers, and where training was.
//
// A network that was trained through number formats ends its parameters with the ranges that it has learned
// (kernels/training/rounding_sites.hpp); `training.quantize` names the formats. Its files have version 2, those of a
// supernet whose training a controller leads version 3, others 1.
//
// The file: a signature line, one line of JSON (version, model, training, sections with their lengths), the sections as
// little-endian f32, and a hash over all of it. Written whole or not at all. A file that is cut, damaged, of another
// version or of another network is refused with ConfigError, naming both sides.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "experiments/resources.hpp"
#include "kernels/training/trainer.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {

// How the network is found again: a space, what its parameters were replaced by, and a genome.
struct ModelSource {
  std::string space;  // name or path
  std::map<std::string, Json> parameters;
  Genome genome;  // without genes: the supernet of all candidates
  bool supernet() const { return genome.genes.empty(); }
};

struct EpochRecord {
  int epoch = 0;  // from 1
  double train_loss = 0, train_accuracy = 0, validation_loss = 0, validation_accuracy = 0;
  double learning_rate = 0, seconds = 0;
  std::optional<double> smallest_accuracy{};  // supernets: of the smallest candidate; the others are of the largest
  std::optional<double> policy_entropy{};     // of a controller after the epoch, as a share of that of uniform choices
};

struct ModelCheckpoint {
  ModelSource model;
  std::uint64_t space_fingerprint = 0, network_hash = 0;  // structural_hash of one sample's network; a supernet's
                                                          // SharedParameters::fingerprint
  Json training;                                          // configuration that a resumed run must share
  std::string data_name, data_path;                       // path as the user named it
  std::uint64_t data_fingerprint = 0;
  std::vector<float> mean, stddev;  // of the images, one a channel
  std::vector<std::string> class_names;
  int epochs_done = 0;
  std::vector<EpochRecord> history;
  TrainingState state;
  Json controller{};  // what a controller has learned and found (controller.hpp); null where none leads the training
};

// Taken out of a supernet: no training of its own goes on from it.
inline bool is_extracted(const ModelCheckpoint& checkpoint) { return checkpoint.training.contains("extracted_from"); }

// The formats that it was trained through, as trained_plan() reads them (rounding_sites.hpp); empty: none.
std::string trained_formats(const ModelCheckpoint& checkpoint);

Json history_json(const std::vector<EpochRecord>& history);

void write_checkpoint(const std::string& path, const ModelCheckpoint& checkpoint);
ModelCheckpoint read_checkpoint(const std::string& path);
bool is_checkpoint(const std::string& path);  // by its signature; false where there is no such file

struct LoadedModel {
  ModelCheckpoint checkpoint;
  Network network;  // of one sample
  Weights weights;  // the moving average where one was kept
  // What it was trained through, and the ranges (executed_formats.hpp); empty where it was in full precision.
  PrecisionPlan plan{};
  std::vector<float> ranges{};
};
// The checkpoint's numbers as those of `network`, of one sample, whose genes ask for `precision`. Throws
// std::invalid_argument and Unsupported.
LoadedModel loaded_model(ModelCheckpoint checkpoint, Network network, const PrecisionPlan& precision);
// Decodes the checkpoint's network and gives it its numbers. Throws ConfigError when the space has changed.
LoadedModel load_model(const std::string& path, const Resources& resources);
SearchSpace open_space(const ModelSource& model, const Resources& resources, std::int64_t batch = 1);

// Only what is evaluated: the moving average where one was kept.
TrainingState without_history(TrainingState state);

// `parameters` and `statistics` of a state as the weights of `network`. Throws std::invalid_argument when they are of
// another one.
Weights weights_of(const Network& network, const TrainingState& state, const PrecisionPlan& plan = {});

}  // namespace ridgeline
