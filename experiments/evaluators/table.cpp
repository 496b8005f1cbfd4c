#include "experiments/evaluators/table.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <unordered_map>
#include <utility>

#include "experiments/flat_map.hpp"
#include "experiments/table_reader.hpp"
#include "spaces/hash.hpp"

namespace ridgeline {
namespace {

using Words = std::unordered_map<std::string, std::uint16_t>;  // a cell's text -> gene

struct KeyColumn {
  std::string column;
  std::vector<std::size_t> dims;
  std::vector<Words> words;  // one a dim
  bool digits = false;
};

struct ValueColumn {
  std::string column;
  Objective objective;
  double scale = 1.0;
};

enum class Duplicates : std::uint8_t { refuse, mean, first };

struct Description {
  std::string name, path, file, source;
  std::vector<KeyColumn> key;
  std::vector<ValueColumn> values;
  std::vector<std::pair<std::size_t, std::uint16_t>> fixed;
  std::vector<bool> ignored;  // one a dimension
  Duplicates duplicates = Duplicates::refuse;
};

std::string choice_word(const Json& choice) { return choice.is_string() ? choice.get<std::string>() : choice.dump(); }

std::vector<std::string> dimension_names(const SearchSpace& space) {
  std::vector<std::string> names;
  for (const Dimension& dim : space.dims()) {
    names.push_back(dim.name);
    const std::string declared = dim.name.substr(0, dim.name.find('['));
    if (std::find(names.begin(), names.end(), declared) == names.end()) names.push_back(declared);
  }
  return names;
}

// The dimensions a name stands for: itself, or every repetition of it.
std::vector<std::size_t> dims_of(const SearchSpace& space, const std::string& name) {
  std::vector<std::size_t> dims;
  for (std::size_t i = 0; i < space.dims().size(); ++i) {
    const std::string& dim = space.dims()[i].name;
    if (dim == name || dim.starts_with(name + "[")) dims.push_back(i);
  }
  return dims;
}

std::optional<std::uint16_t> choice_index(const Dimension& dim, const Json& choice) {
  const auto it = std::find(dim.choices.begin(), dim.choices.end(), choice);
  if (it == dim.choices.end()) return std::nullopt;
  return static_cast<std::uint16_t>(it - dim.choices.begin());
}

std::string choices_text(const Dimension& dim) {
  std::vector<std::string> words;
  for (const Json& choice : dim.choices) words.push_back(choice_word(choice));
  return known_words("", words);
}

class DescriptionReader {
 public:
  DescriptionReader(const std::string& path, const SearchSpace& space)
      : document_(JsonDocument::load(path)),
        root_(document_.root()),
        space_(space),
        covered_(space.dims().size(), false) {
    description_.path = path;
    description_.ignored.assign(space.dims().size(), false);
  }

  Description read() {
    root_.integer("ridgeline_table", {.least = 1, .most = 1});
    description_.name = root_.string("name");
    root_.string("about", "");
    root_.string("licence", "");
    description_.source = root_.string("source", "its publisher");
    description_.file = root_.string("file");
    const std::string space = root_.string("space", space_.name());
    if (space != space_.name()) {
      root_.note("space", fmt::format("the searched space '{}'", space_.name()), fmt::format("'{}'", space),
                 "this table is of another space: choose the table or the space anew");
      document_.raise();  // dimensions of another space would only be misnamed
    }
    read_duplicates();
    for (JsonReader& entry : array("key")) read_key(entry);
    for (const std::string& name : root_.strings("ignored", false)) {
      for (const std::size_t dim : cover(root_, "ignored", name)) description_.ignored[dim] = true;
    }
    read_fixed();
    read_values();
    for (std::size_t i = 0; i < covered_.size(); ++i) {
      if (covered_[i]) continue;
      root_.note("key", fmt::format("every dimension of '{}'", space_.name()),
                 fmt::format("'{}' in none of the columns", space_.dims()[i].name),
                 "add it to \"key\", \"ignored\" or \"fixed\"");
      break;
    }
    root_.finish();
    document_.raise();
    return std::move(description_);
  }

 private:
  std::vector<JsonReader> array(const std::string& key) {
    std::vector<JsonReader> elements = root_.array(key);
    for (JsonReader& element : elements) {
      if (!element.value().is_object()) element.note("", "an object", describe(element.value()));
    }
    return elements;
  }

  void read_duplicates() {
    static const std::vector<std::string> words = {"refuse", "mean", "first"};
    const std::string word = root_.word("duplicates", words, "refuse");
    description_.duplicates = static_cast<Duplicates>(std::find(words.begin(), words.end(), word) - words.begin());
  }

  std::vector<std::size_t> cover(JsonReader& reader, const std::string& key, const std::string& name) {
    const std::vector<std::size_t> dims = dims_of(space_, name);
    if (dims.empty()) {
      reader.note(key, fmt::format("a dimension of '{}'", space_.name()), fmt::format("'{}'", name),
                  known_words(name, dimension_names(space_)));
    }
    for (const std::size_t dim : dims) {
      if (covered_[dim]) {
        reader.note(key, "every dimension once", fmt::format("'{}' twice", space_.dims()[dim].name),
                    "keep one of them");
      }
      covered_[dim] = true;
    }
    return dims;
  }

  void read_key(JsonReader& entry) {
    KeyColumn key;
    key.column = entry.string("column");
    key.digits = entry.boolean("digits", false);
    for (const std::string& name : entry.strings("genes")) {
      for (const std::size_t dim : cover(entry, "genes", name)) key.dims.push_back(dim);
    }
    if (!key.digits && key.dims.size() > 1) {
      entry.note("genes", "one gene a column", fmt::format("{} genes", key.dims.size()),
                 "add \"digits\": true where each character is a gene, else give each its own column");
    }
    const bool renamed = entry.has("words");
    const auto words = entry.members("words", false);
    for (const std::size_t dim : key.dims) {
      const Dimension& dimension = space_.dims()[dim];
      Words map;
      for (std::size_t i = 0; !renamed && i < dimension.choices.size(); ++i) {
        map.emplace(choice_word(dimension.choices[i]), static_cast<std::uint16_t>(i));
      }
      for (const auto& [word, choice] : words) {
        const std::optional<std::uint16_t> index = choice_index(dimension, choice.value());
        if (!index) {
          JsonReader(choice).note("", fmt::format("a choice of '{}'", dimension.name), describe(choice.value()),
                                  choices_text(dimension));
          break;
        }
        map.emplace(word, *index);
      }
      key.words.push_back(std::move(map));
    }
    entry.finish();
    description_.key.push_back(std::move(key));
  }

  void read_fixed() {
    for (const auto& [name, choice] : root_.members("fixed", false)) {
      JsonReader reader = choice;
      for (const std::size_t dim : cover(reader, "", name)) {
        const std::optional<std::uint16_t> index = choice_index(space_.dims()[dim], choice.value());
        if (!index) {
          reader.note("", fmt::format("a choice of '{}'", name), describe(choice.value()),
                      choices_text(space_.dims()[dim]));
          break;
        }
        description_.fixed.emplace_back(dim, *index);
      }
    }
  }

  void read_values() {
    static const std::vector<std::string> directions = {"minimise", "maximise"};
    for (auto& [name, member] : root_.members("values")) {
      if (!member.value().is_object()) {
        member.note("", "an object", describe(member.value()));
        continue;
      }
      ValueColumn value;
      value.column = member.string("column");
      value.objective.name = name;
      value.objective.unit = member.string("unit", "");
      value.objective.direction =
          member.word("direction", directions) == "maximise" ? Direction::maximise : Direction::minimise;
      value.scale = member.number("scale", {.fallback = 1.0});
      member.string("about", "");
      member.finish();
      description_.values.push_back(std::move(value));
    }
    if (root_.has("values") && description_.values.empty()) root_.note("values", "at least one value", "none");
  }

  JsonDocument document_;
  JsonReader root_;
  const SearchSpace& space_;
  std::vector<bool> covered_;
  Description description_;
};

std::uint64_t hash_of(std::span<const std::uint16_t> genes) {
  Hasher hasher;
  for (const std::uint16_t gene : genes) hasher.add(std::uint64_t{gene});
  return hasher.value();
}

}  // namespace

struct Table::Impl {
  std::string name;
  std::size_t dims = 0;
  std::size_t rows = 0;
  std::vector<Objective> objectives;
  std::vector<bool> ignored;
  std::vector<std::uint16_t> genes;  // rows x dims
  std::vector<double> values;        // rows x objectives
  FlatMap index;

  std::optional<std::size_t> row_of(std::span<const std::uint16_t> key) const {
    const std::optional<std::size_t> row = index.find(hash_of(key));
    if (!row || !std::equal(key.begin(), key.end(), genes.begin() + static_cast<std::ptrdiff_t>(*row * dims))) {
      return std::nullopt;
    }
    return row;
  }
  std::vector<std::uint16_t> key_of(const Genome& genome) const {
    std::vector<std::uint16_t> key = genome.genes;
    for (std::size_t i = 0; i < key.size(); ++i) key[i] = ignored[i] ? std::uint16_t{0} : key[i];
    return key;
  }
};

namespace {

// Fills a table's rows from the cells of its file; collects what is wrong with them, up to a limit.
class RowReader {
 public:
  RowReader(const Description& description, const SearchSpace& space, std::string file)
      : description_(description), space_(space), file_(std::move(file)) {
    std::vector<std::string> columns;
    for (const KeyColumn& key : description.key) columns.push_back(key.column);
    for (const ValueColumn& value : description.values) columns.push_back(value.column);
    width_ = columns.size();
    raw_ = read_table(file_, columns);
  }

  std::size_t rows() const { return raw_.rows; }
  const std::string& place(std::size_t row) const { return raw_.places[row]; }

  // Nothing where the row names no candidate, which is noted.
  std::optional<Genome> genome(std::size_t row) {
    const std::size_t before = problems_.size();
    Genome genome{std::vector<std::uint16_t>(space_.dims().size(), 0)};
    for (const auto& [dim, gene] : description_.fixed) genome.genes[dim] = gene;
    for (std::size_t k = 0; k < description_.key.size(); ++k) read_genes(row, k, genome);
    if (problems_.size() > before) return std::nullopt;
    return space_.normalise(std::move(genome));
  }

  double value(std::size_t row, std::size_t value) {
    const std::string& cell = raw_.cells[row * width_ + description_.key.size() + value];
    double number = 0.0;
    const char* const end = cell.data() + cell.size();
    const auto [next, error] = std::from_chars(cell.data(), end, number);
    number *= description_.values[value].scale;
    if (error == std::errc{} && next == end && std::isfinite(number)) return number;
    note(row, description_.values[value].column, "a finite number", cell, "correct the cell or leave the row out");
    return 0.0;
  }

  void note(std::size_t row, const std::string& column, const std::string& expected, const std::string& found,
            const std::string& remedy) {
    constexpr std::size_t most = 20;
    problems_.push_back(
        {file_, fmt::format("{}, column '{}'", place(row), column), expected, fmt::format("'{}'", found), remedy});
    if (problems_.size() >= most) raise();
  }

  void raise() const {
    if (!problems_.empty()) throw ConfigError(problems_);
  }

 private:
  void read_genes(std::size_t row, std::size_t k, Genome& genome) {
    const KeyColumn& key = description_.key[k];
    const std::string& cell = raw_.cells[row * width_ + k];
    if (key.digits && cell.size() != key.dims.size()) {
      note(row, key.column, fmt::format("{} characters, one a gene", key.dims.size()), cell,
           "correct the cell, or \"genes\" in the description");
      return;
    }
    for (std::size_t i = 0; i < key.dims.size(); ++i) {
      const auto word = key.words[i].find(key.digits ? std::string(1, cell[i]) : cell);
      if (word == key.words[i].end()) {
        const Dimension& dim = space_.dims()[key.dims[i]];
        note(row, key.column, fmt::format("a choice of '{}'", dim.name), cell, choices_text(dim));
        return;
      }
      genome.genes[key.dims[i]] = word->second;
    }
  }

  const Description& description_;
  const SearchSpace& space_;
  std::string file_;
  std::size_t width_ = 0;
  RawTable raw_;
  std::vector<Problem> problems_;
};

}  // namespace

Table::Table(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Table::Table(Table&&) noexcept = default;
Table& Table::operator=(Table&&) noexcept = default;
Table::~Table() = default;

Table Table::load(const std::string& description_path, const Resources& resources, const SearchSpace& space) {
  const Description description = DescriptionReader(description_path, space).read();
  const std::string remedy =
      fmt::format("get it from {} and set RIDGELINE_DATA to the folder it is in", description.source);
  RowReader reader(description, space, resources.data_file(description.file, description.path, remedy));
  auto impl = std::make_unique<Impl>();
  impl->name = description.name;
  impl->dims = space.dims().size();
  impl->ignored = description.ignored;
  impl->index = FlatMap(reader.rows());
  for (const ValueColumn& value : description.values) impl->objectives.push_back(value.objective);
  const std::size_t width = impl->objectives.size();
  std::vector<std::size_t> merged;  // how many rows of the file stand behind each row
  for (std::size_t r = 0; r < reader.rows(); ++r) {
    const std::optional<Genome> genome = reader.genome(r);
    if (!genome) continue;
    const std::vector<std::uint16_t> key = impl->key_of(*genome);
    const std::optional<std::size_t> known = impl->row_of(key);
    if (!known) {
      if (!impl->index.insert(hash_of(key), impl->rows)) throw std::logic_error("two genomes with one hash");
      impl->genes.insert(impl->genes.end(), key.begin(), key.end());
      for (std::size_t v = 0; v < width; ++v) impl->values.push_back(reader.value(r, v));
      merged.push_back(1);
      ++impl->rows;
      continue;
    }
    ++merged[*known];
    for (std::size_t v = 0; v < width; ++v) {
      double& stored = impl->values[*known * width + v];
      const double value = reader.value(r, v);
      if (description.duplicates == Duplicates::mean) stored += value;
      if (description.duplicates == Duplicates::refuse && value != stored) {
        reader.note(r, description.values[v].column,
                    fmt::format("{}, as in an earlier row of the same candidate", stored), fmt::format("{}", value),
                    "correct it, or say \"duplicates\": \"mean\" in the description");
      }
    }
  }
  reader.raise();
  if (description.duplicates == Duplicates::mean) {
    for (std::size_t i = 0; i < impl->values.size(); ++i) impl->values[i] /= static_cast<double>(merged[i / width]);
  }
  return Table(std::move(impl));
}

const std::string& Table::name() const { return impl_->name; }
std::size_t Table::rows() const { return impl_->rows; }

std::vector<std::string> Table::value_names() const {
  std::vector<std::string> names;
  for (const Objective& objective : impl_->objectives) names.push_back(objective.name);
  return names;
}

std::vector<Genome> Table::genomes() const {
  std::vector<Genome> genomes(impl_->rows);
  for (std::size_t row = 0; row < impl_->rows; ++row) {
    const auto first = impl_->genes.begin() + static_cast<std::ptrdiff_t>(row * impl_->dims);
    genomes[row].genes.assign(first, first + static_cast<std::ptrdiff_t>(impl_->dims));
  }
  return genomes;
}

std::optional<double> Table::value(const Genome& genome, std::size_t column) const {
  const std::optional<std::size_t> row = impl_->row_of(impl_->key_of(genome));
  if (!row) return std::nullopt;
  return impl_->values[*row * impl_->objectives.size() + column];
}

std::size_t Table::column(const std::string& value_name) const {
  const std::vector<std::string> names = value_names();
  const auto it = std::find(names.begin(), names.end(), value_name);
  if (it != names.end()) return static_cast<std::size_t>(it - names.begin());
  throw ConfigError({"", "column", fmt::format("a value of table '{}'", impl_->name), fmt::format("'{}'", value_name),
                     known_words(value_name, names)});
}

const Objective& Table::objective(std::size_t column) const { return impl_->objectives[column]; }

std::uint64_t Table::fingerprint(std::size_t column) const {
  Hasher hasher;
  for (const std::uint16_t gene : impl_->genes) hasher.add(std::uint64_t{gene});
  for (std::size_t row = 0; row < impl_->rows; ++row)
    hasher.add(impl_->values[row * impl_->objectives.size() + column]);
  return hasher.value();
}

}  // namespace ridgeline
