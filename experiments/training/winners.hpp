// The front of a search on a supernet, on images that no search has seen: each member with its inherited weights, in
// the formats that it was searched in, and as a network of its own; or trained on from there.
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "experiments/report/report.hpp"
#include "experiments/training/train.hpp"

namespace ridgeline {

struct WinnerOptions {
  int threads = 1;
  // Each member is trained on for so many epochs, in its formats where the space has precision genes; 0: not. Gone on
  // from `folder`, where checkpoints are.
  int fine_tune_epochs = 0;
  double learning_rate = 0.01;  // of fine-tuning, falling to 0
  std::string folder{};
  // Each member is written to `folder` as ONNX, and the file read and run again.
  bool export_onnx = false;
  std::string producer_version{};
};

// What was written for a winner, or why nothing was.
struct ExportedWinner {
  std::string file, problem;
  double same_answers = 0;  // share of the test images that the file gives the same class
};

struct Winner {
  FrontMember member;
  // 0 to 1, of all images of the split; fine-tuned where that was asked for.
  double validation_accuracy = 0, test_accuracy = 0;
  // Validation accuracy of the same numbers rounded and computed in f32 (Emulation::all); as validation_accuracy where
  // nothing is in 8 bits or bf16.
  double emulated_accuracy = 0;
  ModelCheckpoint checkpoint;
  Design design{};  // as it is executed
  std::optional<ExportedWinner> onnx{};
};

struct Winners {
  StudyReport report;  // of the front
  std::string supernet, data;
  std::vector<Winner> winners;  // in the order of the front
  bool stopped = false;
};

struct WinnerHooks {
  std::function<void(std::size_t done, std::size_t total)> progress;
  TrainHooks train;  // of fine-tuning; its `stop` ends the tests too, after the current winner
};

// Throws ConfigError: a study without objective from a supernet, a supernet or data set that is another one now; and as
// train_model. `stopped` of the result: interrupted, not all winners are there.
Winners test_winners(const Store& store, const std::string& study, const Resources& resources,
                     const WinnerOptions& options, const WinnerHooks& hooks = {});

}  // namespace ridgeline
