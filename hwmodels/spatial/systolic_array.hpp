// Cycles, accesses and utilisation of a matrix product on a systolic array, in closed form.
//
// An array of R rows and C columns computes M x K by K x N in folds, each of which keeps a piece of one operand in its
// units (Samajdar et al., "SCALE-Sim: Systolic CNN Accelerator Simulator", 2018, and "A Systematic Methodology for
// Characterizing Scalability of DNN Accelerators using SCALE-Sim", ISPASS 2020):
//
//   stationary   rows hold   columns hold   stream T   cycles a fold       reads: inputs         weights writes weights
//   K           N              M          2R + C + T - 2      M K ceil(N/C)         K N               M N ceil(K/R)
//   inputs       K           M              N          2R + C + T - 2      M K                   K N ceil(M/C)     M N
//   ceil(K/R) outputs      M           N              K          R + C + T - 2       M K ceil(N/C)         K N
//   ceil(M/R)     M N
//
// with ceil(rows/R) ceil(columns/C) folds, one after the other: R cycles to load what stays, T to stream, R + C - 2 for
// the wave to pass. The last cycle of a product is number folds x cycles - 1, counted from 0, which is what SCALE-Sim
// reports as its total; here a count of `cycles` includes cycle 0. Products of one layer (groups) follow one another.
//
// Row-stationary arrays (Chen et al., "Eyeriss", ISCA 2016) compute convolutions: a unit slides a kernel row over an
// input row. kh x out_h units make one output plane of one channel; as many sets as fit are stacked in the rows, each
// with another channel or filter, and output rows beyond the columns are folded:
//   passes = ceil(out_h / C) x ceil(batch x inputs a group x outputs / sets), sets = floor(R / kh), or with kh > R one
//   set in ceil(kh / R) passes; kw x out_w cycles a pass, and R + C - 2 for the first and last units.
// Other layers are products of one row: kh = kw = out_h = 1, out_w = M.
#pragma once

#include <cstdint>
#include <span>
#include <string>

#include "hwmodels/spatial/matrix_product.hpp"

namespace ridgeline {

enum class Dataflow : std::uint8_t { weight_stationary, input_stationary, output_stationary, row_stationary };
std::span<const std::string> dataflow_names();  // "ws", "is", "os", "rs", in the order of Dataflow

struct SystolicArray {
  int rows = 32, cols = 32;
  Dataflow dataflow = Dataflow::weight_stationary;
  std::int64_t units() const { return std::int64_t{rows} * cols; }
};

// One layer on an array whose scratchpads always answer. Words, not bytes; of all products of the layer.
struct ArrayRun {
  std::int64_t cycles = 0;
  std::int64_t folds = 0;
  std::int64_t streaming = 0;  // cycles in which operands stream, one multiply-accumulate a unit in each
  std::int64_t input_reads = 0, weight_reads = 0, output_writes = 0;  // of the scratchpads
  double mapping_efficiency = 0;  // share of the units that a fold uses, mean over folds
  double utilisation = 0;         // multiply-accumulates a unit and cycle
};

// Every dataflow but row_stationary looks at the product alone; `layer` gives row_stationary the rows of a convolution.
ArrayRun run_on_array(const LayerKey& layer, const SystolicArray& array);  // cycles = 0: the layer multiplies nothing
ArrayRun run_on_array(const MatrixProduct& product,
                      const SystolicArray& array);  // row_stationary: a product of one row

}  // namespace ridgeline
