// Reads the bodies of a space file into steps: names to slots, expressions compiled, constants set, problems noted with
// their place. Internal to spaces/.
#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "spaces/template.hpp"

namespace ridgeline {

// Tensor names of a block, innermost scope first.
class TensorNames {
 public:
  struct Entry {
    std::uint32_t slot = 0;
    bool array = false;
  };
  explicit TensorNames(const TensorNames* parent = nullptr) : parent_(parent) {}
  const Entry* find(const std::string& name) const;
  void declare(const std::string& name, Entry entry) { entries_[name] = entry; }
  std::vector<std::string> known() const;

 private:
  const TensorNames* parent_;
  std::map<std::string, Entry> entries_;
};

class TemplateReader {
 public:
  TemplateReader(JsonDocument& document, Expressions& pool, const Scope& globals)
      : document_(document), pool_(pool), globals_(globals) {}
  NetworkTemplate read(JsonReader& root);

 private:
  struct Header {  // what a call needs to know of a block
    std::vector<std::string> arguments;
    std::map<std::string, Expr> defaults;
    std::set<std::uint32_t> calls;
  };
  // Where a body stands: its block, and the names it sees.
  struct Place {
    std::uint32_t block;
    Scope& values;
    TensorNames& tensors;
  };

  void read_header(const std::string& name, JsonReader reader);
  void read_block(std::uint32_t block, JsonReader reader);
  void read_networks(JsonReader& root);
  void read_network(const std::string& name, JsonReader& reader);
  void check_cycles();
  bool visit(std::uint32_t block, std::vector<std::uint32_t>& path, std::vector<int>& depth);
  void resolve_words();

  Body read_steps(std::vector<JsonReader> steps, const Place& place);
  Body read_body(std::vector<JsonReader> steps, const Place& outer);
  void read_step(JsonReader& reader, const Place& place, Body& body);
  std::string kind_of(JsonReader& reader);
  void read_operator(JsonReader& reader, const Place& place, TemplateStep& step);
  void read_attributes(JsonReader& reader, const Place& place, TemplateStep& step);
  void read_activation(JsonReader& reader, const Place& place, TemplateStep& step);
  void read_call(JsonReader& reader, const Place& place, TemplateStep& step);
  void read_repeat(JsonReader& reader, const Place& place, TemplateStep& step);
  void read_if(JsonReader& reader, const Place& place, TemplateStep& step);
  void read_switch(JsonReader& reader, const Place& place, TemplateStep& step);
  std::optional<Value> read_case(JsonReader& reader, const std::string& key, const TemplateStep& step);
  void read_let(JsonReader& reader, const Place& place, TemplateStep& step);
  void read_from(JsonReader& reader, const Place& place, TemplateStep& step);
  void read_as(JsonReader& reader, const Place& place, TemplateStep& step);
  void read_formats(JsonReader& reader, const Scope& scope, Expr& weights, Expr& activations);
  std::optional<TensorRef> tensor(JsonReader& reader, const std::string& key, const std::string& text,
                                  const Place& place, bool declares);

  Expr compile(JsonReader& reader, const std::string& key, const Scope& scope, Type type, bool required = true);
  // Notes an unfit or reserved name.
  bool usable_name(JsonReader& reader, const std::string& key, const std::string& name);

  JsonDocument& document_;
  Expressions& pool_;
  const Scope& globals_;
  NetworkTemplate template_;
  std::vector<std::string> names_;  // of the blocks, in the order of template_.blocks_
  std::vector<Header> headers_;
  std::uint32_t network_ = no_slot;  // the place of the first among the blocks, once they are
  std::size_t steps_ = 0;
};

// Letters, digits and _, not beginning with a digit, and none of the language's own words. Empty when fit, else why
// not.
std::string unfit_name(const std::string& name);

}  // namespace ridgeline
