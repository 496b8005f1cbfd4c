// One network being trained on this machine: gradient, clipping, optimizer, schedule, moving averages. Knows nothing of
// files and data sets; batches come from outside.
//
// Same initial weights, options, batches and number of threads: the same weights, bit for bit, also when training was
// saved and loaded in between. Not thread-safe. Trained through number formats, the parameters end with the ranges that
// are learned (rounding_sites.hpp); they begin with the first batch.
#pragma once

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "kernels/training/descent.hpp"
#include "kernels/training/initial_weights.hpp"
#include "kernels/training/loss.hpp"
#include "kernels/training/training_graph.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

struct TrainerOptions {
  TrainingOptions training;
  DescentOptions descent;
  double statistics_decay = 0.9;  // of batch norms' running statistics
};

class Trainer {
 public:
  // `network` has the training batch as its leading extent. `ranges`: those to begin with; empty: the first batch's.
  // Throws Unsupported and std::invalid_argument.
  Trainer(const Network& network, Weights initial, const TrainerOptions& options, std::vector<float> ranges = {});

  // `images` as the network's input, one distribution over classes a row of `terms`. Throws Diverged and leaves the
  // parameters as they were.
  TrainingStep step(std::span<const float> images, std::span<const LossTerm> terms);

  std::uint64_t steps() const { return descent_.steps(); }
  std::size_t classes() const { return classes_; }
  std::span<const float> logits() const { return graph_.output(); }  // of the last step
  const Weights& weights();                                          // with running statistics
  Weights averaged_weights();  // the moving average, or weights() where none is kept
  // The averaged weights for so many images, in the formats that they are trained through (executed_formats.hpp).
  Design evaluated(std::int64_t batch);

  TrainingState save() const;
  void load(TrainingState state);  // throws std::invalid_argument when it is of another network or optimizer

 private:
  void update_statistics();
  std::span<const float> own(std::span<const float> parameters) const { return parameters.first(own_count_); }

  Network network_;
  TrainerOptions options_;
  Weights weights_;
  TrainingGraph graph_;
  Descent descent_;
  std::size_t classes_, own_count_;  // own: the network's parameters, without ranges
  std::vector<float> gradient_;
};

// Measures the batch-norm statistics of `weights` anew, as the mean over `batches` batches: what weights that were
// averaged, sliced or extracted need before they are evaluated. In the formats of `plan`, over `ranges` (those of
// rounding_sites); a range of 0 is set by the first batch. `fill` writes a batch into the network's input; it is called
// from `threads` threads at once, on whose number nothing depends.
using BatchFill = std::function<void(std::size_t batch, std::span<float> images)>;
void recalibrate(const Network& network, const PrecisionPlan& plan, Weights& weights, std::vector<float>& ranges,
                 int threads, std::size_t batches, const BatchFill& fill);

}  // namespace ridgeline
