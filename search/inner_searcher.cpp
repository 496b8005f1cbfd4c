#include "search/inner_searcher.hpp"

#include <utility>

namespace ridgeline {

InnerSearcher inner_searcher(OptionsReader& options, const std::string& key) {
  InnerSearcher inner{key};
  if (std::optional<JsonReader> object = options->object(key, false)) {
    inner.name = object->string("name", inner.name);
    inner.options = object->value();
    inner.options.erase("name");
  }
  return inner;
}

std::unique_ptr<Searcher> make_inner(const InnerSearcher& inner, const SearchSpace& space, SearcherSetup setup) {
  if (find_searcher(inner.name, setup.origin).rungs) {
    throw ConfigError({setup.origin, "name", "a searcher that asks for whole evaluations, as the one around it does",
                       "'" + inner.name + "'", "use it alone, or 'nsga2' here"});
  }
  setup.costs = nullptr;  // of another space
  setup.options = inner.options;
  return make_searcher(inner.name, space, setup);
}

std::unique_ptr<Searcher> checked_inner(OptionsReader& options, const InnerSearcher& inner, const SearchSpace& space,
                                        const SearcherSetup& setup) {
  try {
    return make_inner(inner, space, setup);
  } catch (const ConfigError& error) {
    for (const Problem& problem : error.problems()) {
      const std::string path = problem.path.empty() ? inner.key : inner.key + "." + problem.path;
      options->note(path, problem.expected, problem.found, problem.remedy);
    }
    return nullptr;
  }
}

Json inner_state(const Searcher& inner) {
  State state = inner.save();
  return {{"signature", std::move(state.signature)}, {"data", std::move(state.data)}};
}

void load_inner(JsonReader& data, const std::string& key, Searcher& inner) {
  std::optional<JsonReader> state = data.object(key);
  if (!state) return;
  const std::string signature = state->string("signature");
  const Json* written = state->any("data", true);
  state->finish();
  if (written != nullptr) inner.load({signature, *written});
}

}  // namespace ridgeline
