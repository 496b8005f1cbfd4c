// BOSHNAS: Tuli, Dedhia, Tuli and Jha, "FlexiBERT: Are Current Transformer Architectures too Homogeneous and Rigid?",
// JAIR 2023, arXiv:2205.11656. Networks that predict mean and uncertainty of every objective are fitted on an embedding
// of what was told; from several starts their optimistic bound is followed by its gradient with respect to the
// embedding (search/predicted/confidence_descent.hpp), and the best of the valid new candidates nearest to where that
// ends is proposed.
//
// Options, with their defaults:
// - "initial" (10): random candidates before the first fit;
// - "aleatoric" (0.5) and "epistemic" (1): how many deviations of either kind the bound lies below the mean;
// - "starts" (8): half are told candidates from the best on, the others random; "steps" (30) and "rate" (0.1, of a
//   feature's range) of the descent, "second_order" (true): by AdaHessian, else Adam;
// - "near" (8): how many valid new candidates around each end are looked at;
// - "uncertain" and "random" (0.1 each): the shares of proposals that are where the means are least certain, and that
//   are random;
// - "members" (4), "hidden" ([32, 32]) and "epochs" (150) of the networks; "shaped" (true): each objective
//   logarithmically from its best (search/predicted/value_shape.hpp);
// - "memory" (500): told trials that are kept.
// Several objectives: each proposal has weights of its own, drawn evenly, for the augmented Tchebycheff function.
// Limits: what a bound is beyond its limit counts tenfold.
// Departures from the paper: the embedding is that of the choices (GenomeFeatures: one a choice, and scaled numbers),
// not learnt from edit distances between graphs; epistemic uncertainty is how far an ensemble's members disagree, whose
// gradient is exact, so that no student learns it; ask(n) proposes n candidates by one fit.
// State: the remembered trials; the generator.
#pragma once

#include "search/searcher.hpp"

namespace ridgeline {

std::unique_ptr<Searcher> make_boshnas(const SearchSpace& space, const SearcherSetup& setup);

}  // namespace ridgeline
