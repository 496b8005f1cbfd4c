#include "experiments/training/evaluate.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "experiments/data/batches.hpp"
#include "experiments/data/resize.hpp"
#include "kernels/executable.hpp"
#include "kernels/training/loss.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

// Images `first` to `first + count`, normalised and in the network's size, into `out`.
class BatchReader {
 public:
  BatchReader(const LabelledImages& images, const Normalisation& normalisation, const ImageShape& input)
      : images_(images), normalisation_(normalisation), input_(input) {}

  void read(std::size_t first, std::size_t count, std::span<float> out) {
    const ImageShape& shape = images_.shape();
    const bool resizes = shape != input_;
    if (resizes) as_stored_.resize(count * shape.size());
    const std::span<float> plain = resizes ? std::span(as_stored_) : out;
    for (std::size_t i = 0; i < count; ++i) {
      const std::span<float> image = plain.subspan(i * shape.size(), shape.size());
      images_.copy(first + i, image);
      normalise(image, shape, normalisation_);
    }
    if (resizes) resize_images(plain, shape, out.first(count * input_.size()), input_);
  }

 private:
  const LabelledImages& images_;
  const Normalisation& normalisation_;
  ImageShape input_;
  std::vector<float> as_stored_;
};

}  // namespace

ImageShape input_shape(const Network& network) {
  const Shape& input = network.shape(network.live_nodes().front());
  if (input.size() != 4) {
    throw ConfigError(Problem{"--data", "", "a network that reads images", "one that reads " + shape_text(input),
                              "take a space whose \"input\" is [channels, height, width]"});
  }
  return {static_cast<int>(input[1]), static_cast<int>(input[2]), static_cast<int>(input[3])};
}

void check_fit(const Network& network, const LabelledImages& images, std::size_t classes,
               const std::string& data_name) {
  const ImageShape input = input_shape(network);
  if (input.channels != images.shape().channels) {
    throw ConfigError(Problem{
        "--data", "", "images of " + shape_text(input), "'" + data_name + "' has " + shape_text(images.shape()),
        "sizes may differ, channels may not: take a space that reads " + std::to_string(images.shape().channels) +
            ", or one with a parameter 'channels', which takes them from the data set"});
  }
  const auto outputs = static_cast<std::size_t>(network.shape(network.outputs().front()).back());
  if (outputs != classes) {
    throw ConfigError(Problem{"--data", "", std::to_string(outputs) + " classes",
                              "'" + data_name + "' has " + std::to_string(classes),
                              "replace the space's parameter: --parameter classes=" + std::to_string(classes)});
  }
}

std::string resize_note(const Network& network, const ImageShape& images) {
  const ImageShape input = input_shape(network);
  if (input.height == images.height && input.width == images.width) return "";
  return fmt::format("images resized from {}x{} to {}x{}", images.height, images.width, input.height, input.width);
}

std::vector<float> image_ranges(const Design& design, const LabelledImages& images, const Normalisation& normalisation,
                                std::size_t count, int threads) {
  const ImageShape shape = input_shape(design.network);
  const std::size_t used = std::min(count, images.size());
  std::vector<float> input(used * shape.size());
  BatchReader(images, normalisation, shape).read(0, used, input);
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
  BatchReader reader(images, normalisation, input_shape(design.network));
  std::vector<float> logits;
  for (std::size_t first = 0; first < images.size(); first += batch) {
    const std::size_t count = std::min(batch, images.size() - first);
    reader.read(first, count, executable.input());
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
