// An outer search over hardware with a search over networks inside: for every accelerator that the outer searcher
// proposes, an inner searcher looks for the networks that suit it, and what the outer one is told is how good those
// are. This is how NAAS nests its searches (Lin, Yang and Han, "NAAS: Neural Accelerator Architecture Search", DAC
// 2021, arXiv:2105.13258: an accelerator is worth the best that the searches within found on it), a bilevel problem
// solved nested. With several objectives what was found is a front, and the worth of a set of points that respects
// dominance is its hypervolume (Zitzler, Thiele and Bader, "On Set-Based Multiobjective Optimization", IEEE TEC 14(1),
// 2010).
//
// The genes of the group that "by" names are the outer ones, all others the inner ones. The outer searcher works on a
// space of the outer dimensions alone, named as in the whole space but with "scratchpad_0" for "scratchpad[0]"; all are
// always active there, and every condition and constraint is the inner search's. A proposal with which nothing valid
// can be drawn is told as failed and costs no trial.
//
// What the outer searcher is told of a proposal, by constraint domination over its inner trials:
// - with a feasible one: with one objective its best value; with several the hypervolume, maximised, between the front
//   of the feasible ones and the reference point, in the product of the natural units. What is not better than the
//   reference in every objective counts for nothing.
// - else, with one whose violation is known: infeasible, by the least of these violations;
// - else: failed.
// A proposal among the last 100, or the best so far, is not searched again but answered from memory, unless 100 in a
// row opened no search: then a known one is searched anew, with another seed.
//
// Options: "by" (a group of genes, default "hardware"), "outer" and "inner" (a searcher's object, {"name": "nsga2",
// ...}, default nsga2), "inner_trials" (distinct trials a proposal, default 50; a duplicate is told with the id of a
// trial told before), "parallel" (proposals searched side by side, default 4: a batch is shared among them),
// "reference" (for several objectives: {"objective": value} in natural units; where nothing is said, the objective's
// limit), "carry" (default 10; each inner search begins with up to so many of the best trials so far, by front and
// crowding, with its own hardware, which are tried and told in the place of what the inner searcher proposes first; 0:
// from nothing), "give_up_after" (distinct trials without a feasible one that end an inner search, default a fifth of
// inner_trials). With an inner "exhaustive", none of whose candidates is to be missed, the defaults are 0 and
// inner_trials. An inner search also ends when its searcher is exhausted, or after 1,000 duplicates in a row. The outer
// searcher is told when every search of its batch has ended.
//
// Told of a candidate with other outer genes in the place of one it asked for, it takes that for a trial without
// outcome. Exhausted when the outer searcher is and nothing is being searched. notes(): {"group": "hardware",
// "searched": proposals before those being searched, "best": {dimension: choice} of the best of them, "quality": its
// objective or "hypervolume", "value": natural; "searcher": the outer searcher's notes, where it has any}. State: the
// outer searcher's before it made the current proposals, which it makes again; the remembered proposals; what is
// carried; of every current search its front and its searcher's state; the generator. Throws ConfigError: an objective
// without reference and limit, a space without dimensions of the group or of another.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_nested(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
