#include "experiments/training/evaluate.hpp"

#include <algorithm>

#include "experiments/data/batches.hpp"
#include "kernels/executable.hpp"
#include "kernels/training/loss.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
void check_fit(const Network& network, const LabelledImages& images, std::size_t classes,
               const std::string& data_name) {
  const ImageShape& shape = images.shape();
  const Shape& input = network.shape(network.live_nodes().front());
  const Shape given{input.at(0), shape.channels, shape.height, shape.width};
  if (input != given) {
    throw ConfigError(Problem{"--data", "", "images of " + shape_text({input.begin() + 1, input.end()}),
                              "'" + data_name + "' has " + shape_text({given.begin() + 1, given.end()}),
                              "a space with parameters 'resolution' and 'channels' takes the size of its data set"});
  }
  const auto outputs = static_cast<std::size_t>(network.shape(network.outputs().front()).back());
  if (outputs != classes) {
    throw ConfigError(Problem{"--data", "", std::to_string(outputs) + " classes",
                              "'" + data_name + "' has " + std::to_string(classes),
                              "replace the space's parameter: --parameter classes=" + std::to_string(classes)});
  }
}

std::vector<float> image_ranges(const Design& design, const LabelledImages& images, const Normalisation& normalisation,
                                std::size_t count, int threads) {
  const std::size_t size = static_cast<std::size_t>(images.shape().channels) *
                           static_cast<std::size_t>(images.shape().height * images.shape().width);
  const std::size_t used = std::min(count, images.size());
  std::vector<float> input(used * size);
  for (std::size_t i = 0; i < used; ++i) {
    const std::span<float> image = std::span(input).subspan(i * size, size);
    images.copy(i, image);
    normalise(image, images.shape(), normalisation);
  }
  const Network wide = with_batch(design.network, static_cast<std::int64_t>(used));
  return activation_ranges(Design{wide, {}, design.weights}, input, threads);
}

std::vector<float> classify(const Design& design, const LabelledImages& images, const Normalisation& normalisation,
                            const EvaluateOptions& options,
                            const std::function<void(std::size_t, std::size_t)>& progress) {
  const auto batch = static_cast<std::size_t>(
      std::min<std::int64_t>(options.batch, std::max<std::int64_t>(1, static_cast<std::int64_t>(images.size()))));
  ExecutableOptions compile;
  compile.threads = options.threads;
  compile.activation_ranges = options.activation_ranges;
  Design wide{with_batch(design.network, static_cast<std::int64_t>(batch)), design.precision, design.weights};
  Executable executable(wide, compile);
  const std::size_t size = executable.input().size() / batch;
  std::vector<float> logits;
  for (std::size_t first = 0; first < images.size(); first += batch) {
    const std::size_t count = std::min(batch, images.size() - first);
    for (std::size_t i = 0; i < count; ++i) {
      const std::span<float> image = executable.input().subspan(i * size, size);
      images.copy(first + i, image);
      normalise(image, images.shape(), normalisation);
    }
    executable.run();
    const std::span<const float> output = executable.output(0);
    logits.insert(logits.end(), output.begin(),
                  output.begin() + static_cast<std::ptrdiff_t>(count * (output.size() / batch)));
    if (progress) progress(first + count, images.size());
  }
  return softmax_rows(logits, logits.size() / std::max<std::size_t>(1, images.size()));
}

ClassificationScores evaluate_classifier(const Design& design, const LabelledImages& images,
                                         const Normalisation& normalisation, const EvaluateOptions& options,
                                         const std::function<void(std::size_t, std::size_t)>& progress) {
  const std::vector<float> probabilities = classify(design, images, normalisation, options, progress);
  return score_classification(probabilities, images.labels(), probabilities.size() / images.size(), options.bins);
}

}  // namespace ridgeline
