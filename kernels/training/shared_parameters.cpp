#include "kernels/training/shared_parameters.hpp"

#include <algorithm>
#include <cmath>

#include "kernels/training/initial_weights.hpp"
#include "kernels/training/kernel_maps.hpp"
#include "kernels/training/rounding_sites.hpp"
#include "spaces/config_error.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

using Kind = ParameterBlock::Kind;

constexpr int random_candidates = 200;

std::int64_t volume(const Extents4& extents) { return extents[0] * extents[1] * extents[2] * extents[3]; }

Extents4 extents_of(const Network& network, const ParameterBlock& block) {
  const Op& op = network.op(block.node);
  if (block.kind != Kind::kernel) return {static_cast<std::int64_t>(block.size), 1, 1, 1};
  const std::int64_t window = op.kind == OpKind::conv2d ? op.kernel[0] * op.kernel[1] : 1;
  const std::int64_t in = static_cast<std::int64_t>(block.size) / (op.channels * window);
  if (op.kind == OpKind::conv2d) return {op.channels, in, op.kernel[0], op.kernel[1]};
  return {op.channels, in, 1, 1};
}

[[noreturn]] void refuse(const SearchSpace& space, const std::string& place, const std::string& expected,
                         const std::string& found) {
  throw ConfigError(Problem{"space '" + space.name() + "'", place, expected, found,
                            "train its candidates one by one, or give what differs a step of its own in a 'switch'"});
}

// What leading slices cannot express must be the same in all candidates: the channels of a convolution in groups, where
// a slice would take those of other groups, and all terms of a concatenation but the last, behind which a slice would
// move.
class SameEverywhere {
 public:
  explicit SameEverywhere(const SearchSpace& space) : space_(space) {}

  void check(const std::string& place, const Network& network, NodeId node) {
    const Op& op = network.op(node);
    if (op.kind == OpKind::conv2d) {
      const bool whole = op.groups == 1 || op.groups == op.channels;
      const std::int64_t in = network.shape(network.inputs(node)[0])[1];
      agree(place, whole ? Shape{} : Shape{op.groups, op.channels, in}, "a convolution in groups with fixed channels");
    }
    if (op.kind == OpKind::concat) {
      const std::span<const NodeId> terms = network.inputs(node);
      Shape extents;
      for (const NodeId term : terms.first(terms.size() - 1)) {
        extents.push_back(network.shape(term).at(static_cast<std::size_t>(op.axis)));
      }
      agree(place, extents, "a concatenation of tensors with fixed channels, the last excepted");
    }
  }

 private:
  void agree(const std::string& place, const Shape& found, const char* expected) {
    const auto [first, fresh] = seen_.try_emplace(place, found);
    if (!fresh && first->second != found) refuse(space_, place, expected, "others in other candidates");
  }

  const SearchSpace& space_;
  std::map<std::string, Shape> seen_;
};

bool larger(const Json& a, const Json& b) { return a.is_number() && b.is_number() && a > b; }

Genome extreme(const SearchSpace& space, bool most) {
  Genome genome;
  for (const Dimension& dimension : space.dims()) {
    const std::vector<Json>& choices = dimension.choices;
    const bool compared = has_ends(dimension);
    std::size_t best = compared && most && !choices[0].is_number() ? choices.size() - 1 : 0;
    for (std::size_t i = 1; compared && i < choices.size(); ++i) {
      if (most ? larger(choices[i], choices[best]) : larger(choices[best], choices[i])) best = i;
    }
    genome.genes.push_back(static_cast<std::uint16_t>(best));
  }
  return genome;
}

}  // namespace

bool has_ends(const Dimension& dimension) {
  const bool numbers = std::ranges::all_of(dimension.choices, [](const Json& choice) { return choice.is_number(); });
  const bool sized = dimension.group == GeneGroup::architecture || dimension.group == GeneGroup::precision;
  return sized && (dimension.ordered || numbers);
}

Genome largest_genome(const SearchSpace& space) { return extreme(space, true); }
Genome smallest_genome(const SearchSpace& space) { return extreme(space, false); }

std::vector<Genome> survey(const SearchSpace& space, bool precision) {
  const Genome largest = largest_genome(space);
  std::vector<Genome> found{space.normalise(largest), space.normalise(smallest_genome(space))};
  for (std::size_t d = 0; d < space.dims().size(); ++d) {
    const Dimension& dimension = space.dims()[d];
    const bool shown =
        dimension.group == GeneGroup::architecture || (precision && dimension.group == GeneGroup::precision);
    if (!shown) continue;
    for (std::size_t choice = 0; choice < dimension.choices.size(); ++choice) {
      Genome genome = largest;
      genome.genes[d] = static_cast<std::uint16_t>(choice);
      found.push_back(space.normalise(std::move(genome)));
    }
  }
  Rng rng(0, "survey of a supernet");
  for (int i = 0; i < random_candidates; ++i) found.push_back(space.sample(rng));
  std::sort(found.begin() + 1, found.end());
  found.erase(std::unique(found.begin() + 1, found.end()), found.end());
  std::erase_if(found, [&](const Genome& genome) { return space.violation(genome).has_value(); });
  return found;
}

SharedParameters::SharedParameters(const SearchSpace& space, std::string formats) : formats_(std::move(formats)) {
  SameEverywhere same(space);
  std::set<std::string> seen;
  for (const Genome& genome : survey(space, formats_ == by_genes)) {
    const Design design = space.decode(genome);
    const std::vector<std::string> places = space.places(genome);
    for (const NodeId node : design.network.live_nodes()) {
      same.check(places[node], design.network, node);
      if (seen.insert(places[node]).second) tensors_.push_back(places[node]);
    }
    add(design.network, places);
    note_formats(design.network, trained_plan(design, formats_));
  }
  add_ranges();
  lay_out(space);
}

void SharedParameters::note_formats(const Network& network, const PrecisionPlan& plan) {
  const RoundingSites sites = rounding_sites(network, plan);
  for (std::size_t i = 0; i < sites.ranges.size(); ++i) {
    const Format& format = sites.range_formats[i];
    const bool tensor = sites.ranges[i].kind == Kind::tensor_range;
    (tensor ? rounded_.tensors : rounded_.kernels).insert(format.text());
    if (!tensor && format.granularity == Format::Granularity::channel) rounded_.by_channel.insert(format.text());
  }
}

// Every format at every place, so that no candidate asks for a range that there is not.
void SharedParameters::add_ranges() {
  // `place` is a copy: it may be that of a block, which moves when one is added.
  const auto add_one = [&](std::string place, Kind kind, const std::string& format, std::int64_t count) {
    by_place_.emplace(Key{place, kind, format}, blocks_.size());
    SharedBlock& block = blocks_.emplace_back();
    block.place = std::move(place);
    block.format = format;
    block.kind = kind;
    block.extents = {count, 1, 1, 1};
    block.windows = {{1, 1}};
  };
  const std::size_t others = blocks_.size();
  for (std::size_t i = 0; i < others; ++i) {
    if (blocks_[i].kind != Kind::kernel) continue;
    for (const std::string& format : rounded_.kernels) {
      const std::int64_t count = rounded_.by_channel.contains(format) ? blocks_[i].extents[0] : 1;
      add_one(blocks_[i].place, Kind::kernel_range, format, count);
    }
  }
  for (const std::string& place : tensors_) {
    for (const std::string& format : rounded_.tensors) add_one(place, Kind::tensor_range, format, 1);
  }
}

void SharedParameters::add(const Network& network, std::span<const std::string> places) {
  for (const ParameterBlock& block : ridgeline::parameter_blocks(network)) {
    const std::string& place = places[block.node];
    const auto [found, fresh] = by_place_.try_emplace(Key{place, block.kind, ""}, blocks_.size());
    if (fresh) blocks_.emplace_back();
    SharedBlock& shared = blocks_[found->second];
    shared.place = place;
    shared.kind = block.kind;
    const Extents4 extents = extents_of(network, block);
    for (std::size_t i = 0; i < extents.size(); ++i) shared.extents[i] = std::max(shared.extents[i], extents[i]);
    const Window window{extents[2], extents[3]};
    if (std::ranges::find(shared.windows, window) == shared.windows.end()) shared.windows.push_back(window);
    shared.conv = network.op(block.node).kind == OpKind::conv2d;
    shared.closes_residual = shared.closes_residual && closes_residual(network, block.node);
  }
}

void SharedParameters::lay_out(const SearchSpace& space) {
  for (SharedBlock& block : blocks_) {
    std::sort(block.windows.begin(), block.windows.end(), std::greater<>());
    for (std::size_t i = 1; i < block.windows.size(); ++i) {
      if (block.windows[i][1] > block.windows[i - 1][1]) {
        refuse(space, block.place, "kernels that lie within one another", "one wider and one taller");
      }
    }
    block.offset = size_;
    block.size = static_cast<std::size_t>(volume(block.extents));
    size_ += block.size;
    for (std::size_t i = 1; i < block.windows.size(); ++i) {
      block.map_offsets.push_back(size_);
      size_ += map_size(block.windows[i]);
    }
  }
}

std::vector<ParameterBlock> SharedParameters::parameter_blocks() const {
  std::vector<ParameterBlock> blocks;
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const SharedBlock& block = blocks_[i];
    blocks.push_back({static_cast<NodeId>(i), block.kind, block.offset, block.size});
    for (std::size_t m = 0; m < block.map_offsets.size(); ++m) {
      blocks.push_back({static_cast<NodeId>(i), Kind::map, block.map_offsets[m], map_size(block.windows[m + 1])});
    }
  }
  return blocks;
}

std::uint64_t SharedParameters::fingerprint() const {
  Hasher hasher;
  for (const SharedBlock& block : blocks_) {
    hasher.add(block.place).add(static_cast<std::uint64_t>(block.kind));
    if (!block.format.empty()) hasher.add(block.format);
    for (const std::int64_t extent : block.extents) hasher.add(static_cast<std::uint64_t>(extent));
    for (const Window& window : block.windows) {
      hasher.add(static_cast<std::uint64_t>(window[0])).add(static_cast<std::uint64_t>(window[1]));
    }
  }
  return hasher.value();
}

std::vector<float> SharedParameters::initial(std::uint64_t seed) const {
  std::vector<float> values(size_, 0.0F);
  for (std::size_t i = 0; i < blocks_.size(); ++i) {
    const SharedBlock& block = blocks_[i];
    const std::span<float> own = std::span(values).subspan(block.offset, block.size);
    if (block.kind == Kind::scale && !block.closes_residual) std::fill(own.begin(), own.end(), 1.0F);
    if (block.kind == Kind::kernel) {
      Rng rng(seed, "initial weights", i);
      fill_kernel(own, static_cast<double>(volume(block.extents) / block.extents[0]), block.conv, rng);
    }
    for (std::size_t m = 0; m < block.map_offsets.size(); ++m) {
      const std::size_t width = window_size(block.windows[m + 1]);
      for (std::size_t k = 0; k < width; ++k) values[block.map_offsets[m] + k * width + k] = 1.0F;
    }
  }
  return values;
}

const SharedBlock* SharedParameters::find(const Key& key) const {
  const auto found = by_place_.find(key);
  return found == by_place_.end() ? nullptr : &blocks_[found->second];
}

std::vector<SharedParameters::Slice> SharedParameters::slices(const SearchSpace& space, const Genome& genome,
                                                              const Network& network, const PrecisionPlan& plan) const {
  const std::vector<std::string> places = space.places(genome);
  const RoundingSites sites = rounding_sites(network, plan);
  std::vector<ParameterBlock> blocks = ridgeline::parameter_blocks(network);
  std::vector<std::string> formats(blocks.size());
  blocks.insert(blocks.end(), sites.ranges.begin(), sites.ranges.end());
  for (const Format& format : sites.range_formats) formats.push_back(format.text());
  std::vector<Slice> slices;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    const ParameterBlock& block = blocks[i];
    const SharedBlock* const found = find({places.at(block.node), block.kind, formats[i]});
    if (found == nullptr) {
      refuse(space, places[block.node], "an operator and a format that the supernet has", network.name(block.node));
    }
    const SharedBlock& shared = *found;
    const bool range = !formats[i].empty();
    const Extents4 extents =
        range ? Extents4{static_cast<std::int64_t>(block.size), 1, 1, 1} : extents_of(network, block);
    Slice slice{static_cast<std::size_t>(found - blocks_.data()), extents, 0, block.offset};
    const auto window = std::ranges::find(shared.windows, Window{slice.extents[2], slice.extents[3]});
    if (slice.extents[0] > shared.extents[0] || slice.extents[1] > shared.extents[1] ||
        window == shared.windows.end()) {
      refuse(space, places[block.node], "an operator no larger than the supernet's", network.name(block.node));
    }
    slice.window = static_cast<std::size_t>(window - shared.windows.begin());
    slices.push_back(slice);
  }
  return slices;
}

namespace {

// Calls visit(first number of the row in the supernet, in the candidate, numbers) for each row of leading channels.
template <typename Visit>
void for_each_row(const SharedBlock& block, const SharedParameters::Slice& slice, Visit&& visit) {
  const auto window = static_cast<std::size_t>(slice.extents[2] * slice.extents[3]);
  const std::size_t wide = static_cast<std::size_t>(block.extents[1]) * window;
  const std::size_t row = static_cast<std::size_t>(slice.extents[1]) * window;
  for (std::size_t out = 0; out < static_cast<std::size_t>(slice.extents[0]); ++out) {
    visit(block.offset + out * wide, slice.offset + out * row, row);
  }
}

// Calls visit(filter of the supernet: out, in; first number of the candidate's filter) for each filter.
template <typename Visit>
void for_each_filter(const SharedParameters::Slice& slice, std::size_t filter, Visit&& visit) {
  std::size_t own = slice.offset;
  for (std::int64_t out = 0; out < slice.extents[0]; ++out) {
    for (std::int64_t in = 0; in < slice.extents[1]; ++in, own += filter) visit(out, in, own);
  }
}

}  // namespace

void SharedParameters::gather(std::span<const Slice> slices, std::span<const float> shared,
                              std::span<float> own) const {
  for (const Slice& slice : slices) {
    const SharedBlock& block = blocks_[slice.shared];
    if (slice.window == 0) {
      for_each_row(block, slice, [&](std::size_t from, std::size_t to, std::size_t count) {
        std::copy_n(shared.data() + from, count, own.data() + to);
      });
      continue;
    }
    KernelMaps maps(block, shared, slice.window);
    for_each_filter(slice, maps.size(), [&](std::int64_t out, std::int64_t in, std::size_t to) {
      maps.forward(out, in, own.subspan(to, maps.size()));
    });
  }
}

std::vector<std::size_t> SharedParameters::adopt_ranges(std::span<const Slice> slices, std::span<const float> own,
                                                        std::span<float> shared) const {
  std::vector<std::size_t> adopted;
  for (const Slice& slice : slices) {
    const SharedBlock& block = blocks_[slice.shared];
    if (block.format.empty()) continue;
    for (std::size_t i = 0; i < static_cast<std::size_t>(slice.extents[0]); ++i) {
      float& range = shared[block.offset + i];
      if (range != 0.0F || own[slice.offset + i] == 0.0F) continue;
      range = own[slice.offset + i];
      adopted.push_back(block.offset + i);
    }
  }
  return adopted;
}

void SharedParameters::scatter(std::span<const Slice> slices, std::span<const float> shared,
                               std::span<const float> own_gradient, std::span<float> shared_gradient) const {
  for (const Slice& slice : slices) {
    const SharedBlock& block = blocks_[slice.shared];
    if (slice.window == 0) {
      for_each_row(block, slice, [&](std::size_t to, std::size_t from, std::size_t count) {
        for (std::size_t i = 0; i < count; ++i) shared_gradient[to + i] += own_gradient[from + i];
      });
      continue;
    }
    KernelMaps maps(block, shared, slice.window);
    for_each_filter(slice, maps.size(), [&](std::int64_t out, std::int64_t in, std::size_t from) {
      maps.backward(out, in, own_gradient.subspan(from, maps.size()), shared_gradient);
    });
  }
}

}  // namespace ridgeline
