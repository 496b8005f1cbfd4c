// Small spaces and made-up objectives for the tests of search/.
#pragma once

#include <fmt/format.h>

#include <cmath>
#include <functional>
#include <string>
#include <utility>
#include <vector>

#include "search/searcher.hpp"

namespace ridgeline {

// A space of these dimensions and constraints (JSON arrays); its network does not matter here.
inline SearchSpace make_space(const std::string& name, const std::string& dimensions,
                              const std::string& constraints = "[]") {
  const std::string text = fmt::format(R"({{"ridgeline_space": 1, "name": "{}", "dimensions": {}, "constraints": {},
      "network": {{"input": [1, 4, 4], "body": [{{"op": "relu"}}]}}}})",
                                       name, dimensions, constraints);
  return SearchSpace::parse(JsonDocument::parse(text, name));
}

// `dims` categorical dimensions of `choices` each.
inline SearchSpace uniform_space(int dims, int choices) {
  Json list = Json::array();
  for (int i = 0; i < choices; ++i) list.push_back(i);
  return make_space("uniform", fmt::format(R"([{{"name": "g", "repeat": {}, "choices": {}}}])", dims, list.dump()));
}

inline std::vector<Objective> minimised_objectives(std::size_t n) {
  std::vector<Objective> made(n);
  for (std::size_t i = 0; i < n; ++i) made[i].name = fmt::format("f{}", i);
  return made;
}

inline Trial ok_trial(std::int64_t id, Genome genome, std::vector<double> values) {
  Trial trial;
  trial.id = id;
  trial.genome = std::move(genome);
  trial.values = std::move(values);
  return trial;
}

// A number in [0, 1) that depends on every gene and on `purpose`, with no structure to search for.
inline double noise(const Genome& genome, std::uint64_t purpose) {
  std::uint64_t hash = purpose;
  for (const std::uint16_t gene : genome.genes) hash = mix64(hash + 0x9e3779b97f4a7c15ULL) ^ gene;
  return static_cast<double>(mix64(hash) >> 11) * 0x1.0p-53;
}

// Fills the status, the values and the violation of a trial whose id and genome are there.
using Judge = std::function<void(Trial&)>;

// One batch, asked for, judged and told; appended to `history`. False when nothing was proposed.
inline bool step(Searcher& searcher, std::size_t n, const Judge& judge, std::vector<Trial>& history) {
  const std::vector<Genome> asked = searcher.ask(n);
  std::vector<Trial> trials;
  for (const Genome& genome : asked) {
    trials.emplace_back();
    trials.back().id = static_cast<std::int64_t>(history.size() + trials.size() - 1);
    trials.back().genome = genome;
    trials.back().rung = searcher.rung();
    judge(trials.back());
  }
  searcher.tell(trials);
  history.insert(history.end(), trials.begin(), trials.end());
  return !asked.empty();
}

// Through text, as a store keeps it.
inline State through_text(const State& state) { return {state.signature, Json::parse(state.data.dump())}; }

}  // namespace ridgeline
