#include "search/policies/recurrent_policy.hpp"

#include <algorithm>
#include <cmath>
#include <stdexcept>
#include <utility>

#include "search/policies/categorical.hpp"

namespace ridgeline {
namespace {

using Eigen::Index;
using Matrix = Eigen::Map<Eigen::MatrixXd>;
using ConstMatrix = Eigen::Map<const Eigen::MatrixXd>;

Index index(std::size_t i) { return static_cast<Index>(i); }

double sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

}  // namespace

RecurrentPolicy::RecurrentPolicy(RecurrentShape shape, Rng& rng) : shape_(std::move(shape)) {
  if (shape_.choices.empty() || shape_.hidden == 0 || std::ranges::count(shape_.choices, 0U) > 0) {
    throw std::invalid_argument("a controller has dimensions, choices and hidden numbers");
  }
  first_.push_back(0);
  for (const std::size_t count : shape_.choices) first_.push_back(first_.back() + index(count));
  const Index h = index(shape_.hidden), all = first_.back();
  Index end = 0;
  const auto place = [&end](Index count) { return std::exchange(end, end + count); };
  layout_.start = place(h);
  layout_.context = place(h * index(shape_.context));
  layout_.embeddings = place(recurrent() ? h * all : 0);
  layout_.gates = place(recurrent() ? 8 * h * h : 0);
  layout_.gate_biases = place(recurrent() ? 4 * h : 0);
  layout_.logits = place(h * all);
  layout_.logit_biases = place(all);
  layout_.value = place(h + 1);
  layout_.size = end;
  parameters_.setZero(end);
  for (Index i = 0; i < layout_.gate_biases; ++i) parameters_[i] = 0.2 * rng.uniform() - 0.1;
  if (recurrent()) parameters_.segment(layout_.gate_biases + h, h).setOnes();
}

void RecurrentPolicy::set_parameters(const Eigen::Ref<const Eigen::VectorXd>& parameters) {
  if (parameters.size() != layout_.size || !parameters.allFinite()) {
    throw std::invalid_argument("parameters of another controller, or not finite");
  }
  parameters_ = parameters;
}

Pass::Pass(const RecurrentPolicy& controller, std::span<const double> context)
    : controller_(&controller), context_(Eigen::Map<const Eigen::VectorXd>(context.data(), index(context.size()))) {
  if (context.size() != controller.shape_.context) throw std::invalid_argument("a context of another length");
}

Pass::Vector Pass::input() const {
  const RecurrentPolicy::Layout& at = controller_->layout_;
  const Index h = index(controller_->shape_.hidden);
  const double* p = controller_->parameters_.data();
  const Step& step = steps_.back();
  if (step.embedding >= 0) return ConstMatrix(p + at.embeddings + h * step.embedding, h, 1);
  Vector read = ConstMatrix(p + at.start, h, 1);
  read += ConstMatrix(p + at.context, h, context_.size()) * context_;
  return read;
}

void Pass::recur(Step& step) const {
  const RecurrentPolicy::Layout& at = controller_->layout_;
  const Index h = index(controller_->shape_.hidden);
  const double* p = controller_->parameters_.data();
  const Step* before = steps_.size() > 1 ? &steps_[steps_.size() - 2] : nullptr;
  step.read.resize(2 * h);
  step.read.head(h) = input();
  step.read.tail(h) = before != nullptr ? before->hidden : Vector::Zero(h);
  step.gates = ConstMatrix(p + at.gate_biases, 4 * h, 1);
  step.gates.noalias() += ConstMatrix(p + at.gates, 4 * h, 2 * h) * step.read;
  for (Index i = 0; i < 4 * h; ++i) step.gates[i] = i / h == 2 ? std::tanh(step.gates[i]) : sigmoid(step.gates[i]);
  step.cell = step.gates.head(h).cwiseProduct(step.gates.segment(2 * h, h));
  if (before != nullptr) step.cell += step.gates.segment(h, h).cwiseProduct(before->cell);
  step.squashed = step.cell.unaryExpr([](double x) { return std::tanh(x); });
  step.hidden = step.gates.tail(h).cwiseProduct(step.squashed);
}

std::span<const double> Pass::decide(std::size_t dim, std::span<const std::uint8_t> allowed, double temperature) {
  const RecurrentPolicy::Layout& at = controller_->layout_;
  const Index h = index(controller_->shape_.hidden), first = controller_->first_[dim];
  const Index embedding = steps_.empty() ? -1 : controller_->first_[steps_.back().dim] + steps_.back().choice;
  Step& step = steps_.emplace_back();
  step.dim = dim;
  step.embedding = embedding;
  if (controller_->recurrent()) {
    recur(step);
  } else {
    step.hidden = input().unaryExpr([](double x) { return std::tanh(x); });
  }
  const double* p = controller_->parameters_.data();
  const Index count = index(controller_->shape_.choices[dim]);
  Vector logits = ConstMatrix(p + at.logit_biases + first, count, 1);
  logits.noalias() += ConstMatrix(p + at.logits + h * first, h, count).transpose() * step.hidden;
  logits /= temperature;
  step.probabilities.resize(controller_->shape_.choices[dim]);
  softmax({logits.data(), step.probabilities.size()}, allowed, step.probabilities);
  step.value = ConstMatrix(p + at.value, h, 1).col(0).dot(step.hidden) + p[at.value + h];
  return step.probabilities;
}

void Pass::take(std::uint16_t choice) { steps_.back().choice = choice; }

double Pass::log_probability(std::size_t step) const { return log_of(steps_[step].probabilities[steps_[step].choice]); }

double Pass::entropy(std::size_t step) const { return entropy_of(steps_[step].probabilities); }

Pass::Vector Pass::backward_heads(const Step& step, const StepGradient& by, Eigen::Ref<Vector> gradient) const {
  const RecurrentPolicy::Layout& at = controller_->layout_;
  const Index h = index(controller_->shape_.hidden), first = controller_->first_[step.dim];
  const Index count = index(step.probabilities.size());
  const double* p = controller_->parameters_.data();
  Vector by_logits = Vector::Zero(count);
  const std::span<double> logits{by_logits.data(), step.probabilities.size()};
  add_log_probability_gradient(step.probabilities, step.choice, by.log_probability, logits);
  add_entropy_gradient(step.probabilities, by.entropy, logits);
  gradient.segment(at.logit_biases + first, count) += by_logits;
  Matrix(gradient.data() + at.logits + h * first, h, count).noalias() += step.hidden * by_logits.transpose();
  gradient.segment(at.value, h) += by.value * step.hidden;
  gradient[at.value + h] += by.value;
  Vector by_hidden = by.value * ConstMatrix(p + at.value, h, 1);
  by_hidden.noalias() += ConstMatrix(p + at.logits + h * first, h, count) * by_logits;
  return by_hidden;
}

// Returns the gradient by what was read, and leaves that of the step before in `later`.
Pass::Vector Pass::backward_gates(std::size_t t, const Vector& by_hidden, Flow& later,
                                  Eigen::Ref<Vector> gradient) const {
  const RecurrentPolicy::Layout& at = controller_->layout_;
  const Index h = index(controller_->shape_.hidden);
  const Step& step = steps_[t];
  const auto in = step.gates.head(h).array(), forget = step.gates.segment(h, h).array(),
             candidate = step.gates.segment(2 * h, h).array(), out = step.gates.tail(h).array();
  const Eigen::ArrayXd by_cell = later.cell.array() + by_hidden.array() * out * (1.0 - step.squashed.array().square());
  Vector by_sums(4 * h);  // before the gates' functions
  by_sums.head(h) = by_cell * candidate * in * (1.0 - in);
  by_sums.segment(h, h).setZero();
  if (t > 0) by_sums.segment(h, h) = by_cell * steps_[t - 1].cell.array() * forget * (1.0 - forget);
  by_sums.segment(2 * h, h) = by_cell * in * (1.0 - candidate.square());
  by_sums.tail(h) = by_hidden.array() * step.squashed.array() * out * (1.0 - out);
  gradient.segment(at.gate_biases, 4 * h) += by_sums;
  Matrix(gradient.data() + at.gates, 4 * h, 2 * h).noalias() += by_sums * step.read.transpose();
  const Vector by_read = ConstMatrix(controller_->parameters_.data() + at.gates, 4 * h, 2 * h).transpose() * by_sums;
  later.hidden = by_read.tail(h);
  later.cell = by_cell * forget;
  return by_read.head(h);
}

void Pass::backward_input(const Step& step, const Vector& by_input, Eigen::Ref<Vector> gradient) const {
  const RecurrentPolicy::Layout& at = controller_->layout_;
  const Index h = index(controller_->shape_.hidden);
  if (step.embedding >= 0) {
    gradient.segment(at.embeddings + h * step.embedding, h) += by_input;
    return;
  }
  gradient.segment(at.start, h) += by_input;
  Matrix(gradient.data() + at.context, h, context_.size()).noalias() += by_input * context_.transpose();
}

void Pass::backward(std::span<const StepGradient> by_step, Eigen::Ref<Eigen::VectorXd> gradient) const {
  const Index h = index(controller_->shape_.hidden);
  Flow later{Vector::Zero(h), Vector::Zero(h)};
  for (std::size_t t = steps_.size(); t-- > 0;) {
    const Step& step = steps_[t];
    Vector by_hidden = backward_heads(step, by_step[t], gradient) + later.hidden;
    if (controller_->recurrent()) {
      backward_input(step, backward_gates(t, by_hidden, later, gradient), gradient);
    } else {
      by_hidden.array() *= 1.0 - step.hidden.array().square();
      backward_input(step, by_hidden, gradient);
    }
  }
}

}  // namespace ridgeline
