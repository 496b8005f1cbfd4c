// A searcher that another one works with: how it is named in the other's options, and how its state stands in the
// other's.
#pragma once

#include <memory>
#include <string>

#include "search/searcher_base.hpp"

namespace ridgeline {

struct InnerSearcher {
  std::string key;  // of the options of the searcher around it: {"first": {"name": "nsga2", "population": 60}}
  std::string name = "nsga2";
  Json options = Json::object();
};

// From the object under `key`; where that is absent, the default name without options.
InnerSearcher inner_searcher(OptionsReader& options, const std::string& key);

// `setup`: the seed, the objectives and the origin; its options are not used. Throws ConfigError, also for one that
// asks on rungs: what is around it does not.
std::unique_ptr<Searcher> make_inner(const InnerSearcher& inner, const SearchSpace& space, SearcherSetup setup);

// The same, but notes what is wrong where it stands in the options of the searcher around it; null then.
std::unique_ptr<Searcher> checked_inner(OptionsReader& options, const InnerSearcher& inner, const SearchSpace& space,
                                        const SearcherSetup& setup);

Json inner_state(const Searcher& inner);
// Reads what inner_state() wrote from the object under `key`, noting its absence; throws as Searcher::load does.
void load_inner(JsonReader& data, const std::string& key, Searcher& inner);

}  // namespace ridgeline
