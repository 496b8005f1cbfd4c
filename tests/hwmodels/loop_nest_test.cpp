#include "hwmodels/spatial/loop_nest.hpp"

#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <set>

#include "hwmodels/spatial/mapper.hpp"
#include "spaces/rng.hpp"
#include "tests/hwmodels/reference_data.hpp"

namespace ridgeline {
namespace {

using Index = std::array<std::int64_t, loop_dimensions>;

// Runs the loops outside `level` step by step and counts what an instance takes in when it keeps its last tile alone.
struct Walked {
  std::int64_t visits = 0, distinct = 0;
};

Walked walk(const LoopWorkload& workload, const Mapping& mapping, LoopOperand operand, std::size_t level) {
  std::vector<Loop> outside;
  Index block{1, 1, 1, 1, 1, 1, 1, 1};
  for (std::size_t l = 0; l < mapping.size(); ++l) {
    for (const Loop& loop : mapping[l].temporal) {
      if (l < level)
        outside.push_back(loop);
      else
        block[static_cast<std::size_t>(loop.dimension)] *= loop.extent;
    }
    for (const Loop& loop : mapping[l].spatial) {
      if (l >= level) block[static_cast<std::size_t>(loop.dimension)] *= loop.extent;
    }
  }
  const std::int64_t tile = workload.words(operand, block);
  std::vector<std::int64_t> at(outside.size(), 0), last;
  std::set<std::vector<std::int64_t>> seen;
  Walked walked;
  for (;;) {
    std::vector<std::int64_t> which;
    for (std::size_t i = 0; i < outside.size(); ++i) {
      if (LoopWorkload::has(operand, outside[i].dimension)) which.push_back(at[i]);
    }
    if (walked.visits == 0 || which != last) walked.visits += tile;
    last = which;
    if (seen.insert(which).second) walked.distinct += tile;
    std::size_t i = outside.size();
    while (i > 0 && ++at[i - 1] == outside[i - 1].extent) at[--i] = 0;
    if (i == 0) return walked;
  }
}

SpatialArchitecture three_levels() {
  SpatialArchitecture architecture;
  architecture.levels.resize(3);
  architecture.levels[0].name = "DRAM";
  architecture.levels[1].name = "buffer";
  architecture.levels[1].fan_out = 16;
  architecture.levels[2].name = "registers";
  for (StorageLevel& level : architecture.levels) level.read_pj = level.write_pj = level.update_pj = 1;
  return architecture;
}

// Every dimension's extent cut at random; orders at random.
Mapping random_mapping(const LoopWorkload& workload, const SpatialArchitecture& architecture, Rng& rng) {
  Mapping mapping(architecture.levels.size());
  for (std::size_t d = 0; d < loop_dimensions; ++d) {
    std::int64_t rest = workload.extent[d];
    while (rest > 1) {
      std::int64_t factor = 2;
      while (rest % factor != 0) ++factor;
      rest /= factor;
      LevelLoops& level = mapping[static_cast<std::size_t>(rng.below(mapping.size()))];
      std::vector<Loop>* loops = &level.temporal;
      if (&level == &mapping[1] && rng.below(2) == 0) loops = &level.spatial;
      const auto known = std::ranges::find(*loops, static_cast<LoopDimension>(d), &Loop::dimension);
      if (known != loops->end())
        known->extent *= factor;
      else
        loops->push_back({static_cast<LoopDimension>(d), factor});
    }
  }
  for (LevelLoops& level : mapping) rng.shuffle(std::span(level.temporal));
  return mapping;
}

// Weights and outputs have no windows: a walk through all steps that compares tiles gives the counts exactly.
TEST(LoopNest, TrafficIsThatOfAWalkThroughAllSteps) {
  Rng rng(7, "random mappings", 0);
  const SpatialArchitecture architecture = three_levels();
  LoopWorkload workload;
  workload.extent = {2, 1, 6, 4, 6, 4, 3, 1};
  int fitting = 0;
  for (int trial = 0; trial < 300; ++trial) {
    const Mapping mapping = random_mapping(workload, architecture, rng);
    if (!misfit(workload, architecture, mapping).empty()) continue;
    ++fitting;
    const NestCost cost = evaluate(workload, architecture, mapping);
    for (const LoopOperand operand : {LoopOperand::weights, LoopOperand::outputs}) {
      const auto at = static_cast<std::size_t>(operand);
      const bool outputs = operand == LoopOperand::outputs;
      for (std::size_t l = 1; l < 3; ++l) {
        const Walked here = walk(workload, mapping, operand, l);
        EXPECT_EQ(cost.levels[l].operand[at].fills, outputs ? here.visits - here.distinct : here.visits);
        std::int64_t different = 1;  // of the instances of this level that hang on one of the next outside
        for (const Loop& loop : mapping[l - 1].spatial) {
          different *= LoopWorkload::has(operand, loop.dimension) ? loop.extent : 1;
        }
        EXPECT_EQ(cost.levels[l - 1].operand[at].reads, cost.levels[l].operand[at].fills * different);
        if (outputs) {
          EXPECT_EQ(cost.levels[l - 1].operand[at].updates, here.visits * different);
        }
      }
    }
    std::int64_t steps = 1;
    for (const LevelLoops& level : mapping) {
      for (const Loop& loop : level.temporal) steps *= loop.extent;
    }
    EXPECT_EQ(cost.cycles, static_cast<double>(steps));
    EXPECT_EQ(steps * cost.units, workload.macs());
    EXPECT_EQ(cost.levels[2].operand[0].reads, steps);  // a multiplier takes its operands in every cycle
  }
  EXPECT_GT(fitting, 100);
}

// Sliding one row at a time over a 3-row window of 8 columns brings a row a step.
TEST(LoopNest, AWindowThatSlidesBringsOnlyWhatIsNew) {
  SpatialArchitecture architecture = three_levels();
  LoopWorkload workload;
  workload.extent = {1, 1, 1, 1, 10, 6, 3, 3};
  Mapping mapping(3);
  mapping[0].temporal = {{LoopDimension::p, 10}};
  mapping[1].temporal = {{LoopDimension::q, 6}, {LoopDimension::r, 3}, {LoopDimension::s, 3}};
  EXPECT_EQ(evaluate(workload, architecture, mapping).levels[1].operand[1].fills, 12 * 8);
  workload.stride = {2, 1};
  EXPECT_EQ(evaluate(workload, architecture, mapping).levels[1].operand[1].fills, 21 * 8);
  workload.stride = {5, 1};  // no overlap
  EXPECT_EQ(evaluate(workload, architecture, mapping).levels[1].operand[1].fills, 10 * 3 * 8);
}

TEST(LoopNest, BandwidthStretchesTheCycles) {
  SpatialArchitecture architecture = three_levels();
  LoopWorkload workload;
  workload.extent = {1, 1, 8, 1, 4, 4, 1, 1};
  Mapping mapping(3);
  mapping[1].temporal = {{LoopDimension::p, 4}, {LoopDimension::q, 4}};
  mapping[1].spatial = {{LoopDimension::m, 8}};
  const NestCost free = evaluate(workload, architecture, mapping);
  EXPECT_EQ(free.cycles, 16);
  EXPECT_EQ(free.bound_by, 3U);
  architecture.levels[1].write_words_per_cycle = 2;  // eight sums a cycle leave the array, and words come in
  const NestCost slow = evaluate(workload, architecture, mapping);
  EXPECT_EQ(slow.bound_by, 1U);
  EXPECT_DOUBLE_EQ(slow.cycles, (8 * 16 + 8 + 16) / 2.0);
}

TEST(LoopNest, SaysWhyAMappingDoesNotFit) {
  SpatialArchitecture architecture = three_levels();
  LoopWorkload workload;
  workload.extent = {1, 1, 32, 1, 1, 1, 1, 1};
  Mapping mapping(3);
  EXPECT_EQ(misfit(workload, architecture, mapping), "the factors of M make 1, not 32");
  mapping[1].spatial = {{LoopDimension::m, 32}};
  EXPECT_EQ(misfit(workload, architecture, mapping), "32 instances inside buffer, which has 16");
  mapping[1] = {{{LoopDimension::m, 32}}, {}};
  EXPECT_EQ(misfit(workload, architecture, mapping), "");
  architecture.levels[1].words = 64;
  EXPECT_EQ(misfit(workload, architecture, mapping), "65 words in buffer, which holds 64");
  EXPECT_EQ(misfit(workload, architecture, Mapping(2)), "2 levels of loops for 3 storage levels");
}

TEST(Mapper, NeverWorseThanAGivenMappingAndTheSameEveryTime) {
  Rng rng(9, "mapper", 0);
  SpatialArchitecture architecture = three_levels();
  architecture.levels[0].read_pj = architecture.levels[0].update_pj = 100;
  architecture.levels[1].words = 600;
  architecture.levels[2].words = 60;
  LoopWorkload workload;
  workload.extent = {1, 1, 8, 4, 6, 6, 3, 3};
  int tried = 0;
  for (int trial = 0; trial < 200 && tried < 10; ++trial) {
    const Mapping given = random_mapping(workload, architecture, rng);
    if (!misfit(workload, architecture, given).empty()) continue;
    ++tried;
    const NestCost before = evaluate(workload, architecture, given);
    const auto found = find_mapping(workload, architecture, {.evaluations = 200}, &given);
    ASSERT_TRUE(found);
    EXPECT_EQ(misfit(workload, architecture, found->mapping), "");
    EXPECT_LE(found->cost.energy_pj * found->cost.cycles, before.energy_pj * before.cycles);
    EXPECT_LE(found->evaluations, 200);
    EXPECT_EQ(find_mapping(workload, architecture, {.evaluations = 200}, &given)->mapping, found->mapping);
  }
  EXPECT_GT(tried, 0);
}

// All mappings of a tiny layer in all orders of loops: the search finds the best.
TEST(Mapper, FindsTheBestOfATinyLayer) {
  SpatialArchitecture architecture;
  architecture.levels.resize(2);
  architecture.levels[0].read_pj = architecture.levels[0].update_pj = 50;
  architecture.levels[0].name = "DRAM";
  architecture.levels[1].name = "buffer";
  architecture.levels[1].read_pj = architecture.levels[1].write_pj = architecture.levels[1].update_pj = 1;
  architecture.levels[1].words = 14;
  architecture.levels[1].fan_out = 2;
  LoopWorkload workload;
  workload.extent = {1, 1, 4, 2, 4, 1, 1, 1};
  double best = std::numeric_limits<double>::infinity();
  const std::vector<LoopDimension> dims{LoopDimension::m, LoopDimension::c, LoopDimension::p};
  std::vector<int> prime_at(5, 0);  // of m, m, c, p, p: outer, inner in time, inner in space
  const std::vector<LoopDimension> primes{dims[0], dims[0], dims[1], dims[2], dims[2]};
  for (int code = 0; code < 243; ++code) {
    Mapping mapping(2);
    for (int i = 0, rest = code; i < 5; ++i, rest /= 3) {
      std::vector<Loop>& loops = rest % 3 == 0   ? mapping[0].temporal
                                 : rest % 3 == 1 ? mapping[1].temporal
                                                 : mapping[1].spatial;
      const auto known = std::ranges::find(loops, primes[static_cast<std::size_t>(i)], &Loop::dimension);
      if (known != loops.end())
        known->extent *= 2;
      else
        loops.push_back({primes[static_cast<std::size_t>(i)], 2});
    }
    if (!misfit(workload, architecture, mapping).empty()) continue;
    std::ranges::sort(mapping[0].temporal, {}, &Loop::dimension);
    do {
      const NestCost cost = evaluate(workload, architecture, mapping);
      best = std::min(best, cost.energy_pj * cost.cycles);
    } while (std::ranges::next_permutation(mapping[0].temporal, {}, &Loop::dimension).found);
  }
  const auto found = find_mapping(workload, architecture, {.evaluations = 3000});
  ASSERT_TRUE(found);
  EXPECT_DOUBLE_EQ(found->cost.energy_pj * found->cost.cycles, best);
}

// --- Timeloop's published designs: mapping, energy table and statistics, read in place.

struct TimeloopDesign {
  std::string folder;
  std::vector<std::string> levels;  // storage, outermost first, as the files name them

  std::string path(const std::string& file) const { return test::reference_path("timeloop/" + folder + "/" + file); }
};

std::string after(const std::string& line, const std::string& key) {
  const std::size_t at = line.find(key);
  return at == std::string::npos ? std::string() : test::trimmed(line.substr(at + key.size()));
}

LoopDimension dimension_of(char letter) {
  static const std::string letters = "NGMCPQRS";
  return static_cast<LoopDimension>(letters.find(letter));
}

struct TimeloopMapping {
  Mapping mapping;
  std::vector<std::array<bool, loop_operands>> keeps;
};

// Levels without storage only spread loops over instances: theirs belong to the storage outside them.
TimeloopMapping read_mapping(const TimeloopDesign& design) {
  TimeloopMapping read;
  read.mapping.resize(design.levels.size());
  read.keeps.resize(design.levels.size());
  static const std::vector<std::string> outside_spread{"shared_glb"};
  std::string target, type, factors;
  bool keep = false;
  for (const std::string& line : test::lines_of(design.path("map.yaml"))) {
    if (const std::string name = after(line, "target: "); !name.empty()) target = name;
    if (const std::string name = after(line, "type: "); !name.empty()) type = name;
    if (const std::string text = after(line, "factors: "); !text.empty()) factors = text;
    auto level = std::ranges::find(design.levels, target);
    if (level == design.levels.end()) level = std::ranges::find(design.levels, outside_spread.front());
    const auto l = static_cast<std::size_t>(level - design.levels.begin());
    if (type == "datatype" && target == design.levels[l]) {
      if (line.find("keep:") != std::string::npos) keep = true;
      if (line.find("bypass:") != std::string::npos) keep = false;
      static const std::vector<std::string> names{"Weights", "Inputs", "Outputs"};
      const auto name = std::ranges::find(names, after(line, "- "));
      if (name != names.end()) read.keeps[l][static_cast<std::size_t>(name - names.begin())] = keep;
    }
    const std::string order = after(line, "permutation: ");
    if (order.empty()) continue;
    std::map<char, std::int64_t> factor;
    for (const std::string& one : test::cells_of(factors, ' ')) factor[one[0]] = std::stoll(one.substr(1));
    std::vector<Loop>& loops = type == "spatial" ? read.mapping[l].spatial : read.mapping[l].temporal;
    std::vector<Loop> own;
    for (const char letter : order) {  // the innermost first
      if (factor[letter] > 1) own.insert(own.begin(), Loop{dimension_of(letter), factor[letter]});
    }
    loops.insert(loops.begin(), own.begin(), own.end());
  }
  return read;
}

std::map<std::string, std::map<std::string, double>> read_energies(const TimeloopDesign& design) {
  std::map<std::string, std::map<std::string, double>> energies;
  std::string component, action;
  for (const std::string& line : test::lines_of(design.path("ERT_summary.yaml"))) {
    if (const std::string name = after(line, "name: system_top_level."); !name.empty()) {
      component = name.substr(0, name.find('['));
    } else if (const std::string other = after(line, "name: "); !other.empty()) {
      action = other;
    }
    if (const std::string energy = after(line, "energy: "); !energy.empty())
      energies[component][action] = std::stod(energy);
  }
  return energies;
}

// "Scalar reads (per-instance) : 57344" under "=== psum_spad ===" and "Outputs:".
std::map<std::string, double> read_statistics(const TimeloopDesign& design) {
  std::map<std::string, double> statistics;
  std::string component, operand;
  for (const std::string& line : test::lines_of(design.path("stats.txt"))) {
    const std::string text = test::trimmed(line);
    if (text.starts_with("=== ")) component = text.substr(4, text.size() - 8), operand.clear();
    if (text == "Weights:" || text == "Inputs:" || text == "Outputs:") operand = text.substr(0, text.size() - 1);
    const std::size_t colon = text.find(':');
    if (colon == std::string::npos || colon + 1 >= text.size()) continue;
    const std::string name = test::trimmed(text.substr(0, colon)), value = test::trimmed(text.substr(colon + 1));
    if (value.empty() || std::string("0123456789-").find(value[0]) == std::string::npos) continue;
    const std::string key = text.starts_with("Cycles:") || text.starts_with("Energy:")
                                ? name
                                : component + "/" + (operand.empty() ? name : operand + "/" + name);
    if (value != "-") statistics.emplace(key, std::stod(value));
  }
  return statistics;
}

LoopWorkload read_workload(const TimeloopDesign& design) {
  LoopWorkload workload;
  bool instance = false;
  for (const std::string& line : test::lines_of(design.path("parsed-processed-input.yaml"))) {
    const std::string text = test::trimmed(line);
    if (text == "instance:") instance = true;
    if (text == "shape:") instance = false;
    const std::size_t colon = text.find(':');
    if (!instance || colon == std::string::npos || colon + 2 > text.size()) continue;
    const std::string name = text.substr(0, colon);
    if (name.size() == 1 && std::string("CMNPQRS").find(name) != std::string::npos) {
      workload.extent[static_cast<std::size_t>(dimension_of(name[0]))] = std::stoll(text.substr(colon + 1));
    }
    if (name == "Hstride") workload.stride[0] = std::stoi(text.substr(colon + 1));
    if (name == "Wstride") workload.stride[1] = std::stoi(text.substr(colon + 1));
  }
  return workload;
}

SpatialArchitecture architecture_of(const TimeloopDesign& design, const TimeloopMapping& mapping,
                                    const std::map<std::string, double>& statistics) {
  const auto energies = read_energies(design);
  SpatialArchitecture architecture;
  architecture.mac_pj = energies.at("mac").at("compute");
  for (std::size_t l = 0; l < design.levels.size(); ++l) {
    const std::string& name = design.levels[l];
    StorageLevel level;
    level.name = name;
    level.keeps = mapping.keeps[l];
    const auto figure = [&](const std::string& what) {
      const auto found = statistics.find(name + "/" + what);
      return found == statistics.end() ? 0.0 : found->second;
    };
    level.words = static_cast<std::int64_t>(figure("Size"));
    level.words_per_access = static_cast<std::int64_t>(figure("Block size"));
    level.read_words_per_cycle = figure("Read bandwidth");
    level.write_words_per_cycle = figure("Write bandwidth");
    const auto& energy = energies.at(name);
    level.read_pj = energy.at("read");
    level.write_pj = energy.at("write");
    level.update_pj = energy.at("update");
    level.leak_pj = energy.at("leak");
    if (name == "shared_glb") level.fan_out = static_cast<std::int64_t>(statistics.at("mac/Instances"));
    architecture.levels.push_back(level);
  }
  return architecture;
}

void expect_published(const TimeloopDesign& design, double cycles, double energy_uj) {
  const auto statistics = read_statistics(design);
  const TimeloopMapping mapping = read_mapping(design);
  const LoopWorkload workload = read_workload(design);
  const SpatialArchitecture architecture = architecture_of(design, mapping, statistics);
  ASSERT_EQ(misfit(workload, architecture, mapping.mapping), "");
  const NestCost cost = evaluate(workload, architecture, mapping.mapping);
  EXPECT_EQ(cost.cycles, cycles);
  EXPECT_EQ(cost.cycles, statistics.at("Cycles"));
  EXPECT_NEAR(cost.energy_pj * 1e-6, energy_uj, 0.005);
  EXPECT_EQ(static_cast<double>(workload.macs()), statistics.at("mac/Computes (total)"));
  EXPECT_EQ(static_cast<double>(cost.units), statistics.at("mac/Utilized instances"));
  static const std::array<std::string, loop_operands> names{"Weights", "Inputs", "Outputs"};
  for (std::size_t l = 0; l < design.levels.size(); ++l) {
    for (std::size_t o = 0; o < loop_operands; ++o) {
      if (!architecture.levels[l].keeps[o]) continue;
      const std::string begin = design.levels[l] + "/" + names[o] + "/";
      const OperandTraffic& traffic = cost.levels[l].operand[o];
      EXPECT_EQ(static_cast<double>(traffic.tile), statistics.at(begin + "Utilized capacity")) << begin;
      EXPECT_EQ(static_cast<double>(traffic.reads), statistics.at(begin + "Scalar reads (per-instance)")) << begin;
      EXPECT_EQ(static_cast<double>(traffic.fills), statistics.at(begin + "Scalar fills (per-instance)")) << begin;
      EXPECT_EQ(static_cast<double>(traffic.updates), statistics.at(begin + "Scalar updates (per-instance)")) << begin;
    }
    EXPECT_NEAR(cost.levels[l].leak_pj, statistics.at(design.levels[l] + "/Leakage energy (total)"), 1.0);
  }
  const auto found =
      find_mapping(workload, architecture, {.goal = MappingGoal::energy, .evaluations = 3000}, &mapping.mapping);
  ASSERT_TRUE(found);
  EXPECT_LE(found->cost.energy_pj, cost.energy_pj);
}

TEST(Timeloop, EyerissLike) {
  const TimeloopDesign design{"eyeriss_like", {"DRAM", "shared_glb", "ifmap_spad", "weights_spad", "psum_spad"}};
  if (!std::filesystem::exists(design.path("stats.txt"))) GTEST_SKIP() << "no reference/timeloop in RIDGELINE_DATA";
  expect_published(design, 86016, 59.28);
}

TEST(Timeloop, SimpleWeightStationary) {
  const TimeloopDesign design{
      "simple_weight_stationary",
      {"DRAM", "shared_glb", "pe_spad", "weight_reg", "input_activation_reg", "output_activation_reg"}};
  if (!std::filesystem::exists(design.path("stats.txt"))) GTEST_SKIP() << "no reference/timeloop in RIDGELINE_DATA";
  expect_published(design, 903168, 151.67);
}

}  // namespace
}  // namespace ridgeline
