// kl, mse, sqnr, loss, task and prune: the network is run.
#include <algorithm>
#include <cmath>
#include <numeric>

#include "experiments/quantization/sensitivity_impl.hpp"

namespace ridgeline::sensitivity {

std::vector<double> log_probabilities(const Network& network, std::span<const float> answers) {
  const NodeId output = network.outputs().front();
  const auto classes = static_cast<std::size_t>(network.shape(output).back());
  std::vector<double> logarithms(answers.begin(), answers.end());
  if (network.op(output).kind == OpKind::softmax) {
    for (double& one : logarithms) one = std::log(std::max(one, 1e-30));
  }
  for (std::size_t first = 0; first < logarithms.size(); first += classes) {
    const std::span<double> row = std::span(logarithms).subspan(first, classes);
    const double largest = *std::ranges::max_element(row);
    double sum = 0;
    for (const double one : row) sum += std::exp(one - largest);
    for (double& one : row) one -= largest + std::log(sum);
  }
  return logarithms;
}

NetworkAnswers answers_of(const SensitivityJob& job, const Design& design) {
  NetworkAnswers found;
  found.values =
      answers(design, job.images, job.normalisation, {.threads = job.options.threads, .emulation = Emulation::missing});
  found.log_probabilities = log_probabilities(design.network, found.values);
  found.images = job.images.size();
  const std::size_t classes = found.values.size() / found.images;
  for (std::size_t i = 0; i < job.images.size(); ++i) {
    const auto row = found.values.begin() + static_cast<std::ptrdiff_t>(i * classes);
    const auto label = static_cast<std::size_t>(job.images.label(i));
    const auto best = static_cast<std::size_t>(std::max_element(row, row + static_cast<std::ptrdiff_t>(classes)) - row);
    found.accuracy += best == label ? 1.0 : 0.0;
    found.loss -= found.log_probabilities[i * classes + label];
  }
  found.accuracy /= static_cast<double>(job.images.size());
  found.loss /= static_cast<double>(job.images.size());
  return found;
}

RunPenalties run_penalties(const NetworkAnswers& f32_answers, const NetworkAnswers& answers) {
  const std::size_t size = answers.values.size();
  double divergence = 0, noise = 0, signal = 0;
  for (std::size_t i = 0; i < size; ++i) {
    const double expected = f32_answers.log_probabilities[i];
    divergence += std::exp(expected) * (expected - answers.log_probabilities[i]);
    const auto value = static_cast<double>(f32_answers.values[i]);
    noise += std::pow(static_cast<double>(answers.values[i]) - value, 2);
    signal += value * value;
  }
  // Gibbs' inequality holds for each image; rounding of the sum may go below 0.
  const double per_image = divergence / static_cast<double>(f32_answers.images);
  return {std::max(per_image, 0.0), noise / static_cast<double>(size), signal > 0 ? noise / signal : noise,
          answers.loss - f32_answers.loss, 100.0 * (f32_answers.accuracy - answers.accuracy)};
}

namespace {

// The kernel without its smallest weights.
std::vector<float> pruned(std::span<const float> kernel, double sparsity) {
  std::vector<std::size_t> order(kernel.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto removed = static_cast<std::ptrdiff_t>(std::ceil(sparsity * static_cast<double>(kernel.size())));
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return std::abs(kernel[a]) < std::abs(kernel[b]); });
  std::vector<float> left(kernel.begin(), kernel.end());
  std::for_each(order.begin(), order.begin() + removed, [&](std::size_t i) { left[i] = 0.0F; });
  return left;
}

}  // namespace

std::map<NodeId, double> pruning_scores(const SensitivityJob& job, const NetworkAnswers& baseline) {
  std::map<NodeId, double> scores;
  for (const FormatCase& one : job.cases) scores[one.node] = 0.0;
  std::size_t done = 0;
  for (auto& [node, score] : scores) {
    job.show("prune", done++, scores.size());
    Weights weights = *job.network.weights;
    const std::vector<float> whole = weights[node].kernel;
    weights[node].kernel = pruned(whole, job.options.sparsity);
    const double removed = relative_noise(whole, weights[node].kernel);
    if (removed == 0) continue;  // nothing but zeros was removed
    const Design design{job.network.network, {}, std::make_shared<const Weights>(std::move(weights))};
    score = (answers_of(job, design).loss - baseline.loss) / removed;
  }
  job.show("prune", done, scores.size());
  return scores;
}

}  // namespace ridgeline::sensitivity
