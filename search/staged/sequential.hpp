// First the architecture, then the precision: what a joint search is compared with (as in Sridhar et al., "SimQ-NAS:
// Simultaneous Quantization Policy and Neural Architecture Search", 2023, arXiv:2312.13301). Or then the hardware (as
// in Yang et al., "Co-Exploration of Neural Architectures and Heterogeneous ASIC Accelerator Designs Targeting Multiple
// Tasks", DAC 2020, arXiv:2002.04116) or the schedule: "precision" below stands for the group that "by" names.
//
// Stage one: a searcher of its own proposes candidates of the space with every precision dimension held at one choice.
// Stage two: the architectures (every gene that is no precision gene) are those of stage one's front only, the best
// trials by constraint domination, of equal ones the first; a second searcher goes on over the precision genes.
//
// Options: "by": "precision" (the default), "hardware" or "schedule"; "formats" (required by precision: the held
// choice, e.g. "f32", which every precision dimension must have); "held" (else: {"dimension": choice}, the file's first
// choice where nothing is said); "first_looks_at" (names of the objectives that stage one sees, limits included;
// default all: a search for the network alone does not look at what the hardware makes of it); "first" (a searcher's
// object, {"name": "nsga2", ...}, default nsga2), "first_trials" (distinct trials of stage one, default 100), "then":
// "search" (the default) or a choice every precision dimension has: each architecture of the front once with all
// precision genes at it, those that a constraint refuses left out, and then the search is exhausted; "second" (the
// searcher of stage two, default nsga2). Stage one ends when `first_trials` distinct trials were told (a duplicate is
// told with the id of a trial told before), when its searcher is exhausted, or when so many duplicates in a row were
// told that it has nothing new to say; never before there is a trial that can be compared. Stage two: the second
// searcher's proposals are projected: the precision genes are its own, the architecture is the nearest member of the
// front by Hamming distance over architecture genes, of equally near ones the first; the first proposals are every
// member in every format that can be the same throughout. Dimensions on which the whole front agrees are held for it. A
// projection that was asked before gets a random other precision gene, a few times, before it is allowed. A front
// member as it stood in stage one is what is left where the space's constraints allow nothing else. The inner searchers
// are told what was tried in the place of what they proposed. notes(): {"stage": "architecture" | "precision",
// "architectures": members of the front so far, "searcher": the notes of the searcher at work, where it has any}.
// State: the stage, stage one's front, the latest candidates of stage two, the inner searcher's state; the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_sequential(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
