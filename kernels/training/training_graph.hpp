// A network compiled for training on this machine: forward in training mode, and backward to the gradient of every
// parameter (reverse mode; Griewank and Walther, Evaluating Derivatives, 2008, chapter 3), all by oneDNN primitives.
//
// The batch is the network's own leading extent. Batch norms use the statistics of the batch. In bf16 activations and
// their gradients are bf16, parameters, their gradients and statistics f32. Images are channels-last between operators;
// activations that the backward pass reads stay in the arena, the rest of it is reused.
// Same inputs, parameters and number of threads: the same gradient, bit for bit.
// Not thread-safe; oneDNN uses `threads` OpenMP threads for the duration of the constructor, forward() and backward().
#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>

#include "kernels/training/parameters.hpp"
#include "spaces/format.hpp"
#include "spaces/network.hpp"

namespace ridgeline {

class AlignedBytes;

// Activations of graphs that run one after another: a graph that finds room here takes no memory of its own. Made
// empty; grows with the largest graph.
using TrainingMemory = std::shared_ptr<AlignedBytes>;

// What stands for the rounding to a number format: the rounding itself, its gradient straight through it (Bengio et
// al., 2013, arXiv:1308.3432), or noise as large as its steps. range_rounding.hpp has both.
enum class RoundingWay : std::uint8_t { fake, noise };
std::span<const std::string> rounding_way_names();  // in the order of RoundingWay

// Training through number formats: rounding_sites.hpp says where they round. An empty plan changes nothing.
struct TrainingQuantization {
  PrecisionPlan plan{};  // of the network
  RoundingWay way = RoundingWay::fake;
  std::uint64_t seed = 1;  // of the noise
};

struct TrainingOptions {
  int threads = 1;
  Format format = f32;    // f32 or bf16; in bf16 rounded activations are stored as bf16
  bool gradients = true;  // off: forward() and batch_statistics() only, in less memory and sooner built
  TrainingQuantization quantization{};
};

// Of one batch norm, over the batch: the mean and the biased variance of each channel.
struct BatchStatistics {
  NodeId node;
  std::span<const float> mean, variance;
};

class TrainingGraph {
 public:
  // Throws Unsupported (kernels/executable.hpp): several inputs or outputs, a format or operator without primitive.
  // `memory`: of graphs of which none needs what it computed any more when another one starts; null: the graph's own.
  TrainingGraph(const Network& network, const TrainingOptions& options, TrainingMemory* memory = nullptr);
  TrainingGraph(TrainingGraph&&) noexcept;
  TrainingGraph& operator=(TrainingGraph&&) noexcept;
  ~TrainingGraph();

  std::span<float> input();  // [N, C, H, W] or what the network's input is, row-major
  // parameter_blocks(network), and the plan's ranges behind them; read by forward(), which sets ranges that are 0.
  std::span<float> parameters();
  std::span<const float> parameters() const;
  void forward(std::uint64_t step = 0);                       // noise is another one at every step
  std::span<const float> output() const;                      // row-major
  std::span<float> output_gradient();                         // of the loss, row-major; read by backward()
  void backward();                                            // of the last forward()
  std::span<const float> gradient() const;                    // as parameters(); overwritten by backward()
  std::span<const BatchStatistics> batch_statistics() const;  // of the last forward(), node ids ascending

  std::int64_t memory_bytes() const;  // arena and what is always kept

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace ridgeline
