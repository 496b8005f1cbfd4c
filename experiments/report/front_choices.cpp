#include "experiments/report/front_choices.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <numeric>
#include <set>

#include "experiments/report/report_explain.hpp"
#include "experiments/report/report_text.hpp"
#include "experiments/report/stored_study.hpp"
#include "kernels/measure.hpp"
#include "search/predicted/network_features.hpp"
#include "search/staged/held_front.hpp"

namespace ridgeline {
namespace {

std::string declared(const std::string& name) { return name.substr(0, name.find('[')); }

std::vector<std::size_t> elements_of(const SearchSpace& space, const std::string& dimension) {
  std::vector<std::size_t> found;
  std::vector<std::string> known;
  for (std::size_t dim = 0; dim < space.dims().size(); ++dim) {
    const std::string& name = space.dims()[dim].name;
    if (std::ranges::find(known, declared(name)) == known.end()) known.push_back(declared(name));
    if (name == dimension || declared(name) == dimension) found.push_back(dim);
  }
  if (found.empty()) {
    throw ConfigError({"--dimension", "", fmt::format("a dimension of '{}'", space.name()),
                       fmt::format("'{}'", dimension), known_words(dimension, known)});
  }
  return found;
}

// The gene that most active elements of the same declared dimension have, the least of equally common ones.
std::uint16_t most_common(const SearchSpace& space, const Genome& genome, std::size_t dim) {
  const std::vector<bool> active = space.active(genome);
  std::vector<std::size_t> counts(space.dims()[dim].choices.size(), 0);
  for (std::size_t other = 0; other < active.size(); ++other) {
    if (!active[other] || declared(space.dims()[other].name) != declared(space.dims()[dim].name)) continue;
    if (genome.genes[other] < counts.size()) ++counts[genome.genes[other]];
  }
  return static_cast<std::uint16_t>(std::ranges::max_element(counts) - counts.begin());
}

std::optional<Genome> with_choice(const SearchSpace& space, const Genome& genome, std::size_t dim, std::uint16_t gene) {
  Genome changed = genome;
  changed.genes[dim] = gene;
  const std::vector<bool> before = space.active(genome), after = space.active(changed);
  for (std::size_t other = 0; other < after.size(); ++other) {
    if (after[other] && !before[other]) changed.genes[other] = most_common(space, genome, other);
  }
  if (space.violation(changed)) return std::nullopt;
  return space.normalise(std::move(changed));
}

// Spread evenly, both ends among them.
std::vector<std::size_t> spread(std::size_t count, std::size_t wanted) {
  std::vector<std::size_t> chosen;
  wanted = std::min(wanted, count);
  for (std::size_t i = 0; i < wanted; ++i) chosen.push_back(wanted == 1 ? count / 2 : i * (count - 1) / (wanted - 1));
  return chosen;
}

// One network to be timed, by what it is for.
struct Variant {
  Genome genome;
  std::size_t member = 0;
  std::optional<std::size_t> element;  // else a network in one format
  std::size_t choice = 0;              // of the element's, or of the formats
};

struct Timed {
  Design design;
  std::vector<std::string> places;
  Measurement measurement;
};

using Steps = std::multiset<std::pair<std::string, std::string>>;  // place and signature

Steps steps_of(const Timed& timed) {
  Steps steps;
  for (const OpTime& one : timed.measurement.ops) {
    steps.emplace(timed.places[one.step.node], one.step.signature);
  }
  return steps;
}

class Accounts {
 public:
  Accounts(FrontChoices& result, std::span<const Variant> variants, std::span<const Timed> timed)
      : result_(result), variants_(variants), timed_(timed) {
    for (const Timed& one : timed) {
      const Measurement& measurement = one.measurement;
      const bool ran = !measurement.ops.empty();
      if (ran || std::ranges::find(result.problems, measurement.reason) != result.problems.end()) continue;
      result.problems.push_back(measurement.reason);
    }
  }

  void add_elements() {
    for (std::size_t element = 0; element < result_.elements.size(); ++element) {
      for (std::size_t member = 0; member < result_.members.size(); ++member) add_place(element, member);
      ElementChoices& choices = result_.elements[element];
      for (ChoiceCost& cost : choices.choices) {
        if (choices.timed == 0) continue;
        *cost.seconds /= static_cast<double>(choices.timed);
        cost.macs /= static_cast<double>(choices.timed);
      }
    }
  }

  void add_classes() {
    std::map<std::string, std::vector<std::optional<double>>> classes;
    std::vector<std::size_t> ran(result_.formats.size(), 0);  // members, by format
    for (std::size_t i = 0; i < variants_.size(); ++i) {
      if (variants_[i].element || timed_[i].measurement.ops.empty()) continue;
      const std::size_t format = variants_[i].choice;
      ++ran[format];
      for (const OpTime& one : timed_[i].measurement.ops) {
        const std::string name =
            one.step.kind == "reorder" ? "conversions" : operator_class(timed_[i].design.network, one.step.node);
        auto& seconds = classes.try_emplace(name, result_.formats.size()).first->second[format];
        seconds = seconds.value_or(0.0) + one.median_s;
      }
    }
    for (auto& [name, by_format] : classes) {
      for (std::size_t format = 0; format < by_format.size(); ++format) {
        if (by_format[format]) *by_format[format] /= static_cast<double>(ran[format]);
      }
    }
    for (auto& [name, seconds] : classes) result_.classes.push_back({name, std::move(seconds)});
    std::ranges::stable_sort(result_.classes, std::greater<>(),
                             [](const ClassTimes& one) { return one.seconds.back().value_or(0.0); });
  }

 private:
  // What differs between the choices of one place in one member.
  void add_place(std::size_t element, std::size_t member) {
    std::vector<const Timed*> choices(result_.elements[element].choices.size(), nullptr);
    for (std::size_t i = 0; i < variants_.size(); ++i) {
      const Variant& one = variants_[i];
      if (one.element == element && one.member == member && !timed_[i].measurement.ops.empty()) {
        choices[one.choice] = &timed_[i];
      }
    }
    if (std::ranges::find(choices, nullptr) != choices.end()) return;
    Steps common = steps_of(*choices.front());
    for (const Timed* timed : choices) {
      Steps both;
      std::ranges::set_intersection(common, steps_of(*timed), std::inserter(both, both.end()));
      common = std::move(both);
    }
    ++result_.elements[element].timed;
    for (std::size_t choice = 0; choice < choices.size(); ++choice) {
      ChoiceCost& cost = result_.elements[element].choices[choice];
      if (!cost.seconds) cost.seconds = 0.0;  // it may have no operator of its own there
      Steps left = common;
      for (const OpTime& one : choices[choice]->measurement.ops) {
        const auto shared = left.find({choices[choice]->places[one.step.node], one.step.signature});
        if (shared != left.end()) {
          left.erase(shared);
          continue;
        }
        *cost.seconds += one.median_s;
        cost.macs += static_cast<double>(one.step.macs);
      }
    }
  }

  FrontChoices& result_;
  std::span<const Variant> variants_;
  std::span<const Timed> timed_;
};

std::vector<Timed> timed_variants(const StudyConfig& config, const SearchSpace& space,
                                  std::span<const Variant> variants, const FrontChoicesOptions& options) {
  std::vector<Timed> timed;
  std::vector<Design> designs;
  for (const Variant& variant : variants) {
    timed.push_back({decode_for(config, space, variant.genome), space.places(variant.genome), {}});
    designs.push_back(timed.back().design);
  }
  MeasureOptions protocol;
  protocol.threads = options.threads;
  protocol.per_operator = true;
  InterleaveOptions interleave;
  interleave.progress = options.progress;
  std::vector<Measurement> measurements = measure_interleaved(designs, protocol, interleave);
  for (std::size_t i = 0; i < timed.size(); ++i) timed[i].measurement = std::move(measurements[i]);
  return timed;
}

void count_front(FrontChoices& result, const SearchSpace& space, std::span<const std::size_t> dims,
                 std::span<const Trial> front) {
  for (const std::size_t dim : dims) {
    ElementChoices element;
    element.element = space.dims()[dim].name;
    for (const Json& choice : space.dims()[dim].choices) element.choices.push_back({choice, 0, std::nullopt, 0.0});
    for (const Trial& member : front) {
      if (!space.active(member.genome)[dim]) continue;
      ++element.active;
      ++element.choices[member.genome.genes[dim]].on_front;
    }
    if (element.choices.size() > 1) result.elements.push_back(std::move(element));
  }
}

}  // namespace

FrontChoices front_choices(const Store& store, const Resources& resources, const FrontChoicesOptions& options) {
  const StudyRecord record = find_study(store, options.study);
  const StudyConfig config = parse_study(JsonDocument::parse(record.config, "stored configuration"));
  const SearchSpace space = stored_space(record, config, resources);
  const std::vector<std::size_t> dims = elements_of(space, options.dimension);
  const StudyReport report = front_of(store, options.study, resources);
  std::vector<Trial> front = store.front(record.id, report.front_fidelity);
  if (front.empty()) {
    throw ConfigError({store.path(), record.name, "a study with a front", "no feasible trial",
                       "search on: ridgeline resume " + shell_quoted(record.name)});
  }
  std::ranges::stable_sort(front, {}, [&](const Trial& one) { return one.values[report.optimised.front()]; });
  FrontChoices result{record.name, options.dimension, front.size(), {}, {}, {}, {}, {}};
  count_front(result, space, dims, front);
  const std::vector<UniformFormat> formats = uniform_formats(space);
  for (const UniformFormat& format : formats) result.formats.push_back(choice_text(format.choice));

  std::vector<Variant> variants;
  for (const std::size_t at : spread(front.size(), options.members)) {
    const Genome& genome = front[at].genome;
    const std::size_t member = result.members.size();
    result.members.push_back(front[at].id);
    const std::vector<bool> active = space.active(genome);
    for (std::size_t element = 0; element < result.elements.size(); ++element) {
      const auto dim = static_cast<std::size_t>(
          std::ranges::find(space.dims(), result.elements[element].element, &Dimension::name) - space.dims().begin());
      if (!active[dim]) continue;
      for (std::size_t choice = 0; choice < result.elements[element].choices.size(); ++choice) {
        auto changed = with_choice(space, genome, dim, static_cast<std::uint16_t>(choice));
        if (changed) variants.push_back({std::move(*changed), member, element, choice});
      }
    }
    for (std::size_t format = 0; format < formats.size(); ++format) {
      auto changed = in_format(space, formats[format], genome);
      if (changed) variants.push_back({std::move(*changed), member, std::nullopt, format});
    }
  }
  const std::vector<Timed> timed = timed_variants(config, space, variants, options);
  Accounts accounts(result, variants, timed);
  accounts.add_elements();
  if (!result.formats.empty()) accounts.add_classes();
  return result;
}

Json front_choices_json(const FrontChoices& choices) {
  const auto number = [](const std::optional<double>& value) { return value ? Json(*value) : Json(); };
  Json json{{"study", choices.study},      {"dimension", choices.dimension}, {"front", choices.front},
            {"members", choices.members},  {"elements", Json::array()},      {"classes", Json::array()},
            {"problems", choices.problems}};
  for (const ElementChoices& element : choices.elements) {
    Json costs = Json::array();
    for (const ChoiceCost& cost : element.choices) {
      costs.push_back({{"choice", cost.choice},
                       {"on_front", cost.on_front},
                       {"operators_s", number(cost.seconds)},
                       {"macs", cost.macs}});
    }
    json["elements"].push_back({{"element", element.element},
                                {"active", element.active},
                                {"timed", element.timed},
                                {"choices", std::move(costs)}});
  }
  for (const ClassTimes& one : choices.classes) {
    Json seconds = Json::object();
    for (std::size_t i = 0; i < one.seconds.size(); ++i) seconds[choices.formats[i]] = number(one.seconds[i]);
    json["classes"].push_back({{"class", one.name}, {"operators_s", std::move(seconds)}});
  }
  return json;
}

}  // namespace ridgeline
