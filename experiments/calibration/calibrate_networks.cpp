// The networks that calibration times: chosen from a space, made up, and the reference.
#include "experiments/calibration/calibrate_networks.hpp"

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace ridgeline {
namespace {

// Builds a chain of layers, each followed by a batch norm and an activation as in every image network.
class Chain {
 public:
  Chain(std::int64_t channels, std::int64_t size) { tip_ = network_.add_input({1, channels, size, size}); }

  std::int64_t channels() const { return network_.shape(tip_)[1]; }
  std::int64_t size() const { return network_.shape(tip_)[2]; }

  struct Conv {
    std::int64_t channels = 1;
    int kernel = 1, stride = 1;
    bool depthwise = false;
  };
  NodeId conv(const Conv& conv, OpKind activation) {
    Op op;
    op.kind = OpKind::conv2d;
    op.channels = conv.channels;
    op.kernel = {conv.kernel, conv.kernel};
    op.stride = {conv.stride, conv.stride};
    const int pad = conv.kernel / 2;
    op.padding = {pad, pad, pad, pad};
    op.groups = conv.depthwise ? static_cast<int>(channels()) : 1;
    tip_ = network_.add(op, {tip_});
    simple(OpKind::batch_norm);
    if (activation != OpKind::identity) simple(activation);
    return tip_;
  }
  void inverted_residual(std::int64_t out, int expand, int kernel, int stride) {
    const NodeId start = tip_;
    const bool residual = stride == 1 && out == channels();
    conv({channels() * expand, 1, 1, false}, OpKind::relu6);
    conv({channels(), kernel, stride, true}, OpKind::relu6);
    conv({out, 1, 1, false}, OpKind::identity);
    if (!residual) return;
    Op add;
    add.kind = OpKind::add;
    tip_ = network_.add(add, {start, tip_});
  }
  void simple(OpKind kind) {
    Op op;
    op.kind = kind;
    tip_ = network_.add(op, {tip_});
  }
  void pool(OpKind kind) {
    Op op;
    op.kind = kind;
    op.kernel = {3, 3};
    op.stride = {2, 2};
    op.padding = {1, 1, 1, 1};
    tip_ = network_.add(op, {tip_});
  }
  Design finish(std::int64_t classes, const Format& format) {
    simple(OpKind::global_avg_pool);
    simple(OpKind::flatten);
    Op op;
    op.kind = OpKind::linear;
    op.channels = classes;
    op.bias = true;
    tip_ = network_.add(op, {tip_});
    network_.mark_output(tip_);
    Design design;
    design.precision = PrecisionPlan::uniform(network_, format, format);
    design.network = std::move(network_);
    return design;
  }

 private:
  Network network_;
  NodeId tip_;
};

template <std::size_t n>
int pick(Rng& rng, const std::array<int, n>& choices) {
  return choices[rng.below(n)];
}

}  // namespace

std::vector<ExecutedLayer> layers_of(const Design& design) {
  const std::vector<NodeId> live = design.network.live_nodes();
  return executed_layers(design.network, design.precision, stored_formats(design.network, design.precision), live);
}

Design reference_network(const Format& format) {
  Chain chain(3, 64);
  chain.conv({32, 3, 2, false}, OpKind::relu6);
  chain.inverted_residual(24, 4, 3, 1);
  chain.inverted_residual(48, 4, 5, 2);
  chain.inverted_residual(64, 4, 3, 1);
  chain.inverted_residual(64, 4, 5, 1);
  chain.inverted_residual(64, 4, 3, 2);
  chain.conv({256, 1, 1, false}, OpKind::relu6);
  return chain.finish(10, format);
}

Design random_chain(std::uint64_t seed, std::uint64_t number, const Format& format) {
  Rng rng(seed, "calibrate-chain", number);
  Chain chain(3, pick(rng, std::array{32, 64, 112, 160, 224}));
  const OpKind activation = rng.chance(0.5) ? OpKind::relu : OpKind::relu6;
  chain.conv({pick(rng, std::array{16, 24, 32, 64}), pick(rng, std::array{3, 5, 7}), 1 + (chain.size() > 40), false},
             activation);
  while (chain.size() > 4) {
    const int layers = 1 + static_cast<int>(rng.below(3));
    const std::int64_t width = pick(rng, std::array{16, 24, 40, 64, 96, 128, 192, 256, 384});
    for (int i = 0; i < layers; ++i) {
      switch (rng.below(4)) {
        case 0:
          chain.conv({width, pick(rng, std::array{1, 3}), 1, false}, activation);
          break;
        case 1:
          chain.inverted_residual(width, pick(rng, std::array{2, 3, 4, 6}), pick(rng, std::array{3, 5, 7}), 1);
          break;
        case 2:
          chain.inverted_residual(chain.channels(), pick(rng, std::array{3, 6}), pick(rng, std::array{3, 5}), 1);
          break;
        default:
          chain.conv({chain.channels(), pick(rng, std::array{3, 5, 7}), 1, true}, activation);
      }
    }
    if (rng.chance(0.3)) {
      chain.pool(rng.chance(0.5) ? OpKind::max_pool : OpKind::avg_pool);
    } else {
      chain.inverted_residual(width, 4, pick(rng, std::array{3, 5}), 2);
    }
  }
  chain.conv({pick(rng, std::array{256, 512, 960, 1280}), 1, 1, false}, activation);
  return chain.finish(pick(rng, std::array{10, 100, 1000}), format);
}

Design decode_as(const SearchSpace& space, const Genome& genome, const std::string& format) {
  Design design = space.decode(genome);
  if (!format.empty()) {
    const Format one = Format::parse(format);
    design.precision = PrecisionPlan::uniform(design.network, one, one);
  }
  return design;
}

std::vector<SpaceNetwork> calibration_networks(const SearchSpace& space, const std::string& format, std::size_t count,
                                               std::uint64_t seed) {
  struct Candidate {
    SpaceNetwork network;
    std::vector<std::uint64_t> keys;
  };
  Rng rng(seed, "calibrate-sample-" + space.name());
  std::vector<Candidate> pool;
  std::unordered_map<std::uint64_t, int> frequency;
  std::unordered_set<std::uint64_t> known;
  const std::size_t wanted = std::max<std::size_t>(8 * count, 400);
  for (std::size_t tries = 0; tries < 4 * wanted && pool.size() < wanted; ++tries) {
    Genome genome = space.sample(rng);
    Design design = decode_as(space, genome, format);
    if (!known.insert(function_hash(design)).second) continue;
    Candidate candidate{{std::move(genome), std::move(design)}, {}};
    for (const ExecutedLayer& layer : layers_of(candidate.network.design)) candidate.keys.push_back(layer.key.hash());
    for (const std::uint64_t key : candidate.keys) ++frequency[key];
    pool.push_back(std::move(candidate));
  }
  // Every second network is the next of the pool, so that small networks, which show few layers, are among them as
  // often as a search meets them. The others are chosen greedily: each adds most to the keys seen least; the n-th
  // sighting of a key is worth 1/n^2, and a key counts by how often random networks have it, with the square root so
  // that rare ones are not left out.
  std::unordered_map<std::uint64_t, int> seen;
  std::vector<SpaceNetwork> chosen;
  std::vector<char> taken(pool.size(), 0);
  const auto most_worth = [&] {
    std::size_t best = 0;
    double most = -1.0;
    for (std::size_t i = 0; i < pool.size(); ++i) {
      if (taken[i] != 0) continue;
      double worth = 0.0;
      for (const std::uint64_t key : pool[i].keys) {
        const double next = 1.0 + seen[key];
        worth += std::sqrt(static_cast<double>(frequency[key])) / (next * next);
      }
      if (worth > most) {
        most = worth;
        best = i;
      }
    }
    return best;
  };
  const auto next_drawn = [&] {
    return static_cast<std::size_t>(std::find(taken.begin(), taken.end(), 0) - taken.begin());
  };
  while (chosen.size() < count && chosen.size() < pool.size()) {
    const std::size_t best = chosen.size() % 2 == 0 ? most_worth() : next_drawn();
    taken[best] = 1;
    for (const std::uint64_t key : pool[best].keys) ++seen[key];
    chosen.push_back(pool[best].network);
  }
  return chosen;
}

}  // namespace ridgeline
