// All networks of a search space trained at once, in one set of shared parameters.
//
// A step takes several candidates of different sizes on the same images and adds up their gradients: the sandwich rule
// (Yu and Huang, 2019, arXiv:1903.05134), several sub-networks a step as in ViT-ResNAS (Liao et al., 2021,
// arXiv:2109.00642). The first learns from the labels, the others from its answers: in-place distillation (Yu et al.,
// BigNAS, 2020, arXiv:2003.11142). Batch norms use the statistics of the batch and keep none: a candidate's are
// measured when it is evaluated, by recalibrate() (kernels/training/trainer.hpp).
//
// Same initial parameters, options, candidates, images and number of threads: the same parameters, bit for bit, also
// when training was saved and loaded in between. Not thread-safe.
#pragma once

#include <functional>
#include <map>
#include <span>
#include <vector>

#include "kernels/training/descent.hpp"
#include "kernels/training/loss.hpp"
#include "kernels/training/shared_parameters.hpp"
#include "kernels/training/training_graph.hpp"

namespace ridgeline {

struct SupernetOptions {
  TrainingOptions training;  // its quantization: all but the plan, which is each candidate's own
  DescentOptions descent;
  double distillation = 1.0;  // share of the first candidate's answers in what the others learn; the rest is labels
  std::string formats{};      // trained through, as trained_plan() reads it (rounding_sites.hpp)
};

class SupernetTrainer {
 public:
  // `space` decodes to networks of the training batch and outlives the trainer. `initial`: parameters to begin with, of
  // this layout or of the one without ranges; empty: random ones. Throws ConfigError, Unsupported and
  // std::invalid_argument.
  SupernetTrainer(const SearchSpace& space, std::uint64_t seed, const SupernetOptions& options,
                  std::span<const float> initial = {});

  // Fills `out` with the step's images at the height and width of `input`, [N, C, H, W].
  using Images = std::function<void(const Shape& input, std::span<float> out)>;
  // One update for all `candidates`, at least one; `terms` as Trainer::step. The loss is the first candidate's. Throws
  // Diverged and leaves the parameters as they were.
  TrainingStep step(std::span<const Genome> candidates, const Images& images, std::span<const LossTerm> terms);

  std::uint64_t steps() const { return descent_.steps(); }
  std::size_t classes() const { return classes_; }
  // Of one candidate of the last step, by its place there, before the update; empty before the first step.
  std::span<const float> logits(std::size_t candidate = 0) const;
  const SharedParameters& layout() const { return layout_; }
  // What is evaluated: the moving average, or the parameters where none is kept.
  std::span<const float> evaluated() const;
  // Puts the channels into the order of their importance: what a phase that first trains fewer of them begins with.
  void order_channels();

  TrainingState save() const;      // no statistics
  void load(TrainingState state);  // throws std::invalid_argument when it is of another supernet or optimizer

 private:
  struct Candidate {
    std::vector<SharedParameters::Slice> slices;
    Shape input;
    TrainingGraph graph;
  };
  Candidate& candidate(const Genome& genome);

  const SearchSpace& space_;
  SupernetOptions options_;
  SharedParameters layout_;
  std::vector<float> parameters_, gradient_;
  Descent descent_;
  std::size_t classes_;
  std::vector<std::vector<float>> logits_;  // a candidate of the last step
  TrainingMemory memory_;                   // of the candidates' activations, which come one after another
  std::map<Genome, Candidate> kept_;        // the largest and the smallest come in every step
  std::vector<Genome> recent_;              // those kept, the latest used last
};

// The parameters of one candidate, without statistics of batch norms: those are to be measured; and the ranges of
// rounding_sites(network, plan). Throws ConfigError when it is none of the supernet's.
struct CandidateParameters {
  Weights weights;
  std::vector<float> ranges;
};
CandidateParameters candidate_parameters(const SearchSpace& space, const SharedParameters& layout,
                                         std::span<const float> shared, const Genome& genome, const Network& network,
                                         const PrecisionPlan& plan = {});

}  // namespace ridgeline
