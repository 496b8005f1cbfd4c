// Monte Carlo tree search: Kocsis and Szepesvari, "Bandit based Monte-Carlo planning", ECML 2006 (UCT), on the tree of
// choices (Negrinho and Gordon, "DeepArchitect", 2017, arXiv:1704.08792). Each walk goes down from the root by the
// upper confidence bound of each choice, adds one node, and completes the candidate at random; what the candidate turns
// out to be is counted at every node of its path. Choices that lead to nothing valid, and candidates that are known,
// are closed and not walked to again.
//
// Completions draw each choice by the mean of all candidates with this choice of the dimension wherever they stand
// ("rollout": "means", Finnsson and Bjornsson, 2008) or uniformly ("random": UCT as published). With "shared" above 0 a
// choice's mean in the tree, too, is that of its node and, as if seen up to so many times there, that of all candidates
// with the choice (all moves as first: Gelly and Silver, 2007).
//
// Several objectives: a walk goes in one of up to "directions" directions, in turn; means are kept of each objective
// and scaled by what was seen (seen_values.hpp), so that every direction has its own bounds on one tree. Infeasible
// candidates count as worse than the worst feasible one, the more so the more they break. In a batch, a path that was
// walked counts as visited with nothing gained until its candidate is told.
//
// Given a warm start, the candidates are asked for first, and the exploration term of each choice is multiplied by
// (share among them x choices)^reliance, as is its chance in completions. The reliance is the similarity, which scales
// a policy from elsewhere by how near elsewhere is (Chowdhury et al., "Retrieval-guided reinforcement learning for
// Boolean circuit minimization", ICLR 2024), times given / (given + told): it fades as the search sees candidates of
// its own.
//
// Options: "exploration" (c, default 0.2), "shared" (0), "rollout" ("means"), "temperature" (of means in completions,
// 0.1), "directions" (8), "nodes" (the most to be kept, 2000). notes(): {"nodes", "depth": of the deepest}. State: the
// tree, a row for each choice, what was seen, the count; the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

// Upper confidence bound (Auer et al., 2002): mean + exploration * sqrt(ln(total) / visits); infinite without visits.
// total >= visits.
double upper_confidence(double mean, double visits, double total, double exploration);

std::unique_ptr<Searcher> make_mcts(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
