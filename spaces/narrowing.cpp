// A space with fewer choices: which are left, and the same candidates in the whole space.
#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "spaces/hash.hpp"
#include "spaces/search_space_impl.hpp"

namespace ridgeline {
namespace {

std::string word_of(const Json& choice) { return choice.is_string() ? choice.get<std::string>() : choice.dump(); }

std::string declared_name(const std::string& name) { return name.substr(0, name.find('[')); }

// Notes what is wrong with the list that stands for `name`; `there`: every choice that it may name.
bool check_list(const std::string& name, const Json& list, const std::vector<Json>& there, const NarrowingPlace& place,
                JsonDocument& document) {
  const auto note = [&](std::string expected, std::string found, std::string remedy = {}) {
    document.note({place.file, place.prefix + name, std::move(expected), std::move(found), std::move(remedy)});
    return false;
  };
  if (!list.is_array() || list.empty()) return note("a list of the choices that are left", describe(list));
  std::vector<std::string> words;
  for (const Json& choice : there) words.push_back(word_of(choice));
  for (std::size_t i = 0; i < list.size(); ++i) {
    if (std::find(there.begin(), there.end(), list[i]) == there.end()) {
      return note("choices of the dimension", describe(list[i]), known_words(word_of(list[i]), words));
    }
    if (std::find(list.begin(), list.begin() + static_cast<std::ptrdiff_t>(i), list[i]) !=
        list.begin() + static_cast<std::ptrdiff_t>(i)) {
      return note("every choice once", describe(list[i]) + " twice");
    }
  }
  return true;
}

// Whether every name is a dimension's and every list holds choices of it.
bool check_names(const SearchSpace::Impl& space, const std::map<std::string, Json>& choices,
                 const NarrowingPlace& place, JsonDocument& document) {
  std::vector<std::string> names;
  for (const Dimension& dimension : space.dims) {
    const std::string declared = declared_name(dimension.name);
    if (std::find(names.begin(), names.end(), declared) == names.end()) names.push_back(declared);
  }
  bool good = true;
  for (const auto& [name, list] : choices) {
    std::vector<Json> there;
    for (const Dimension& dimension : space.dims) {
      if (dimension.name != name && declared_name(dimension.name) != name) continue;
      for (const Json& choice : dimension.choices) {
        if (std::find(there.begin(), there.end(), choice) == there.end()) there.push_back(choice);
      }
    }
    if (there.empty()) {
      document.note({place.file, place.prefix + name, "a dimension of the space", fmt::format("'{}'", name),
                     known_words(name, names)});
      good = false;
    } else {
      good = check_list(name, list, there, place, document) && good;
    }
  }
  return good;
}

}  // namespace

void SearchSpace::Impl::narrow(const std::map<std::string, Json>& choices, const NarrowingPlace& place,
                               JsonDocument& document) {
  if (choices.empty() || !check_names(*this, choices, place, document)) return;
  std::vector<std::vector<std::uint16_t>> stay(dims.size());
  for (std::size_t i = 0; i < dims.size(); ++i) {
    auto wanted = choices.find(dims[i].name);
    if (wanted == choices.end()) wanted = choices.find(declared_name(dims[i].name));
    for (std::size_t gene = 0; gene < dims[i].choices.size(); ++gene) {
      const Json& choice = dims[i].choices[gene];
      const bool stays = wanted == choices.end() ||
                         std::find(wanted->second.begin(), wanted->second.end(), choice) != wanted->second.end();
      if (stays) stay[i].push_back(static_cast<std::uint16_t>(gene));
    }
    if (stay[i].empty()) {  // of a repeated dimension whose elements differ in their choices
      document.note({place.file, place.prefix + wanted->first, fmt::format("a choice of {} too", dims[i].name),
                     ridgeline::describe(wanted->second), fmt::format("it has {}", Json(dims[i].choices).dump())});
      return;
    }
  }
  keep(stay);
}

void SearchSpace::Impl::keep(std::span<const std::vector<std::uint16_t>> genes) {
  std::vector<Value> left;
  std::vector<std::uint32_t> first;
  kept.resize(dims.size());
  if (refusal) refusal_genes.resize(dims.size());
  for (std::size_t i = 0; i < dims.size(); ++i) {
    first.push_back(static_cast<std::uint32_t>(left.size()));
    std::vector<Json> choices;
    std::vector<std::uint16_t> in_file, of_refusal;
    for (const std::uint16_t gene : genes[i]) {
      left.push_back(value(i, gene));
      choices.push_back(dims[i].choices[gene]);
      in_file.push_back(kept[i].empty() ? gene : kept[i][gene]);
      of_refusal.push_back(!refusal || refusal_genes[i].empty() ? gene : refusal_genes[i][gene]);
    }
    kept[i] = std::move(in_file);
    if (refusal) refusal_genes[i] = std::move(of_refusal);
    dims[i].choices = std::move(choices);
  }
  values = std::move(left);
  first_value = std::move(first);
}

SearchSpace SearchSpace::left_with(std::span<const std::vector<std::uint16_t>> genes, std::uint64_t identity) const {
  auto impl = std::make_unique<Impl>(*impl_);
  if (!impl->whole) impl->whole = std::shared_ptr<const SearchSpace>(new SearchSpace(std::make_unique<Impl>(*impl_)));
  impl->keep(genes);
  impl->fingerprint = identity;
  impl->enumeration_size = count_combinations(*impl);
  impl->log10_size = count_log10(*impl);
  return SearchSpace(std::move(impl));
}

SearchSpace SearchSpace::holding(std::span<const std::optional<std::uint16_t>> held) const {
  if (held.size() != dims().size()) throw std::invalid_argument("SearchSpace::holding: not one entry a dimension");
  Hasher identity;
  identity.add(fingerprint());
  std::vector<std::vector<std::uint16_t>> genes(held.size());
  for (std::size_t i = 0; i < held.size(); ++i) {
    const std::size_t choices = dims()[i].choices.size();
    if (held[i] && *held[i] >= choices) throw std::invalid_argument("SearchSpace::holding: no such choice");
    for (std::size_t gene = 0; gene < choices; ++gene) {
      if (!held[i] || gene == *held[i]) genes[i].push_back(static_cast<std::uint16_t>(gene));
    }
    if (held[i]) identity.add(std::uint64_t{i}).add(std::uint64_t{*held[i]});
  }
  return left_with(genes, identity.value());
}

SearchSpace SearchSpace::keeping(std::span<const std::vector<std::uint16_t>> left) const {
  if (left.size() != dims().size()) throw std::invalid_argument("SearchSpace::keeping: not one list a dimension");
  Hasher identity;
  identity.add(fingerprint()).add(std::string_view("keeping"));
  for (std::size_t i = 0; i < left.size(); ++i) {
    const bool ascends = std::adjacent_find(left[i].begin(), left[i].end(), std::greater_equal<>()) == left[i].end();
    if (left[i].empty() || !ascends || left[i].back() >= dims()[i].choices.size()) {
      throw std::invalid_argument("SearchSpace::keeping: no ascending list of choices");
    }
    identity.add(std::uint64_t{left[i].size()});
    for (const std::uint16_t gene : left[i]) identity.add(std::uint64_t{gene});
  }
  return left_with(left, identity.value());
}

const SearchSpace& SearchSpace::whole() const { return impl_->whole ? *impl_->whole : *this; }

Genome SearchSpace::Impl::renumbered(const Genome& genome, std::span<const std::vector<std::uint16_t>> genes) const {
  Genome settled = genome;
  std::vector<bool> active(dims.size(), true);
  settle(settled, &active);
  for (std::size_t i = 0; i < genes.size(); ++i) {
    if (active[i]) settled.genes[i] = genes[i][settled.genes[i]];
  }
  return settled;
}

Genome SearchSpace::Impl::in_whole(const Genome& genome) const { return renumbered(genome, kept); }

std::optional<std::string> SearchSpace::Impl::refused(const Genome& genome) const {
  if (!refusal) return std::nullopt;
  return refusal(refusal_genes.empty() ? genome : renumbered(genome, refusal_genes));
}

SearchSpace SearchSpace::refusing(Refusal refusal) const {
  auto impl = std::make_unique<Impl>(*impl_);
  if (impl->refusal) {
    impl->refusal = [outer = std::move(refusal), inner = *impl_](const Genome& genome) {
      const std::optional<std::string> why = inner.refused(genome);
      return why ? why : outer(genome);
    };
  } else {
    impl->refusal = std::move(refusal);
  }
  impl->refusal_genes.clear();
  return SearchSpace(std::move(impl));
}

Genome SearchSpace::in_whole(const Genome& genome) const { return impl_->in_whole(genome); }

}  // namespace ridgeline
