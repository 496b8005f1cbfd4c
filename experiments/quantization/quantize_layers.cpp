#include "experiments/quantization/quantize_layers.hpp"

#include <algorithm>
#include <filesystem>

#include "experiments/quantization/plan_allocation.hpp"
#include "experiments/quantization/sensitivity.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/whole_file.hpp"
#include "kernels/pinning.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

constexpr int file_version = 2;

// Of everything that the file's numbers depend on: another machine, other threads, data or rounding are another study.
std::string key_of(const SearchSpace& space, const PlanQuality& quality, const LayerStudyOptions& options) {
  const LabelledImages& images = quality.images();
  Hasher hasher;
  hasher.add(space.fingerprint()).add(std::string_view(this_environment().fingerprint()));
  hasher.add(images.fingerprint()).add(static_cast<std::uint64_t>(options.threads));
  hasher.add(static_cast<std::uint64_t>(options.images)).add(static_cast<std::uint64_t>(options.labelled));
  for (const Range& range : quality.post_training().ranges()) {
    hasher.add(static_cast<double>(range.low)).add(static_cast<double>(range.high));
  }
  return hex64(hasher.add(std::string_view(quality.post_training().options().json().dump())).value());
}

std::vector<std::vector<double>> sensitivities(const PlanSpace& plans, const PlanQuality& quality,
                                               const Normalisation& normalisation, const LayerStudyOptions& options) {
  SensitivityOptions asked;
  asked.methods = {options.labelled ? SensitivityMethod::loss : SensitivityMethod::kl};
  asked.formats = plans.words;
  asked.threads = allowed_processors();
  const LabelledImages images = calibration_images(quality.images(), options.images);
  const DesignMaker make = [&](const PrecisionPlan& plan) { return quality.post_training().quantized(plan); };
  const Sensitivity found = measure_sensitivity(make, images, normalisation, asked, options.progress);
  std::vector<std::vector<double>> penalties(plans.names.size(), std::vector<double>(plans.words.size(), 0.0));
  for (const SensitivityRow& row : found.rows) {
    const auto choice = std::ranges::find(plans.words, row.format) - plans.words.begin();
    for (std::size_t d = 0; d < plans.names.size(); ++d) {
      if (std::ranges::find(plans.members[d], row.node) == plans.members[d].end()) continue;
      penalties[d][static_cast<std::size_t>(choice)] += std::max(0.0, row.penalties.front());
    }
  }
  return penalties;
}

// Of a list that is longer, so many, the first and the last among them.
std::vector<Genome> spread(const std::vector<AllocatedPlan>& plans, std::size_t most) {
  std::vector<Genome> some;
  const std::size_t count = std::min(most, plans.size());
  for (std::size_t i = 0; i < count; ++i) {
    some.push_back(plans[count > 1 ? i * (plans.size() - 1) / (count - 1) : 0].genome);
  }
  return some;
}

Json to_json(const LayerStudy& study, const std::string& key) {
  Json plans = Json::array();
  for (const Genome& genome : study.plans) plans.push_back(genome.genes);
  return {{"ridgeline_quantize_layers", file_version},
          {"of", key},
          {"costs", to_json(study.costs)},
          {"penalties_nat", study.penalties},
          {"plans", std::move(plans)}};
}

// What the file holds, where it is of this key; files are only read back, so that any other is as good as none.
std::optional<LayerStudy> read_study(const QuantizeFolder& folder, const std::string& key, const SearchSpace& space,
                                     const PlanSpace& plans) {
  std::error_code error;
  if (!std::filesystem::exists(folder.layers, error)) return std::nullopt;
  try {
    const JsonDocument document = JsonDocument::load(folder.layers.string());
    const Json& value = document.value();
    if (value.value("ridgeline_quantize_layers", 0) != file_version) return std::nullopt;
    if (value.value("of", "") != key) return std::nullopt;
    LayerStudy study;
    study.costs = read_layer_costs(JsonDocument::from_value(value.at("costs"), folder.layers.string()));
    study.penalties = value.at("penalties_nat").get<std::vector<std::vector<double>>>();
    for (const Json& genes : value.at("plans")) {
      study.plans.push_back({genes.get<std::vector<std::uint16_t>>()});
      if (space.violation(study.plans.back())) return std::nullopt;
    }
    const PlanLatency latency(plans, study.costs);
    return study;
  } catch (const ConfigError&) {
    return std::nullopt;
  } catch (const Json::exception&) {
    return std::nullopt;
  }
}

}  // namespace

PlanSpace plan_space(const SearchSpace& space, const Design& design, const std::vector<std::string>& words) {
  PlanSpace made;
  made.design = design;
  made.words = words;
  const std::size_t dimensions = space.dims().size();
  for (const Dimension& dimension : space.dims()) made.names.push_back(dimension.name);
  made.members.resize(dimensions);
  Genome genome{std::vector<std::uint16_t>(dimensions, 0)};
  for (std::uint16_t choice = 0; choice < words.size(); ++choice) {
    std::ranges::fill(genome.genes, choice);
    const PrecisionPlan uniform = space.decode(genome).precision;
    const auto one = std::ranges::find_if(uniform.operators,
                                          [](const OperatorFormats& formats) { return formats != OperatorFormats{}; });
    made.formats.push_back(one == uniform.operators.end() ? OperatorFormats{} : *one);
  }
  const std::uint16_t other = words.size() > 1 ? 1 : 0;
  std::ranges::fill(genome.genes, std::uint16_t{0});
  const PrecisionPlan first = space.decode(genome).precision;
  for (std::size_t d = 0; d < dimensions; ++d) {
    genome.genes[d] = other;
    const PrecisionPlan changed = space.decode(genome).precision;
    genome.genes[d] = 0;
    for (NodeId node = 0; node < changed.operators.size(); ++node) {
      if (changed.operators[node] != first.at(node)) made.members[d].push_back(node);
    }
  }
  check(made);
  return made;
}

std::optional<double> LayerStudy::sum_s(const PlanLatency& latency, const Genome& genome) const {
  for (std::size_t d = 0; d < genome.genes.size(); ++d) {
    if (!std::ranges::binary_search(latency.choices(d), genome.genes[d])) return std::nullopt;
  }
  return latency.predict(genome.genes);
}

LayerStudy study_layers(const QuantizeFolder& folder, const SearchSpace& space, const PlanSpace& plans,
                        const PlanQuality& quality, const Normalisation& normalisation,
                        const LayerStudyOptions& options) {
  const std::string key = key_of(space, quality, options);
  if (std::optional<LayerStudy> known = read_study(folder, key, space, plans)) return std::move(*known);
  const auto show = [&](const std::string& phase, std::size_t done, std::size_t total) {
    if (options.progress) options.progress(phase, done, total);
  };
  LayerStudy study;
  LayerCostOptions timing;
  timing.threads = options.threads;
  timing.timer = options.timer;
  timing.progress = [&](double share) { show("layer costs", static_cast<std::size_t>(share * 100), 100); };
  study.costs = measure_layer_costs(plans, timing);
  study.penalties = sensitivities(plans, quality, normalisation, options);
  show("allocation", 0, 1);
  const PlanLatency latency(plans, study.costs);
  study.plans = spread(allocated_plans(latency, study.penalties), options.most_plans);
  show("allocation", 1, 1);
  write_whole_file(folder.layers.string(), to_json(study, key).dump(1) + "\n", "--out");
  return study;
}

}  // namespace ridgeline
