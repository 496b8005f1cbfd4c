#include "experiments/data/font_catalogue.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <filesystem>
#include <set>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

namespace fs = std::filesystem;

struct PackageRow {
  const char* package;
  const char* folder;  // below /usr/share
  const char* prefix;  // of the file names that are used
};

// fonts-noto-core is not among them: Noto's Latin is Open Sans over again, and the rest of its 42 MB is other scripts.
constexpr PackageRow packages[] = {
    {"fonts-dejavu-core", "fonts/truetype/dejavu", "DejaVu"},
    {"fonts-dejavu-extra", "fonts/truetype/dejavu", "DejaVuSansCondensed"},
    {"fonts-liberation", "fonts/truetype/liberation", "Liberation"},
    {"fonts-urw-base35", "fonts/opentype/urw-base35", ""},
    {"fonts-texgyre", "texmf/fonts/opentype/public/tex-gyre", "texgyre"},
    {"fonts-lato", "fonts/truetype/lato", "Lato"},
    {"fonts-roboto-unhinted", "fonts/truetype/roboto/unhinted", "RobotoCondensed"},
    {"fonts-roboto-unhinted", "fonts/truetype/roboto/unhinted/RobotoTTF", "Roboto-"},
    {"fonts-roboto-slab", "fonts/opentype/roboto/slab", "RobotoSlab"},
    {"fonts-open-sans", "fonts/truetype/open-sans", "OpenSans"},
    {"fonts-cantarell", "fonts/opentype/cantarell", "Cantarell"},
    {"fonts-comfortaa", "fonts/truetype/comfortaa", "Comfortaa"},
    {"fonts-crosextra-carlito", "fonts/truetype/crosextra", "Carlito"},
    {"fonts-crosextra-caladea", "fonts/truetype/crosextra", "Caladea"},
    {"fonts-freefont-ttf", "fonts/truetype/freefont", "Free"},
    {"fonts-inconsolata", "fonts/truetype/inconsolata", "Inconsolata"},
    {"fonts-hack", "fonts/truetype/hack", "Hack"},
    {"fonts-linuxlibertine", "fonts/opentype/linux-libertine", "Lin"},
    {"fonts-sil-gentium", "fonts/truetype/gentium", "Gen"},
    {"fonts-sil-charis", "fonts/truetype/charis", "Charis"},
    {"fonts-sil-andika", "fonts/truetype/andika", "Andika"},
    {"fonts-ebgaramond", "fonts/opentype/ebgaramond", "EBGaramond"},
    {"fonts-cabin", "fonts/opentype/cabin", "Cabin"},
    {"fonts-oldstandard", "fonts/truetype/fonts-oldstandard", "OldStandard"},
    {"fonts-quattrocento", "fonts/opentype/quattrocento", "Quattrocento"},
    {"fonts-play", "fonts/opentype/play", "Play"},
    {"fonts-jura", "fonts/opentype/jura", "Jura"},
    {"fonts-karla", "fonts/truetype/karla", "Karla"},
    {"fonts-mononoki", "fonts/truetype/mononoki", "mononoki"},
    {"fonts-gfs-artemisia", "fonts/opentype/artemisia", "GFSArtemisia"},
    {"fonts-gfs-didot", "fonts/opentype/didot", "GFSDidot"},
    {"fonts-paratype", "fonts/truetype/paratype", "PT"},
    {"fonts-quicksand", "fonts/truetype/quicksand", "Quicksand"},
    {"fonts-courier-prime", "fonts/opentype/courier-prime", "Courier Prime"},
    {"fonts-dosis", "fonts/opentype/dosis", "Dosis"},
    {"fonts-adf-accanthis", "fonts/truetype/adf", "AccanthisADF"},
    {"fonts-adf-universalis", "fonts/truetype/adf", "UniversalisADF"},
    {"fonts-adf-berenis", "fonts/truetype/adf", "BerenisADF"},
    {"fonts-adf-gillius", "fonts/truetype/adf", "GilliusADF"},
    {"fonts-adf-libris", "fonts/truetype/adf", "LibrisADF"},
    {"fonts-adf-romande", "fonts/truetype/adf", "RomandeADF"},
    {"fonts-adf-switzera", "fonts/truetype/adf", "SwitzeraADF"},
    {"fonts-adf-verana", "fonts/truetype/adf", "Verana"},
    {"fonts-adf-tribun", "fonts/truetype/adf", "TribunADF"},
    {"fonts-opendyslexic", "fonts/opentype/opendyslexic", "OpenDyslexic"},
    {"fonts-yanone-kaffeesatz", "fonts/opentype/yanone-kaffeesatz", "YanoneKaffeesatz"},
    {"fonts-sora", "fonts/opentype/sora", "Sora"},
    {"fonts-b612", "fonts/opentype/b612", "B612"},
    {"fonts-comic-neue", "fonts/opentype/comic-neue", "ComicNeue"},
    {"fonts-stix", "fonts/opentype/stix", "STIX"},
    {"fonts-fanwood", "fonts/truetype/fanwood", "Fanwood"},
    {"fonts-prociono", "fonts/opentype/fonts-prociono", "Prociono"},
    {"fonts-clear-sans", "fonts/truetype/clear-sans", "ClearSans"},
    {"fonts-firacode", "fonts/truetype/firacode", "FiraCode"},
    {"fonts-jetbrains-mono", "fonts/truetype/jetbrains-mono", "JetBrainsMono"},
    {"fonts-vollkorn", "fonts/truetype/vollkorn", "Vollkorn"},
    {"fonts-manrope", "fonts/truetype/manrope", "Manrope"},
};

struct DesignRow {
  const char* prefix;  // of the family's name; the first that fits counts
  const char* design;
  TypefaceKind kind;
};

constexpr DesignRow designs[] = {
    {"DejaVu", "Vera", TypefaceKind::sans},
    {"Hack", "Vera", TypefaceKind::sans},
    {"Verana", "Vera", TypefaceKind::sans},
    {"Liberation", "Liberation", TypefaceKind::sans},
    {"Nimbus Sans", "Helvetica", TypefaceKind::sans},
    {"TeX Gyre Heros", "Helvetica", TypefaceKind::sans},
    {"FreeSans", "Helvetica", TypefaceKind::sans},
    {"Switzera", "Helvetica", TypefaceKind::sans},
    {"Nimbus Roman", "Times", TypefaceKind::serif},
    {"TeX Gyre Termes", "Times", TypefaceKind::serif},
    {"FreeSerif", "Times", TypefaceKind::serif},
    {"STIX", "Times", TypefaceKind::serif},
    {"Tribun", "Times", TypefaceKind::serif},
    {"Nimbus Mono", "Courier", TypefaceKind::mono},
    {"TeX Gyre Cursor", "Courier", TypefaceKind::mono},
    {"FreeMono", "Courier", TypefaceKind::mono},
    {"Courier", "Courier", TypefaceKind::mono},
    {"C059", "Schoolbook", TypefaceKind::serif},
    {"TeX Gyre Schola", "Schoolbook", TypefaceKind::serif},
    {"P052", "Palatino", TypefaceKind::serif},
    {"TeX Gyre Pagella", "Palatino", TypefaceKind::serif},
    {"URW Bookman", "Bookman", TypefaceKind::serif},
    {"TeX Gyre Bonum", "Bookman", TypefaceKind::serif},
    {"URW Gothic", "Avant Garde", TypefaceKind::sans},
    {"TeX Gyre Adventor", "Avant Garde", TypefaceKind::sans},
    {"Z003", "Chancery", TypefaceKind::script},
    {"TeX Gyre Chorus", "Chancery", TypefaceKind::script},
    {"Lato", "Lato", TypefaceKind::sans},
    {"Carlito", "Lato", TypefaceKind::sans},
    {"Roboto", "Roboto", TypefaceKind::sans},
    {"Open Sans", "Open Sans", TypefaceKind::sans},
    {"Noto", "Open Sans", TypefaceKind::sans},
    {"Linux", "Linux Libertine", TypefaceKind::serif},
    {"Gentium", "Gentium", TypefaceKind::serif},
    {"Charis", "Charis", TypefaceKind::serif},
    {"Caladea", "Caladea", TypefaceKind::serif},
    {"EB Garamond", "EB Garamond", TypefaceKind::serif},
    {"Old Standard", "Old Standard", TypefaceKind::serif},
    {"Quattrocento", "Quattrocento", TypefaceKind::serif},
    {"GFS", "GFS", TypefaceKind::serif},  // a face of Artemisia calls itself Didot
    {"Accanthis", "Accanthis", TypefaceKind::serif},
    {"Berenis", "Berenis", TypefaceKind::serif},
    {"Romande", "Romande", TypefaceKind::serif},
    {"Fanwood", "Fanwood", TypefaceKind::serif},
    {"Prociono", "Prociono", TypefaceKind::serif},
    {"Vollkorn", "Vollkorn", TypefaceKind::serif},
    {"PT ", "PT", TypefaceKind::sans},
    {"Inconsolata", "Inconsolata", TypefaceKind::mono},
    {"mononoki", "mononoki", TypefaceKind::mono},
    {"Fira", "Fira", TypefaceKind::mono},
    {"JetBrains", "JetBrains", TypefaceKind::mono},
    {"OpenDyslexic", "OpenDyslexic", TypefaceKind::sans},
    {"Clear Sans", "Clear Sans", TypefaceKind::sans},
    {"Quicksand", "Quicksand", TypefaceKind::sans},
    {"Gillius", "Gillius", TypefaceKind::sans},
    {"Universalis", "Universalis", TypefaceKind::sans},
    {"Libris", "Libris", TypefaceKind::sans},
    {"B612", "B612", TypefaceKind::sans},
};

std::vector<std::string> files_of(const PackageRow& row, const std::string& root) {
  std::vector<std::string> names;
  std::error_code error;
  for (fs::directory_iterator it(fs::path(root) / row.folder, error), end; !error && it != end; it.increment(error)) {
    const std::string name = it->path().filename().string();
    const std::string extension = it->path().extension().string();
    if ((extension == ".ttf" || extension == ".otf") && name.starts_with(row.prefix)) {
      names.push_back((fs::path(row.folder) / name).string());
    }
  }
  std::sort(names.begin(), names.end());
  return names;
}

}  // namespace

const std::vector<std::string>& typeface_kind_names() {
  static const std::vector<std::string> names{"sans", "serif", "mono", "script"};
  return names;
}

TypefaceDesign design_of(std::string_view family) {
  for (const DesignRow& row : designs) {
    if (family.starts_with(row.prefix)) return {row.design, row.kind};
  }
  return {std::string(family), TypefaceKind::sans};
}

std::vector<FontFile> find_fonts(const std::string& root) {
  std::vector<FontFile> files;
  std::vector<std::string> missing;
  std::set<std::string> seen;  // two packages may share a folder and a prefix
  for (const PackageRow& row : packages) {
    const std::vector<std::string> names = files_of(row, root);
    if (names.empty() && (missing.empty() || missing.back() != row.package)) missing.emplace_back(row.package);
    for (const std::string& name : names) {
      if (seen.insert(name).second) files.push_back({(fs::path(root) / name).string(), row.package, name});
    }
  }
  if (!missing.empty()) {
    throw ConfigError({root, "", "the fonts that the glyphs are drawn from",
                       fmt::format("none of {} package{}", missing.size(), missing.size() == 1 ? "" : "s"),
                       fmt::format("apt-get install --no-install-recommends {}", fmt::join(missing, " "))});
  }
  return files;
}

}  // namespace ridgeline
