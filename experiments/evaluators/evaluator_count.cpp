// "count": sizes of the network itself, by spaces/counts.hpp. "rule" states what is counted beside convolutions and
// linear layers, for tables that count in another way.

#include "experiments/evaluators.hpp"
#include "spaces/counts.hpp"

namespace ridgeline {
namespace {

using Quantity = std::int64_t (*)(const Design&, const CountRule&);

Quantity find_quantity(const std::string& name) {
  if (name == "macs") return [](const Design& design, const CountRule& rule) { return macs(design.network, rule); };
  if (name == "weight_bytes") {
    return [](const Design& design, const CountRule&) { return weight_bytes(design.network, design.precision); };
  }
  if (name == "peak_bytes") {
    return
        [](const Design& design, const CountRule&) { return peak_activation_bytes(design.network, design.precision); };
  }
  return [](const Design& design, const CountRule& rule) { return parameters(design.network, rule); };
}

class CountEvaluator : public Evaluator {
 public:
  CountEvaluator(Quantity quantity, const CountRule& rule, WorkerPool* pool)
      : quantity_(quantity), rule_(rule), pool_(pool) {}

  Fidelity fidelity() const override { return Fidelity::analytic; }

  void evaluate(std::span<const Candidate> candidates, std::span<Score> scores) override {
    for_each(pool_, candidates.size(),
             [&](std::size_t i) { scores[i].value = static_cast<double>(quantity_(*candidates[i].design, rule_)); });
  }

 private:
  Quantity quantity_;
  CountRule rule_;
  WorkerPool* pool_;
};

CountRule read_rule(JsonReader& options) {
  CountRule rule;
  std::optional<JsonReader> reader = options.object("rule", false);
  if (!reader) return rule;
  rule.bias_parameters = reader->boolean("bias_parameters", rule.bias_parameters);
  rule.norm_parameters = reader->boolean("norm_parameters", rule.norm_parameters);
  rule.bias_macs = reader->boolean("bias_macs", rule.bias_macs);
  rule.norm_macs = reader->boolean("norm_macs", rule.norm_macs);
  rule.activation_macs = reader->boolean("activation_macs", rule.activation_macs);
  rule.pool_macs = reader->boolean("pool_macs", rule.pool_macs);
  rule.elementwise_macs = reader->boolean("elementwise_macs", rule.elementwise_macs);
  rule.live_only = reader->boolean("live_only", rule.live_only);
  reader->finish();
  return rule;
}

}  // namespace

std::unique_ptr<Evaluator> make_count_evaluator(JsonReader options, const EvaluatorSetup& setup) {
  static const std::vector<std::string> quantities = {"parameters", "macs", "weight_bytes", "peak_bytes"};
  const std::string quantity = options.word("quantity", quantities);
  if (options.has("rule") && quantity != "parameters" && quantity != "macs") {
    options.note("rule", "no rule", "one", "bytes are counted by one rule; leave it out");
  }
  const CountRule rule = read_rule(options);
  options.finish();
  return std::make_unique<CountEvaluator>(find_quantity(quantity), rule, setup.pool);
}

}  // namespace ridgeline
