// The parameters that all networks of a search space share: those of its supernet.
//
// Operators at the same place of the space file (SearchSpace::places) are one operator of the supernet, whose tensors
// are as large as any candidate has them. A candidate has the leading channels (Yu et al., Slimmable Networks, 2019,
// arXiv:1812.08928) and, of a kernel, the centre: where several sizes are chosen from, each smaller kernel is a learnt
// linear map of the centre of the next larger one, the same for all channels and the identity at first (Cai et al.,
// Once-for-All, 2020, arXiv:1908.09791, section 3.3). Depth and the choice of operators need nothing: places that a
// candidate does not have are left alone.
//
// Which tensors there are is found by looking at the largest network, at every choice of every dimension beside
// it, and at random candidates. Immutable, thread-safe.
//
// Trained through number formats ("quantized for all": Wang et al., SpaceEvo, 2023, arXiv:2303.08308), candidates share
// the learned ranges too (rounding_sites.hpp): one of each tensor, and one a channel of each kernel, for every format
// that some candidate rounds it to. They come behind all other parameters; a range is 0 until a candidate that uses it
// has seen its first numbers.
#pragma once

#include <array>
#include <map>
#include <set>
#include <span>
#include <string>
#include <tuple>
#include <vector>

#include "kernels/training/parameters.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {

using Extents4 = std::array<std::int64_t, 4>;  // [out, in, kernel height, kernel width]; vectors have [C, 1, 1, 1]
using Window = std::array<std::int64_t, 2>;    // of a kernel: height, width

struct SharedBlock {
  std::string place;
  std::string format{};  // of ranges
  ParameterBlock::Kind kind = ParameterBlock::Kind::kernel;
  Extents4 extents{1, 1, 1, 1};          // of the largest
  std::vector<Window> windows;           // largest first; more than one where the kernel is elastic
  std::size_t offset = 0, size = 0;      // of the tensor, in floats
  std::vector<std::size_t> map_offsets;  // of the map that makes windows[i + 1] of the centre of windows[i]
  bool closes_residual = true;           // a norm that feeds an addition wherever it is
  bool conv = false;                     // a convolution's, not a linear layer's
};

class SharedParameters {
 public:
  // `formats`: what candidates are trained through, as trained_plan() reads it. Throws ConfigError for spaces whose
  // candidates are not slices of one another, and Unsupported for formats that nothing is trained through.
  explicit SharedParameters(const SearchSpace& space, std::string formats = "");

  const std::string& formats() const { return formats_; }

  std::size_t size() const { return size_; }  // floats, kernel maps included
  std::span<const SharedBlock> blocks() const { return blocks_; }
  std::uint64_t fingerprint() const;                     // of what the numbers mean: places, extents, windows
  std::vector<ParameterBlock> parameter_blocks() const;  // for optimizers; node: the number of the SharedBlock
  std::vector<float> initial(std::uint64_t seed) const;  // as initial_weights, maps the identity

  // What one candidate reads: its own blocks in order, each with the SharedBlock that it is a slice of.
  struct Slice {
    std::size_t shared = 0;  // index into blocks()
    Extents4 extents{};
    std::size_t window = 0;  // index into its windows
    std::size_t offset = 0;  // in the candidate's own parameters
  };
  // Those of the learned ranges of `plan` come last. Throws ConfigError when the candidate has an operator that the
  // supernet has not, or a larger one.
  std::vector<Slice> slices(const SearchSpace& space, const Genome& genome, const Network& network,
                            const PrecisionPlan& plan = {}) const;
  void gather(std::span<const Slice> slices, std::span<const float> shared, std::span<float> own) const;
  // Adds the candidate's gradient to that of the supernet.
  void scatter(std::span<const Slice> slices, std::span<const float> shared, std::span<const float> own_gradient,
               std::span<float> shared_gradient) const;
  // Ranges that the candidate has found and that were 0 before become the supernet's; which they are.
  std::vector<std::size_t> adopt_ranges(std::span<const Slice> slices, std::span<const float> own,
                                        std::span<float> shared) const;

 private:
  using Key = std::tuple<std::string, ParameterBlock::Kind, std::string>;  // place, kind, format
  struct RoundedFormats {
    std::set<std::string> tensors, kernels;  // with a learned range each
    std::set<std::string> by_channel;        // of kernels: one an output channel
  };

  void add(const Network& network, std::span<const std::string> places);
  void note_formats(const Network& network, const PrecisionPlan& plan);
  void add_ranges();
  void lay_out(const SearchSpace& space);
  const SharedBlock* find(const Key& key) const;

  std::string formats_;
  std::size_t size_ = 0;
  std::vector<SharedBlock> blocks_;
  std::map<Key, std::size_t> by_place_;
  std::vector<std::string> tensors_;  // places of all operators, in the order of finding
  RoundedFormats rounded_;
};

// A dimension with a largest and a smallest choice: numbers, and others that are ordered; of architecture or, from few
// bits to many, of precision.
bool has_ends(const Dimension& dimension);

// The candidate with the largest choice of every dimension that has one, and that with the smallest; the first of
// others. Numbers compare by value, other choices by their order in the file. Not normalised: genes that are inactive
// here have their extreme choice too.
Genome largest_genome(const SearchSpace& space);
Genome smallest_genome(const SearchSpace& space);

// The genomes that show all that a space's networks consist of, and with `precision` all formats that they are in;
// those that break a constraint are left out.
std::vector<Genome> survey(const SearchSpace& space, bool precision = false);

}  // namespace ridgeline
