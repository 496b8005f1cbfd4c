#include "experiments/training/evaluate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <mutex>
#include <numeric>
#include <optional>

#include "experiments/data/batches.hpp"
#include "experiments/data/resize.hpp"
#include "kernels/executable.hpp"
#include "kernels/pinning.hpp"
#include "kernels/training/loss.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t calibration_batch = 32;
constexpr std::size_t range_images = 256;

struct ImageRange {
  std::size_t batch, first, count;
};

// Hands out batches of a set, each once, to any thread.
class BatchCounter {
 public:
  BatchCounter(std::size_t images, std::size_t batch) : images_(images), batch_(batch) {}

  std::size_t size() const { return (images_ + batch_ - 1) / batch_; }
  int threads(int most) const {
    return static_cast<int>(std::min<std::size_t>(static_cast<std::size_t>(most), size()));
  }
  std::optional<ImageRange> take() {
    const std::size_t batch = next_.fetch_add(1);
    if (batch >= size()) return std::nullopt;
    const std::size_t first = batch * batch_;
    return ImageRange{batch, first, std::min(batch_, images_ - first)};
  }

 private:
  std::size_t images_, batch_;
  std::atomic<std::size_t> next_ = 0;
};

// Reads images as a network wants them: normalised and in its size. One a thread.
class BatchReader {
 public:
  BatchReader(const LabelledImages& images, const Normalisation& normalisation, const ImageShape& input)
      : images_(images), normalisation_(normalisation), input_(input) {}

  const std::vector<float>& read(const ImageRange& range) {
    const ImageShape& shape = images_.shape();
    batch_.resize(range.count * shape.size());
    for (std::size_t i = 0; i < range.count; ++i) {
      const std::span<float> image = std::span(batch_).subspan(i * shape.size(), shape.size());
      images_.copy(range.first + i, image);
      normalise(image, shape, normalisation_);
    }
    batch_ = resized(std::move(batch_), shape, input_);
    return batch_;
  }

 private:
  const LabelledImages& images_;
  const Normalisation& normalisation_;
  ImageShape input_;
  std::vector<float> batch_;
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
  const Shape& output = network.shape(network.outputs().front());
  if (output.size() != 2) {
    throw ConfigError(Problem{"--data", "", "a network that answers with one number a class", shape_text(output), ""});
  }
  const auto outputs = static_cast<std::size_t>(output.back());
  if (outputs != classes) {
    throw ConfigError(Problem{
        "--data", "", std::to_string(outputs) + " classes", "'" + data_name + "' has " + std::to_string(classes),
        "take the data set that it was trained for, or train a network with classes=" + std::to_string(classes)});
  }
}

void check_classes(const std::vector<std::string>& trained_for, const Dataset& data) {
  const auto [trained, there] = std::ranges::mismatch(trained_for, data.class_names);
  if (trained == trained_for.end() && there == data.class_names.end()) return;
  const auto named = [](const auto& at, const auto& end) { return at == end ? std::string("none") : "'" + *at + "'"; };
  throw ConfigError(Problem{"--data", "class " + std::to_string(trained - trained_for.begin()),
                            named(trained, trained_for.end()),
                            named(there, data.class_names.end()) + " in '" + data.name + "'",
                            "take the data set that the network was trained for"});
}

std::string resize_note(const Network& network, const ImageShape& images) {
  const ImageShape input = input_shape(network);
  if (input.height == images.height && input.width == images.width) return "";
  return fmt::format("images resized from {}x{} to {}x{}", images.height, images.width, input.height, input.width);
}

LabelledImages calibration_images(const LabelledImages& images, std::size_t count) {
  std::vector<std::uint32_t> order(images.size());
  std::iota(order.begin(), order.end(), 0U);
  Rng(0, "calibration images").shuffle(std::span(order));
  order.resize(std::min(count, order.size()));
  return images.subset(order);
}

void calibrate(Design& design, const LabelledImages& train, const Normalisation& normalisation, int threads) {
  if (design.precision.operators.empty()) return;
  const LabelledImages images = calibration_images(train, range_images);
  design.quantization = std::make_shared<const Quantization>(
      Quantization{image_ranges(design, images, normalisation, range_images, threads)});
}

void visit_images(const Design& design, const LabelledImages& images, const Normalisation& normalisation, int threads,
                  const ActivationVisitor& look) {
  const std::size_t batches = (images.size() + calibration_batch - 1) / calibration_batch;
  const std::size_t lanes = std::min(visit_lanes, batches);
  std::atomic<std::size_t> next_lane = 0;
  on_team(std::max(1, std::min(threads, static_cast<int>(lanes))), [&](int) {
    BatchReader reader(images, normalisation, input_shape(design.network));
    for (std::size_t lane = next_lane++; lane < lanes; lane = next_lane++) {
      for (std::size_t batch = lane; batch < batches; batch += lanes) {
        const std::size_t first = batch * calibration_batch;
        const ImageRange range{batch, first, std::min(calibration_batch, images.size() - first)};
        const Design wide{with_batch(design.network, static_cast<std::int64_t>(range.count)), {}, design.weights};
        visit_activations(wide, reader.read(range), 1,
                          [&](const Activation& made) { look(lane, made, wide.network.shape(made.node)); });
      }
    }
  });
}

std::vector<Range> image_ranges(const Design& design, const LabelledImages& images, const Normalisation& normalisation,
                                std::size_t count, int threads) {
  std::vector<std::uint32_t> first(std::min(count, images.size()));
  std::iota(first.begin(), first.end(), 0U);
  std::vector<std::vector<Range>> found(visit_lanes, std::vector<Range>(design.network.size()));
  const LabelledImages used = first.size() < images.size() ? images.subset(first) : images;
  visit_images(design, used, normalisation, threads, [&](std::size_t lane, const Activation& made, const Shape&) {
    Range& range = found[lane][made.node];
    range = range.with(range_of(made.values));
  });
  std::vector<Range> ranges(design.network.size());
  for (const std::vector<Range>& one : found) {
    for (std::size_t node = 0; node < ranges.size(); ++node) ranges[node] = ranges[node].with(one[node]);
  }
  return ranges;
}

void visit_batches(const Network& network, const LabelledImages& images, const Normalisation& normalisation,
                   std::size_t batch, int threads, const std::function<void(const ImageBatchView&)>& look) {
  BatchCounter batches(images.size(), batch);
  on_team(batches.threads(threads), [&](int) {
    BatchReader reader(images, normalisation, input_shape(network));
    while (const std::optional<ImageRange> range = batches.take()) {
      look({range->first, range->count, reader.read(*range)});
    }
  });
}

std::vector<float> answers(const Design& design, const LabelledImages& images, const Normalisation& normalisation,
                           const EvaluateOptions& options,
                           const std::function<void(std::size_t, std::size_t)>& progress) {
  const auto batch = static_cast<std::size_t>(
      std::clamp<std::int64_t>(static_cast<std::int64_t>(images.size()), 1, std::max<std::int64_t>(1, options.batch)));
  const Design wide{with_batch(design.network, static_cast<std::int64_t>(batch)), design.precision, design.weights,
                    design.quantization};
  const auto classes = static_cast<std::size_t>(wide.network.shape(wide.network.outputs().front()).back());
  ExecutableOptions compile;
  compile.threads = 1;
  compile.emulation = options.emulation;
  std::vector<float> logits(images.size() * classes);
  BatchCounter batches(images.size(), batch);
  std::mutex reporting;
  std::size_t done = 0;
  on_team(batches.threads(options.threads), [&](int) {
    Executable executable(wide, compile);
    BatchReader reader(images, normalisation, input_shape(design.network));
    while (const std::optional<ImageRange> range = batches.take()) {
      std::ranges::copy(reader.read(*range),
                        executable.input().begin());  // the rest of a last batch is whatever it was
      executable.run();
      std::copy_n(executable.output(0).begin(), range->count * classes,
                  logits.begin() + static_cast<std::ptrdiff_t>(range->first * classes));
      const std::scoped_lock lock(reporting);
      done += range->count;
      if (progress) progress(done, images.size());
    }
  });
  return logits;
}

std::vector<float> classify(const Design& design, const LabelledImages& images, const Normalisation& normalisation,
                            const EvaluateOptions& options,
                            const std::function<void(std::size_t, std::size_t)>& progress) {
  std::vector<float> found = answers(design, images, normalisation, options, progress);
  const NodeId output = design.network.outputs().front();
  if (design.network.op(output).kind == OpKind::softmax) return found;
  return softmax_rows(found, static_cast<std::size_t>(design.network.shape(output).back()));
}

ClassificationScores evaluate_classifier(const Design& design, const LabelledImages& images,
                                         const Normalisation& normalisation, const EvaluateOptions& options,
                                         const std::function<void(std::size_t, std::size_t)>& progress) {
  const std::vector<float> probabilities = classify(design, images, normalisation, options, progress);
  return score_classification(probabilities, images.labels(), probabilities.size() / images.size(), options.bins);
}

}  // namespace ridgeline
