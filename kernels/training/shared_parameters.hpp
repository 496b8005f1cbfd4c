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
// it, and at random candidates. Precision genes change no parameter. Immutable, thread-safe.
#pragma once

#include <array>
#include <map>
#include <span>
#include <string>
#include <vector>

#include "kernels/training/parameters.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {

using Extents4 = std::array<std::int64_t, 4>;  // [out, in, kernel height, kernel width]; vectors have [C, 1, 1, 1]
using Window = std::array<std::int64_t, 2>;    // of a kernel: height, width

struct SharedBlock {
  std::string place;
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
  // Throws ConfigError for spaces whose candidates are not slices of one another.
  explicit SharedParameters(const SearchSpace& space);

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
  // Throws ConfigError when the candidate has an operator that the supernet has not, or a larger one.
  std::vector<Slice> slices(const SearchSpace& space, const Genome& genome, const Network& network) const;
  void gather(std::span<const Slice> slices, std::span<const float> shared, std::span<float> own) const;
  // Adds the candidate's gradient to that of the supernet.
  void scatter(std::span<const Slice> slices, std::span<const float> shared, std::span<const float> own_gradient,
               std::span<float> shared_gradient) const;

 private:
  void add(const Network& network, std::span<const std::string> places);
  void lay_out(const SearchSpace& space);
  std::size_t size_ = 0;
  std::vector<SharedBlock> blocks_;
  std::map<std::pair<std::string, ParameterBlock::Kind>, std::size_t> by_place_;
};

// A dimension with a largest and a smallest choice: numbers, and others that are ordered.
bool has_ends(const Dimension& dimension);

// The candidate with the largest choice of every dimension that has one, and that with the smallest; the first of
// others. Numbers compare by value, other choices by their order in the file. Not normalised: genes that are inactive
// here have their extreme choice too.
Genome largest_genome(const SearchSpace& space);
Genome smallest_genome(const SearchSpace& space);

// The genomes that show all that a space's networks consist of; those that break a constraint are left out.
std::vector<Genome> survey(const SearchSpace& space);

}  // namespace ridgeline
