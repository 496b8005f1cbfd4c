#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <memory>

#include "experiments/data/array_files.hpp"
#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

struct CloseZip {
  void operator()(zip_t* zip) const { zip_discard(zip); }
};
struct CloseMember {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using Zip = std::unique_ptr<zip_t, CloseZip>;

// Reads in place: `bytes` must outlive what is returned.
Zip open_zip(std::string_view bytes, const std::string& origin) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  Zip zip(source != nullptr ? zip_open_from_source(source, ZIP_RDONLY, &error) : nullptr);
  const std::string message = zip_error_strerror(&error);
  zip_error_fini(&error);
  if (!zip) {
    if (source != nullptr) zip_source_free(source);
    throw ConfigError({origin, "", "an NPZ file (a zip file of NPY arrays)", fmt::format("'{}' from libzip", message),
                       "write it with numpy.savez"});
  }
  return zip;
}

}  // namespace

std::vector<std::string> npz_names(std::string_view bytes, const std::string& origin) {
  const Zip zip = open_zip(bytes, origin);
  std::vector<std::string> names;
  const zip_int64_t entries = zip_get_num_entries(zip.get(), 0);
  for (zip_int64_t i = 0; i < entries; ++i) {
    const char* raw = zip_get_name(zip.get(), static_cast<zip_uint64_t>(i), 0);
    const std::string name = raw != nullptr ? raw : "";
    if (name.ends_with(".npy")) names.push_back(name.substr(0, name.size() - 4));
  }
  std::sort(names.begin(), names.end());
  return names;
}

NumberArray parse_npz(std::string_view bytes, const std::string& name, const std::string& origin) {
  const Zip zip = open_zip(bytes, origin);
  zip_stat_t stat;
  zip_stat_init(&stat);
  if (zip_stat(zip.get(), (name + ".npy").c_str(), 0, &stat) != 0) {
    const std::vector<std::string> names = npz_names(bytes, origin);
    throw ConfigError({origin, "", fmt::format("an array '{}'", name), "none", known_words(name, names)});
  }
  const std::string place = fmt::format("{}:{}", origin, name);
  // Deflate makes at most 1032 bytes of one: a size beyond that is a lie, and is not allocated.
  if ((stat.valid & ZIP_STAT_SIZE) == 0 || stat.size / 1032 > bytes.size()) {
    throw ConfigError({place, "size", fmt::format("what {} bytes can hold", bytes.size()), std::to_string(stat.size),
                       "the file is damaged; write it again"});
  }
  std::string text(stat.size, '\0');
  const std::unique_ptr<zip_file_t, CloseMember> file(zip_fopen_index(zip.get(), stat.index, 0));
  const zip_int64_t got = file ? zip_fread(file.get(), text.data(), text.size()) : -1;
  if (got < 0 || static_cast<std::size_t>(got) != text.size()) {
    throw ConfigError({place, "", fmt::format("{} bytes", text.size()),
                       file ? "fewer, or damaged ones" : zip_error_strerror(zip_get_error(zip.get())),
                       "the file is damaged or encrypted; write it again"});
  }
  return parse_npy(text, place);
}

}  // namespace ridgeline
