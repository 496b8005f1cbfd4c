// Post-training quantization: a trained network and calibration images to designs that are ready to run in any
// precision plan, with ranges chosen, weights rounded and biases corrected as passes.hpp says.
//
// What is of the network is done once; what is of a tensor or a kernel in a format, when a plan first asks for it.
// Layers are rounded for the inputs that they have in f32, so that what one gets does not depend on the others'
// formats.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <vector>

#include "experiments/data/dataset.hpp"
#include "experiments/quantization/passes.hpp"
#include "experiments/training/trained_model.hpp"
#include "kernels/quantization/folded_norms.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

// Immutable to its users; thread-safe.
class PostTraining {
 public:
  using Progress = std::function<void(std::size_t done, std::size_t total)>;
  // `model` is adapted to the data (trained_model.hpp). Looks at options.images images of `train`, in an order that is
  // always the same, and finds the same numbers with any number of threads.
  PostTraining(const TrainedModel& model, const LabelledImages& train, const PostTrainingOptions& options, int threads,
               const Progress& progress = {});
  PostTraining(PostTraining&&) noexcept;
  PostTraining& operator=(PostTraining&&) noexcept;
  ~PostTraining();

  const PostTrainingOptions& options() const { return options_; }
  // The network in f32 after the passes that keep its function.
  const Design& design() const { return design_; }
  std::span<const Range> ranges() const { return ranges_; }  // of each of its nodes' outputs, over the images
  // `plan` is of the network that the constructor was given.
  Design quantized(const PrecisionPlan& plan) const;

 private:
  struct Calibration;  // histograms, moments, and what was made of them so far

  void transform(const LabelledImages& images, const Normalisation& normalisation, int threads,
                 const std::function<void()>& looked);
  void gather(const LabelledImages& images, const Normalisation& normalisation, int threads,
              const std::function<void()>& looked);

  PostTrainingOptions options_;
  FoldedNorms folded_;  // of the model; without a design where nothing was folded
  Design design_;
  std::vector<Range> ranges_;
  std::unique_ptr<Calibration> calibration_;
};

}  // namespace ridgeline
