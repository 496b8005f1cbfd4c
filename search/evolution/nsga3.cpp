#include "search/evolution/nsga3.hpp"

#include <Eigen/Dense>
#include <algorithm>
#include <cmath>
#include <limits>

#include "search/evolution/genetic.hpp"
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

  std::vector<double> operator()(std::uint32_t member) const {
    std::vector<double> point(m_);
    for (std::size_t k = 0; k < m_; ++k) point[k] = (population_.values(member)[k] - ideal_[k]) / scale_[k];
    return point;
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

class ReferenceSurvival final : public FrontSurvival {
 public:
  ReferenceSurvival(std::size_t objectives, std::size_t divisions)
      : directions_(reference_directions(objectives, divisions)) {}

 private:
  struct Near {
    std::size_t direction = 0;
    double distance = 0;
  };

  Near nearest(const std::vector<double>& point) const {
    Near best{0, std::numeric_limits<double>::infinity()};
    for (std::size_t d = 0; d < directions_.size(); ++d) {
      double along = 0, length = 0, whole = 0;
      for (std::size_t k = 0; k < point.size(); ++k) {
        along += point[k] * directions_[d][k];
        length += directions_[d][k] * directions_[d][k];
        whole += point[k] * point[k];
      }
      const double off = whole - along * along / length;  // squared
      if (off < best.distance) best = {d, off};
    }
    return best;
  }

  void choose(const Population& population, std::span<const std::uint32_t> front, std::size_t need,
              std::vector<std::uint32_t>& taken) override {
    std::vector<std::uint32_t> all = taken;
    all.insert(all.end(), front.begin(), front.end());
    const Normalised normalised(population, all);
    Hasher genes;
    for (const std::uint32_t member : all) genes.add(population.hash(member));
    Rng rng(genes.value(), "nsga3", 0);
    std::vector<std::size_t> held(directions_.size(), 0);
    for (const std::uint32_t member : taken) ++held[nearest(normalised(member)).direction];
    std::vector<std::vector<std::pair<double, std::uint32_t>>> waiting(directions_.size());  // nearest last
    for (const std::uint32_t member : front) {
      const Near near = nearest(normalised(member));
      waiting[near.direction].emplace_back(near.distance, member);
    }
    for (auto& some : waiting) std::ranges::sort(some, std::greater());
    for (; need > 0; --need) taken.push_back(next(held, waiting, rng));
  }

  // Of the directions that the fewest are near to and somebody waits at, one at random: its nearest where nobody is
  // near to it yet, else any of those who wait.
  static std::uint32_t next(std::vector<std::size_t>& held,
                            std::vector<std::vector<std::pair<double, std::uint32_t>>>& waiting, Rng& rng) {
    std::size_t fewest = std::numeric_limits<std::size_t>::max();
    std::vector<std::size_t> least;
    for (std::size_t d = 0; d < held.size(); ++d) {
      if (waiting[d].empty() || held[d] > fewest) continue;
      if (held[d] < fewest) least.clear();
      fewest = held[d];
      least.push_back(d);
    }
    const std::size_t direction = least[rng.below(least.size())];
    auto& some = waiting[direction];
    const std::size_t place = held[direction] == 0 ? some.size() - 1 : rng.below(some.size());
    const std::uint32_t member = some[place].second;
    some.erase(some.begin() + static_cast<std::ptrdiff_t>(place));
    ++held[direction];
    return member;
  }

  void weigh(const Population&, std::span<const std::uint32_t>, std::vector<double>&) override {}

  std::vector<std::vector<double>> directions_;
};

std::unique_ptr<Survival> make_survival(OptionsReader& options, const Population& population, std::size_t capacity) {
  const std::size_t objectives = population.objectives();
  const std::size_t divisions =
      options.count("divisions", static_cast<std::int64_t>(divisions_within(objectives, capacity)), 0, 10'000);
  return std::make_unique<ReferenceSurvival>(objectives, objectives == 1 ? 0 : divisions);
}

}  // namespace

std::unique_ptr<Searcher> make_nsga3(const SearchSpace& space, const SearcherSetup& setup) {
  return make_genetic(space, setup, "nsga3/1", make_survival);
}

}  // namespace ridgeline
