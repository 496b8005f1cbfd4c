// A trained supernet: any candidate of its space, with the weights that it inherits.
#pragma once

#include <memory>

#include "experiments/data/dataset.hpp"
#include "experiments/training/checkpoint.hpp"
#include "kernels/training/shared_parameters.hpp"

namespace ridgeline {

// A candidate with the weights that it inherits, for one image.
struct Inherited {
  Design design;  // in f32, batch norms measured anew
  // What its supernet trained it through, and the ranges that it learned (executed_formats.hpp); else empty.
  PrecisionPlan plan{};
  std::vector<float> ranges{};

  // In the formats that it was trained through, batch norms folded; where there are none, `design`.
  Design executed() const;
};

// Batch norms of an inherited network are measured anew on training images, as no statistics are shared (Yu and Huang,
// 2019, arXiv:1903.05134, section 4).
class Recalibration {
 public:
  // `images` training images, the same for every candidate, drawn by a fixed seed.
  static constexpr std::size_t usual_images = 1000;
  Recalibration(const LabelledImages& train, Normalisation normalisation, std::size_t images, int threads);

  // `shared` as `layout` has it. Batch norms are measured in the formats that the candidate was trained through, or in
  // f32. Throws ConfigError.
  Inherited operator()(const SearchSpace& space, const SharedParameters& layout, std::span<const float> shared,
                       const Genome& genome, bool in_formats = true) const;

 private:
  LabelledImages images_;
  Normalisation normalisation_;
  int threads_;
};

class Supernet {
 public:
  // Throws ConfigError: no supernet, of another space, of another number of parameters.
  static Supernet load(const std::string& path, const Resources& resources);

  const ModelCheckpoint& checkpoint() const { return checkpoint_; }
  const SearchSpace& space() const { return space_; }
  Normalisation normalisation() const { return {checkpoint_.mean, checkpoint_.stddev}; }  // that it was trained with
  std::uint64_t fingerprint() const;  // of the shared parameters and what they mean
  // Throws ConfigError where the candidates of a space are to be evaluated that are not its own. The candidates of a
  // space with fewer choices are: those of random genomes are compared.
  void check_space(const SearchSpace& space) const;
  // The candidate `genome` of `space`, which check_space() takes, in its own space.
  Genome own_genome(const SearchSpace& space, const Genome& genome) const;
  // Throws ConfigError naming both where the data set has other classes or channels than the supernet was trained for.
  void check_data(const Dataset& data) const;
  Inherited candidate(const Genome& genome, const Recalibration& recalibration, bool in_formats = true) const {
    return recalibration(space_, *layout_, checkpoint_.state.parameters, genome, in_formats);
  }
  // The candidate in `precision`: over the ranges that the supernet learned where it was trained through these formats,
  // else over those of the training images.
  Design quantized(const Genome& genome, const PrecisionPlan& precision, const Recalibration& recalibration,
                   const LabelledImages& train, int threads) const;
  // The candidate as a checkpoint of its own, which evaluates as `inherited`, what candidate() gave for it.
  ModelCheckpoint extracted(const Genome& genome, const Inherited& inherited) const;

 private:
  Supernet(ModelCheckpoint checkpoint, SearchSpace space);
  ModelCheckpoint checkpoint_;
  SearchSpace space_;
  std::unique_ptr<SharedParameters> layout_;
};

// The candidate of the supernet at `path` as load_model gives a network of its own. `genome`: as SearchSpace::from_json
// takes it. Throws ConfigError.
LoadedModel load_candidate(const std::string& path, const Json& genome, const Dataset& data, const Resources& resources,
                           int threads);

}  // namespace ridgeline
