// What the parts of measure_sensitivity share. Internal to experiments/quantization.
#pragma once

#include <chrono>
#include <map>
#include <vector>

#include "experiments/quantization/sensitivity.hpp"
#include "experiments/training/evaluate.hpp"

namespace ridgeline::sensitivity {

// One operator in one format.
struct FormatCase {
  NodeId node;
  PrecisionPlan plan;
};

struct SensitivityJob {
  const Design& network;  // in f32
  const LabelledImages& images;
  const Normalisation& normalisation;
  const SensitivityOptions& options;
  SensitivityProgress progress;
  std::vector<FormatCase> cases;

  bool wants(SensitivityMethod method) const;
  void show(const std::string& phase, std::size_t done, std::size_t total) const {
    if (progress) progress(phase, done, total);
  }
};

class Stopwatch {
 public:
  double seconds() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - start_).count(); }

 private:
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
};

// ---- sensitivity_runs.cpp: the network is run

// The logarithms of an answer's probabilities, [images, classes], whether the network ends in a softmax or not.
std::vector<double> log_probabilities(const Network& network, std::span<const float> answers);

struct NetworkAnswers {
  std::vector<float> values;  // [images, classes], as the network gives them
  std::vector<double> log_probabilities;
  std::size_t images = 0;
  double accuracy = 0, loss = 0;  // 0 to 1; mean cross-entropy with the labels, nats
};
NetworkAnswers answers_of(const SensitivityJob& job, const Design& design);

struct RunPenalties {
  double kl = 0, mse = 0, sqnr = 0, loss = 0, task = 0;
};
RunPenalties run_penalties(const NetworkAnswers& f32_answers, const NetworkAnswers& answers);

// By node: the loss for each unit of relative noise power that pruning costs.
std::map<NodeId, double> pruning_scores(const SensitivityJob& job, const NetworkAnswers& baseline);

// ---- sensitivity_weights.cpp: numbers rounded, gradients

// What the format makes of the kernel of `node`; `made` is the network in the plan.
std::vector<float> rounded_kernel(const Design& made, NodeId node);

// |W - Q(W)|^2 / |W|^2
double relative_noise(std::span<const float> numbers, std::span<const float> rounded);

// The relative noise power of what each case's operator reads; `made` of each case.
std::vector<double> activation_noise(const SensitivityJob& job,
                                     const std::vector<std::shared_ptr<const Quantization>>& made);

// Of each parameter of the network (kernels/training/parameters.hpp): means over the images.
struct LossGradients {
  std::vector<double> mean, square;
  std::map<NodeId, std::size_t> kernels;  // where each kernel begins
};
LossGradients loss_gradients(const SensitivityJob& job);

// Sums over the weights w of one kernel, d = Q(w) - w, g and f the mean gradient and its mean square; what the
// penalties are when activations add noise of the relative power r.
struct TaylorSums {
  double change = 0, signed_change = 0, weight = 0;  // |g d|, g d, |g w|
  double squared_change = 0, squared_weight = 0;     // f d^2 / 2, f w^2 / 2

  double first_order(double r) const;   // taylor
  double second_order(double r) const;  // taylor2
};
TaylorSums taylor_sums(const LossGradients& gradients, NodeId node, std::span<const float> kernel,
                       std::span<const float> rounded);

// ---- sensitivity_layers.cpp: of layers alone

std::map<NodeId, double> correlation_scores(const SensitivityJob& job);
std::map<NodeId, double> relevance_scores(const SensitivityJob& job);

}  // namespace ridgeline::sensitivity
