#include "search/evolution/nsga3.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <bit>
#include <cmath>
#include <limits>
#include <map>
#include <optional>

#include "search/blocks.hpp"
#include "search/evolution/genetic.hpp"
#include "search/fronts/point_tree.hpp"
#include "search/fronts/reference_directions.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

// Objectives of some members, scaled so that the ideal point is 0 and the hyperplane through the extreme points meets
// every axis at 1.
class Normalised {
 public:
  Normalised(const Population& population, std::span<const std::uint32_t> members)
      : population_(population), m_(population.objectives()), ideal_(m_, infinite), scale_(m_, 1.0) {
    std::vector<double> worst(m_, -infinite);
    for (const std::uint32_t member : members) {
      for (std::size_t k = 0; k < m_; ++k) {
        ideal_[k] = std::min(ideal_[k], population.values(member)[k]);
        worst[k] = std::max(worst[k], population.values(member)[k]);
      }
    }
    const std::vector<double> intercepts = intercepts_of(members);
    for (std::size_t k = 0; k < m_; ++k) {
      scale_[k] = intercepts.empty() ? worst[k] - ideal_[k] : intercepts[k];
      if (!(scale_[k] > least)) scale_[k] = 1.0;
    }
  }

  void operator()(std::uint32_t member, std::span<double> point) const {
    for (std::size_t k = 0; k < m_; ++k) point[k] = (population_.values(member)[k] - ideal_[k]) / scale_[k];
  }

 private:
  static constexpr double infinite = std::numeric_limits<double>::infinity();
  static constexpr double least = 1e-12;

  // By the achievement scalarising function of each axis; empty where the extreme points span no hyperplane.
  std::vector<double> intercepts_of(std::span<const std::uint32_t> members) const {
    const auto size = static_cast<Eigen::Index>(m_);
    Eigen::MatrixXd extremes(size, size);
    for (std::size_t axis = 0; axis < m_; ++axis) {
      double best = infinite;
      for (const std::uint32_t member : members) {
        double reach = 0;
        for (std::size_t k = 0; k < m_; ++k) {
          reach = std::max(reach, (population_.values(member)[k] - ideal_[k]) / (k == axis ? 1.0 : 1e-6));
        }
        if (!(reach < best)) continue;
        best = reach;
        for (std::size_t k = 0; k < m_; ++k) {
          extremes(static_cast<Eigen::Index>(axis), static_cast<Eigen::Index>(k)) =
              population_.values(member)[k] - ideal_[k];
        }
      }
    }
    const Eigen::FullPivLU<Eigen::MatrixXd> solver(extremes);
    if (!solver.isInvertible()) return {};
    const Eigen::VectorXd inverse = solver.solve(Eigen::VectorXd::Ones(size));
    std::vector<double> intercepts;
    for (const double value : inverse) {
      if (!(value > 0) || !std::isfinite(1.0 / value)) return {};
      intercepts.push_back(1.0 / value);
    }
    return intercepts;
  }

  const Population& population_;
  std::size_t m_;
  std::vector<double> ideal_, scale_;
};

// The least of the directions, one at random again and again, in their order.
class Level {
 public:
  void fill(std::vector<std::size_t> directions) {
    directions_ = std::move(directions);
    std::ranges::sort(directions_);
    left_ = directions_.size();
    counts_.assign(left_ + 1, 0);
    for (std::size_t i = 1; i <= left_; ++i) {
      counts_[i] += 1;
      if (const std::size_t up = i + (i & (~i + 1)); up <= left_) counts_[up] += counts_[i];
    }
  }
  std::size_t left() const { return left_; }
  // Removes the one with `place` others of those left before it: a descent in a tree of partial counts (Fenwick, 1994).
  std::size_t take(std::size_t place) {
    std::size_t at = 0, before = place;
    for (std::size_t step = std::bit_floor(directions_.size()); step > 0; step /= 2) {
      if (at + step > directions_.size() || counts_[at + step] > before) continue;
      at += step;
      before -= counts_[at];
    }
    for (std::size_t i = at + 1; i <= directions_.size(); i += i & (~i + 1)) --counts_[i];
    --left_;
    return directions_[at];
  }

 private:
  std::vector<std::size_t> directions_;  // ascending, those taken included
  std::vector<std::size_t> counts_;      // of those left, by ranges
  std::size_t left_ = 0;
};

class ReferenceSurvival final : public FrontSurvival {
 public:
  ReferenceSurvival(std::size_t objectives, std::size_t divisions, std::size_t threads)
      : FrontSurvival(threads), directions_(reference_directions(objectives, divisions)) {
    if (directions_.size() <= few_directions) return;
    std::vector<std::vector<double>> units = directions_;
    for (std::vector<double>& unit : units) scale_to_unit(unit);
    tree_.emplace(units);
  }

 private:
  static constexpr std::size_t few_directions = 256;  // up to which all are looked at

  struct Near {
    std::size_t direction = 0;
    double distance = 0;  // squared, from the line of the direction
  };
  using Waiting = std::vector<std::vector<std::pair<double, std::uint32_t>>>;  // by direction, the nearest last

  static void scale_to_unit(std::span<double> point) {
    double squares = 0;
    for (const double value : point) squares += value * value;
    for (double& value : point) value /= std::sqrt(squares);
  }

  double distance(std::span<const double> point, std::size_t direction) const {
    double along = 0, length = 0, whole = 0;
    for (std::size_t k = 0; k < point.size(); ++k) {
      along += point[k] * directions_[direction][k];
      length += directions_[direction][k] * directions_[direction][k];
      whole += point[k] * point[k];
    }
    return whole - along * along / length;
  }

  // No value is below 0, so that the line with the least angle is the nearest. `buffer`: as long as the point.
  Near nearest(std::span<const double> point, std::span<double> buffer) const {
    if (tree_ && std::ranges::any_of(point, [](double value) { return value > 0.0; })) {
      std::ranges::copy(point, buffer.begin());
      scale_to_unit(buffer);
      const std::size_t direction = tree_->nearest(buffer, 1)[0];
      return {direction, distance(point, direction)};
    }
    Near best{0, std::numeric_limits<double>::infinity()};
    for (std::size_t d = 0; d < directions_.size(); ++d) {
      const double off = distance(point, d);
      if (off < best.distance) best = {d, off};
    }
    return best;
  }

  std::vector<Near> nearest_of(const Normalised& normalised, std::span<const std::uint32_t> members,
                               std::size_t objectives) const {
    std::vector<Near> near(members.size());
    over_blocks(members.size(), threads(), [&](std::size_t begin, std::size_t end, std::size_t) {
      std::vector<double> point(objectives), buffer(objectives);
      for (std::size_t i = begin; i < end; ++i) {
        normalised(members[i], point);
        near[i] = nearest(point, buffer);
      }
    });
    return near;
  }

  void choose(const Population& population, std::span<const std::uint32_t> front, std::size_t need,
              std::vector<std::uint32_t>& taken) override {
    std::vector<std::uint32_t> all = taken;
    all.insert(all.end(), front.begin(), front.end());
    const Normalised normalised(population, all);
    Hasher genes;
    for (const std::uint32_t member : all) genes.add(population.hash(member));
    Rng rng(genes.value(), "nsga3", 0);
    const std::vector<Near> near = nearest_of(normalised, all, population.objectives());
    std::vector<std::size_t> held(directions_.size(), 0);
    Waiting waiting(directions_.size());
    for (std::size_t i = 0; i < all.size(); ++i) {
      if (i < taken.size()) {
        ++held[near[i].direction];
      } else {
        waiting[near[i].direction].emplace_back(near[i].distance, all[i]);
      }
    }
    for (auto& some : waiting) std::ranges::sort(some, std::greater());
    fill(need, held, waiting, rng, taken);
  }

  // Of the directions that the fewest are near to and somebody waits at, one at random: its nearest where nobody is
  // near to it yet, else any of those who wait. One whose turn it was is next among those with one more.
  static void fill(std::size_t need, const std::vector<std::size_t>& held, Waiting& waiting, Rng& rng,
                   std::vector<std::uint32_t>& taken) {
    std::map<std::size_t, std::vector<std::size_t>> later;  // by how many are near to them
    for (std::size_t d = 0; d < held.size(); ++d) {
      if (!waiting[d].empty()) later[held[d]].push_back(d);
    }
    Level level;
    while (need > 0) {
      const std::size_t fewest = later.begin()->first;
      level.fill(std::move(later.begin()->second));
      later.erase(later.begin());
      for (; need > 0 && level.left() > 0; --need) {
        const std::size_t direction = level.take(rng.below(level.left()));
        auto& some = waiting[direction];
        const std::size_t place = fewest == 0 ? some.size() - 1 : rng.below(some.size());
        taken.push_back(some[place].second);
        some.erase(some.begin() + static_cast<std::ptrdiff_t>(place));
        if (!some.empty()) later[fewest + 1].push_back(direction);
      }
    }
  }

  void weigh(const Population&, std::span<const std::uint32_t>, std::vector<double>&) override {}

  std::vector<std::vector<double>> directions_;
  std::optional<PointTree> tree_;  // of the directions' unit vectors, where they are many
};

std::unique_ptr<Survival> make_survival(OptionsReader& options, const SurvivalSetup& setup) {
  const std::size_t m = setup.objectives;
  const std::size_t divisions =
      options.count("divisions", static_cast<std::int64_t>(divisions_within(m, setup.capacity)), 0, 10'000);
  return std::make_unique<ReferenceSurvival>(m, m == 1 ? 0 : divisions, setup.threads);
}

}  // namespace

std::unique_ptr<Searcher> make_nsga3(const SearchSpace& space, const SearcherSetup& setup) {
  return make_genetic(space, setup, "nsga3", make_survival);
}

}  // namespace ridgeline
