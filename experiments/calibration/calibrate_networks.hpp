// The networks that calibration times. Internal to calibration and the device check.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "experiments/calibration/calibrate.hpp"
#include "hwmodels/layers.hpp"

namespace ridgeline {

std::vector<ExecutedLayer> layers_of(const Design& design);

struct SpaceNetwork {
  Genome genome;
  Design design;
};

// At most `count` different networks of a space. The first, third and so on together show as many of its layers as
// often as possible; the others are drawn at random.
std::vector<SpaceNetwork> calibration_networks(const SearchSpace& space, const std::string& format, std::size_t count,
                                               std::uint64_t seed);

}  // namespace ridgeline
