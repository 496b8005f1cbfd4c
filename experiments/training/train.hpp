// Trains one candidate of a space, or the supernet of all, on a labelled data set, epoch by epoch, with a checkpoint
// after each. The last checkpoint holds only what is evaluated.
//
// Same configuration, seed, data and number of threads: the same weights, bit for bit, for any number of interruptions:
// what was done of an epoch that did not end is done again. Training sees the train and validation splits only.
#pragma once

#include <atomic>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "experiments/data/batches.hpp"
#include "experiments/training/checkpoint.hpp"
#include "kernels/training/step_times.hpp"

namespace ridgeline {

// Progressive shrinking: for so many epochs, all dimensions or those named differ between the candidates of a step.
struct ShrinkPhase {
  int epochs = 1;
  bool all_open = true;
  std::vector<std::string> open{};
};

struct SupernetConfig {
  std::size_t candidates = 4;         // trained in a step
  bool sandwich = true;               // the largest and the smallest are among them
  double distillation = 1.0;          // share of the largest one's answers in what the others learn
  std::vector<ShrinkPhase> phases{};  // their epochs add up to those of the training; empty: one of all
};

// Training through number formats (kernels/training/training_graph.hpp); validation is in them too.
struct TrainingFormats {
  std::string formats;  // of all weights and activations: "int8", or WEIGHTS/ACTIVATIONS; "genes": the space's own
  RoundingWay way = RoundingWay::fake;
};

// A policy over number formats, learned while the supernet trains (controller.hpp).
struct ControllerConfig {
  std::string cost;      // of one image: what is counted of the network, or what the device's model gives
  std::string device{};  // empty: counted
  double target = 0;     // of the cost, in its own unit, more than 0
  double weight = 1.0;   // of the cost in the reward
  double from = 0.25;    // share of the steps before the policy draws and learns, in [0, 1)
  bool all = false;      // the policy chooses the architecture too; else it is the largest
  double learning_rate = 0.1;
  double entropy = 0.01;  // bonus at the policy's first step, falling to 0
};

struct TrainConfig {
  std::string data;  // folder or description of a data set
  int epochs = 8;
  std::int64_t batch = 64;
  OptimizerOptions optimizer;
  std::string schedule = "cosine";
  double warmup_epochs = 0.5;
  double schedule_power = 10.0;  // cosine_power
  double learning_rate = 0.1;
  double clip_norm = 5.0;
  double average_decay = 0.0;
  double label_smoothing = 0.1;
  AugmentOptions augment;
  Format format = f32;
  int threads = 1;
  std::uint64_t seed = 1;
  std::optional<SupernetConfig> supernet{};  // of a model without genome
  std::optional<TrainingFormats> quantize{};
  std::optional<ControllerConfig> controller{};  // of a supernet trained through the space's own formats
  std::string from{};  // checkpoint of the same network or supernet to begin with; empty: random weights
};

// What a resumed run must share, threads included: sums of another number of threads round otherwise. `from` is not in
// it: it is known by its contents.
Json train_config_json(const TrainConfig& config);

struct TrainProgress {
  int epoch = 0, epochs = 0;        // from 1
  std::size_t step = 0, steps = 0;  // of the epoch
  double loss = 0, accuracy = 0;    // means of the epoch so far
  double images_per_s = 0, left_s = 0;
};

struct TrainHooks {
  std::function<void(const std::string&)> note;  // before the first step: what the user may not expect
  std::function<void(const TrainProgress&)> progress;
  std::function<void(const EpochRecord&)> epoch_done;
  const std::atomic<bool>* stop = nullptr;
};

struct TrainResult {
  ModelCheckpoint checkpoint;
  std::int64_t parameters = 0, macs = 0;
  int resumed_at = 0;                     // epochs that were there already
  std::optional<StepTimes> step_times{};  // of a training through number formats that has ended now
  bool stopped = false;
};

// A space with parameters `classes`, `channels` or `resolution` that the user has not replaced takes them from the
// data.
void fit_to_data(ModelSource& model, const Dataset& data, const Resources& resources);

// Goes on from `path` where it holds a checkpoint of the same training. Throws ConfigError (also when it is of another
// one), Unsupported, Diverged.
TrainResult train_model(ModelSource model, const Resources& resources, const TrainConfig& config,
                        const std::string& path, const TrainHooks& hooks = {});

}  // namespace ridgeline
