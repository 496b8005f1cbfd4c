#include "search/evolution/hypervolume_selection.hpp"

#include <algorithm>
#include <bit>
#include <functional>
#include <limits>
#include <numeric>

#include "search/blocks.hpp"
#include "search/evolution/genetic.hpp"
#include "search/fronts/contributions.hpp"
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
 public:
  using FrontSurvival::FrontSurvival;

 private:
  static constexpr std::size_t few = 200;    // of which each is weighed by itself, and dropped alone
  static constexpr std::size_t rounds = 32;  // in which more of three objectives are dropped

  void choose(const Population& population, std::span<const std::uint32_t> front, std::size_t need,
              std::vector<std::uint32_t>& taken) override {
    const std::vector<Point> gains = gains_of(population, front, 1.0);
    std::vector<std::size_t> alive(front.size());
    std::iota(alive.begin(), alive.end(), std::size_t{0});
    if (population.objectives() == 2) {
      alive = without_least_strips(gains, need);
    } else if (population.objectives() == 3 && front.size() > few) {
      for (std::size_t left = rounds; alive.size() > need; left = std::max<std::size_t>(1, left - 1)) {
        drop_least(gains, alive, std::max<std::size_t>(1, (alive.size() - need) / left));
      }
    } else {
      while (alive.size() > need) drop_least_alone(gains, alive);
    }
    for (const std::size_t i : alive) taken.push_back(front[i]);
  }

  void drop_least_alone(const std::vector<Point>& gains, std::vector<std::size_t>& alive) const {
    std::vector<double> held(alive.size());
    over_blocks(alive.size(), alive.size() < few ? 1 : threads(), [&](std::size_t begin, std::size_t end, std::size_t) {
      for (std::size_t place = begin; place < end; ++place) held[place] = held_alone(alive[place], gains, alive);
    });
    alive.erase(alive.begin() + (std::ranges::min_element(held) - held.begin()));
  }

  // The `count` that hold the least alone, all at once.
  static void drop_least(const std::vector<Point>& gains, std::vector<std::size_t>& alive, std::size_t count) {
    std::vector<double> rows;
    rows.reserve(3 * alive.size());
    for (const std::size_t i : alive) rows.insert(rows.end(), gains[i].begin(), gains[i].end());
    const std::vector<double> held = contributions_of_three(rows);
    std::vector<std::size_t> order(alive.size());
    std::iota(order.begin(), order.end(), std::size_t{0});
    std::nth_element(order.begin(), order.begin() + static_cast<std::ptrdiff_t>(count), order.end(),
                     [&](std::size_t a, std::size_t b) { return held[a] != held[b] ? held[a] < held[b] : a < b; });
    std::vector<std::uint8_t> gone(alive.size(), 0);
    for (std::size_t i = 0; i < count; ++i) gone[order[i]] = 1;
    std::size_t kept = 0;
    for (std::size_t place = 0; place < alive.size(); ++place) {
      if (gone[place] == 0) alive[kept++] = alive[place];
    }
    alive.resize(kept);
  }

  // With two objectives: a front is in the order of its first value, so only the two beside a member cut its box, and
  // only these hold more when it is dropped.
  static std::vector<std::size_t> without_least_strips(const std::vector<Point>& gains, std::size_t need) {
    const std::size_t none = gains.size();
    std::vector<std::size_t> before(none), after(none);
    std::vector<double> held(none);
    const auto weigh_strip = [&](std::size_t i) {
      const double right = after[i] < none ? gains[after[i]][0] : 0.0;
      const double below = before[i] < none ? gains[before[i]][1] : 0.0;
      held[i] = (gains[i][0] - right) * (gains[i][1] - below);
    };
    std::vector<std::pair<double, std::size_t>> heap;  // with what was held once: only the latest counts
    const auto later = std::greater<>();
    for (std::size_t i = 0; i < none; ++i) {
      before[i] = i > 0 ? i - 1 : none;
      after[i] = i + 1;
    }
    for (std::size_t i = 0; i < none; ++i) {
      weigh_strip(i);
      heap.emplace_back(held[i], i);
    }
    std::ranges::make_heap(heap, later);
    std::vector<std::uint8_t> gone(none, 0);
    for (std::size_t left = none; left > need;) {
      std::ranges::pop_heap(heap, later);
      const auto [least, i] = heap.back();
      heap.pop_back();
      if (gone[i] != 0 || held[i] != least) continue;
      gone[i] = 1;
      --left;
      if (before[i] < none) after[before[i]] = after[i];
      if (after[i] < none) before[after[i]] = before[i];
      for (const std::size_t beside : {before[i], after[i]}) {
        if (beside == none) continue;
        weigh_strip(beside);
        heap.emplace_back(held[beside], beside);
        std::ranges::push_heap(heap, later);
      }
    }
    std::vector<std::size_t> alive;
    for (std::size_t i = 0; i < none; ++i) {
      if (gone[i] == 0) alive.push_back(i);
    }
    return alive;
  }

  void weigh(const Population&, std::span<const std::uint32_t>, std::vector<double>&) override {}
};

// Which of a front dominate each of some samples: a bit a member, a row of words a sample.
class Dominators {
 public:
  Dominators(const std::vector<Point>& gains, const std::vector<Point>& samples, double scale, std::size_t threads)
      : members_(gains.size()), words_((gains.size() + 63) / 64), bits_(words_ * samples.size(), 0), threads_(threads) {
    const std::size_t m = gains[0].size();
    std::vector<double> columns(m * members_);
    for (std::size_t i = 0; i < members_; ++i) {
      for (std::size_t k = 0; k < m; ++k) columns[k * members_ + i] = gains[i][k];
    }
    over_blocks(samples.size(), threads_at(samples.size()), [&](std::size_t begin, std::size_t end, std::size_t) {
      std::vector<std::uint8_t> inside(members_);
      for (std::size_t s = begin; s < end; ++s) {
        std::ranges::fill(inside, std::uint8_t{1});
        for (std::size_t k = 0; k < m; ++k) {
          const double least = samples[s][k] * scale;
          const double* const column = columns.data() + k * members_;
          for (std::size_t i = 0; i < members_; ++i)
            inside[i] &= column[i] >= least ? std::uint8_t{1} : std::uint8_t{0};
        }
        pack(inside, bits_.data() + s * words_);
      }
    });
  }

  // Expected share of the samples that is lost with a member when `dropped` of `alive` go, it among them.
  std::vector<double> worths(const std::vector<std::uint8_t>& alive, std::size_t dropped) const {
    const std::size_t samples = bits_.size() / words_;
    const auto count = static_cast<std::size_t>(std::ranges::count(alive, std::uint8_t{1}));
    std::vector<double> share(count + 1, 0.0);  // of a sample that so many dominate
    double chance = 1.0;                        // that all the others of them go too
    for (std::size_t n = 1; n <= dropped; ++n) {
      if (n > 1) chance *= static_cast<double>(dropped - n + 1) / static_cast<double>(count - n + 1);
      share[n] = chance / static_cast<double>(n);
    }
    std::vector<std::uint64_t> living(words_);
    pack(alive, living.data());
    std::vector<double> shares(samples, 0.0);
    over_blocks(samples, threads_at(samples), [&](std::size_t begin, std::size_t end, std::size_t) {
      for (std::size_t s = begin; s < end; ++s) {
        std::size_t left = 0;
        for (std::size_t w = 0; w < words_; ++w) {
          left += static_cast<std::size_t>(std::popcount(bits_[s * words_ + w] & living[w]));
        }
        shares[s] = share[left];
      }
    });
    std::vector<double> worth(members_, 0.0);
    over_blocks(words_, threads_at(samples), [&](std::size_t begin, std::size_t end, std::size_t) {
      for (std::size_t s = 0; s < samples; ++s) {
        if (shares[s] == 0.0) continue;
        for (std::size_t w = begin; w < end; ++w) {
          for (std::uint64_t bits = bits_[s * words_ + w] & living[w]; bits != 0; bits &= bits - 1) {
            worth[64 * w + static_cast<std::size_t>(std::countr_zero(bits))] += shares[s];
          }
        }
      }
    });
    return worth;
  }

 private:
  static void pack(const std::vector<std::uint8_t>& ones, std::uint64_t* words) {
    for (std::size_t begin = 0; begin < ones.size(); begin += 64) {
      std::uint64_t word = 0;
      for (std::size_t i = begin; i < std::min(begin + 64, ones.size()); ++i) {
        word |= static_cast<std::uint64_t>(ones[i]) << (i - begin);
      }
      words[begin / 64] = word;
    }
  }
  // Threads cost more than they bring where little is to be done.
  std::size_t threads_at(std::size_t samples) const { return samples * members_ < 1'000'000 ? 1 : threads_; }

  std::size_t members_, words_;
  std::vector<std::uint64_t> bits_;
  std::size_t threads_;
};

class SampledSurvival final : public FrontSurvival {
 public:
  SampledSurvival(std::size_t objectives, std::size_t samples, std::size_t threads)
      : FrontSurvival(threads), samples_(samples, Point(objectives)) {
    Rng rng(1, "hype", 0);
    for (Point& sample : samples_) {
      for (double& place : sample) place = rng.uniform();
    }
  }

 private:
  static constexpr double beyond = 0.1;

  Dominators dominators(const Population& population, std::span<const std::uint32_t> front) const {
    return {gains_of(population, front, beyond), samples_, 1.0 + beyond, threads()};
  }

  void choose(const Population& population, std::span<const std::uint32_t> front, std::size_t need,
              std::vector<std::uint32_t>& taken) override {
    constexpr std::size_t rounds = 16;
    const Dominators found = dominators(population, front);
    std::vector<std::uint8_t> alive(front.size(), 1);
    std::size_t drop = front.size() - need;
    for (std::size_t round = 0; drop > 0; ++round) {
      const std::vector<double> worth = found.worths(alive, drop);
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
    const std::vector<double> some =
        dominators(population, front).worths(std::vector<std::uint8_t>(front.size(), 1), front.size());
    for (std::size_t i = 0; i < front.size(); ++i) worth[front[i]] = some[i];
  }

  std::vector<Point> samples_;  // in the unit box
};

}  // namespace

std::unique_ptr<Searcher> make_sms_emoa(const SearchSpace& space, const SearcherSetup& setup) {
  return make_genetic(
      space, setup, "sms-emoa",
      [](OptionsReader&, const SurvivalSetup& survival) {
        return std::unique_ptr<Survival>(std::make_unique<ContributionSurvival>(survival.threads));
      },
      1);
}

std::unique_ptr<Searcher> make_hype(const SearchSpace& space, const SearcherSetup& setup) {
  return make_genetic(space, setup, "hype", [](OptionsReader& options, const SurvivalSetup& survival) {
    const std::size_t samples = options.count("samples", 4000, 100, 1'000'000);
    return std::unique_ptr<Survival>(std::make_unique<SampledSurvival>(survival.objectives, samples, survival.threads));
  });
}

}  // namespace ridgeline
