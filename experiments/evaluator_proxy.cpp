// "proxy": training-free scores, by spaces/proxies.hpp. DeepMAD's two belong together: the entropy is maximised under a
// limit on the effectiveness, which is a quantity of its own so that it can be a constraint.

#include "experiments/evaluators.hpp"
#include "spaces/proxies.hpp"

namespace ridgeline {
namespace {

class ProxyEvaluator : public Evaluator {
 public:
  ProxyEvaluator(double ProxyScore::*quantity, WorkerPool* pool) : quantity_(quantity), pool_(pool) {}

  Fidelity fidelity() const override { return Fidelity::analytic; }

  void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) override {
    for_each(pool_, candidates.size(),
             [&](std::size_t i) { scores[i].value = score(candidates[i].design->network).*quantity_; });
  }

 private:
  double ProxyScore::*quantity_;
  WorkerPool* pool_;
};

}  // namespace

std::unique_ptr<Evaluator> make_proxy_evaluator(JsonReader options, const EvaluatorSetup& setup) {
  static const std::vector<std::string> quantities = {"entropy", "effectiveness"};
  const bool entropy = options.word("quantity", quantities, "entropy") == "entropy";
  options.finish();
  return std::make_unique<ProxyEvaluator>(entropy ? &ProxyScore::entropy : &ProxyScore::effectiveness, setup.pool);
}

}  // namespace ridgeline
