#include "experiments/quantization/patch_values.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

#include "experiments/training/evaluate.hpp"
#include "kernels/quantization/calibration.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t bit_choices = patch_map_bits.size();
constexpr std::size_t bins = 512;  // of the values of one map on one branch: two a value of 8 bits

// One map of one branch: what was seen of it in one lane.
struct MapSeen {
  Range range;
  std::optional<Histogram> histogram{};  // over the range seen in all lanes
};

struct InputSeen {
  double sum = 0, squares = 0, count = 0;
  std::vector<std::uint64_t> beyond, values;  // one a patch
};

// Calls see(value) for every value of a patch's rectangle of one operator's output, all images and channels.
template <typename See>
void for_each_value(const Activation& made, const Shape& shape, const PatchTensor& tensor, std::size_t patch,
                    const See& see) {
  const auto at = [](std::int64_t n) { return static_cast<std::size_t>(n); };
  const std::size_t channels = at(shape[1]), height = at(shape[2]), width = at(shape[3]);
  const PatchSpan &rows = tensor.rows[patch / tensor.columns.size()],
                  &columns = tensor.columns[patch % tensor.columns.size()];
  for (std::size_t n = 0; n < at(shape[0]); ++n) {
    for (std::size_t c = 0; c < channels; ++c) {
      for (std::size_t y = at(rows.first); y < at(rows.end); ++y) {
        for (std::size_t x = at(columns.first); x < at(columns.end); ++x) {
          see(made.values[made.channels_last ? ((n * height + y) * width + x) * channels + c
                                             : ((n * channels + c) * height + y) * width + x]);
        }
      }
    }
  }
}

class PatchGathering {
 public:
  PatchGathering(const Design& design, std::span<const MemoryStep> steps, const PatchStage& stage,
                 const LabelledImages& images, const Normalisation& normalisation, int threads)
      : design_(design), stage_(stage), images_(images), normalisation_(normalisation), threads_(threads) {
    const std::vector<bool> known = ridgeline::never_negative(design.network);
    for (std::size_t i = 0; i + 1 < stage.schedule.layers; ++i) {
      maps_.push_back(steps[i].node);
      never_negative_.push_back(known[steps[i].node]);
    }
    lanes_.assign(visit_lanes, std::vector<std::vector<MapSeen>>(stage.patches(), std::vector<MapSeen>(maps_.size())));
    inputs_.assign(visit_lanes, InputSeen{});
    for (InputSeen& one : inputs_) {
      one.beyond.assign(stage.patches(), 0);
      one.values.assign(stage.patches(), 0);
    }
  }

  PatchValues gather(const PatchOutlierRule& rule) {
    PatchValues result;
    result.never_negative = never_negative_;
    find_ranges(result);
    for (auto& lane : lanes_) {
      for (std::size_t patch = 0; patch < lane.size(); ++patch) {
        for (std::size_t map = 0; map < maps_.size(); ++map) {
          lane[patch][map].histogram.emplace(result.ranges[patch][map].back(), bins);
        }
      }
    }
    count_values(result, rule);
    return result;
  }

 private:
  bool is_input(NodeId node) const {
    return design_.network.op(node).kind == OpKind::input && stage_.find(node) != nullptr;
  }
  // Index among the maps, or none.
  std::optional<std::size_t> map_of(NodeId node) const {
    const auto found = std::ranges::find(maps_, node);
    if (found == maps_.end()) return std::nullopt;
    return static_cast<std::size_t>(found - maps_.begin());
  }

  void find_ranges(PatchValues& result) {
    visit_images(design_, images_, normalisation_, threads_,
                 [&](std::size_t lane, const Activation& made, const Shape& shape) {
                   if (is_input(made.node)) {
                     for (const float value : made.values) {
                       inputs_[lane].sum += value;
                       inputs_[lane].squares += static_cast<double>(value) * value;
                     }
                     inputs_[lane].count += static_cast<double>(made.values.size());
                   }
                   const auto map = map_of(made.node);
                   if (!map) return;
                   for (std::size_t patch = 0; patch < stage_.patches(); ++patch) {
                     Range& range = lanes_[lane][patch][*map].range;
                     for_each_value(made, shape, *stage_.find(made.node), patch, [&](float value) {
                       range.low = std::min(range.low, value);
                       range.high = std::max(range.high, value);
                     });
                   }
                 });
    double sum = 0, squares = 0, count = 0;
    for (const InputSeen& one : inputs_) {
      sum += one.sum;
      squares += one.squares;
      count += one.count;
    }
    result.mean = sum / count;
    result.deviation = std::sqrt(std::max(0.0, squares / count - result.mean * result.mean));
    result.ranges.assign(stage_.patches(), std::vector<std::array<Range, bit_choices>>(maps_.size()));
    for (std::size_t patch = 0; patch < stage_.patches(); ++patch) {
      for (std::size_t map = 0; map < maps_.size(); ++map) {
        Range& whole = result.ranges[patch][map].back();
        for (const auto& lane : lanes_) whole = whole.with(lane[patch][map].range);
      }
    }
  }

  void count_input(std::size_t lane, const Activation& made, const Shape& shape, const PatchValues& result,
                   const PatchOutlierRule& rule) {
    const double most = rule.deviations * result.deviation;
    for (std::size_t patch = 0; patch < stage_.patches(); ++patch) {
      for_each_value(made, shape, *stage_.find(made.node), patch, [&](float value) {
        inputs_[lane].beyond[patch] += std::abs(value - result.mean) > most ? 1U : 0U;
        ++inputs_[lane].values[patch];
      });
    }
  }

  void count_values(PatchValues& result, const PatchOutlierRule& rule) {
    visit_images(
        design_, images_, normalisation_, threads_, [&](std::size_t lane, const Activation& made, const Shape& shape) {
          if (is_input(made.node)) count_input(lane, made, shape, result, rule);
          const auto map = map_of(made.node);
          if (!map) return;
          std::vector<float> values;
          for (std::size_t patch = 0; patch < stage_.patches(); ++patch) {
            values.clear();
            for_each_value(made, shape, *stage_.find(made.node), patch, [&](float value) { values.push_back(value); });
            lanes_[lane][patch][*map].histogram->add(values);
          }
        });
    for (std::size_t patch = 0; patch < stage_.patches(); ++patch) {
      std::uint64_t beyond = 0, values = 0;
      for (const InputSeen& one : inputs_) {
        beyond += one.beyond[patch];
        values += one.values[patch];
      }
      const double share = values == 0 ? 0.0 : static_cast<double>(beyond) / static_cast<double>(values);
      result.outlier_shares.push_back(share);
      PatchBranch branch{share > rule.most_share(), std::vector<PatchMapValues>(maps_.size())};
      for (std::size_t map = 0; map < maps_.size(); ++map) {
        branch.maps[map].entropy_bits = entropies(patch, map, result.ranges[patch][map]);
      }
      result.branches.push_back(std::move(branch));
    }
  }

  // In 2, 4 and 8 bits; sets the ranges of those below 8.
  std::array<double, bit_choices> entropies(std::size_t patch, std::size_t map,
                                            std::array<Range, bit_choices>& ranges) const {
    Histogram all(ranges.back(), bins);
    for (const auto& lane : lanes_) all.add(*lane[patch][map].histogram);
    std::array<double, bit_choices> made{};
    for (std::size_t b = 0; b < bit_choices; ++b) {
      const int bits = patch_map_bits[b];
      const Format format = Format::parse(fmt::format("{}{}", never_negative_[map] ? "uint" : "int", bits));
      if (bits < 8) ranges[b] = calibrated_range(all, format, CalibrationMethod::mse);
      std::vector<std::uint64_t> counts(std::size_t{1} << bits, 0);
      for (std::size_t bin = 0; bin < bins; ++bin) {
        counts[patch_code(all.centre(bin), ranges[b], never_negative_[map], bits)] += all.counts()[bin];
      }
      made[b] = entropy_of_counts(counts);
    }
    return made;
  }

  const Design& design_;
  const PatchStage& stage_;
  const LabelledImages& images_;
  const Normalisation& normalisation_;
  int threads_;
  std::vector<NodeId> maps_;
  std::vector<bool> never_negative_;
  std::vector<std::vector<std::vector<MapSeen>>> lanes_;  // [lane][patch][map]
  std::vector<InputSeen> inputs_;                         // one a lane
};

}  // namespace

std::size_t patch_bits_index(int bits) {
  return static_cast<std::size_t>(std::ranges::find(patch_map_bits, bits) - patch_map_bits.begin());
}

std::size_t patch_code(float value, const Range& range, bool never_negative, int bits) {
  const int steps = never_negative ? (1 << bits) - 1 : (1 << (bits - 1)) - 1;
  const float magnitude = never_negative ? range.high : range.magnitude();
  if (magnitude <= 0) return static_cast<std::size_t>(never_negative ? 0 : steps);
  const float rounded = std::nearbyint(value / magnitude * static_cast<float>(steps));
  const float least = never_negative ? 0.0F : static_cast<float>(-steps);
  return static_cast<std::size_t>(std::clamp(rounded, least, static_cast<float>(steps)) - least);
}

PatchValues patch_values(const Design& design, std::span<const MemoryStep> steps, const PatchStage& stage,
                         const LabelledImages& images, const Normalisation& normalisation, const PatchOutlierRule& rule,
                         int threads) {
  PatchValues values = PatchGathering(design, steps, stage, images, normalisation, threads).gather(rule);
  for (std::size_t patch = 0; patch < stage.patches(); ++patch) {
    for (std::size_t i = 1; i < stage.schedule.layers; ++i) {
      const auto maker = std::ranges::find(steps, steps[i].reads.front(), &MemoryStep::node);
      const auto map = static_cast<std::size_t>(maker - steps.begin());
      if (map + 1 >= stage.schedule.layers) continue;  // reads the network's input
      values.branches[patch].maps[map].weight_bit_macs +=
          patch_macs(design.network, stage, steps[i], patch) * design.precision.at(steps[i].anchor).weights.width_bits;
    }
  }
  return values;
}

}  // namespace ridgeline
