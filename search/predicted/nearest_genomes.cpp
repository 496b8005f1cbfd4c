#include "search/predicted/nearest_genomes.hpp"

#include <algorithm>
#include <numeric>
#include <queue>
#include <set>

namespace ridgeline {
namespace {

// A combination of choices: `ranks[d]` is the choice's place when those of dimension d are sorted by distance. Each is
// reached in one way, by raising ranks from left to right.
struct Combination {
  double distance = 0;
  std::vector<std::uint16_t> ranks;
  std::size_t last = 0;  // the dimension that was raised last
};
struct Farther {
  bool operator()(const Combination& a, const Combination& b) const {
    return a.distance != b.distance ? a.distance > b.distance : a.ranks > b.ranks;
  }
};

}  // namespace

// A dimension's features are those of a genome with that choice, wherever it is active.
NearestGenomes::NearestGenomes(const SearchSpace& space) : space_(&space), features_(space) {
  const std::size_t dims = space.dims().size();
  for (std::size_t d = 0; d < dims; ++d) {
    blocks_.push_back(features_.choices(d));
  }
}

std::vector<Genome> NearestGenomes::near(const Eigen::Ref<const Eigen::RowVectorXd>& point, std::size_t count,
                                         const std::function<bool(const Genome&)>& wanted) const {
  const std::size_t dims = blocks_.size();
  std::vector<std::vector<std::pair<double, std::uint16_t>>> sorted(dims);  // by distance, then by choice
  Combination nearest{0, std::vector<std::uint16_t>(dims, 0), 0};
  for (std::size_t d = 0; d < dims; ++d) {
    const auto here = point.segment(static_cast<Eigen::Index>(features_.first()[d]), blocks_[d].cols());
    for (Eigen::Index c = 0; c < blocks_[d].rows(); ++c) {
      sorted[d].emplace_back((blocks_[d].row(c) - here).squaredNorm(), static_cast<std::uint16_t>(c));
    }
    std::ranges::sort(sorted[d]);
    nearest.distance += sorted[d][0].first;
  }
  std::priority_queue<Combination, std::vector<Combination>, Farther> open;
  open.push(std::move(nearest));
  std::set<Genome> met;
  std::vector<Genome> found;
  for (std::size_t left = 8 * count + 40; left > 0 && !open.empty() && found.size() < count; --left) {
    const Combination next = open.top();
    open.pop();
    Genome genome;
    for (std::size_t d = 0; d < dims; ++d) genome.genes.push_back(sorted[d][next.ranks[d]].second);
    genome = space_->normalise(std::move(genome));
    if (met.insert(genome).second && !space_->violation(genome) && wanted(genome)) found.push_back(std::move(genome));
    for (std::size_t d = next.last; d < dims; ++d) {
      const std::size_t rank = next.ranks[d];
      if (rank + 1 == sorted[d].size()) continue;
      Combination raised = next;
      raised.last = d;
      ++raised.ranks[d];
      raised.distance += sorted[d][rank + 1].first - sorted[d][rank].first;
      open.push(std::move(raised));
    }
  }
  std::vector<std::pair<double, std::size_t>> order;
  const Eigen::MatrixXd rows = features_.rows(found);
  for (std::size_t i = 0; i < found.size(); ++i) {
    order.emplace_back((rows.row(static_cast<Eigen::Index>(i)) - point).squaredNorm(), i);
  }
  std::ranges::stable_sort(order, {}, &std::pair<double, std::size_t>::first);
  std::vector<Genome> nearest_first;
  for (const auto& [distance, i] : order) nearest_first.push_back(std::move(found[i]));
  return nearest_first;
}

}  // namespace ridgeline
