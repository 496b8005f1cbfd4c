// How much a trained network suffers from each operator's number format: one operator in one format at a time, all
// others in f32. What bits are allocated by (`ridgeline allocate`), and what rankings are compared on.
//
// y is the f32 network's answers [images, classes], z those with one operator in the format, W its kernel, X what it
// reads, Q() numbers rounded to the format. A penalty is larger where the operator is more sensitive:
//
//   kl       mean over images of sum_k p_k ln(p_k / q_k), p and q the softmax of y and z, in nats
//            (OHQ, Huang et al., 2023)
//   mse      mean of (z - y)^2
//   sqnr     sum (z - y)^2 / sum y^2, the noise-to-signal power ratio; -10 log10 of it is the SQNR in dB
//            (MixDQ, Zhao et al., 2024)
//   loss     the cross-entropy with the labels less that of y, in nats; may be negative (MPTQ-ViT, Tai et al., 2024)
//   task     points of accuracy lost; negative where some were won
//   norm     |W - Q(W)|^2 / |W|^2 + |X - Q(X)|^2 / |X|^2, each where the part has it; of a matmul, of both operands:
//            the relative noise power that the format adds to the operator's output, were its errors independent
//   taylor   sum_w |g (Q(w) - w)|, g the gradient of the loss (mean cross-entropy with the labels) by the weight:
//            first order
//   taylor2  |sum_w g (Q(w) - w)| + 1/2 sum_w f (Q(w) - w)^2, f the mean over images of the squared gradient, which
//            is the diagonal of the empirical Fisher matrix in place of the Hessian's: first and second order.
//            CPTQuant's TDMPQ (Nanda et al., 2024) ranks layers by a Taylor expansion. Activations, whose gradients
//            are not kept, count as noise of the same relative power r = |X - Q(X)|^2 / |X|^2 on the weights, which
//            disturbs a sum of products as much: sum |g w| sqrt(r) in taylor, 1/2 sum f w^2 r in taylor2
//   prune    (loss with the smallest `sparsity` of the kernel's weights set to 0 - loss) * |W|^2 / |removed|^2: the
//            loss for each unit of relative noise power; may be negative. CPTQuant's PMPQ ranks by what pruning costs
//   cca      1 - the mean over all other operators of the share of this one's output that is a linear function of
//            theirs (explained_share, kernels/quantization/canonical_correlation.hpp); samples are images, features
//            means over positions, in the components that explain 99 % of their variance, at most one for 8 images.
//            What only this layer tells. CPTQuant's CMPQ ranks layers by canonical correlations
//   lrp      the share of the predicted class's relevance that passes through the operator's output, 1 where nothing
//            leads around it (kernels/quantization/relevance.hpp; LRP-QViT, Ranjan and Savakis, 2024)
//
// prune, cca and lrp are of the layer alone; they become a penalty of a format by a factor, the format's relative noise
// power (`norm`) there. What CPTQuant and LRP-QViT rank layers by is theirs; the formulas are those stated here.
//
// Deterministic: the same bits for any number of threads. Pure.
#pragma once

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "experiments/data/dataset.hpp"
#include "kernels/quantization/relevance.hpp"
#include "spaces/design.hpp"

namespace ridgeline {

enum class SensitivityMethod : std::uint8_t { kl, mse, sqnr, loss, task, norm, taylor, taylor2, prune, cca, lrp };
std::span<const std::string> sensitivity_method_names();  // in the order of SensitivityMethod

enum class SensitivityPart : std::uint8_t { both, weights, activations };  // of an operator in the format
std::span<const std::string> sensitivity_part_names();

// The network in the formats of a plan, ready to run: of one sample, batch norms folded, with weights and, where the
// plan quantizes activations, their ranges. Node ids are the same for every plan; an empty plan is the f32 network.
using DesignMaker = std::function<Design(const PrecisionPlan& plan)>;
// `design` in each plan, over its own ranges.
DesignMaker planned(Design design);

struct SensitivityOptions {
  std::vector<SensitivityMethod> methods{SensitivityMethod::kl};
  // As PrecisionPlan::uniform takes them: "int8", or "int4@channel/int8".
  std::vector<std::string> formats{"int8", "int4"};
  SensitivityPart part = SensitivityPart::both;
  int threads = 1;
  double sparsity = 0.5;         // of prune: the share of weights removed, in (0, 1)
  RelevanceOptions relevance{};  // of lrp
};

struct SensitivityRow {
  NodeId node = 0;
  std::string layer;                      // as operator_names() has it
  std::string format;                     // the word it was asked for by
  std::vector<double> penalties;          // one a method
  std::int64_t parameters = 0, macs = 0;  // weights of the kernel; multiply-accumulates of one image
  double bits = 0;                        // of an element of the part (of the weights, for both)
  double bit_operations = 0,
         weight_bytes = 0;  // macs * bits of weights * bits of activations; scales and bias included
};

struct Sensitivity {
  struct LeftOut {
    std::string layer, why;
  };
  std::vector<std::string> methods;
  SensitivityPart part = SensitivityPart::both;
  std::vector<SensitivityRow> rows;  // operators in the order of ids, their formats in the order given
  std::vector<LeftOut> left_out;     // operators that some method cannot judge
  double accuracy = 0;               // of the f32 network, 0 to 1
  std::vector<double> seconds;       // one a method: what it took; those that share runs took them together

  std::size_t column(std::string_view method) const;  // throws ConfigError listing the methods there are
  std::vector<std::string> layers() const;            // in the order of rows
  std::vector<std::string> formats() const;
};

// Called with a phase and how much of it is done.
using SensitivityProgress = std::function<void(const std::string& phase, std::size_t done, std::size_t total)>;

// Throws ConfigError: bad formats, no operators, too few images for cca, a network that taylor cannot differentiate;
// Unsupported where the network cannot be run or trained here.
Sensitivity measure_sensitivity(const DesignMaker& make, const LabelledImages& images,
                                const Normalisation& normalisation, const SensitivityOptions& options,
                                const SensitivityProgress& progress = {});

// ---- what it says

// Layers, the most sensitive first: by the largest penalty among their formats.
std::vector<std::string> layer_ranking(const Sensitivity& sensitivity, std::string_view method);

// How far a method's penalties are in the order of another's.
struct Agreement {
  std::string method;
  double spearman = 0, kendall = 0;  // over all rows: layers and formats
  double within_formats = 0;         // the mean over formats of Spearman's rho over layers
};
std::vector<Agreement> agreements(const Sensitivity& sensitivity, std::string_view reference);  // one a method

}  // namespace ridgeline
