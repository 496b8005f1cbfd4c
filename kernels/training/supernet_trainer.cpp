#include "kernels/training/supernet_trainer.hpp"

#include <algorithm>

#include "kernels/training/channel_order.hpp"
#include "kernels/training/kernel_maps.hpp"
#include "kernels/training/rounding_sites.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t most_kept = 8;

std::vector<float> first_parameters(const SharedParameters& layout, std::uint64_t seed, std::span<const float> given) {
  if (given.empty()) return layout.initial(seed);
  std::size_t own = 0;  // without ranges, which come last
  for (const SharedBlock& block : layout.blocks()) {
    const std::size_t end = block.map_offsets.empty() ? block.offset + block.size
                                                      : block.map_offsets.back() + map_size(block.windows.back());
    if (block.format.empty()) own = std::max(own, end);
  }
  if (given.size() != own && given.size() != layout.size()) {
    throw std::invalid_argument("the parameters to begin with are of another supernet");
  }
  std::vector<float> parameters(given.begin(), given.end());
  parameters.resize(layout.size(), 0.0F);
  return parameters;
}

}  // namespace

SupernetTrainer::SupernetTrainer(const SearchSpace& space, std::uint64_t seed, const SupernetOptions& options,
                                 std::span<const float> initial)
    : space_(space),
      options_(options),
      layout_(space, options.formats),
      parameters_(first_parameters(layout_, seed, initial)),
      gradient_(parameters_.size()),
      descent_(options.descent, layout_.parameter_blocks(), parameters_) {
  const Network network = space.decode(largest_genome(space)).network;
  classes_ = static_cast<std::size_t>(network.shape(network.outputs().front()).back());
}

SupernetTrainer::Candidate& SupernetTrainer::candidate(const Genome& genome) {
  std::erase(recent_, genome);
  if (const auto found = kept_.find(genome); found != kept_.end()) {
    recent_.push_back(genome);
    return found->second;
  }
  if (recent_.size() >= most_kept) {
    kept_.erase(recent_.front());
    recent_.erase(recent_.begin());
  }
  const Design design = space_.decode(genome);
  const Network& network = design.network;
  TrainingOptions training = options_.training;
  training.quantization.plan = trained_plan(design, options_.formats);
  Candidate made{layout_.slices(space_, genome, network, training.quantization.plan),
                 network.shape(network.live_nodes().front()), TrainingGraph(network, training, &memory_)};
  recent_.push_back(genome);
  return kept_.emplace(genome, std::move(made)).first->second;
}

TrainingStep SupernetTrainer::step(std::span<const Genome> candidates, const Images& images,
                                   std::span<const LossTerm> terms) {
  std::fill(gradient_.begin(), gradient_.end(), 0.0F);
  std::vector<float> teacher;
  double first_loss = 0;
  logits_.resize(candidates.size());
  for (std::size_t i = 0; i < candidates.size(); ++i) {
    Candidate& now = candidate(candidates[i]);
    layout_.gather(now.slices, parameters_, now.graph.parameters());
    images(now.input, now.graph.input());
    now.graph.forward(descent_.steps());
    for (const std::size_t range : layout_.adopt_ranges(now.slices, now.graph.parameters(), parameters_)) {
      descent_.begin_average(range, std::span(parameters_).subspan(range, 1));
    }
    std::vector<LossTerm> wanted(terms.begin(), terms.end());
    if (i > 0) {
      for (LossTerm& term : wanted) term.weight *= 1.0 - options_.distillation;
      wanted.push_back({teacher, options_.distillation});
    }
    const double loss = cross_entropy(now.graph.output(), classes_, wanted, now.graph.output_gradient());
    descent_.check_loss(loss);
    logits_[i].assign(now.graph.output().begin(), now.graph.output().end());
    if (i == 0) {
      first_loss = loss;
      teacher = softmax_rows(logits_[0], classes_);
    }
    now.graph.backward();
    layout_.scatter(now.slices, parameters_, now.graph.gradient(), gradient_);
  }
  return descent_.step(first_loss, parameters_, gradient_);
}

std::span<const float> SupernetTrainer::logits(std::size_t candidate) const {
  return candidate < logits_.size() ? std::span<const float>(logits_[candidate]) : std::span<const float>{};
}

std::span<const float> SupernetTrainer::evaluated() const {
  return descent_.averaged().empty() ? parameters_ : descent_.averaged();
}

void SupernetTrainer::order_channels() {
  const std::vector<std::size_t> order = importance_order(space_, layout_, parameters_);
  TrainingState state = save();
  reorder(order, state.parameters);
  reorder(order, state.averaged);
  for (std::vector<float>& moment : state.optimizer.moments) reorder(order, moment);
  load(std::move(state));
}

TrainingState SupernetTrainer::save() const {
  TrainingState state;
  state.parameters = parameters_;
  descent_.save(state);
  return state;
}

void SupernetTrainer::load(TrainingState state) {
  if (state.parameters.size() != parameters_.size() || !state.statistics.empty()) {
    throw std::invalid_argument("the training state is of another supernet");
  }
  descent_.load(state);
  parameters_ = std::move(state.parameters);
}

CandidateParameters candidate_parameters(const SearchSpace& space, const SharedParameters& layout,
                                         std::span<const float> shared, const Genome& genome, const Network& network,
                                         const PrecisionPlan& plan) {
  const std::vector<SharedParameters::Slice> slices = layout.slices(space, genome, network, plan);
  const std::size_t count = parameter_count(parameter_blocks(network));
  std::vector<float> own(parameter_count(parameter_blocks(network, plan)));
  layout.gather(slices, shared, own);
  CandidateParameters made{Weights(network.size()), {own.begin() + static_cast<std::ptrdiff_t>(count), own.end()}};
  unflatten(network, std::span(own).first(count), made.weights);
  return made;
}

}  // namespace ridgeline
