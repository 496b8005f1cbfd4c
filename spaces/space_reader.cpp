// Reading a space file: parameters, dimensions with their conditions, constraints, and trial decodes that bring to
// light what only shows when a network is built.
#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "spaces/hash.hpp"
#include "spaces/search_space_impl.hpp"
#include "spaces/template_reader.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t most_dimensions = 4096;
constexpr std::size_t most_choices = 65'535;
constexpr std::size_t most_choices_together = 262'144;
constexpr std::int64_t most_batch = 65'536;
constexpr std::int64_t language_version = 1;

class SpaceReader {
 public:
  SpaceReader(JsonDocument& document, SearchSpace::Impl& space, const SpaceOptions& options,
              const std::vector<Narrowing>& narrowings)
      : document_(document),
        space_(space),
        options_(options),
        narrowings_(narrowings),
        genes_(&constants_),
        built_ins_(&genes_) {}

  void read() {
    JsonReader root = document_.root();
    document_.raise();
    root.integer("ridgeline_space", {.fallback = {}, .least = language_version, .most = language_version});
    space_.origin = document_.origin();
    space_.name = root.string("name");
    space_.about = root.string("about", "");
    root.string("source", "");
    read_batch();
    if (root.has("model")) return read_model(root);
    read_parameters(root);
    read_dimensions(root);
    read_conditions();
    read_constraints(root);
    read_settings(root, "hardware", space_.hardware);
    read_settings(root, "schedule", space_.schedule);
    for (const Builtin which :
         {Builtin::batch, Builtin::in_channels, Builtin::in_height, Builtin::in_width, Builtin::in_tokens}) {
      const auto index = static_cast<std::uint32_t>(which);
      built_ins_.declare(reserved_words()[index], {Symbol::Kind::builtin, Type::number, {}, index});
    }
    space_.network = NetworkTemplate::read(root, document_, space_.pool, built_ins_);
    root.finish();
    document_.raise();
    sort_conditions();
    narrow();
    space_.enumeration_size = count_combinations(space_);
    try_decoding();
    document_.raise();
    space_.log10_size = count_log10(space_);
    space_.fingerprint = fingerprint();
  }

 private:
  // The plans of a trained network in place of dimensions and a template.
  void read_model(JsonReader& root) {
    for (const auto& [name, value] : options_.parameters) {
      root.note("parameters." + name, "a space with parameters", "the plans of a model", "leave it out");
    }
    document_.raise();
    space_.model = read_model_space(root, space_.origin, space_.batch);
    root.finish();
    if (space_.model->dims.size() > most_dimensions) {
      root.note("model", fmt::format("a network of at most {} operators with formats", most_dimensions),
                std::to_string(space_.model->dims.size()));
    }
    document_.raise();
    for (const Dimension& dimension : space_.model->dims) {
      space_.by_name[dimension.name] = static_cast<std::uint32_t>(space_.dims.size());
      space_.paths.push_back("model");
      space_.first_value.push_back(static_cast<std::uint32_t>(space_.values.size()));
      for (const Json& choice : dimension.choices) space_.values.push_back(space_.pool.literal(choice));
      space_.conditions.push_back(no_expr);
      space_.reads.emplace_back();
      space_.dims.push_back(dimension);
    }
    narrow();
    space_.enumeration_size = count_combinations(space_);
    space_.log10_size = count_log10(space_);
    space_.fingerprint = Hasher().add(fingerprint()).add(space_.model->model_hash).value();
  }

  void narrow() {
    for (std::size_t i = 0; i < space_.dims.size(); ++i) space_.resting.push_back(space_.value(i, 0));
    for (const Narrowing& one : narrowings_) {
      space_.narrow(one.choices, one.place, document_);
      document_.raise();
    }
  }

  struct Declared {  // a dimension as the file writes it
    JsonReader reader;
    std::uint32_t first = 0, count = 0;
    std::vector<std::uint32_t> extents;
    std::vector<std::string> index;
    std::vector<Value> values;    // choices written as a list, the same for every element
    std::set<std::string> known;  // every choice that some element has
  };

  void note(JsonReader& reader, const std::string& key, const ExpressionError& error) {
    reader.note(key, error.expected, error.found, error.remedy);
  }

  bool fresh_name(JsonReader& reader, const std::string& key, const std::string& name) {
    if (const std::string why = unfit_name(name); !why.empty()) {
      reader.note(key, why, fmt::format("'{}'", name), "choose another name");
      return false;
    }
    if (genes_.find(name) != nullptr) {
      reader.note(key, "a name of its own", fmt::format("'{}', which a parameter or dimension has", name),
                  "rename one");
      return false;
    }
    return true;
  }

  void read_parameters(JsonReader& root) {
    std::vector<std::string> names;
    for (auto& [name, reader] : root.members("parameters", false)) {
      names.push_back(name);
      const auto given = options_.parameters.find(name);
      const Json& json = given == options_.parameters.end() ? reader.value() : given->second;
      if (given != options_.parameters.end() && json.type_name() != std::string(reader.value().type_name())) {
        reader.note("", "an override of the parameter's own type, like " + describe(reader.value()), describe(json));
        continue;
      }
      if (!fresh_name(reader, "", name)) continue;
      try {
        const Value value = space_.pool.literal(json);
        constants_.declare(name, {Symbol::Kind::constant, Type::any, value, 0});
        parameters_[name] = json;
      } catch (const ExpressionError& error) {
        note(reader, "", error);
      }
    }
    for (const auto& [name, value] : options_.parameters) {
      if (std::find(names.begin(), names.end(), name) != names.end()) continue;
      root.note("parameters." + name, "a parameter of this space", fmt::format("'{}'", name), known_words(name, names));
    }
  }

  void read_batch() {
    space_.batch = options_.batch;
    if (space_.batch >= 1 && space_.batch <= most_batch) return;
    document_.note({"batch", "", fmt::format("an integer from 1 to {}", most_batch), std::to_string(space_.batch), ""});
  }

  void read_dimensions(JsonReader& root) {
    const std::vector<JsonReader> dimensions = root.array("dimensions");
    if (root.has("dimensions") && root.value()["dimensions"].is_array() && dimensions.empty()) {
      root.note("dimensions", "at least one dimension", "none");
    }
    for (const JsonReader& reader : dimensions) {
      if (!reader.value().is_object()) {
        JsonReader(reader).note("", "a dimension: an object with name and choices", describe(reader.value()));
        continue;
      }
      declared_.push_back({reader, 0, 0, {}, {}, {}, {}});
      if (!read_dimension(declared_.back())) declared_.pop_back();
    }
  }

  bool read_dimension(Declared& declared) {
    JsonReader& reader = declared.reader;
    const std::string name = reader.string("name");
    const bool named = reader.has("name") && fresh_name(reader, "name", name);
    const std::string group = reader.word("group", gene_group_names(), gene_group_names().front());
    const bool ordered = reader.boolean("ordered", false);
    reader.string("about", "");
    reader.any("active_if");
    const bool shaped = read_repeat(declared);
    const Json* choices = reader.any("choices", true);
    reader.finish();
    if (!named || !shaped || choices == nullptr) return false;
    const auto row = std::find(gene_group_names().begin(), gene_group_names().end(), group);
    Dimension dimension{name, static_cast<GeneGroup>(row - gene_group_names().begin()), ordered, {}};
    declared.first = static_cast<std::uint32_t>(space_.dims.size());
    GeneArray array{declared.first, declared.extents, Type::any, {}};
    std::vector<std::uint32_t> at(declared.extents.size(), 0);
    for (std::uint32_t i = 0; i < declared.count; ++i) {
      if (!read_choices(declared, *choices, at, dimension, array)) return false;
      dimension.name = name;
      for (const std::uint32_t index : at) dimension.name += fmt::format("[{}]", index);
      add(dimension, reader.path());
      for (std::size_t axis = at.size(); axis-- > 0;) {
        if (++at[axis] < declared.extents[axis]) break;
        at[axis] = 0;
      }
    }
    array.type = common_type(array.choices);
    genes_.declare(name, {Symbol::Kind::genes, array.type, {}, space_.pool.add_genes(array)});
    return true;
  }

  bool read_repeat(Declared& declared) {
    JsonReader& reader = declared.reader;
    declared.count = 1;
    bool good = true;
    if (const Json* repeat = reader.any("repeat")) {
      const Json list = repeat->is_array() ? *repeat : Json::array({*repeat});
      if (list.empty() || list.size() > 4) reader.note("repeat", "1 to 4 counts", describe(*repeat));
      good = !list.empty() && list.size() <= 4;
      for (std::size_t i = 0; i < list.size() && good; ++i) {
        const std::optional<std::int64_t> extent = count_of(reader, list[i]);
        good = extent.has_value();
        if (!good) break;
        declared.extents.push_back(static_cast<std::uint32_t>(*extent));
        declared.count *= static_cast<std::uint32_t>(*extent);
        if (space_.dims.size() + declared.count <= most_dimensions) continue;
        reader.note("repeat", fmt::format("at most {} dimensions in the space", most_dimensions), "more");
        good = false;
      }
    } else if (space_.dims.size() >= most_dimensions) {
      reader.note("", fmt::format("at most {} dimensions in the space", most_dimensions), "more");
      good = false;
    }
    if (!reader.has("index")) return good;
    const Json& index = reader.value()["index"];
    if (index.is_string()) {
      declared.index.push_back(reader.string("index"));
    } else {
      declared.index = reader.strings("index");
    }
    if (good && declared.index.size() != declared.extents.size()) {
      reader.note("index", fmt::format("{} names, one for each repeat", declared.extents.size()),
                  fmt::format("{}", declared.index.size()));
      good = false;
    }
    for (const std::string& name : declared.index) good = fresh_name(reader, "index", name) && good;
    return good;
  }

  std::optional<std::int64_t> count_of(JsonReader& reader, const Json& json) {
    try {
      const Expr expr = space_.pool.compile(json, constants_, Type::number);
      const std::optional<Value> value = space_.pool.constant(expr);
      if (value && value->kind == Value::Kind::number && value->number >= 1.0 && value->number <= most_dimensions &&
          value->number == static_cast<double>(static_cast<std::int64_t>(value->number))) {
        return static_cast<std::int64_t>(value->number);
      }
      reader.note("repeat", fmt::format("an integer from 1 to {}", most_dimensions),
                  value ? space_.pool.describe(*value, {}) : describe(json));
    } catch (const ExpressionError& error) {
      note(reader, "repeat", error);
    }
    return std::nullopt;
  }

  // The choices of one element: a list of plain values, or an expression that may use the indices.
  bool read_choices(Declared& declared, const Json& json, std::span<const std::uint32_t> at, Dimension& dimension,
                    GeneArray& array) {
    std::vector<Value> values = declared.values;
    if (values.empty()) {
      const std::size_t before = document_.problems().size();
      try {
        values = evaluate_choices(declared, json, at);
        check_choices(declared.reader, values, dimension.ordered);
      } catch (const ExpressionError& error) {
        note(declared.reader, "choices", error);
      }
      if (document_.problems().size() != before) return false;
      if (json.is_array()) declared.values = values;
      dimension.choices.clear();
      for (const Value& value : values) {
        dimension.choices.push_back(space_.pool.json(value));
        if (declared.known.insert(space_.pool.describe(value, {})).second) array.choices.push_back(value);
      }
    }
    if (space_.values.size() + values.size() > most_choices_together) {
      declared.reader.note("choices", fmt::format("at most {} choices in the space", most_choices_together), "more");
      return false;
    }
    space_.first_value.push_back(static_cast<std::uint32_t>(space_.values.size()));
    space_.values.insert(space_.values.end(), values.begin(), values.end());
    return true;
  }

  std::vector<Value> evaluate_choices(const Declared& declared, const Json& json, std::span<const std::uint32_t> at) {
    if (!json.is_array() && !json.is_string()) throw ExpressionError("a list of choices", describe(json));
    std::optional<Value> list;
    if (json.is_array()) {
      list = space_.pool.literal(json);
    } else {
      const Scope scope = indices(declared, at, constants_);
      list = space_.pool.constant(space_.pool.compile(json, scope, Type::list));
    }
    if (!list || list->kind != Value::Kind::list) throw ExpressionError("a list of choices", describe(json));
    std::vector<Value> values;
    for (std::uint32_t i = 0; i < list->size; ++i) values.push_back(space_.pool.element(*list, i, {}));
    return values;
  }

  void check_choices(JsonReader& reader, const std::vector<Value>& values, bool ordered) {
    if (values.empty() || values.size() > most_choices) {
      reader.note("choices", fmt::format("1 to {} choices", most_choices), fmt::format("{}", values.size()));
      return;
    }
    bool numbers = true;
    std::set<std::string> seen;
    for (const Value& value : values) {
      numbers = numbers && value.kind == Value::Kind::number;
      const std::string text = space_.pool.describe(value, {});
      if (value.kind == Value::Kind::list) reader.note("choices", "numbers, strings or booleans", "a list");
      if (!seen.insert(text).second) reader.note("choices", "every choice once", text + " twice");
    }
    const auto rising = [](const Value& a, const Value& b) { return a.number < b.number; };
    if (ordered && numbers && !std::is_sorted(values.begin(), values.end(), rising) &&
        !std::is_sorted(values.rbegin(), values.rend(), rising)) {
      reader.note("choices", "ordered choices that rise or fall", describe(reader.value()["choices"]),
                  "sort them or drop \"ordered\"");
    }
  }

  static Type common_type(const std::vector<Value>& values) {
    static constexpr Type types[] = {Type::number, Type::boolean, Type::string, Type::list};
    for (const Value& value : values) {
      if (value.kind != values.front().kind) return Type::any;
    }
    return types[static_cast<std::size_t>(values.front().kind)];
  }

  void add(const Dimension& dimension, const std::string& path) {
    const auto index = static_cast<std::uint32_t>(space_.dims.size());
    space_.by_name[dimension.name] = index;
    space_.dims.push_back(dimension);
    space_.paths.push_back(path);
    space_.conditions.push_back(no_expr);
    space_.reads.emplace_back();
  }

  // The scope of one element of a repeated dimension: its indices are constants.
  static Scope indices(const Declared& declared, std::span<const std::uint32_t> at, const Scope& parent) {
    Scope scope(&parent);
    for (std::size_t i = 0; i < declared.index.size() && i < at.size(); ++i) {
      scope.declare(declared.index[i],
                    {Symbol::Kind::constant, Type::number, Value::of(static_cast<double>(at[i])), 0});
    }
    return scope;
  }

  void read_conditions() {
    for (Declared& declared : declared_) {
      if (!declared.reader.has("active_if")) continue;
      const Json& json = declared.reader.value()["active_if"];
      for (std::uint32_t i = 0; i < declared.count; ++i) {
        std::vector<std::uint32_t> at(declared.extents.size());
        std::uint32_t rest = i;
        for (std::size_t axis = at.size(); axis-- > 0;) {
          at[axis] = rest % declared.extents[axis];
          rest /= declared.extents[axis];
        }
        try {
          const Scope scope = indices(declared, at, genes_);
          const Expr expr = space_.pool.compile(json, scope, Type::boolean);
          if (const auto known = space_.pool.constant(expr); known && known->truth()) continue;
          std::vector<std::uint32_t>& reads = space_.reads[declared.first + i];
          space_.pool.references(expr, reads);
          std::sort(reads.begin(), reads.end());
          reads.erase(std::unique(reads.begin(), reads.end()), reads.end());
          space_.conditions[declared.first + i] = expr;
        } catch (const ExpressionError& error) {
          note(declared.reader, "active_if", error);
          break;  // its other elements would say the same
        }
      }
    }
  }

  // Puts conditional dimensions after those they depend on; a circle of conditions has no meaning.
  void sort_conditions() {
    std::vector<std::uint32_t> waiting(space_.dims.size(), 0);  // how many conditional dimensions each still waits for
    std::vector<std::vector<std::uint32_t>> readers(space_.dims.size());
    std::vector<std::uint32_t> ready;
    std::size_t conditional = 0;
    for (std::uint32_t i = 0; i < space_.dims.size(); ++i) {
      if (space_.conditions[i] == no_expr) continue;
      ++conditional;
      for (const std::uint32_t read : space_.reads[i]) {
        if (space_.conditions[read] == no_expr) continue;
        ++waiting[i];
        readers[read].push_back(i);
      }
      if (waiting[i] == 0) ready.push_back(i);
    }
    for (std::size_t next = 0; next < ready.size(); ++next) {
      for (const std::uint32_t reader : readers[ready[next]]) {
        if (--waiting[reader] == 0) ready.push_back(reader);
      }
    }
    space_.conditional = ready;
    if (ready.size() != conditional) note_circle(waiting);
  }

  void note_circle(const std::vector<std::uint32_t>& waiting) {
    auto at = static_cast<std::uint32_t>(
        std::find_if(waiting.begin(), waiting.end(), [](std::uint32_t count) { return count > 0; }) - waiting.begin());
    std::vector<std::uint32_t> path;
    while (std::find(path.begin(), path.end(), at) == path.end()) {  // whoever waits, waits for one that waits
      path.push_back(at);
      for (const std::uint32_t read : space_.reads[at]) {
        if (waiting[read] > 0) at = read;
      }
    }
    std::string circle;
    for (auto it = std::find(path.begin(), path.end(), at); it != path.end(); ++it) {
      circle += space_.dims[*it].name + " -> ";
    }
    document_.note(space_.problem(space_.paths[at] + ".active_if",
                                  "conditions that do not depend on each other in a circle",
                                  circle + space_.dims[at].name));
    document_.raise();
  }

  void read_constraints(JsonReader& root) {
    for (JsonReader& reader : root.array("constraints", false)) {
      if (!reader.value().is_object()) {
        reader.note("", "a constraint: an object with require and why", describe(reader.value()));
        continue;
      }
      Constraint constraint;
      constraint.path = reader.path();
      constraint.text = reader.string("why", "");
      const Json* require = reader.any("require", true);
      reader.finish();
      if (require == nullptr) continue;
      if (constraint.text.empty())
        constraint.text = "requires " + (require->is_string() ? require->get<std::string>() : require->dump());
      try {
        constraint.require = space_.pool.compile(*require, genes_, Type::boolean);
        space_.constraints.push_back(std::move(constraint));
      } catch (const ExpressionError& error) {
        note(reader, "require", error);
      }
    }
  }

  void read_settings(JsonReader& root, const std::string& key, std::vector<Setting>& settings) {
    for (auto& [name, reader] : root.members(key, false)) {
      try {
        settings.push_back({name, reader.path(), space_.pool.compile(reader.value(), genes_)});
      } catch (const ExpressionError& error) {
        note(reader, "", error);
      }
    }
  }

  // Decodes some genomes, so that shapes that do not fit and the like are found now and not in the middle of a search:
  // the k-th choice everywhere for the first k, the last choice everywhere, and random ones.
  void try_decoding() {
    constexpr std::size_t uniform = 12;
    constexpr std::uint64_t random = 24;
    std::size_t most = 1;
    for (const Dimension& dimension : space_.dims) most = std::max(most, dimension.choices.size());
    std::vector<Genome> genomes;
    Rng rng(0, "trial decodes");
    for (std::size_t trial = 0; trial < uniform + 1 + random; ++trial) {
      if (trial >= most && trial < uniform) continue;
      Genome genome;
      for (const Dimension& dimension : space_.dims) {
        const std::size_t last = dimension.choices.size() - 1;
        const std::size_t gene = trial < uniform    ? std::min(trial, last)
                                 : trial == uniform ? last
                                                    : static_cast<std::size_t>(rng.below(last + 1));
        genome.genes.push_back(static_cast<std::uint16_t>(gene));
      }
      genomes.push_back(std::move(genome));
    }
    std::set<std::string> seen;
    int failures = 0;  // some show what is wrong; a file that exhausts its limits need not do so for every genome
    for (std::size_t i = 0; i < genomes.size() && failures < 8; ++i) failures += try_decoding(genomes[i], seen) ? 0 : 1;
  }

  bool try_decoding(Genome& genome, std::set<std::string>& seen) {
    try {
      const std::vector<Value> genes = space_.settle(genome);
      Evaluation state;
      state.genes = genes;
      for (const Constraint& constraint : space_.constraints) {
        try {
          if (!space_.holds(constraint.require, state)) return true;  // not a candidate
        } catch (const ExpressionError& error) {
          throw ConfigError(space_.problem(constraint.path + ".require", error.expected, error.found, error.remedy));
        }
      }
      space_.network.build(genes, space_.pool, space_.batch);
      space_.settings(space_.hardware, genes);
      space_.settings(space_.schedule, genes);
      return true;
    } catch (const ConfigError& error) {
      for (Problem problem : error.problems()) {
        if (!seen.insert(problem.path).second) continue;
        problem.remedy += problem.remedy.empty() ? "" : "; ";
        problem.remedy += "met with the genome " + Json(genome.genes).dump().substr(0, 120);
        document_.note(std::move(problem));
      }
      return false;
    }
  }

  // Of everything that decides what a genome means: the file without its prose, the parameters as overridden, the
  // batch.
  std::uint64_t fingerprint() const {
    Json meaning = document_.value();
    for (const char* prose : {"name", "source"}) meaning.erase(prose);
    if (!parameters_.empty()) meaning["parameters"] = parameters_;
    strip(meaning);
    Hasher hasher;
    hasher.add(std::string_view(meaning.dump())).add(space_.batch);
    for (std::size_t i = 0; i < space_.kept.size(); ++i) {
      if (space_.kept[i].size() == space_.whole->dims()[i].choices.size()) continue;
      hasher.add(std::string_view(space_.dims[i].name)).add(std::string_view(Json(space_.kept[i]).dump()));
    }
    return hasher.value();
  }

  static void strip(Json& json) {
    if (json.is_object()) {
      for (const char* prose : {"about", "why"}) {
        if (const auto it = json.find(prose); it != json.end() && it->is_string()) json.erase(it);
      }
    }
    if (json.is_structured()) {
      for (Json& member : json) strip(member);
    }
  }

  JsonDocument& document_;
  SearchSpace::Impl& space_;
  const SpaceOptions& options_;
  const std::vector<Narrowing>& narrowings_;
  Scope constants_, genes_, built_ins_;
  std::vector<Declared> declared_;
  Json parameters_ = Json::object();
};

}  // namespace

SearchSpace SearchSpace::parse(JsonDocument document, const SpaceOptions& options) {
  NarrowedDocument narrowed = read_narrowed(std::move(document), options);
  SpaceOptions own = options;
  own.choices.clear();
  own.parameters = narrowed.parameters;
  auto impl = std::make_unique<Impl>();
  if (!narrowed.narrowings.empty()) {
    JsonDocument again = JsonDocument::from_value(narrowed.whole.value(), narrowed.whole.origin());
    impl->whole = std::make_shared<SearchSpace>(parse(std::move(again), own));
  }
  SpaceReader(narrowed.whole, *impl, own, narrowed.narrowings).read();
  if (!narrowed.name.empty()) impl->name = narrowed.name;
  if (!narrowed.about.empty()) impl->about = narrowed.about;
  return SearchSpace(std::move(impl));
}

}  // namespace ridgeline
