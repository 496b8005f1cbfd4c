#include "experiments/training/supernet.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/data/batches.hpp"
#include "experiments/data/resize.hpp"
#include "experiments/training/evaluate.hpp"
#include "kernels/training/executed_formats.hpp"
#include "kernels/training/rounding_sites.hpp"
#include "kernels/training/supernet_trainer.hpp"
#include "kernels/training/trainer.hpp"
#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t images_a_batch = 100;
constexpr int compared_candidates = 20;

[[noreturn]] void refuse(const std::string& path, const std::string& place, const std::string& expected,
                         const std::string& found, const std::string& remedy) {
  throw ConfigError(Problem{path, place, expected, found, remedy});
}

}  // namespace

Recalibration::Recalibration(const LabelledImages& train, Normalisation normalisation, std::size_t images, int threads)
    : images_(calibration_images(train, images)), normalisation_(std::move(normalisation)), threads_(threads) {}

Design Inherited::executed() const { return executed_in_formats(design.network, plan, *design.weights, ranges); }

Inherited Recalibration::operator()(const SearchSpace& space, const SharedParameters& layout,
                                    std::span<const float> shared, const Genome& genome, bool in_formats) const {
  Inherited made{space.decode(genome), {}, {}};
  Design& design = made.design;
  design.network = with_batch(design.network, 1);
  if (in_formats) made.plan = trained_plan(design, layout.formats());
  design.precision = {};
  auto [weights, ranges] = candidate_parameters(space, layout, shared, genome, design.network, made.plan);
  made.ranges = std::move(ranges);
  const std::size_t batch = std::min(images_a_batch, images_.size());
  const ImageBatches batches(images_, normalisation_, {.size = batch, .shuffle = false, .drop_last = true});
  const ImageEpoch epoch = batches.epoch(0);
  const ImageShape input = input_shape(design.network);
  const auto fill = [&](std::size_t number, std::span<float> out) {
    ImageBatch one;
    epoch.fill(number, one);
    resize_images(one.images, images_.shape(), out, input);
  };
  recalibrate(with_batch(design.network, static_cast<std::int64_t>(batch)), made.plan, weights, made.ranges, threads_,
              epoch.batches(), fill);
  design.weights = std::make_shared<Weights>(std::move(weights));
  return made;
}

Supernet::Supernet(ModelCheckpoint checkpoint, SearchSpace space)
    : checkpoint_(std::move(checkpoint)),
      space_(std::move(space)),
      layout_(std::make_unique<SharedParameters>(space_, trained_formats(checkpoint_))) {}

Supernet Supernet::load(const std::string& path, const Resources& resources) {
  ModelCheckpoint checkpoint = read_checkpoint(path);
  if (!checkpoint.model.supernet()) {
    refuse(path, "model", "a supernet", "one network of space '" + checkpoint.model.space + "'",
           "train one: ridgeline train SPACE --supernet ...");
  }
  checkpoint.state = without_history(std::move(checkpoint.state));
  SearchSpace space = open_space(checkpoint.model, resources);
  Supernet supernet(std::move(checkpoint), std::move(space));
  const std::uint64_t expected = supernet.layout_->fingerprint(), found = supernet.checkpoint_.network_hash;
  if (expected != found || supernet.checkpoint_.state.parameters.size() != supernet.layout_->size()) {
    refuse(path, "network", fmt::format("supernet {} of space '{}'", hex64(expected), supernet.space_.name()),
           hex64(found), "the space has changed since; train again, or take the space file that it was trained with");
  }
  return supernet;
}

std::uint64_t Supernet::fingerprint() const {
  const std::vector<float>& parameters = checkpoint_.state.parameters;
  const std::string_view bytes(reinterpret_cast<const char*>(parameters.data()), parameters.size() * sizeof(float));
  return Hasher().add(checkpoint_.network_hash).add(bytes).value();
}

void Supernet::check_space(const SearchSpace& space) const {
  if (space.fingerprint() == space_.fingerprint()) return;
  const auto is_own = [&](const Genome& genome) {
    try {
      return function_hash(space_.decode(own_genome(space, genome))) == function_hash(space.decode(genome));
    } catch (const ConfigError&) {
      return false;
    }
  };
  Rng rng(0, "candidates of a narrower space");
  bool own = true;
  for (int i = 0; i < compared_candidates && own; ++i) own = is_own(space.sample(rng));
  if (own) return;
  refuse("supernet", "space",
         fmt::format("space '{}' {}, or one with fewer choices", space_.name(), hex64(space_.fingerprint())),
         fmt::format("space '{}' {}", space.name(), hex64(space.fingerprint())),
         fmt::format("search the space that it was trained for, with the same parameters: {}",
                     Json(checkpoint_.model.parameters).dump()));
}

Genome Supernet::own_genome(const SearchSpace& space, const Genome& genome) const {
  return space.fingerprint() == space_.fingerprint() ? genome : space_.from_json(space.describe(genome));
}

void Supernet::check_data(const Dataset& data) const {
  const Network network = space_.decode(largest_genome(space_)).network;
  check_fit(network, data.train, data.class_names.size(), data.name);
  check_classes(checkpoint_.class_names, data);
}

Design Supernet::quantized(const Genome& genome, const PrecisionPlan& precision, const Recalibration& recalibration,
                           const LabelledImages& train, int threads) const {
  const Design decoded = space_.decode(genome);
  const bool trained = trained_plan(decoded, layout_->formats()) == precision;
  const Inherited inherited = candidate(genome, recalibration, trained);
  if (trained) return inherited.executed();
  Design design = inherited.design;
  design.precision = precision;
  calibrate(design, train, normalisation(), threads);
  return design;
}

ModelCheckpoint Supernet::extracted(const Genome& genome, const Inherited& inherited) const {
  const Design& design = inherited.design;
  ModelCheckpoint candidate = checkpoint_;
  candidate.model.genome = space_.normalise(genome);
  candidate.network_hash = structural_hash(design.network);
  candidate.history.clear();
  candidate.controller = nullptr;
  candidate.training["extracted_from"] = hex64(checkpoint_.network_hash);
  candidate.state = {};
  candidate.state.optimizer.steps = checkpoint_.state.optimizer.steps;
  candidate.state.parameters = flatten(design.network, *design.weights);
  candidate.state.parameters.insert(candidate.state.parameters.end(), inherited.ranges.begin(), inherited.ranges.end());
  for (const ParameterBlock& block : parameter_blocks(design.network)) {
    const bool norm = design.network.op(block.node).kind == OpKind::batch_norm;
    if (!norm || block.kind != ParameterBlock::Kind::scale) continue;
    const NodeWeights& weights = (*design.weights)[block.node];
    std::vector<float>& statistics = candidate.state.statistics;
    statistics.insert(statistics.end(), weights.mean.begin(), weights.mean.end());
    statistics.insert(statistics.end(), weights.variance.begin(), weights.variance.end());
  }
  return candidate;
}

LoadedModel load_candidate(const std::string& path, const Json& genome, const Dataset& data, const Resources& resources,
                           int threads) {
  const Supernet supernet = Supernet::load(path, resources);
  supernet.check_data(data);
  const Genome chosen = supernet.space().from_json(genome);
  if (const auto wrong = supernet.space().violation(chosen)) {
    refuse("--genome", "", "a candidate of space '" + supernet.space().name() + "'", *wrong, "choose another one");
  }
  Inherited inherited = supernet.candidate(
      chosen, Recalibration(data.train, supernet.normalisation(), Recalibration::usual_images, threads));
  return {supernet.extracted(chosen, inherited), std::move(inherited.design.network), *inherited.design.weights,
          std::move(inherited.plan), std::move(inherited.ranges)};
}

}  // namespace ridgeline
