// Bits for every feature map on every branch of patch-based inference: QuantMCU's value-driven quantization search (Tao
// et al., "Value-Driven Mixed-Precision Quantization for Patch-Based Inference on Microcontrollers", DATE 2024,
// arXiv:2401.13714).
//
// A branch is what one patch runs through: m feature maps, made by all layers of the stage but the last. A branch whose
// patch has outliers keeps 8 bits. Of the others map i in b bits is scored by
//
//   S(i, b) = (1 - lambda) Phi(i, b) - lambda Omega(i, b)
//   Phi     the share of the branch's bit operations that it saves: (B_i(8) - B_i(b)) / sum over j of B_j(8),
//           B_i(b) = b * sum over the layers that read it of MACs times bits of their weights
//   Omega   the share of the branch's entropy that it loses: (H_i(8) - H_i(b)) / sum over j of H_j(8), H_i(b) the
//           entropy in bits of a value of the map rounded to b bits
//
// Bits are set one map at a time: always the change to fewer bits, of any map of any branch, that scores most above the
// bits it has. First all that score more than 0; then, while the plan needs more memory than there is, what scores
// most of what is left. Without a limit that is the plan with the largest sum of scores, as maps do not depend on each
// other.
#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace ridgeline {

inline constexpr std::array<int, 3> patch_map_bits{2, 4, 8};

struct PatchMapValues {
  std::int64_t weight_bit_macs = 0;      // sum over its readers of MACs times bits of their weights
  std::array<double, 3> entropy_bits{};  // in the order of patch_map_bits
  std::int64_t bit_operations(int bits) const { return weight_bit_macs * bits; }
  double entropy(int bits) const;
};

struct PatchBranch {
  bool outliers = false;
  std::vector<PatchMapValues> maps;
};

using PatchBits = std::vector<std::vector<int>>;  // one list a branch, one entry a map: 2, 4 or 8

struct PatchBitsResult {
  PatchBits bits;
  double score = 0;    // sum over branches and maps
  int changes = 0;     // steps of the search
  int for_memory = 0;  // of them those that scored no more than 0, for the limit's sake
  bool fits = true;    // false: not even the fewest bits do
};

double patch_score(const PatchBranch& branch, std::size_t map, int bits, double lambda);
double patch_score(std::span<const PatchBranch> branches, const PatchBits& bits, double lambda);

// `memory_bytes` of a plan; limit 0: there is none. lambda in [0, 1].
PatchBitsResult search_patch_bits(std::span<const PatchBranch> branches, double lambda,
                                  const std::function<std::int64_t(const PatchBits&)>& memory_bytes = {},
                                  std::int64_t limit_bytes = 0);

// Entropy in bits of the distribution that these counts are of.
double entropy_of_counts(std::span<const std::uint64_t> counts);

// The share of a normal distribution that lies further than so many standard deviations from its mean.
double normal_share_beyond(double deviations);

}  // namespace ridgeline
