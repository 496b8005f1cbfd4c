#include <algorithm>
#include <array>

#include "search/baselines/exhaustive_search.hpp"
#include "search/baselines/local_search.hpp"
#include "search/baselines/random_search.hpp"
#include "search/baselines/simulated_annealing.hpp"
#include "search/constructive/ant_colony.hpp"
#include "search/constructive/mcts.hpp"
#include "search/evolution/hypervolume_selection.hpp"
#include "search/evolution/map_elites.hpp"
#include "search/evolution/moead.hpp"
#include "search/evolution/nsga2.hpp"
#include "search/evolution/nsga3.hpp"
#include "search/evolution/regularized_evolution.hpp"
#include "search/policies/policy_search.hpp"
#include "search/predicted/automatic.hpp"
#include "search/predicted/bayesian.hpp"
#include "search/predicted/boshnas.hpp"
#include "search/predicted/linas.hpp"
#include "search/predicted/tpe.hpp"
#include "search/rungs/rung_search.hpp"
#include "search/searcher.hpp"
#include "search/staged/nested.hpp"
#include "search/staged/sequential.hpp"

namespace ridgeline {

std::span<const SearcherEntry> searchers() {
  static const std::array<SearcherEntry, 26> entries = {{
      {"auto", "what is best at 50 to 300 trials: bayesian for one objective, linas for several", 4, make_automatic},
      {"random", "independent random candidates: the baseline (Bergstra and Bengio, 2012)", 64, make_random_search},
      {"exhaustive", "every valid candidate once: exact, for small spaces", 256, make_exhaustive_search, true},
      {"local-search", "first better neighbour, with restarts; Pareto local search (White et al., 2021)", 1,
       make_local_search},
      {"regularized-evolution", "aging evolution by mutation and tournaments (Real et al., 2019)", 1,
       make_regularized_evolution},
      {"nsga2", "multi-objective genetic algorithm with constraint domination (Deb et al., 2002)", 10, make_nsga2},
      {"nsga3", "many-objective: those nearest to reference directions go on (Deb and Jain, 2014)", 10, make_nsga3},
      {"sms-emoa", "many-objective: the least exclusive hypervolume goes (Beume et al., 2007)", 1, make_sms_emoa},
      {"hype", "many-objective: the least expected hypervolume goes, by samples (Bader and Zitzler, 2011)", 10,
       make_hype},
      {"moead", "many-objective: a weighted subproblem a direction, neighbours breed (Zhang and Li, 2007)", 10,
       make_moead},
      {"simulated-annealing", "walks that take what is worse ever more seldom (Kirkpatrick et al., 1983)", 1,
       make_simulated_annealing},
      {"map-elites", "the best candidate of each kind (Mouret and Clune, 2015)", 10, make_map_elites},
      {"tpe", "what good candidates have more often than others (Bergstra et al., 2011; Ozaki et al., 2020)", 1,
       make_tpe},
      {"bayesian", "the most expected improvement by Gaussian processes (Jones et al., 1998; Emmerich et al., 2011)", 4,
       make_bayesian},
      {"bananas", "Thompson sampling by an ensemble of networks on paths of operators (White et al., 2021)", 4,
       make_bananas},
      {"boshnas", "gradient ascent on a network's optimistic bound, in an embedding (Tuli et al., 2022)", 4,
       make_boshnas},
      {"linas", "evolution on predicted values, refitted round after round (Sarah et al., 2022)", 12, make_linas},
      {"mcts", "upper confidence bounds on the tree of choices (Kocsis and Szepesvari, 2006)", 4, make_mcts},
      {"ant-colony", "choices by pheromone that good candidates lay: max-min ants (Stutzle and Hoos, 2000)", 5,
       make_ant_colony},
      {"reinforce", "a recurrent controller that learns by policy gradient (Zoph and Le, 2017)", 4, make_reinforce},
      {"ppo", "the same with a critic and a clipped surrogate (Schulman et al., 2017)", 4, make_ppo},
      {"multi-agent", "an agent a group of genes or a dimension, one reward (Krishnan et al., 2022)", 4,
       make_multi_agent},
      {"sequential", "the architecture at one format, then the precision of the front (Sridhar et al., 2023)", 10,
       make_sequential, true},
      {"nested", "an outer search over the hardware, an inner one over the networks for it (Lin et al., 2021)", 40,
       make_nested, true},
      {"successive-halving",
       "many candidates cheaply, the better ones ever less cheaply (Jamieson and Talwalkar, 2016)", 27,
       make_successive_halving, false, true},
      {"hyperband", "successive halving from every rung in turn, the fewer the dearer (Li et al., 2018)", 27,
       make_hyperband, false, true},
  }};
  return entries;
}

const SearcherEntry& find_searcher(const std::string& name, const std::string& origin, const std::string& path) {
  const auto entries = searchers();
  const auto found = std::ranges::find(entries, name, &SearcherEntry::name);
  if (found != entries.end()) return *found;
  std::vector<std::string> known;
  for (const SearcherEntry& entry : entries) known.push_back(entry.name);
  throw ConfigError({origin, path, "the name of a searcher", "'" + name + "'", known_words(name, known)});
}

std::unique_ptr<Searcher> make_searcher(const std::string& name, const SearchSpace& space, const SearcherSetup& setup) {
  const SearcherEntry& entry = find_searcher(name, setup.origin);
  if (!setup.warm.genomes.empty() && entry.cold) {
    throw ConfigError({setup.origin, "name", "a searcher that begins with candidates it is given", "'" + name + "'",
                       "leave the warm start out, or use another searcher, 'mcts' or 'nsga2' say"});
  }
  if (entry.rungs && setup.rung_costs.size() < 2) {
    throw ConfigError({setup.origin, "name", "a searcher of whole evaluations, as no objective has cheaper rungs",
                       "'" + name + "'",
                       "give an objective several, \"images\": [900, 300, 100] of \"supernet\" say, or use another "
                       "searcher"});
  }
  return entry.make(space, setup);
}

}  // namespace ridgeline
