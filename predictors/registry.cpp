#include <array>

#include "predictors/gaussian_process.hpp"
#include "predictors/gradient_boosting.hpp"
#include "predictors/mlp_ensemble.hpp"
#include "predictors/predictor.hpp"
#include "predictors/ridge.hpp"

namespace ridgeline {

std::span<const PredictorEntry> predictors() {
  static const std::array<PredictorEntry, 4> entries{{
      {"ridge", "linear regression with a Gaussian prior, penalty by leave-one-out error (Hoerl and Kennard, 1970)",
       &Ridge::make},
      {"gp", "Gaussian process, length and noise by leave-one-out error (Rasmussen and Williams, 2006)",
       &GaussianProcess::make},
      {"xgboost", "gradient-boosted trees, their number by cross-validation (Chen and Guestrin, 2016)",
       &GradientBoosting::make},
      {"mlp",
       "ensemble of multilayer perceptrons, each stopped by rows that it leaves out (Lakshminarayanan et al., 2017)",
       &MlpEnsemble::make},
  }};
  return entries;
}

std::unique_ptr<Predictor> make_predictor(const std::string& name, const Json& options) {
  std::vector<std::string> known;
  for (const PredictorEntry& entry : predictors()) {
    known.push_back(entry.name);
    if (entry.name != name) continue;
    JsonDocument document = JsonDocument::from_value(options, "predictor " + name);
    std::unique_ptr<Predictor> predictor = entry.make(document.root());
    document.raise();
    return predictor;
  }
  throw ConfigError(Problem{"predictor", "", "a known predictor", '"' + name + '"', known_words(name, known)});
}

}  // namespace ridgeline
