#include "spaces/choice_walk.hpp"

#include <algorithm>
#include <numeric>
#include <string>
#include <unordered_map>

#include "spaces/search_space_impl.hpp"

namespace ridgeline {
namespace {

enum class Answer : std::uint8_t { no, yes, undecided };

constexpr std::size_t most_answers = 1 << 16;  // kept
constexpr std::uint32_t none = 0xffffffff;

}  // namespace

struct ChoiceWalk::Impl {
  explicit Impl(const SearchSpace& of);

  void order_dimensions();
  void place_constraints();
  std::vector<std::uint32_t> deciding(std::vector<std::uint32_t> dims) const;
  bool active(std::size_t position, bool& broken);
  bool keeps(std::size_t position);
  Answer completable(std::span<const std::uint32_t> left, int& budget);
  Answer looked_up(std::size_t choice);
  void pass_over_inactive();
  void choose(std::uint16_t gene);

  const SearchSpace::Impl* space;
  std::vector<std::uint32_t> order, position_of;    // dimensions by position, and back
  std::vector<std::vector<std::uint32_t>> ready;    // constraints, by the position that is the last they need
  std::vector<std::vector<std::uint32_t>> groups;   // positions that constraints connect, ascending
  std::vector<std::uint32_t> group_of;              // by position; none
  std::unordered_map<std::string, Answer> answers;  // by group and the choices made in it
  std::vector<Value> values;                        // by dimension; what is not chosen yet is never read
  Genome genome;
  std::size_t at = 0;  // position
  std::vector<std::uint8_t> mask;
};

ChoiceWalk::Impl::Impl(const SearchSpace& of) : space(&SearchSpace::Impl::of(of)) {
  order_dimensions();
  place_constraints();
  values.resize(order.size());
}

void ChoiceWalk::Impl::order_dimensions() {
  position_of.assign(space->dims.size(), none);
  std::vector<std::uint32_t> waiting;
  for (std::uint32_t first = 0; first < space->dims.size(); ++first) {
    waiting.push_back(first);
    while (!waiting.empty()) {  // ends: conditions make no circle
      const std::uint32_t dim = waiting.back();
      const auto unplaced =
          std::ranges::find_if(space->reads[dim], [&](std::uint32_t read) { return position_of[read] == none; });
      if (unplaced != space->reads[dim].end()) {
        waiting.push_back(*unplaced);
        continue;
      }
      waiting.pop_back();
      if (position_of[dim] != none) continue;
      position_of[dim] = static_cast<std::uint32_t>(order.size());
      order.push_back(dim);
    }
  }
}

// The dimensions with those that decide whether they are active, and so on; ascending.
std::vector<std::uint32_t> ChoiceWalk::Impl::deciding(std::vector<std::uint32_t> dims) const {
  std::vector<bool> known(space->dims.size(), false);
  std::vector<std::uint32_t> found;
  while (!dims.empty()) {
    const std::uint32_t dim = dims.back();
    dims.pop_back();
    if (known[dim]) continue;
    known[dim] = true;
    found.push_back(dim);
    dims.insert(dims.end(), space->reads[dim].begin(), space->reads[dim].end());
  }
  std::ranges::sort(found);
  return found;
}

void ChoiceWalk::Impl::place_constraints() {
  ready.resize(order.size());
  group_of.assign(order.size(), none);
  std::vector<std::uint32_t> label(order.size());  // positions with the same label are connected
  std::iota(label.begin(), label.end(), 0U);
  for (std::uint32_t constraint = 0; constraint < space->constraints.size(); ++constraint) {
    std::vector<std::uint32_t> read;
    space->pool.references(space->constraints[constraint].require, read);
    std::uint32_t last = 0;
    const std::vector<std::uint32_t> dims = deciding(std::move(read));
    for (const std::uint32_t dim : dims) {
      const std::uint32_t position = position_of[dim], old = label[position], joined = label[position_of[dims[0]]];
      last = std::max(last, position);
      group_of[position] = 0;
      std::ranges::replace(label, old, joined);
    }
    if (!dims.empty()) ready[last].push_back(constraint);
  }
  std::unordered_map<std::uint32_t, std::uint32_t> numbers;
  for (std::uint32_t position = 0; position < order.size(); ++position) {
    if (group_of[position] == none) continue;
    const auto [found, fresh] = numbers.try_emplace(label[position], static_cast<std::uint32_t>(groups.size()));
    if (fresh) groups.emplace_back();
    group_of[position] = found->second;
    groups[found->second].push_back(position);
  }
}

// `broken`: the condition has no value, so that no candidate from here on is valid.
bool ChoiceWalk::Impl::active(std::size_t position, bool& broken) {
  const Expr condition = space->conditions[order[position]];
  if (condition == no_expr) return true;
  Evaluation state;
  state.genes = values;
  try {
    return space->holds(condition, state);
  } catch (const ExpressionError&) {
    broken = true;
    return false;
  }
}

bool ChoiceWalk::Impl::keeps(std::size_t position) {
  Evaluation state;
  state.genes = values;
  try {
    return std::ranges::all_of(ready[position], [&](std::uint32_t constraint) {
      return space->holds(space->constraints[constraint].require, state);
    });
  } catch (const ExpressionError&) {
    return false;
  }
}

Answer ChoiceWalk::Impl::completable(std::span<const std::uint32_t> left, int& budget) {
  if (left.empty()) return Answer::yes;
  const std::uint32_t position = left[0], dim = order[position];
  bool broken = false;
  if (!active(position, broken)) {
    values[dim] = space->resting[dim];
    return broken || !keeps(position) ? Answer::no : completable(left.subspan(1), budget);
  }
  for (std::size_t choice = 0; choice < space->choices(dim); ++choice) {
    if (budget-- <= 0) return Answer::undecided;
    values[dim] = space->value(dim, static_cast<std::uint16_t>(choice));
    if (!keeps(position)) continue;
    if (const Answer answer = completable(left.subspan(1), budget); answer != Answer::no) return answer;
  }
  return Answer::no;
}

Answer ChoiceWalk::Impl::looked_up(std::size_t choice) {
  const std::vector<std::uint32_t>& group = groups[group_of[at]];
  const auto next = std::ranges::upper_bound(group, static_cast<std::uint32_t>(at));
  const std::uint32_t dim = order[at];
  std::string key = std::to_string(group_of[at]);
  for (auto position = group.begin(); position != next; ++position) {
    key += ' ';
    key += std::to_string(*position == at ? choice : genome.genes[order[*position]]);
  }
  if (const auto found = answers.find(key); found != answers.end()) return found->second;
  values[dim] = space->value(dim, static_cast<std::uint16_t>(choice));
  int budget = most_looked_at;
  const Answer answer = keeps(at) ? completable({next, group.end()}, budget) : Answer::no;
  if (answers.size() >= most_answers) answers.clear();
  answers.emplace(std::move(key), answer);
  return answer;
}

void ChoiceWalk::Impl::pass_over_inactive() {
  bool broken = false;
  for (; at < order.size() && !active(at, broken); ++at) values[order[at]] = space->resting[order[at]];
}

void ChoiceWalk::Impl::choose(std::uint16_t gene) {
  const std::uint32_t dim = order[at];
  genome.genes[dim] = gene;
  values[dim] = space->value(dim, gene);
  ++at;
  pass_over_inactive();
}

ChoiceWalk::ChoiceWalk(const SearchSpace& space) : impl_(std::make_unique<Impl>(space)) { begin(); }
ChoiceWalk::ChoiceWalk(ChoiceWalk&&) noexcept = default;
ChoiceWalk& ChoiceWalk::operator=(ChoiceWalk&&) noexcept = default;
ChoiceWalk::~ChoiceWalk() = default;

std::span<const std::uint32_t> ChoiceWalk::order() const { return impl_->order; }
bool ChoiceWalk::done() const { return impl_->at == impl_->order.size(); }
std::size_t ChoiceWalk::position() const { return impl_->at; }
std::size_t ChoiceWalk::dim() const { return impl_->order[impl_->at]; }
const Genome& ChoiceWalk::genome() const { return impl_->genome; }
void ChoiceWalk::choose(std::uint16_t gene) { impl_->choose(gene); }

void ChoiceWalk::begin() {
  impl_->genome.genes.assign(impl_->order.size(), 0);
  impl_->at = 0;
  impl_->pass_over_inactive();
}

std::span<const std::uint8_t> ChoiceWalk::allowed() {
  impl_->mask.assign(impl_->space->choices(dim()), 1);
  if (impl_->group_of[position()] == none) return impl_->mask;
  for (std::size_t choice = 0; choice < impl_->mask.size(); ++choice) {
    impl_->mask[choice] = impl_->looked_up(choice) == Answer::no ? 0 : 1;
  }
  return impl_->mask;
}

}  // namespace ridgeline
