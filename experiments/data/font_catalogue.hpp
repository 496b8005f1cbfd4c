// The font packages of Debian that the glyphs data set is drawn from, and which typeface families are one design.
//
// Only files of this table are used, whatever else is installed, so that the same versions of these packages give the
// same data set on every machine.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace ridgeline {

enum class TypefaceKind : std::uint8_t { sans, serif, mono, script };
const std::vector<std::string>& typeface_kind_names();

// A design is a family with its relatives: "DejaVu Sans" and "DejaVu Serif", but also what was drawn after another
// family (Carlito after Lato) or revives the same original (Nimbus Roman, TeX Gyre Termes, FreeSerif).
struct TypefaceDesign {
  std::string name;
  TypefaceKind kind = TypefaceKind::sans;
};
// By the family's name; a family without relatives is a design of its own.
TypefaceDesign design_of(std::string_view family);

struct FontFile {
  std::string path;
  std::string package;
  std::string relative;  // to the root, for the manifest
};

// Every file of the table below `root` (/usr/share), in the table's order, then by name. Throws ConfigError naming the
// packages whose files are missing, and the command that installs them.
std::vector<FontFile> find_fonts(const std::string& root);

}  // namespace ridgeline
