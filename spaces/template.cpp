// Building a design: the steps of a template, executed.
#include "spaces/template.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cmath>

namespace ridgeline {
namespace {

constexpr std::size_t most_steps = 200'000;
constexpr std::size_t most_nodes = 10'000;
constexpr NodeId no_node = 0xffffffff;

std::string joined(const std::string& a, const std::string& b) { return a.empty() || b.empty() ? a + b : a + "; " + b; }

}  // namespace

class DesignBuilder {
 public:
  DesignBuilder(const NetworkTemplate& source, const Expressions& pool, std::span<const Value> genes,
                std::vector<std::string>* places)
      : template_(source), pool_(pool), places_(places) {
    state_.genes = genes;
    locals_.reserve(64);
    tensors_.reserve(1024);
  }

  Design build(std::int64_t batch) {
    if (places_ != nullptr) places_->clear();
    for (const NetworkTemplate::Root& root : template_.networks_) {
      guarded(root.path, [&] { start(root, batch); });
      run(template_.blocks_[root.block].body);
      guarded(root.path, [&] { finish(root); });
    }
    if (!design_.precision.operators.empty()) design_.precision.operators.resize(network().size());
    return std::move(design_);
  }

 private:
  Network& network() { return design_.network; }

  // The graph does not know the file: its problems get their place from the step.
  template <typename Action>
  auto placed(Action&& action) {
    try {
      return action();
    } catch (const ConfigError& error) {
      const Problem& problem = error.problems().front();
      throw ExpressionError(problem.expected, problem.found, problem.remedy);
    }
  }

  void start(const NetworkTemplate::Root& root, std::int64_t batch) {
    const Block& block = template_.blocks_[root.block];
    locals_.resize(block.locals);
    tensors_.assign(block.tensors, no_node);
    state_.locals = locals_.data();
    step_ = nullptr;
    formats_ = {};
    set_formats(root.weights, root.activations);
    key_ = "input";
    Op op;
    op.kind = OpKind::input;
    op.shape.reserve(4);
    op.shape.push_back(batch);
    for (const Expr expr : root.input) op.shape.push_back(integer(expr, 1, 1 << 24));
    current_ = add(op, {}, root.name);
    tensors_[0] = current_;
  }

  void finish(const NetworkTemplate::Root& root) {
    key_ = "outputs";
    placed([&] {
      if (root.outputs.empty()) network().mark_output(current_);
      for (const TensorRef& output : root.outputs) network().mark_output(resolve(output));
    });
  }

  void run(const Body& body) {
    for (const TemplateStep& step : body) {
      guarded(step.path, [&] { run(step); });
    }
  }

  // Turns what goes wrong inside into a problem with the step's place.
  template <typename Action>
  void guarded(const std::string& path, Action&& action) {
    try {
      action();
    } catch (const ExpressionError& error) {
      const std::string place = *key_ == '\0' ? path : path + "." + key_;
      throw ConfigError({template_.origin_, place, error.expected, error.found, joined(error.remedy, callers())});
    }
  }

  std::string callers() const {
    std::string text;
    for (auto it = calls_.rbegin(); it != calls_.rend() && it - calls_.rbegin() < 4; ++it) {
      text += (text.empty() ? "called from " : ", from ") + (*it)->path;
    }
    return text;
  }

  void run(const TemplateStep& step) {
    if (++steps_ > most_steps)
      throw ExpressionError("at most 200,000 steps for a network", "more", "repeat less often");
    step_ = &step;
    key_ = "from";
    const NodeId input = step.from.empty() ? current_ : resolve(step.from.front());
    state_.current = &network().shape(input);
    const OperatorFormats outer = formats_;
    set_formats(step.weights, step.activations);
    key_ = "";
    switch (step.kind) {
      case TemplateStep::Kind::name:
        current_ = input;
        break;
      case TemplateStep::Kind::operate:
        operate(step, input);
        break;
      case TemplateStep::Kind::activate:
        activate(step, input);
        break;
      case TemplateStep::Kind::call:
        call(step, input);
        break;
      case TemplateStep::Kind::repeat:
        current_ = input;
        repeat(step);
        break;
      case TemplateStep::Kind::branch:
      case TemplateStep::Kind::choose:
        current_ = input;
        choose(step);
        break;
      case TemplateStep::Kind::let:
        current_ = input;
        for (const auto& [slot, expr] : step.assignments) locals_[frame_locals_ + slot] = pool_.evaluate(expr, state_);
        break;
    }
    formats_ = outer;
    if (step.as) name_current(*step.as);
  }

  void operate(const TemplateStep& step, NodeId input) {
    Op op = step.op;
    bool same = step.same_padding;
    for (const auto& [attribute, expr] : step.attributes) {
      key_ = attribute_names()[static_cast<std::size_t>(attribute)].c_str();
      set_attribute(op, attribute, pool_.evaluate(expr, state_), pool_, state_, same);
    }
    if (same) set_same_padding(op);
    key_ = "";
    if (step.from.size() <= 1) {
      current_ = add(op, {&input, 1}, step.name);
      return;
    }
    inputs_.clear();
    key_ = "from";
    for (const TensorRef& ref : step.from) inputs_.push_back(resolve(ref));
    key_ = "";
    if (op.kind == OpKind::concat || inputs_.size() == 2) {
      current_ = add(op, inputs_, step.name);
      return;
    }
    current_ = inputs_.front();  // add and mul of many are taken pairwise, from the left
    for (std::size_t i = 1; i < inputs_.size(); ++i) {
      const std::array<NodeId, 2> two{current_, inputs_[i]};
      current_ = add(op, two, step.name);
    }
  }

  void activate(const TemplateStep& step, NodeId input) {
    current_ = input;
    key_ = "activate";
    const Value word = pool_.evaluate(step.value, state_);
    const std::optional<OpKind> kind =
        word.kind == Value::Kind::string ? template_.activation_kinds_[word.first] : std::nullopt;
    if (!kind) throw ExpressionError("the name of an activation, or 'none'", pool_.describe(word, state_));
    if (*kind == OpKind::identity) return;
    Op op;
    op.kind = *kind;
    current_ = add(op, {&input, 1}, step.name);
  }

  void call(const TemplateStep& step, NodeId input) {
    const Block& block = template_.blocks_[step.slot];
    const std::size_t outer_locals = frame_locals_;
    const std::size_t outer_tensors = frame_tensors_;
    const std::size_t locals = locals_.size();
    const std::size_t tensors = tensors_.size();
    locals_.resize(locals + block.locals);
    state_.locals = locals_.data() + outer_locals;
    for (const auto& [slot, expr] : step.assignments) locals_[locals + slot] = pool_.evaluate(expr, state_);
    tensors_.resize(tensors + block.tensors, no_node);
    tensors_[tensors] = input;
    for (std::size_t i = 1; i < step.from.size(); ++i) tensors_[tensors + i] = resolve(step.from[i]);
    frame_locals_ = locals;
    frame_tensors_ = tensors;
    state_.locals = locals_.data() + locals;
    current_ = input;
    calls_.push_back(&step);
    const std::size_t outer_place = place_.size();
    if (places_ != nullptr) place_ += step.path + "/";
    run(block.body);
    place_.resize(outer_place);
    calls_.pop_back();
    frame_locals_ = outer_locals;
    frame_tensors_ = outer_tensors;
    locals_.resize(locals);
    tensors_.resize(tensors);
    state_.locals = locals_.data() + outer_locals;
  }

  void repeat(const TemplateStep& step) {
    key_ = "repeat";
    const std::int64_t count = integer(step.value, 0, most_nodes);
    for (std::int64_t i = 0; i < count; ++i) {
      if (++steps_ > most_steps)
        throw ExpressionError("at most 200,000 steps for a network", "more", "repeat less often");
      if (step.slot != no_slot) locals_[frame_locals_ + step.slot] = Value::of(static_cast<double>(i));
      const std::size_t outer_place = place_.size();
      if (places_ != nullptr) place_ += fmt::format("{}:", i);
      run(step.cases.front().body);
      place_.resize(outer_place);
    }
    key_ = "";
  }

  void choose(const TemplateStep& step) {
    const bool two_way = step.kind == TemplateStep::Kind::branch;
    key_ = two_way ? "if" : "switch";
    const Value value = pool_.evaluate(step.value, state_);
    for (const Case& option : step.cases) {
      if (!option.otherwise && !pool_.equal(option.when, value)) continue;
      run(option.body);
      key_ = "";
      return;
    }
    if (two_way && value.kind != Value::Kind::boolean) {
      throw ExpressionError("true or false", pool_.describe(value, state_));
    }
    if (two_way) return;  // an "if" without "else"
    std::string known;
    for (const Case& option : step.cases) known += (known.empty() ? "" : ", ") + pool_.describe(option.when, state_);
    throw ExpressionError("one of the cases " + known, pool_.describe(value, state_), "add the case or a \"default\"");
  }

  NodeId add(const Op& op, std::span<const NodeId> inputs, const std::string& name) {
    if (network().size() >= most_nodes) throw ExpressionError("at most 10,000 operators in a network", "more");
    const NodeId node = placed([&] { return network().add(op, inputs, name); });
    if (places_ != nullptr) places_->push_back(step_ == nullptr ? name : place_ + step_->path);
    if (formats_ != OperatorFormats{} &&
        (op.kind == OpKind::conv2d || op.kind == OpKind::linear || op.kind == OpKind::matmul)) {
      design_.precision.operators.resize(node + 1);
      design_.precision.operators[node] = formats_;
    }
    return node;
  }

  void set_formats(Expr weights, Expr activations) {
    key_ = "weights";
    if (weights != no_expr) formats_.weights = format(weights);
    key_ = "activations";
    if (activations != no_expr) formats_.activations = format(activations);
  }

  Format format(Expr expr) {
    const Value word = pool_.evaluate(expr, state_);
    if (word.kind == Value::Kind::string && template_.formats_[word.first]) return *template_.formats_[word.first];
    throw ExpressionError("a number format", pool_.describe(word, state_),
                          "for example 'f32', 'int8' or 'int4@channel'");
  }

  std::int64_t integer(Expr expr, std::int64_t least, std::int64_t most) {
    const Value value = pool_.evaluate(expr, state_);
    if (value.kind != Value::Kind::number || std::floor(value.number) != value.number ||
        value.number < static_cast<double>(least) || value.number > static_cast<double>(most)) {
      throw ExpressionError(fmt::format("an integer from {} to {}", least, most), pool_.describe(value, state_));
    }
    return static_cast<std::int64_t>(value.number);
  }

  std::size_t slot_of(const TensorRef& ref) {
    if (ref.index == no_expr) return frame_tensors_ + ref.slot;
    const std::int64_t at = integer(ref.index, 0, tensors_an_array - 1);
    return frame_tensors_ + ref.slot + static_cast<std::size_t>(at);
  }

  NodeId resolve(const TensorRef& ref) {
    if (ref.slot == no_slot) return current_;
    if (ref.index != no_expr) state_.current = &network().shape(current_);
    const NodeId node = tensors_[slot_of(ref)];
    if (node == no_node) throw ExpressionError("a tensor that was named before", "'" + ref.name + "' with none in it");
    return node;
  }

  void name_current(const TensorRef& ref) {
    key_ = "as";
    state_.current = &network().shape(current_);
    const std::size_t slot = slot_of(ref);
    const auto array = tensors_.begin() + static_cast<std::ptrdiff_t>(frame_tensors_ + ref.slot);
    if (ref.fresh) std::fill(array, array + tensors_an_array, no_node);
    tensors_[slot] = current_;
    key_ = "";
  }

  const NetworkTemplate& template_;
  const Expressions& pool_;
  Design design_;
  Evaluation state_;
  NodeId current_ = no_node;
  OperatorFormats formats_;
  std::vector<Value> locals_;  // of every frame on the stack
  std::vector<NodeId> tensors_;
  std::size_t frame_locals_ = 0;  // where the running block's begin
  std::size_t frame_tensors_ = 0;
  std::vector<const TemplateStep*> calls_;
  std::vector<NodeId> inputs_;
  std::size_t steps_ = 0;
  const TemplateStep* step_ = nullptr;  // at work; none for the input
  std::vector<std::string>* places_;    // of the nodes, where they are asked for
  std::string place_;                   // calls and repeats on the way here
  const char* key_ = "";                // which part of the step is at work, for messages
};

Design NetworkTemplate::build(std::span<const Value> genes, const Expressions& pool, std::int64_t batch,
                              std::vector<std::string>* places) const {
  return DesignBuilder(*this, pool, genes, places).build(batch);
}

}  // namespace ridgeline
