#include "experiments/quantization/patch_bits.hpp"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <numeric>
#include <optional>

namespace ridgeline {
namespace {

// One map of one branch to so many bits, and what that adds to the score.
struct Change {
  std::size_t branch = 0, map = 0;
  int bits = 0;
  double gain = 0;
};

// The change that gains most; the first of equals.
std::optional<Change> best_change(std::span<const PatchBranch> branches, const PatchBits& bits, double lambda) {
  std::optional<Change> best;
  for (std::size_t branch = 0; branch < branches.size(); ++branch) {
    if (branches[branch].outliers) continue;
    for (std::size_t map = 0; map < branches[branch].maps.size(); ++map) {
      const int now = bits[branch][map];
      const double score = patch_score(branches[branch], map, now, lambda);
      for (const int fewer : patch_map_bits) {
        if (fewer >= now) break;
        const double gain = patch_score(branches[branch], map, fewer, lambda) - score;
        if (!best || gain > best->gain) best = Change{branch, map, fewer, gain};
      }
    }
  }
  return best;
}

}  // namespace

double PatchMapValues::entropy(int bits) const {
  const auto at = std::ranges::find(patch_map_bits, bits) - patch_map_bits.begin();
  return entropy_bits.at(static_cast<std::size_t>(at));
}

double patch_score(const PatchBranch& branch, std::size_t map, int bits, double lambda) {
  double operations = 0, entropy = 0;
  for (const PatchMapValues& one : branch.maps) {
    operations += static_cast<double>(one.bit_operations(8));
    entropy += one.entropy(8);
  }
  const PatchMapValues& values = branch.maps[map];
  const auto saved = static_cast<double>(values.bit_operations(8) - values.bit_operations(bits));
  const double lost = values.entropy(8) - values.entropy(bits);
  return (1 - lambda) * (operations > 0 ? saved / operations : 0.0) - lambda * (entropy > 0 ? lost / entropy : 0.0);
}

double patch_score(std::span<const PatchBranch> branches, const PatchBits& bits, double lambda) {
  double sum = 0;
  for (std::size_t branch = 0; branch < branches.size(); ++branch) {
    for (std::size_t map = 0; map < branches[branch].maps.size(); ++map) {
      sum += patch_score(branches[branch], map, bits[branch][map], lambda);
    }
  }
  return sum;
}

PatchBitsResult search_patch_bits(std::span<const PatchBranch> branches, double lambda,
                                  const std::function<std::int64_t(const PatchBits&)>& memory_bytes,
                                  std::int64_t limit_bytes) {
  PatchBitsResult result;
  for (const PatchBranch& branch : branches) result.bits.emplace_back(branch.maps.size(), 8);
  const auto fits = [&] { return limit_bytes <= 0 || memory_bytes(result.bits) <= limit_bytes; };
  while (const std::optional<Change> change = best_change(branches, result.bits, lambda)) {
    if (change->gain <= 0) {
      if (fits()) break;
      ++result.for_memory;
    }
    result.bits[change->branch][change->map] = change->bits;
    ++result.changes;
  }
  result.fits = fits();
  result.score = patch_score(branches, result.bits, lambda);
  return result;
}

double entropy_of_counts(std::span<const std::uint64_t> counts) {
  const auto total = static_cast<double>(std::accumulate(counts.begin(), counts.end(), std::uint64_t{0}));
  double bits = 0;
  for (const std::uint64_t count : counts) {
    if (count > 0) bits -= static_cast<double>(count) / total * std::log2(static_cast<double>(count) / total);
  }
  return bits;
}

double normal_share_beyond(double deviations) { return std::erfc(deviations / std::numbers::sqrt2); }

}  // namespace ridgeline
