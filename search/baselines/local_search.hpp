// Local search: White, Nolen and Savani, "Exploring the loss landscape in neural architecture search", 2021 ("local
// search is state of the art for NAS benchmarks"). From the best of a few random candidates, the neighbours (one active
// gene takes another choice) are tried in random order; the first that is better becomes the current candidate, and the
// order goes on from there; when none is better, the search starts again from new random candidates.
//
// With several objectives this is Pareto local search (Paquete, Chiarandini and Stuetzle, 2004) around the same walk:
// "better" is constraint domination, everything no known candidate beats is kept in an archive, and when the current
// candidate has no better neighbour the walk goes on from the loneliest member of the archive whose neighbours were
// not all tried; a random start comes when there is none. With one objective the archive is the best candidate.
//
// Options: "initial" (random candidates a start, default 5), "archive" (most members kept, default 100; the most
// crowded leaves first). A trial without anything to compare (failed, unsupported ...) is a neighbour that is not
// better; a start of which all failed is drawn again. Of a batch of neighbours the best decides; ask(n) ends at the end
// of a neighbourhood or of a start. Nothing is remembered of neighbours tried before: a study answers them from its
// cache. State: the current candidate and the position in its neighbourhood, the archive, the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_local_search(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
