// What the files of described devices have in common. Internal to hwmodels/.
#pragma once

#include <utility>

#include "spaces/json_reader.hpp"

namespace ridgeline {

// What `read` makes of the file's root, which has more keys than those that every device file begins with. Throws
// ConfigError with every problem of the file.
template <typename Read>
auto read_device_file(JsonDocument& document, Read&& read) {
  JsonReader root = document.root();
  root.integer("ridgeline_device", {.least = 1, .most = 1});
  root.string("model");
  root.any("derived");  // factors of derived numbers, for the reader and the tests
  auto device = std::forward<Read>(read)(root);
  root.finish();
  document.raise();
  return device;
}

}  // namespace ridgeline
