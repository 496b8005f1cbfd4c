#include "experiments/quantization/sensitivity.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <optional>

#include "experiments/quantization/sensitivity_impl.hpp"
#include "predictors/metrics.hpp"
#include "spaces/config_error.hpp"
#include "spaces/counts.hpp"
#include "spaces/operator_names.hpp"

namespace ridgeline {
namespace {

using sensitivity::FormatCase;
using sensitivity::LossGradients;
using sensitivity::NetworkAnswers;
using sensitivity::RunPenalties;
using sensitivity::SensitivityJob;
using sensitivity::Stopwatch;
using sensitivity::TaylorSums;

constexpr SensitivityMethod runs[] = {SensitivityMethod::kl, SensitivityMethod::mse, SensitivityMethod::sqnr,
                                      SensitivityMethod::loss, SensitivityMethod::task};

bool is_run(SensitivityMethod method) { return std::ranges::find(runs, method) != std::end(runs); }

bool needs_weights(SensitivityMethod method) {
  return method == SensitivityMethod::taylor || method == SensitivityMethod::taylor2 ||
         method == SensitivityMethod::prune;
}

const std::string& name_of(SensitivityMethod method) {
  return sensitivity_method_names()[static_cast<std::size_t>(method)];
}

// The plan with one operator in the format, the rest in f32.
PrecisionPlan plan_of_one(const PrecisionPlan& uniform, NodeId node, SensitivityPart part) {
  PrecisionPlan plan;
  plan.operators.resize(uniform.operators.size());
  OperatorFormats formats = uniform.at(node);
  if (part == SensitivityPart::weights) formats.activations = f32;
  if (part == SensitivityPart::activations) formats.weights = f32;
  plan.operators[node] = formats;
  return plan;
}

std::vector<PrecisionPlan> uniform_plans(const Network& network, const std::vector<std::string>& words) {
  std::vector<PrecisionPlan> plans;
  std::vector<Problem> problems;
  for (std::size_t i = 0; i < words.size(); ++i) {
    try {
      plans.push_back(PrecisionPlan::uniform(network, words[i]));
    } catch (const ConfigError& error) {
      const Problem& problem = error.problems().front();
      problems.push_back({"--formats", "", problem.expected, problem.found, problem.remedy});
    }
    if (std::find(words.begin(), words.begin() + static_cast<std::ptrdiff_t>(i), words[i]) !=
        words.begin() + static_cast<std::ptrdiff_t>(i)) {
      problems.push_back({"--formats", "", "each format once", "'" + words[i] + "' twice", "leave one out"});
    }
  }
  if (words.empty())
    problems.push_back({"--formats", "", "at least one number format", "none", "int8,int4 for example"});
  if (!problems.empty()) throw ConfigError(problems);
  return plans;
}

std::optional<std::string> why_left_out(const Network& network, NodeId node, const SensitivityOptions& options) {
  if (has_weights(network.op(node).kind)) return std::nullopt;
  if (options.part == SensitivityPart::weights) return "it has no weights";
  const auto method = std::ranges::find_if(options.methods, needs_weights);
  if (method == options.methods.end()) return std::nullopt;
  return "it has no weights for " + name_of(*method);
}

SensitivityRow row_of(const Network& network, const FormatCase& one, SensitivityPart part) {
  SensitivityRow row;
  row.node = one.node;
  row.macs = macs(network, one.node, {});
  row.parameters = parameters(network, one.node, {.bias_parameters = false});
  const OperatorFormats formats = one.plan.at(one.node);
  const bool of_weights = part != SensitivityPart::activations && has_weights(network.op(one.node).kind);
  row.bits = of_weights ? formats.weights.width_bits : formats.activations.width_bits;
  const Format& second = has_weights(network.op(one.node).kind) ? formats.weights : formats.activations;
  row.bit_operations = static_cast<double>(row.macs) * second.width_bits * formats.activations.width_bits;
  row.weight_bytes = static_cast<double>(weight_bytes(network, one.node, one.plan));
  return row;
}

// Everything that is found case by case, and what it took.
class CaseByCase {
 public:
  CaseByCase(const DesignMaker& make, SensitivityJob& job) : make_(make), job_(job) {
    if (std::ranges::any_of(job.options.methods, is_run) || job.wants(SensitivityMethod::prune)) {
      baseline_ = sensitivity::answers_of(job, job.network);
    }
  }

  double accuracy() {
    if (!baseline_) baseline_ = sensitivity::answers_of(job_, job_.network);
    return baseline_->accuracy;
  }

  void run() {
    if (job_.wants(SensitivityMethod::taylor) || job_.wants(SensitivityMethod::taylor2)) {
      const Stopwatch watch;
      job_.show("gradients", 0, 1);
      gradients_ = sensitivity::loss_gradients(job_);
      taylor_s_ += watch.seconds();
    }
    for (std::size_t c = 0; c < job_.cases.size(); ++c) {
      job_.show("operators", c, job_.cases.size());
      take(job_.cases[c]);
    }
    job_.show("operators", job_.cases.size(), job_.cases.size());
    const Stopwatch watch;
    if (needs_noise()) {
      activation_noise_ = sensitivity::activation_noise(job_, ranges_);
      noise_s_ += watch.seconds();
    }
    for (const SensitivityMethod method : job_.options.methods) score_layers(method);
  }

  double penalty(SensitivityMethod method, std::size_t c) const {
    const double noise = needs_noise() ? weight_noise_[c] + activation_noise_[c] : 0.0;
    const NodeId node = job_.cases[c].node;
    switch (method) {
      case SensitivityMethod::kl:
        return runs_[c].kl;
      case SensitivityMethod::mse:
        return runs_[c].mse;
      case SensitivityMethod::sqnr:
        return runs_[c].sqnr;
      case SensitivityMethod::loss:
        return runs_[c].loss;
      case SensitivityMethod::task:
        return runs_[c].task;
      case SensitivityMethod::norm:
        return noise;
      case SensitivityMethod::taylor:
        return taylor_[c].first_order(activation_noise_[c]);
      case SensitivityMethod::taylor2:
        return taylor_[c].second_order(activation_noise_[c]);
      default:
        return layer_scores_.at(method).at(node) * noise;
    }
  }

  double seconds(SensitivityMethod method) const {
    if (is_run(method)) return runs_s_;
    if (method == SensitivityMethod::taylor || method == SensitivityMethod::taylor2) return taylor_s_ + noise_s_;
    const auto found = layer_s_.find(method);
    return noise_s_ + (found == layer_s_.end() ? 0.0 : found->second);
  }

 private:
  bool needs_noise() const {
    return std::ranges::any_of(job_.options.methods, [](SensitivityMethod method) { return !is_run(method); });
  }

  void take(const FormatCase& one) {
    const Design made = make_(one.plan);
    if (std::ranges::any_of(job_.options.methods, is_run)) {
      const Stopwatch watch;
      runs_.push_back(sensitivity::run_penalties(*baseline_, sensitivity::answers_of(job_, made)));
      runs_s_ += watch.seconds();
    }
    if (!needs_noise()) return;
    const Stopwatch watch;
    ranges_.push_back(made.quantization);
    const bool weighted = has_weights(made.network.op(one.node).kind);
    const std::vector<float> rounded = weighted ? sensitivity::rounded_kernel(made, one.node) : std::vector<float>();
    weight_noise_.push_back(weighted ? sensitivity::relative_noise(kernel(one.node), rounded) : 0.0);
    if (!gradients_.mean.empty()) {
      taylor_.push_back(sensitivity::taylor_sums(gradients_, one.node, kernel(one.node), rounded));
    }
    noise_s_ += watch.seconds();
  }

  const std::vector<float>& kernel(NodeId node) const { return (*job_.network.weights)[node].kernel; }

  void score_layers(SensitivityMethod method) {
    const Stopwatch watch;
    if (method == SensitivityMethod::prune) layer_scores_[method] = sensitivity::pruning_scores(job_, *baseline_);
    if (method == SensitivityMethod::cca) layer_scores_[method] = sensitivity::correlation_scores(job_);
    if (method == SensitivityMethod::lrp) {
      job_.show("relevance", 0, 1);
      layer_scores_[method] = sensitivity::relevance_scores(job_);
    }
    layer_s_[method] = watch.seconds();
  }

  const DesignMaker& make_;
  SensitivityJob& job_;
  std::optional<NetworkAnswers> baseline_;
  LossGradients gradients_;
  std::vector<RunPenalties> runs_;
  std::vector<std::shared_ptr<const Quantization>> ranges_;
  std::vector<TaylorSums> taylor_;
  std::vector<double> weight_noise_, activation_noise_;
  std::map<SensitivityMethod, std::map<NodeId, double>> layer_scores_;
  std::map<SensitivityMethod, double> layer_s_;
  double runs_s_ = 0, noise_s_ = 0, taylor_s_ = 0;
};

void check(const SensitivityOptions& options, const LabelledImages& images) {
  if (options.methods.empty()) throw ConfigError({"--method", "", "at least one method", "none", ""});
  if (images.size() == 0) throw ConfigError({"--images", "", "at least one image", "none", ""});
  if (!(options.sparsity > 0 && options.sparsity < 1)) {
    throw ConfigError({"--sparsity", "", "a share between 0 and 1", fmt::format("{}", options.sparsity), ""});
  }
}

}  // namespace

std::span<const std::string> sensitivity_method_names() {
  static const std::vector<std::string> names{"kl",     "mse",     "sqnr",  "loss", "task", "norm",
                                              "taylor", "taylor2", "prune", "cca",  "lrp"};
  return names;
}

std::span<const std::string> sensitivity_part_names() {
  static const std::vector<std::string> names{"both", "weights", "activations"};
  return names;
}

bool sensitivity::SensitivityJob::wants(SensitivityMethod method) const {
  return std::ranges::find(options.methods, method) != options.methods.end();
}

DesignMaker planned(Design design) {
  return [design = std::move(design)](const PrecisionPlan& plan) {
    Design made = design;
    made.precision = plan;
    return made;
  };
}

std::size_t Sensitivity::column(std::string_view method) const {
  const auto found = std::ranges::find(methods, method);
  if (found != methods.end()) return static_cast<std::size_t>(found - methods.begin());
  throw ConfigError(
      {"--method", "", "a method that was measured", fmt::format("'{}'", method), known_words(method, methods)});
}

std::vector<std::string> Sensitivity::layers() const {
  std::vector<std::string> names;
  for (const SensitivityRow& row : rows) {
    if (std::ranges::find(names, row.layer) == names.end()) names.push_back(row.layer);
  }
  return names;
}

std::vector<std::string> Sensitivity::formats() const {
  std::vector<std::string> words;
  for (const SensitivityRow& row : rows) {
    if (std::ranges::find(words, row.format) == words.end()) words.push_back(row.format);
  }
  return words;
}

Sensitivity measure_sensitivity(const DesignMaker& make, const LabelledImages& images,
                                const Normalisation& normalisation, const SensitivityOptions& options,
                                const SensitivityProgress& progress) {
  check(options, images);
  const Design network = make({});
  const std::vector<PrecisionPlan> uniform = uniform_plans(network.network, options.formats);
  SensitivityJob job{network, images, normalisation, options, progress, {}};
  Sensitivity result;
  result.part = options.part;
  for (const SensitivityMethod method : options.methods) result.methods.push_back(name_of(method));
  for (const auto& [node, name] : operator_names(network.network)) {
    if (const auto why = why_left_out(network.network, node, options)) {
      result.left_out.push_back({name, *why});
      continue;
    }
    for (std::size_t f = 0; f < uniform.size(); ++f) {
      job.cases.push_back({node, plan_of_one(uniform[f], node, options.part)});
      result.rows.push_back(row_of(network.network, job.cases.back(), options.part));
      result.rows.back().layer = name;
      result.rows.back().format = options.formats[f];
    }
  }
  if (job.cases.empty()) {
    throw ConfigError({"the network", "", "convolutions or linear layers", "none that has a number format", ""});
  }
  CaseByCase measurement(make, job);
  measurement.run();
  for (std::size_t c = 0; c < job.cases.size(); ++c) {
    for (const SensitivityMethod method : options.methods) {
      const double penalty = measurement.penalty(method, c);
      if (!std::isfinite(penalty)) {
        throw ConfigError({"--formats", "", "formats in which the network's answers are finite",
                           fmt::format("'{}', '{}' of {} is {}", result.rows[c].format, name_of(method),
                                       result.rows[c].layer, penalty),
                           "leave the format out, or take one with a wider range"});
      }
      result.rows[c].penalties.push_back(penalty);
    }
  }
  for (const SensitivityMethod method : options.methods) result.seconds.push_back(measurement.seconds(method));
  result.accuracy = measurement.accuracy();
  return result;
}

std::vector<std::string> layer_ranking(const Sensitivity& sensitivity, std::string_view method) {
  const std::size_t column = sensitivity.column(method);
  std::map<std::string, double> worst;
  for (const SensitivityRow& row : sensitivity.rows) {
    const auto [at, fresh] = worst.emplace(row.layer, row.penalties[column]);
    if (!fresh) at->second = std::max(at->second, row.penalties[column]);
  }
  std::vector<std::string> layers = sensitivity.layers();
  std::ranges::stable_sort(layers, std::greater<>(), [&](const std::string& layer) { return worst.at(layer); });
  return layers;
}

std::vector<Agreement> agreements(const Sensitivity& sensitivity, std::string_view reference) {
  const std::size_t other = sensitivity.column(reference);
  const std::vector<std::string> formats = sensitivity.formats();
  std::vector<Agreement> found;
  for (std::size_t m = 0; m < sensitivity.methods.size(); ++m) {
    std::vector<double> all, all_expected;
    Agreement agreement{sensitivity.methods[m]};
    for (const std::string& format : formats) {
      std::vector<double> values, expected;
      for (const SensitivityRow& row : sensitivity.rows) {
        if (row.format != format) continue;
        values.push_back(row.penalties[m]);
        expected.push_back(row.penalties[other]);
      }
      agreement.within_formats += spearman(values, expected) / static_cast<double>(formats.size());
      all.insert(all.end(), values.begin(), values.end());
      all_expected.insert(all_expected.end(), expected.begin(), expected.end());
    }
    agreement.spearman = spearman(all, all_expected);
    agreement.kendall = kendall_tau_b(all, all_expected);
    found.push_back(agreement);
  }
  return found;
}

}  // namespace ridgeline
