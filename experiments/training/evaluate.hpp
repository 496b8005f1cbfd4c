// How well a trained network does on labelled images, run by the executor that times networks.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/data/dataset.hpp"
#include "kernels/executable.hpp"
#include "predictors/classification.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

struct EvaluateOptions {
  int threads = 1;                        // each takes batches of its own; results do not depend on how many there are
  std::int64_t batch = 25;                // images a thread runs at once: few enough to stay in its cache
  std::size_t bins = 15;                  // of the calibration errors
  Emulation emulation = Emulation::none;  // of number formats that this machine does not execute
};

// What the network reads of one image. Throws ConfigError when that is no image.
ImageShape input_shape(const Network& network);

// Throws ConfigError when the images have other channels than the network's input, or their labels do not fit its
// output. Images of another size fit: whoever runs the network resizes them to `input_shape`, after normalisation.
void check_fit(const Network& network, const LabelledImages& images, std::size_t classes, const std::string& data_name);

// Throws ConfigError at the first class that is another one in the data set than the network was trained for.
void check_classes(const std::vector<std::string>& trained_for, const Dataset& data);

// "images resized from 32x32 to 28x28", or nothing where they have the network's size.
std::string resize_note(const Network& network, const ImageShape& images);

// So many images of the split, in a random order that is always the same: what statistics and ranges are measured on.
LabelledImages calibration_images(const LabelledImages& images, std::size_t count);

// Where the design is quantized, gives it activation ranges measured on 256 training images.
void calibrate(Design& design, const LabelledImages& train, const Normalisation& normalisation, int threads);

// Runs the network in f32 over the images and shows what every operator made of them, batch by batch. Batches are dealt
// to `visit_lanes` lanes, each of which sees its own in order and on one thread: what is gathered a lane and put
// together in the order of lanes is the same for any number of threads. `shape` is the operator's, with the batch's
// size.
inline constexpr std::size_t visit_lanes = 4;
using ActivationVisitor = std::function<void(std::size_t lane, const Activation& made, const Shape& shape)>;
void visit_images(const Design& design, const LabelledImages& images, const Normalisation& normalisation, int threads,
                  const ActivationVisitor& look);

// The range of every node's output over the first `count` images, in f32. The same bits for any number of threads.
std::vector<Range> image_ranges(const Design& design, const LabelledImages& images, const Normalisation& normalisation,
                                std::size_t count, int threads);

// Shows every batch of images as `network` reads them, normalised and in its size, to `look`, on `threads` threads at
// once: `first` is its first image, `values` [count, C, H, W]. Batches are the same for any number of threads, their
// order is not.
struct ImageBatchView {
  std::size_t first, count;
  std::span<const float> values;
};
void visit_batches(const Network& network, const LabelledImages& images, const Normalisation& normalisation,
                   std::size_t batch, int threads, const std::function<void(const ImageBatchView&)>& look);

// What the network answers, one row of classes an image: the same bits for any number of threads. `design` is of any
// batch; every thread runs an Executable of its own with options.batch. `progress` is called by one thread at a time,
// on any of them. Throws Unsupported.
std::vector<float> answers(const Design& design, const LabelledImages& images, const Normalisation& normalisation,
                           const EvaluateOptions& options,
                           const std::function<void(std::size_t done, std::size_t total)>& progress = {});

// The same as probabilities.
std::vector<float> classify(const Design& design, const LabelledImages& images, const Normalisation& normalisation,
                            const EvaluateOptions& options,
                            const std::function<void(std::size_t done, std::size_t total)>& progress = {});

ClassificationScores evaluate_classifier(const Design& design, const LabelledImages& images,
                                         const Normalisation& normalisation, const EvaluateOptions& options,
                                         const std::function<void(std::size_t done, std::size_t total)>& progress = {});

}  // namespace ridgeline
