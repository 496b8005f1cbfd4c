// What the branches of patch-based inference hold on calibration images: which patches have outliers, the range of
// every feature map on every branch, and the entropy of its values in fewer bits, from histograms of each.
//
// A patch is the part of the stage's input that a branch reads, overlap included (hwmodels/memory/patches.hpp). Its
// values are compared with all values of that input: those further than so many standard deviations from the mean are
// outliers, and a patch has outliers where their share of it, over all images, is more than a given one. QuantMCU calls
// a patch with any outlier so, image by image; a plan that is made before it runs has to go by shares, as over enough
// images every patch has one.
#pragma once

#include <optional>
#include <vector>

#include "experiments/data/dataset.hpp"
#include "experiments/quantization/patch_bits.hpp"
#include "hwmodels/memory/patches.hpp"
#include "spaces/design.hpp"
#include "spaces/quantization.hpp"

namespace ridgeline {

struct PatchOutlierRule {
  double deviations = 2;          // beyond which a value is an outlier
  std::optional<double> share{};  // of a patch's values; default: what a normal distribution has beyond them
  double most_share() const { return share.value_or(normal_share_beyond(deviations)); }
};

struct PatchValues {
  std::vector<PatchBranch> branches;  // one a patch
  // Of each branch's maps in the bits of patch_map_bits: all that was seen in 8 bits, what loses least to rounding and
  // clipping together (CalibrationMethod::mse) in fewer.
  std::vector<std::vector<std::array<Range, patch_map_bits.size()>>> ranges;
  std::vector<bool> never_negative;    // one a map, on any branch
  std::vector<double> outlier_shares;  // one a patch
  double mean = 0, deviation = 0;      // of the stage's input
};

// `design` has weights and no batch norms (fold_norms); `steps` and `stage` are of its network. The same numbers for
// any number of threads.
PatchValues patch_values(const Design& design, std::span<const MemoryStep> steps, const PatchStage& stage,
                         const LabelledImages& images, const Normalisation& normalisation, const PatchOutlierRule& rule,
                         int threads);

std::size_t patch_bits_index(int bits);  // in patch_map_bits
// The integer that `value` is rounded to in `bits`, as the formats intN and, where nothing is negative, uintN from 0
// do; from 0 on, so that it can be counted.
std::size_t patch_code(float value, const Range& range, bool never_negative, int bits);

}  // namespace ridgeline
