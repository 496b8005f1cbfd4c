// What pagmo2's searchers do on our problems: how fast they go, and what they look at. No part of Ridgeline's build:
//
//     sudo apt-get install libpagmo-dev libtbb-dev libboost-serialization-dev
//     g++ -std=c++17 -O3 -march=native experiments/peers/pagmo/pagmo_search.cpp -o pagmo_search -lpagmo
//     -lboost_serialization -ltbb
//     ./pagmo_search speed                  NSGA-II, 60 categorical variables of 5 levels, two additive objectives, one
//                                           thread: evaluations a second by population
//     ./pagmo_search nsga2 POPULATION EVALUATIONS SEEDS < TABLE
//     ./pagmo_search gaco|sga|ihs ...       the same with one objective
//
// TABLE: the numbers of levels on one line; then a candidate's values a line, minimised, the last variable fastest.
// Prints a line a seed: the candidates in the order of their evaluation, as rows of the table. search_quality.py feeds
// it.
#include <chrono>
#include <cmath>
#include <cstdio>
#include <iostream>
#include <limits>
#include <memory>
#include <pagmo/algorithm.hpp>
#include <pagmo/algorithms/gaco.hpp>
#include <pagmo/algorithms/ihs.hpp>
#include <pagmo/algorithms/nsga2.hpp>
#include <pagmo/algorithms/sga.hpp>
#include <pagmo/population.hpp>
#include <pagmo/problem.hpp>
#include <random>
#include <sstream>
#include <string>
#include <vector>

namespace {

using pagmo::vector_double;

struct Table {
  std::vector<int> levels;
  std::vector<vector_double> values;
};

// Sums over independent variables, as the problem `separable` is.
struct Additive {
  static constexpr std::size_t kVariables = 60, kLevels = 5;
  std::shared_ptr<std::vector<double>> costs = [] {
    auto made = std::make_shared<std::vector<double>>(2 * kVariables * kLevels);
    std::mt19937_64 generator(1);
    std::uniform_real_distribution<double> uniform(0, 1);
    for (double& cost : *made) cost = uniform(generator);
    return made;
  }();

  vector_double fitness(const vector_double& x) const {
    vector_double sums(2, 0.0);
    for (std::size_t i = 0; i < kVariables; ++i) {
      const std::size_t at = 2 * (i * kLevels + static_cast<std::size_t>(x[i]));
      sums[0] += (*costs)[at];
      sums[1] += (*costs)[at + 1];
    }
    return sums;
  }
  std::pair<vector_double, vector_double> get_bounds() const {
    return {vector_double(kVariables, 0.0), vector_double(kVariables, kLevels - 1.0)};
  }
  vector_double::size_type get_nobj() const { return 2; }
  vector_double::size_type get_nix() const { return kVariables; }
};

struct Lookup {
  std::shared_ptr<Table> table;
  std::shared_ptr<std::vector<std::size_t>> asked;

  vector_double fitness(const vector_double& x) const {
    std::size_t row = 0;
    for (std::size_t i = 0; i < x.size(); ++i) {
      row = row * static_cast<std::size_t>(table->levels[i]) + static_cast<std::size_t>(x[i]);
    }
    asked->push_back(row);
    return table->values[row];
  }
  std::pair<vector_double, vector_double> get_bounds() const {
    vector_double upper;
    for (const int levels : table->levels) upper.push_back(levels - 1.0);
    return {vector_double(upper.size(), 0.0), upper};
  }
  vector_double::size_type get_nobj() const { return table->values.front().size(); }
  vector_double::size_type get_nix() const { return table->levels.size(); }
};

Table read_table(std::istream& in) {
  Table table;
  std::string line;
  std::getline(in, line);
  std::istringstream levels(line);
  for (int count; levels >> count;) table.levels.push_back(count);
  while (std::getline(in, line)) {
    std::istringstream row(line);
    vector_double values;
    for (double value; row >> value;) values.push_back(value);
    table.values.push_back(values);
  }
  return table;
}

int speed() {
  for (const unsigned population : {100u, 1000u, 10000u}) {
    const unsigned generations = population == 10000 ? 3 : 200000 / population;
    pagmo::population members(pagmo::problem(Additive{}), population, 1);
    const pagmo::algorithm algorithm(pagmo::nsga2(generations, 0.95, 10.0, 0.01, 50.0, 1));
    const auto begin = std::chrono::steady_clock::now();
    algorithm.evolve(members);
    const double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    std::printf("nsga2, population %u: %.0f evaluations/s\n", population, population * generations / seconds);
  }
  return 0;
}

pagmo::algorithm make_algorithm(const std::string& name, unsigned generations, unsigned seed) {
  if (name == "nsga2") return pagmo::algorithm(pagmo::nsga2(generations, 0.95, 10.0, 0.01, 50.0, seed));
  if (name == "gaco")
    return pagmo::algorithm(pagmo::gaco(generations, 10, 1.0, 0.0, 0.01, 1, 7, 100000, 100000, 0.0, false, seed));
  if (name == "sga")
    return pagmo::algorithm(
        pagmo::sga(generations, 0.9, 1.0, 0.02, 1.0, 2, "exponential", "polynomial", "tournament", seed));
  if (name == "ihs") return pagmo::algorithm(pagmo::ihs(generations, 0.85, 0.35, 0.99, 1e-5, 1.0, seed));
  throw std::invalid_argument("nsga2, gaco, sga or ihs");
}

}  // namespace

int main(int argc, char** argv) {
  if (argc == 2 && std::string(argv[1]) == "speed") return speed();
  if (argc != 5) {
    std::fprintf(stderr, "pagmo_search speed | pagmo_search ALGORITHM POPULATION EVALUATIONS SEEDS < TABLE\n");
    return 2;
  }
  const std::string name = argv[1];
  const unsigned population = static_cast<unsigned>(std::stoul(argv[2]));
  const std::size_t evaluations = std::stoul(argv[3]);
  const auto table = std::make_shared<Table>(read_table(std::cin));
  for (unsigned seed = 1; seed <= std::stoul(argv[4]); ++seed) {
    const auto asked = std::make_shared<std::vector<std::size_t>>();
    pagmo::population members(pagmo::problem(Lookup{table, asked}), population, seed);
    // Candidates come again: more are asked for than are to be different ones.
    const unsigned a_generation = name == "ihs" ? 1 : population;
    const auto generations = static_cast<unsigned>(20 * evaluations / a_generation);
    members = make_algorithm(name, generations, seed).evolve(members);
    for (const std::size_t row : *asked) std::printf("%zu ", row);
    std::printf("\n");
  }
}
