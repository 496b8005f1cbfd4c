// Every pair of number formats for weights and activations of one trained network, the same pair everywhere: error on
// validation images, emulated bit by bit, against the LUTs of an FPGA accelerator that computes in it (Aggarwal et al.,
// "Post-Training Quantization with Low-precision Minifloats and Integers on FPGAs", 2023; FPL 2024).
//
// The sweep is an ordinary study: a space of one dimension whose choices are the pairs, every operator tied to it;
// searched exhaustively, or by NSGA-II with a budget below the number of pairs. It is stored, resumed, reported and
// explained as any other. Weights have a scale an output channel and activations one a tensor, where a format does not
// say otherwise. Equalization, SmoothQuant, bias correction, learned rounding and GPTQ are passes that it takes or
// leaves (passes.hpp).
//
// What can never be negative is executed, emulated and costed as unsigned where its format is an integer; a minifloat
// keeps its sign bit. Pairs are in the order integer, mixed, minifloat, and of equal values the first stays on the
// front. That matters because e1mY as weights holds the numbers of int(Y+2) and costs as much (hwmodels/fpga_unit.hpp):
// what is called a minifloat on the front is none that an integer could replace.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "experiments/quantization/passes.hpp"
#include "experiments/study/study.hpp"

namespace ridgeline {

enum class FormatFamily : std::uint8_t { integer, mixed, minifloat };
std::string_view name_of(FormatFamily family);

// Integers of 3 to 8 bits, and every minifloat eXmY with X >= 1, Y >= 0 and 3 <= 1 + X + Y <= 8: 6 and 27, narrow
// first.
std::vector<std::string> sweep_integers();
std::vector<std::string> sweep_minifloats();
// "int4,e2m1": formats, and the words "integers", "minifloats" and "all", with commas. Each once, in that order. Throws
// ConfigError naming `flag`: no format, neither an integer nor a minifloat.
std::vector<std::string> sweep_formats(const std::string& list, const std::string& flag);

struct FormatSweepConfig {
  std::string model, data;  // a checkpoint or ONNX file; a data set
  std::string folder;       // of the network and the space, which a stored study needs; made where it is not there
  std::string name;         // of the study
  std::string device = "alveo_u250";
  std::vector<std::string> weights, activations;
  PostTrainingOptions post_training;   // done for every pair
  std::string edges;                   // format of the first and the last operator; empty: the pair's, as all others
  std::size_t images = 500;            // of the validation split; at most what there is
  std::optional<std::int64_t> trials;  // a budget below the number of pairs is searched by NSGA-II
  std::optional<double> wall_s;
  std::uint64_t seed = 1;
};

struct SweepPair {
  std::string weights, activations;  // as in the configuration's lists
  FormatFamily family = FormatFamily::integer;
  std::optional<std::int64_t> trial;  // empty: not tried
  std::optional<double> error;        // 100 - accuracy in percent; empty: not tried, not run, or it does not fit
  double luts = 0, dsps = 0, brams = 0;
  bool on_front = false;
  std::string reason;  // why there is no error
};

// A stretch of the front, by ascending LUTs, in which all pairs are of one family.
struct FamilyStretch {
  FormatFamily family = FormatFamily::integer;
  std::size_t pairs = 0;
  double least_luts = 0, most_luts = 0;
  double most_error = 0, least_error = 0;
};

struct FormatSweepResult {
  StudyResult::End end = StudyResult::End::budget;
  std::size_t images = 0;
  PostTrainingOptions post_training;
  std::vector<SweepPair> pairs;    // in the order of the space
  std::vector<std::size_t> front;  // of `pairs`, by ascending LUTs
  double baseline_error = 0;       // of the network as it is, in f32, on the same images
};

std::vector<FamilyStretch> stretches(const FormatSweepResult& result);
// One line a pair: weights, activations, family, passes ("fold+gptq", "none"), calibration, error_percent, luts,
// dsps, brams, front, trial, reason.
std::string sweep_csv(const FormatSweepResult& result);

// Writes FOLDER/model.onnx (f32, batch norms folded, after the passes that keep the function) and FOLDER/formats.json,
// and searches; the other passes are done for each pair, learned rounding once a layer and format of weights. A study
// of that name in the store goes on. Throws ConfigError (before anything is written, where the input says so) and
// StoreError.
FormatSweepResult sweep_pairs(const FormatSweepConfig& config, const Resources& resources, Store& store,
                              const std::string& command, const StudyHooks& hooks);

}  // namespace ridgeline
