// A small space of every kind that a searcher may meet, by name.
#pragma once

#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include "tests/search/problems.hpp"

namespace ridgeline {

inline const std::map<std::string, std::function<SearchSpace()>>& spaces() {
  static const std::map<std::string, std::function<SearchSpace()>> table = {
      {"single", [] { return make_space("single", R"([{"name": "only", "choices": ["one"]}])"); }},
      {"mixed",
       [] {
         return make_space("mixed", R"([{"name": "a", "choices": [1, 2]}, {"name": "fixed", "choices": ["x"]},
             {"name": "b", "choices": [3, 5, 7], "ordered": true}, {"name": "c", "choices": [true, false]}])");
       }},
      {"conditional",
       [] {
         return make_space("conditional", R"([{"name": "depth", "choices": [1, 2, 3, 4], "ordered": true},
             {"name": "kernel", "repeat": 4, "index": "slot", "choices": [3, 5, 7], "active_if": "slot < depth"},
             {"name": "se", "choices": [false, true]},
             {"name": "ratio", "choices": [2, 4, 8], "active_if": "se"}])");
       }},
      {"constrained",  // 56 of 1296 combinations, or about one in 23, are valid
       [] {
         return make_space("constrained", R"([{"name": "w", "repeat": 4, "choices": [0, 1, 2, 3, 4, 5]}])",
                           R"([{"require": "w[0] + w[1] + w[2] + w[3] <= 4", "why": "too wide"},
                               {"require": "w[0] != 1"}])");
       }},
      {"formats",  // architecture and precision, a condition of each kind and a constraint over both
       [] {
         return make_space("formats", R"([{"name": "depth", "choices": [1, 2, 3], "ordered": true},
             {"name": "width", "repeat": 3, "index": "slot", "choices": [8, 16, 24], "active_if": "slot < depth"},
             {"name": "format", "group": "precision", "repeat": 3, "index": "slot",
              "choices": ["int8", "bf16", "f32"], "active_if": "slot < depth"},
             {"name": "tail", "group": "precision", "choices": ["f32", "int8"]}])",
                           R"([{"require": "depth < 3 or tail == 'f32' or format[0] != 'int8'"}])");
       }},
      {"accelerators",  // networks and arrays, a condition and a constraint over both
       [] {
         return make_space("accelerators", R"([{"name": "depth", "choices": [1, 2, 3], "ordered": true},
             {"name": "width", "repeat": 3, "index": "slot", "choices": [8, 16, 24], "active_if": "slot < depth"},
             {"name": "rows", "group": "hardware", "choices": [4, 8, 16], "ordered": true},
             {"name": "cols", "group": "hardware", "choices": [4, 8, 16], "ordered": true},
             {"name": "double_buffer", "group": "hardware", "choices": [false, true], "active_if": "depth > 1"}])",
                           R"([{"require": "rows * cols <= 128", "why": "the area"},
                               {"require": "depth < 3 or rows > 4"}])");
       }},
      {"only_formats",
       [] {
         return make_space("only_formats",
                           R"([{"name": "format", "group": "precision", "repeat": 5, "choices": ["int8", "f32"]}])");
       }},
      {"wide",
       [] {
         std::vector<int> many(100);
         std::iota(many.begin(), many.end(), 0);
         const std::string first = R"([{"name": "g", "repeat": 30, "choices": [0, 1, 2, 3, 4]}, )";
         return make_space("wide", first + R"({"name": "many", "choices": )" + Json(many).dump() + "}]");
       }},
  };
  return table;
}

}  // namespace ridgeline
