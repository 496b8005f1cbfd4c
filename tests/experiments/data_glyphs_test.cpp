// The built-in data set: what is drawn from what, that it is the same each time, and that nothing is left half-written.
#include "experiments/data/glyphs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <set>

#include "experiments/data/face_filter.hpp"
#include "experiments/data/image_codec.hpp"
#include "experiments/whole_file.hpp"
#include "tests/experiments/support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

std::string missing_fonts() {
  return what_of([] { find_fonts("/usr/share"); });
}

GlyphOptions few(std::uint64_t seed = 1) {
  GlyphOptions options;
  options.seed = seed;
  options.train = 470;
  options.validation = 94;
  options.test = 100;
  return options;
}

class GlyphsTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (const std::string missing = missing_fonts(); !missing.empty()) GTEST_SKIP() << missing;
  }
  std::map<std::string, std::string> files(const std::string& folder) const {
    std::map<std::string, std::string> found;
    for (const auto& entry : fs::directory_iterator(scratch_.path(folder))) {
      found[entry.path().filename().string()] = read_whole_file(entry.path().string());
    }
    return found;
  }
  std::size_t entries() const {
    return static_cast<std::size_t>(std::distance(fs::directory_iterator(scratch_.path("")), fs::directory_iterator()));
  }
  Scratch scratch_;
};

TEST_F(GlyphsTest, TheSameBytesForAnyNumberOfThreads) {
  GlyphOptions options = few();
  options.threads = 1;
  make_glyphs(options, scratch_.path("one"));
  options.threads = 3;
  make_glyphs(options, scratch_.path("three"));
  EXPECT_EQ(files("one"), files("three"));
  make_glyphs(few(2), scratch_.path("other"));
  EXPECT_NE(files("one").at("train-images.idx3-ubyte"), files("other").at("train-images.idx3-ubyte"));
}

TEST_F(GlyphsTest, WhatIsMadeIsAWholeDataSet) {
  const GlyphManifest manifest = make_glyphs(few(), scratch_.path("set"));
  const Dataset dataset = load_dataset(scratch_.path("set"));
  EXPECT_EQ(dataset.name, "glyphs");
  ASSERT_EQ(dataset.class_names.size(), 47U);
  EXPECT_EQ(dataset.class_names[10], "A");
  EXPECT_EQ(dataset.class_names[46], "t");
  EXPECT_EQ(dataset.train.size(), 470U);
  EXPECT_EQ(dataset.train.fingerprint(), manifest.fingerprints[0]);
  EXPECT_EQ(dataset.validation.fingerprint(), manifest.fingerprints[1]);
  EXPECT_EQ(load_test_split(scratch_.path("set")).fingerprint(), manifest.fingerprints[2]);
  for (const std::size_t n : class_counts(dataset.train, 47)) EXPECT_EQ(n, 10U);
  for (const std::size_t n : class_counts(load_test_split(scratch_.path("set")), 47)) EXPECT_TRUE(n == 2 || n == 3);
  EXPECT_GT(decode_image(read_whole_file(scratch_.path("set/sheet.png")), "sheet").shape.height, 47 * 32);
  const Json json = JsonDocument::load(scratch_.path("set/manifest.json")).value();
  EXPECT_EQ(json.at("freetype"), freetype_version());
  for (const Json& face : json.at("faces")) {
    EXPECT_EQ(face.at("hash").get<std::string>().size(), 16U);
    EXPECT_NE(face.at("family"), "");
  }
}

TEST_F(GlyphsTest, NoTypefaceIsInTwoSplits) {
  for (const std::uint64_t seed : {1U, 2U, 3U}) {
    std::map<std::string, std::set<GlyphSplit>> designs, families;
    std::set<std::uint64_t> hashes;
    std::map<GlyphSplit, std::set<std::string>> splits;
    for (const GlyphFace& face : glyph_faces(few(seed))) {
      if (!face.left_out.empty()) continue;
      designs[face.design.name].insert(face.split);
      families[face.family].insert(face.split);
      splits[face.split].insert(face.design.name);
      EXPECT_TRUE(hashes.insert(face.hash).second) << face.file << " is there twice";
    }
    for (const auto& [name, where] : designs) EXPECT_EQ(where.size(), 1U) << name;
    for (const auto& [name, where] : families) EXPECT_EQ(where.size(), 1U) << name;
    EXPECT_GE(splits[GlyphSplit::train].size(), 25U);
    EXPECT_GE(splits[GlyphSplit::validation].size(), 4U);
    EXPECT_GE(splits[GlyphSplit::test].size(), 8U);
  }
}

TEST_F(GlyphsTest, SymbolsAndSmallCapitalsAreLeftOut) {
  std::map<std::string, std::string> reasons;
  for (const GlyphFace& face : glyph_faces(few())) reasons[fs::path(face.file).stem().string()] = face.left_out;
  EXPECT_THAT(reasons.at("D050000L"), HasSubstr("look like"));  // dingbats
  EXPECT_NE(reasons.at("StandardSymbolsPS"), "");
  EXPECT_NE(reasons.at("LinBiolinum_K"), "");  // letters on keys
  EXPECT_THAT(reasons.at("STIXSizeOneSym-Regular"), HasSubstr("character map"));
  EXPECT_THAT(reasons.at("RomandeADFStyleStd-Regular"), HasSubstr("small capitals"));
  EXPECT_THAT(reasons.at("Dosis-Book"), AllOf(HasSubstr("'0' and 'O'"), HasSubstr("one shape")));
  for (const char* plain :
       {"DejaVuSans", "LiberationSerif-Italic", "Lato-Hairline", "C059-Bold", "RobotoCondensed-Light"}) {
    EXPECT_EQ(reasons.at(plain), "") << plain;
  }
}

TEST_F(GlyphsTest, AcceptedFacesHaveInkAndNoLetterTwice) {
  const std::string root = "/usr/share";
  for (const GlyphFace& face : glyph_faces(few())) {
    if (!face.left_out.empty()) continue;
    const auto font = read_face(read_whole_file(root + "/" + face.file));
    ASSERT_TRUE(font.has_value());
    const auto shapes = face_shapes(*font);
    std::set<std::vector<std::uint8_t>> different(shapes.begin(), shapes.end());
    EXPECT_EQ(different.size(), glyph_characters.size()) << face.file;
    EXPECT_FALSE(different.contains(std::vector<std::uint8_t>(24 * 24))) << face.file;
  }
}

TEST_F(GlyphsTest, ARectangleForEveryLetterIsNoFont) {
  auto font = read_face(read_whole_file("/usr/share/fonts/truetype/dejavu/DejaVuSans.ttf"));
  ASSERT_TRUE(font.has_value());
  FontFace boxes = *font, blank = *font;
  for (GlyphOutline& outline : boxes.outlines) outline = font->outlines[glyph_characters.find('I')];
  blank.outlines[5] = {};
  const auto reasons = reasons_against({{&*font, "a"}, {&boxes, "b"}, {&blank, "c"}});
  EXPECT_EQ(reasons[0], "");
  EXPECT_THAT(reasons[1], HasSubstr("'0' and '1' have one shape"));
  EXPECT_EQ(reasons[2], "'5' is empty");
}

TEST_F(GlyphsTest, NothingHalfWrittenAndNothingOfOthersReplaced) {
  std::atomic<bool> stop{true};
  EXPECT_THROW(make_glyphs(few(), scratch_.path("set"), {}, &stop), StoppedEarly);
  stop = false;
  const DataProgress interrupt = [&](const std::string& phase, std::size_t, std::size_t) {
    if (phase == "drawing validation") stop = true;
  };
  EXPECT_THROW(make_glyphs(few(), scratch_.path("set"), interrupt, &stop), StoppedEarly);
  EXPECT_EQ(entries(), 0U);
  make_glyphs(few(), scratch_.path("set/"));
  make_glyphs(few(2), scratch_.path("set"));  // its own may be replaced
  EXPECT_EQ(entries(), 1U);
  fs::create_directories(scratch_.path("mine"));
  scratch_.write("mine/thesis.txt", "years of work");
  EXPECT_THAT(what_of([&] { make_glyphs(few(), scratch_.path("mine")); }),
              AllOf(HasSubstr("mine"), HasSubstr("also holds"), HasSubstr("another name")));
  EXPECT_THAT(what_of([&] { make_glyphs(few(), scratch_.path("mine/thesis.txt")); }), HasSubstr("a file"));
  EXPECT_THAT(what_of([&] { make_glyphs(few(), scratch_.path("no/where")); }), HasSubstr("make the folder first"));
  EXPECT_THAT(what_of([&] { make_glyphs(few(), "/proc/glyphs"); }), HasSubstr("a folder that can be written"));
  EXPECT_EQ(entries(), 2U);
  GlyphOptions none = few();
  none.test = 0;
  EXPECT_THAT(what_of([&] { make_glyphs(none, scratch_.path("none")); }), AllOf(HasSubstr("--test"), HasSubstr("47")));
}

TEST(GlyphFonts, MissingPackagesAreNamed) {
  const Scratch scratch;
  GlyphOptions options = few();
  options.fonts = scratch.path("");
  const std::string message = what_of([&] { make_glyphs(options, scratch.path("set")); });
  EXPECT_THAT(message, AllOf(HasSubstr("apt-get install"), HasSubstr("fonts-dejavu-core fonts-dejavu-extra"),
                             HasSubstr("fonts-manrope")));
  EXPECT_FALSE(fs::exists(scratch.path("set")));
}

// What setup.sh installs is what the catalogue asks for.
TEST(GlyphFonts, SetupInstallsEveryPackage) {
  const Scratch scratch;
  const std::string message = what_of([&] { find_fonts(scratch.path("")); });
  const std::string setup = read_whole_file(std::string(RIDGELINE_SOURCE_DIR) + "/scripts/setup.sh");
  std::istringstream words(message.substr(message.find("recommends ") + 11));
  int packages = 0;
  for (std::string word; words >> word; ++packages) EXPECT_THAT(setup, HasSubstr(word));
  EXPECT_GT(packages, 50);
}

TEST(GlyphFonts, RelativesAreOneDesign) {
  EXPECT_EQ(design_of("DejaVu Sans").name, design_of("DejaVu Sans Mono").name);
  EXPECT_EQ(design_of("Noto Sans").name, design_of("Noto Sans Display").name);
  EXPECT_EQ(design_of("Carlito").name, design_of("Lato").name);
  EXPECT_EQ(design_of("FreeSerif").name, design_of("Nimbus Roman").name);
  EXPECT_NE(design_of("Liberation Sans").name, design_of("Open Sans").name);
  EXPECT_EQ(design_of("Something New").name, "Something New");
}

TEST(GlyphFonts, WhatIsNoFontIsNone) {
  EXPECT_FALSE(read_face("hello").has_value());
  EXPECT_FALSE(read_face("").has_value());
}

}  // namespace
}  // namespace ridgeline::testing
