// The spaces that come with the program: they load, every sample decodes, and reference networks in them have the sizes
// that were published for them.
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <set>
#include <thread>
#include <vector>

#include "spaces/counts.hpp"
#include "spaces/network_parts.hpp"
#include "spaces/search_space.hpp"

namespace ridgeline {
namespace {

const std::string library = RIDGELINE_SOURCE_DIR "/spaces/library/";

SearchSpace load(const std::string& name) { return SearchSpace::load(library + name + ".json"); }

// The genome with the first choice everywhere but for what is given; repeated dimensions by their declared name.
Genome choose(const SearchSpace& space, const Json& choices) {
  Json full = Json::object();
  for (const Dimension& dimension : space.dims()) full[dimension.name] = dimension.choices.front();
  for (const auto& [name, choice] : choices.items()) {
    bool known = false;
    for (const Dimension& dimension : space.dims()) {
      if (dimension.name != name && dimension.name.substr(0, dimension.name.find('[')) != name) continue;
      full[dimension.name] = choice;
      known = true;
    }
    EXPECT_TRUE(known) << name;
  }
  return space.from_json(full);
}

TEST(Library, EverySpaceLoadsAndEverySampleDecodes) {
  std::set<std::string> names;
  for (const auto& entry : std::filesystem::directory_iterator(library)) {
    const std::string name = entry.path().stem();
    const SearchSpace space = load(name);
    EXPECT_EQ(space.name(), name) << "a file is called what it holds";
    EXPECT_FALSE(space.about().empty());
    names.insert(name);
    Rng rng(7, "library");
    for (int i = 0; i < 200; ++i) {
      const Genome genome = space.sample(rng);
      ASSERT_EQ(space.violation(genome), std::nullopt);
      const Design design = space.decode(genome);
      ASSERT_EQ(design.network.outputs().size(), network_parts(design.network).size());
      ASSERT_GT(macs(design.network), 0);
      ASSERT_EQ(space.from_json(space.describe(genome)), genome);
    }
  }
  for (const char* name :
       {"nasbench_macro", "nasbench201", "ofa_mobilenet_v3", "mobilenet_v2", "mobilenet_v2_mixed", "resnet"}) {
    EXPECT_TRUE(names.contains(name)) << name;
  }
}

// torchvision's mobilenet_v2: 3,504,872 parameters; its convolutions and linear layer make 300,774,272 MACs at 224x224.
TEST(Library, MobileNetV2HoldsTheOriginal) {
  const SearchSpace space = load("mobilenet_v2");
  Json choices = {{"resolution", 224}, {"width", 1}, {"kernel", 3}, {"expand", 6}};
  const int depths[] = {2, 3, 4, 3, 3};
  for (int stage = 0; stage < 5; ++stage) choices[fmt::format("depth[{}]", stage)] = depths[stage];
  const Design design = space.decode(choose(space, choices));
  EXPECT_EQ(parameters(design.network), 3'504'872);
  EXPECT_EQ(macs(design.network), 300'774'272);
}

// timm's resnet50d: 25,576,264 parameters. It is the ResNet-50 of torchvision (25,557,032) with a stem of three 3x3
// convolutions (28,768 parameters) for the 7x7 one (9,536).
TEST(Library, ResNetHoldsResNet50D) {
  const SearchSpace space = load("resnet");
  Json choices = {{"resolution", 224}, {"stem_block", true}, {"stem_width", 1}, {"width", 1}, {"expand", 0.25}};
  const int extra[] = {1, 2, 2, 1};  // 3, 4, 6, 3 blocks
  for (int stage = 0; stage < 4; ++stage) choices[fmt::format("depth[{}]", stage)] = extra[stage];
  const Design design = space.decode(choose(space, choices));
  EXPECT_EQ(parameters(design.network), 25'576'264);
  EXPECT_EQ(parameters(design.network), 25'557'032 - 9'536 + 28'768);
}

// The sizes of the spaces by the formula over their conditions.
TEST(Library, SizesAreAsPublished) {
  EXPECT_NEAR(load("nasbench_macro").log10_size(), std::log10(6561.0), 1e-12);
  EXPECT_NEAR(load("nasbench201").log10_size(), std::log10(15625.0), 1e-12);
  // "Over 10^19": five stages of 9^2 + 9^3 + 9^4 blocks, and 25 resolutions.
  EXPECT_NEAR(load("ofa_mobilenet_v3").log10_size(), 5 * std::log10(81.0 + 729.0 + 6561.0) + std::log10(25.0), 1e-9);
  // Blocks have 4 forms: depths 1-2, 1-3, 2-4, 1-3, 1-3; two widths, three resolutions.
  const double forms = 20.0 * 84.0 * 336.0 * 84.0 * 84.0 * 6.0;
  EXPECT_NEAR(load("mobilenet_v2").log10_size(), std::log10(forms), 1e-9);
  EXPECT_NEAR(load("mobilenet_v2_mixed").log10_size(), std::log10(forms) + 7 * std::log10(3.0), 1e-9);
  // Stages of 2+0..2, 2+0..2, 4+0..2, 2+0..2 blocks with 3 expansions; 6 widths of 3; the stem's block; 7 resolutions.
  const double short_stage = 9 + 27 + 81;
  const double long_stage = 81 + 243 + 729;
  EXPECT_NEAR(load("resnet").log10_size(), std::log10(std::pow(short_stage, 3) * long_stage * 729 * 2 * 7), 1e-9);
}

// Spaces are shared by worker threads: what they return does not depend on who else asks.
TEST(LibraryThreads, DecodingAtOnceIsDecodingInTurn) {
  const SearchSpace space = load("ofa_mobilenet_v3");
  constexpr std::size_t candidates = 200;
  std::vector<Genome> genomes;
  std::vector<std::uint64_t> in_turn;
  Rng rng(5, "threads");
  for (std::size_t i = 0; i < candidates; ++i) {
    genomes.push_back(space.sample(rng));
    in_turn.push_back(function_hash(space.decode(genomes.back())));
  }
  std::vector<std::uint64_t> at_once(candidates);
  std::vector<std::thread> threads;
  for (std::size_t t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      for (std::size_t i = t; i < candidates; i += 4) {
        if (space.violation(genomes[i])) continue;
        at_once[i] = function_hash(space.decode(space.from_json(space.describe(genomes[i]))));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(at_once, in_turn);
}

// A layer as a latency table sees it: the operator with its input's shape. The table is measured on the real machine,
// so there must not be too many.
TEST(Library, MobileNetV2HasFewDistinctLayers) {
  const SearchSpace space = load("mobilenet_v2");
  Rng rng(3, "layers");
  std::set<std::string> layers;
  for (int i = 0; i < 4000; ++i) {
    const Design design = space.decode(space.sample(rng));
    for (NodeId node = 0; node < design.network.size(); ++node) {
      const Op& op = design.network.op(node);
      if (op.kind != OpKind::conv2d && op.kind != OpKind::linear) continue;
      layers.insert(fmt::format("{} {} {} {} {} {}", name_of(op.kind), op.channels, op.kernel[0], op.stride[0],
                                op.groups, shape_text(design.network.shape(design.network.inputs(node)[0]))));
    }
  }
  RecordProperty("distinct_layers", static_cast<int>(layers.size()));
  EXPECT_GT(layers.size(), 300U);
  EXPECT_LT(layers.size(), 700U);
}

TEST(Library, MixedPrecisionReachesEveryPart) {
  const SearchSpace space = load("mobilenet_v2_mixed");
  Json choices = {{"format", "f32"}, {"format[0]", "bf16"}, {"format[1]", "int8"}, {"format[6]", "int8"}};
  const Design design = space.decode(choose(space, choices));
  const Network& net = design.network;
  std::vector<std::string> formats;
  for (NodeId node = 0; node < net.size(); ++node) {
    if (net.op(node).kind != OpKind::conv2d && net.op(node).kind != OpKind::linear) continue;
    const OperatorFormats at = design.precision.at(node);
    const std::string text = at.weights.text() + "/" + at.activations.text();
    if (formats.empty() || formats.back() != text) formats.push_back(text);
  }
  EXPECT_EQ(formats, (std::vector<std::string>{"bf16/bf16", "int8@channel/int8", "f32/f32", "int8@channel/int8"}));
  std::set<std::string> precision;
  for (const Dimension& dimension : space.dims()) {
    if (dimension.group == GeneGroup::precision) precision.insert(dimension.name);
  }
  EXPECT_EQ(precision.size(), 7U);
}

// The file that the language's description shows is one.
TEST(Library, TheExampleOfTheDescriptionLoads) {
  std::ifstream file(RIDGELINE_SOURCE_DIR "/spaces/LANGUAGE.md");
  const std::string text((std::istreambuf_iterator<char>(file)), std::istreambuf_iterator<char>());
  const std::size_t begin = text.find("```jsonc\n") + 9;
  const std::size_t end = text.find("```", begin);
  ASSERT_NE(end, std::string::npos);
  const SearchSpace space = SearchSpace::parse(JsonDocument::parse(text.substr(begin, end - begin), "LANGUAGE.md"));
  EXPECT_EQ(space.dims().size(), 2U + 6U + 1U);
  Rng rng(1);
  EXPECT_GT(parameters(space.decode(space.sample(rng)).network), 0);
}

TEST(Library, ParametersAdaptASpaceToATask) {
  const SearchSpace space =
      SearchSpace::load(library + "nasbench201.json", {.batch = 4, .parameters = {{"classes", 100}, {"cells", 1}}});
  const Design design = space.decode(*space.at(0));
  EXPECT_EQ(design.network.shape(design.network.outputs()[0]), (Shape{4, 100}));
  EXPECT_NE(space.fingerprint(), load("nasbench201").fingerprint());
}

}  // namespace
}  // namespace ridgeline
