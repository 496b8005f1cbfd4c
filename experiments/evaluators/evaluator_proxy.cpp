// "proxy": training-free scores, by spaces/proxies.hpp. DeepMAD's two belong together: the entropy is maximised under a
// limit on the effectiveness, which is a quantity of its own so that it can be a constraint.
//
// Of a space of several networks "network" names the one that is scored, or gives each a weight: the score is then the
// weighted sum, NASAIC's reward with the proxy in the place of accuracies. Without it, their mean.

#include <algorithm>
#include <map>

#include "experiments/evaluators.hpp"
#include "spaces/network_parts.hpp"
#include "spaces/proxies.hpp"

namespace ridgeline {
namespace {

using TaskWeights = std::map<std::string, double>;  // by network; empty: their mean

class ProxyEvaluator : public Evaluator {
 public:
  ProxyEvaluator(double ProxyScore::*quantity, TaskWeights weights, WorkerPool* pool)
      : quantity_(quantity), weights_(std::move(weights)), pool_(pool) {}

  Fidelity fidelity() const override { return Fidelity::analytic; }

  void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) override {
    for_each(pool_, candidates.size(),
             [&](std::size_t i) { scores[i].value = score_of(candidates[i].design->network); });
  }

 private:
  double score_of(const Network& network) const {
    const std::vector<NetworkPart> parts = network_parts(network);
    if (parts.size() == 1 && weights_.empty()) return score(network).*quantity_;
    double sum = 0;
    for (const NetworkPart& part : parts) {
      const auto weight = weights_.find(part.name);
      const double one = weights_.empty()           ? 1.0 / static_cast<double>(parts.size())
                         : weight != weights_.end() ? weight->second
                                                    : 0.0;
      if (one > 0) sum += one * (score(part_network(network, part)).*quantity_);
    }
    return sum;
  }

  double ProxyScore::*quantity_;
  TaskWeights weights_;
  WorkerPool* pool_;
};

// The networks of any candidate of the space: they are the same of all.
std::vector<std::string> networks_of(const SearchSpace& space) {
  Rng rng(1);
  std::vector<std::string> names;
  for (const NetworkPart& part : network_parts(space.decode(space.sample(rng)).network)) names.push_back(part.name);
  return names;
}

TaskWeights read_weights(JsonReader& options, const EvaluatorSetup& setup) {
  TaskWeights weights;
  if (!options.has("network")) return weights;
  const std::vector<std::string> known = setup.space ? networks_of(*setup.space) : std::vector<std::string>();
  if (options.value()["network"].is_string()) {
    weights[options.string("network")] = 1.0;
  } else {
    for (const auto& [name, reader] : options.members("network")) {
      const bool good = reader.value().is_number() && reader.value().get<double>() > 0;
      if (!good) JsonReader(reader).note("", "a weight above 0", describe(reader.value()));
      weights[name] = good ? reader.value().get<double>() : 1.0;
    }
    if (weights.empty()) options.note("network", "a network, or weights of networks", "none");
  }
  for (const auto& [name, weight] : weights) {
    if (setup.space == nullptr || std::ranges::find(known, name) != known.end()) continue;
    options.note("network", "a network of the space", "'" + name + "'", known_words(name, known));
  }
  return weights;
}

}  // namespace

std::unique_ptr<Evaluator> make_proxy_evaluator(JsonReader options, const EvaluatorSetup& setup) {
  static const std::vector<std::string> quantities = {"entropy", "effectiveness"};
  const bool entropy = options.word("quantity", quantities, "entropy") == "entropy";
  TaskWeights weights = read_weights(options, setup);
  options.finish();
  return std::make_unique<ProxyEvaluator>(entropy ? &ProxyScore::entropy : &ProxyScore::effectiveness,
                                          std::move(weights), setup.pool);
}

}  // namespace ridgeline
