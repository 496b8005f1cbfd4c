#include "search/evolution/hypervolume_selection.hpp"

#include <algorithm>
#include <limits>
#include <numeric>

#include "search/evolution/genetic.hpp"
#include "search/fronts/pareto.hpp"

namespace ridgeline {
namespace {

// A front's values as gains over the reference point: the front's range is 1, and `beyond` ranges lie behind it.
std::vector<Point> gains_of(const Population& population, std::span<const std::uint32_t> front, double beyond) {
  const std::size_t m = population.objectives();
  Point least(m, std::numeric_limits<double>::infinity()), most(m, -std::numeric_limits<double>::infinity());
  for (const std::uint32_t member : front) {
    for (std::size_t k = 0; k < m; ++k) {
      least[k] = std::min(least[k], population.values(member)[k]);
      most[k] = std::max(most[k], population.values(member)[k]);
    }
  }
  std::vector<Point> gains;
  for (const std::uint32_t member : front) {
    Point point(m);
    for (std::size_t k = 0; k < m; ++k) {
      const double range = most[k] > least[k] ? most[k] - least[k] : 1.0;
      point[k] = (most[k] - population.values(member)[k]) / range + beyond;
    }
    gains.push_back(std::move(point));
  }
  return gains;
}

// What the box of a point holds that those of the others do not: its own less the others' cut to it.
double held_alone(std::size_t i, const std::vector<Point>& gains, const std::vector<std::size_t>& alive) {
  double box = 1.0;
  for (const double gain : gains[i]) box *= gain;
  std::vector<Point> cut;
  for (const std::size_t other : alive) {
    if (other == i) continue;
    Point point(gains[i].size());
    for (std::size_t k = 0; k < point.size(); ++k) point[k] = -std::min(gains[i][k], gains[other][k]);
    cut.push_back(std::move(point));
  }
  std::vector<Point> outline;
  for (const std::size_t at : non_dominated(cut)) outline.push_back(std::move(cut[at]));
  return box - hypervolume(outline, Point(gains[i].size(), 0.0));
}

class ContributionSurvival final : public FrontSurvival {
 private:
  void choose(const Population& population, std::span<const std::uint32_t> front, std::size_t need,
              std::vector<std::uint32_t>& taken) override {
    const std::vector<Point> gains = gains_of(population, front, 1.0);
    std::vector<std::size_t> alive(front.size());
    std::iota(alive.begin(), alive.end(), std::size_t{0});
    while (alive.size() > need) {
      std::size_t least = 0;
      double least_held = std::numeric_limits<double>::infinity();
      for (std::size_t place = 0; place < alive.size(); ++place) {
        const double held =
            population.objectives() == 2 ? strip(place, gains, alive) : held_alone(alive[place], gains, alive);
        if (held < least_held) {
          least_held = held;
          least = place;
        }
      }
      alive.erase(alive.begin() + static_cast<std::ptrdiff_t>(least));
    }
    for (const std::size_t i : alive) taken.push_back(front[i]);
  }

  // With two objectives: a front is in the order of its first value, so only the two beside a member cut its box.
  static double strip(std::size_t place, const std::vector<Point>& gains, const std::vector<std::size_t>& alive) {
    const Point& at = gains[alive[place]];
    const double right = place + 1 < alive.size() ? gains[alive[place + 1]][0] : 0.0;
    const double below = place > 0 ? gains[alive[place - 1]][1] : 0.0;
    return (at[0] - right) * (at[1] - below);
  }

  void weigh(const Population&, std::span<const std::uint32_t>, std::vector<double>&) override {}
};

class SampledSurvival final : public FrontSurvival {
 public:
  SampledSurvival(std::size_t objectives, std::size_t samples) : samples_(samples, Point(objectives)) {
    Rng rng(1, "hype", 0);
    for (Point& sample : samples_) {
      for (double& place : sample) place = rng.uniform();
    }
  }

 private:
  static constexpr double beyond = 0.1;

  // Which of the front dominate each sample.
  std::vector<std::vector<std::uint32_t>> dominators(const std::vector<Point>& gains) const {
    std::vector<std::vector<std::uint32_t>> found(samples_.size());
    for (std::size_t s = 0; s < samples_.size(); ++s) {
      for (std::uint32_t i = 0; i < gains.size(); ++i) {
        bool inside = true;
        for (std::size_t k = 0; inside && k < gains[i].size(); ++k) {
          inside = gains[i][k] >= samples_[s][k] * (1.0 + beyond);
        }
        if (inside) found[s].push_back(i);
      }
    }
    return found;
  }

  // Expected share of the samples that is lost with a member when `dropped` of `alive` go, it among them.
  static std::vector<double> worths(const std::vector<std::vector<std::uint32_t>>& dominators,
                                    const std::vector<std::uint8_t>& alive, std::size_t dropped) {
    const auto count = static_cast<std::size_t>(std::ranges::count(alive, std::uint8_t{1}));
    std::vector<double> share{0.0};  // of a sample that so many dominate
    double chance = 1.0;             // that all the others of them go too
    for (std::size_t n = 1; n <= dropped; ++n) {
      if (n > 1) chance *= static_cast<double>(dropped - n + 1) / static_cast<double>(count - n + 1);
      share.push_back(chance / static_cast<double>(n));
    }
    std::vector<double> worth(alive.size(), 0.0);
    for (const auto& some : dominators) {
      std::size_t left = 0;
      for (const std::uint32_t i : some) left += alive[i];
      if (left == 0 || left > dropped) continue;
      for (const std::uint32_t i : some) worth[i] += alive[i] * share[left];
    }
    return worth;
  }

  void choose(const Population& population, std::span<const std::uint32_t> front, std::size_t need,
              std::vector<std::uint32_t>& taken) override {
    constexpr std::size_t rounds = 16;
    const auto found = dominators(gains_of(population, front, beyond));
    std::vector<std::uint8_t> alive(front.size(), 1);
    std::size_t drop = front.size() - need;
    for (std::size_t round = 0; drop > 0; ++round) {
      const std::vector<double> worth = worths(found, alive, drop);
      std::vector<std::uint32_t> order;
      for (std::uint32_t i = 0; i < front.size(); ++i) {
        if (alive[i] != 0) order.push_back(i);
      }
      std::ranges::sort(order, [&](std::uint32_t a, std::uint32_t b) {
        return worth[a] != worth[b] ? worth[a] < worth[b] : front[a] < front[b];
      });
      const std::size_t now = round + 1 >= rounds ? drop : std::max<std::size_t>(1, drop / (rounds - round));
      for (std::size_t i = 0; i < now; ++i) alive[order[i]] = 0;
      drop -= now;
    }
    for (std::size_t i = 0; i < front.size(); ++i) {
      if (alive[i] != 0) taken.push_back(front[i]);
    }
  }

  void weigh(const Population& population, std::span<const std::uint32_t> front, std::vector<double>& worth) override {
    if (front.size() < 2) return;
    const auto found = dominators(gains_of(population, front, beyond));
    const std::vector<double> some = worths(found, std::vector<std::uint8_t>(front.size(), 1), front.size());
    for (std::size_t i = 0; i < front.size(); ++i) worth[front[i]] = some[i];
  }

  std::vector<Point> samples_;  // in the unit box
};

}  // namespace

std::unique_ptr<Searcher> make_sms_emoa(const SearchSpace& space, const SearcherSetup& setup) {
  return make_genetic(
      space, setup, "sms-emoa/1",
      [](OptionsReader&, const Population&, std::size_t) {
        return std::unique_ptr<Survival>(std::make_unique<ContributionSurvival>());
      },
      1);
}

std::unique_ptr<Searcher> make_hype(const SearchSpace& space, const SearcherSetup& setup) {
  return make_genetic(space, setup, "hype/1", [](OptionsReader& options, const Population& population, std::size_t) {
    return std::unique_ptr<Survival>(
        std::make_unique<SampledSurvival>(population.objectives(), options.count("samples", 4000, 100, 1'000'000)));
  });
}

}  // namespace ridgeline
