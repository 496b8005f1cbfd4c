// Any bytes are a space file or a ConfigError; a space that loads keeps its promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <string_view>

#include "spaces/search_space.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

void use(const ridgeline::SearchSpace& space) {
  require(!space.dims().empty());
  require(space.log10_size() >= 0.0);
  if (space.dims().size() > 64) return;  // the same promises, only slower to see
  ridgeline::Rng rng(1);
  for (std::uint64_t i = 0; i < 3; ++i) {
    const ridgeline::Genome genome = space.sample(rng);  // throws when nothing satisfies the constraints
    require(!space.violation(genome));
    require(space.normalise(genome) == genome);
    require(space.from_json(space.describe(genome)) == genome);
    if (const auto at = space.at(i)) require(!space.violation(*at));
    require(!space.decode(genome).network.outputs().empty());
  }
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    use(ridgeline::SearchSpace::parse(ridgeline::JsonDocument::parse(text, "fuzz.json")));
  } catch (const ridgeline::ConfigError& error) {
    require(!error.problems().empty());
  }
  return 0;
}
