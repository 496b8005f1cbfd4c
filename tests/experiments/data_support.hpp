// Hand-made bytes of data files.
#pragma once

#include <zip.h>
#include <zlib.h>

#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>

#include "tests/experiments/support.hpp"

namespace ridgeline::testing {

inline std::string bytes(std::initializer_list<int> values) {
  std::string text;
  for (const int v : values) text += static_cast<char>(v);
  return text;
}

// IDX written out by hand, so that the project's own writer is not its own judge.
inline std::string idx(int type, std::initializer_list<int> dims, const std::string& values) {
  std::string text = bytes({0, 0, type, static_cast<int>(dims.size())});
  for (const int n : dims) text += bytes({0, 0, n / 256, n % 256});
  return text + values;
}

inline std::string npy(const std::string& descr, const std::string& shape, const std::string& values) {
  std::string header = "{'descr': '" + descr + "', 'fortran_order': False, 'shape': " + shape + ", }";
  while ((10 + header.size() + 1) % 64 != 0) header += ' ';
  header += '\n';
  return "\x93NUMPY" + bytes({1, 0, static_cast<int>(header.size() % 256), static_cast<int>(header.size() / 256)}) +
         header + values;
}

template <typename T>
std::string raw_values(std::initializer_list<T> values) {
  std::string text(values.size() * sizeof(T), '\0');
  std::memcpy(text.data(), std::data(values), text.size());
  return text;
}

inline void write_gzip(const std::string& path, const std::string& text) {
  const gzFile file = gzopen(path.c_str(), "wb");
  gzwrite(file, text.data(), static_cast<unsigned>(text.size()));
  gzclose(file);
}

inline void write_zip(const std::string& path, const std::vector<std::pair<std::string, std::string>>& members) {
  int error = 0;
  zip_t* zip = zip_open(path.c_str(), ZIP_CREATE | ZIP_TRUNCATE, &error);
  for (const auto& [name, text] : members) {
    zip_file_add(zip, name.c_str(), zip_source_buffer(zip, text.data(), text.size(), 0), ZIP_FL_ENC_UTF_8);
  }
  zip_close(zip);
}

}  // namespace ridgeline::testing
