// Any bytes are a space file or a ConfigError; a space that loads keeps its promises.
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <iterator>
#include <string>
#include <string_view>
#include <vector>

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

// Every value of the document, the root first.
void collect(ridgeline::Json& json, std::vector<ridgeline::Json*>& values) {
  values.push_back(&json);
  if (!json.is_structured()) return;
  for (ridgeline::Json& member : json) collect(member, values);
}

// One change that keeps the text JSON, so that more than the syntax is reached.
void mutate(ridgeline::Json& root, ridgeline::Rng& rng) {
  std::vector<ridgeline::Json*> values;
  collect(root, values);
  ridgeline::Json& target = *values[rng.below(values.size())];
  const ridgeline::Json other = *values[rng.below(values.size())];
  static const char* const expressions[] = {
      "k",     "i",       "a[i]",      "in_channels * 2", "range(3)", "-1",      "sum(d) > 1", "'relu'",
      "1 / 0", "k[i][0]", "in_height", "[k, 2][i % 2]",   "node[i]",  "current", "input[1]",   "'int8'"};
  switch (rng.below(6)) {
    case 0:
      target = other;
      break;
    case 1:
      if (target.is_array()) target.push_back(other);
      break;
    case 2:
      if (target.is_structured() && !target.empty()) {
        target.erase(std::next(target.begin(), static_cast<std::ptrdiff_t>(rng.below(target.size()))));
      }
      break;
    case 3:
      if (target.is_number()) target = static_cast<std::int64_t>(rng.below(20)) - 2;
      break;
    case 4:
      if (target.is_primitive()) target = expressions[rng.below(std::size(expressions))];
      break;
    default:
      if (target.is_array() && !target.empty()) target.insert(target.begin(), target[rng.below(target.size())]);
      break;
  }
}

}  // namespace

extern "C" std::size_t LLVMFuzzerMutate(std::uint8_t* data, std::size_t size, std::size_t most);

extern "C" std::size_t LLVMFuzzerCustomMutator(std::uint8_t* data, std::size_t size, std::size_t most, unsigned seed) {
  ridgeline::Rng rng(seed, "mutation");
  if (rng.chance(0.8)) {
    ridgeline::Json json = ridgeline::Json::parse(data, data + size, nullptr, false, true);
    if (!json.is_discarded()) {
      for (std::uint64_t changes = 1 + rng.below(3); changes > 0; --changes) mutate(json, rng);
      const std::string text = json.dump(-1, ' ', false, ridgeline::Json::error_handler_t::replace);
      if (text.size() <= most) {
        std::memcpy(data, text.data(), text.size());
        return text.size();
      }
    }
  }
  return LLVMFuzzerMutate(data, size, most);
}

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const std::string_view text(reinterpret_cast<const char*>(data), size);
  try {
    use(ridgeline::SearchSpace::parse(ridgeline::JsonDocument::parse(text, "fuzz.json")));
  } catch (const ridgeline::ConfigError& error) {
    require(!error.problems().empty());
  }
  return 0;
}
