#include "spaces/design.hpp"

#include "spaces/hash.hpp"

namespace ridgeline {

std::uint64_t function_hash(const Design& design) {
  const std::uint64_t function = structural_hash(design.network, design.precision);
  if (!design.hardware && !design.schedule) return function;
  Hasher hasher;
  hasher.add(function);
  for (const auto& settings : {design.hardware, design.schedule}) {
    hasher.add(std::string_view(settings ? settings->dump() : std::string()));
  }
  return hasher.value();
}

}  // namespace ridgeline
