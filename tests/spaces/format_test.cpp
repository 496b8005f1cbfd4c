#include "spaces/format.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "spaces/config_error.hpp"
#include "spaces/network.hpp"
#include "spaces/rng.hpp"
#include "tests/spaces/random_network.hpp"

namespace ridgeline {
namespace {

using test::conv;
using test::make;

std::vector<std::string> every_format() {
  std::vector<std::string> blocked, others{"binary", "ternary"};
  for (int bits = 2; bits <= 16; ++bits) blocked.push_back(fmt::format("int{}", bits));
  for (int exponent = 1; exponent <= 8; ++exponent) {
    for (int mantissa = 0; mantissa <= 10; ++mantissa) {
      blocked.push_back(fmt::format("e{}m{}", exponent, mantissa));
    }
  }
  for (int bits = 1; bits <= 16; ++bits) others.push_back(fmt::format("uint{}", bits));
  for (int bits = 2; bits <= 8; ++bits) others.push_back(fmt::format("pot{}", bits));
  std::vector<std::string> formats{"f32", "f16", "bf16"};
  for (const std::vector<std::string>& bases : {blocked, others}) {
    for (const std::string& base : bases) {
      for (const char* granularity : {"", "@channel", "@group1", "@group32", "@group65535"})
        formats.push_back(base + granularity);
    }
  }
  for (const std::string& base : blocked) {
    for (const char* granularity : {"@mx1", "@mx32", "@mx65535"}) formats.push_back(base + granularity);
  }
  return formats;
}

TEST(Format, TextRoundTrips) {
  std::vector<Format> seen;
  for (const std::string& text : every_format()) {
    const Format format = Format::parse(text);
    ASSERT_EQ(format.text(), text);
    ASSERT_EQ(Format::parse(format.text()), format);
    for (const Format& other : seen) ASSERT_FALSE(other == format) << text << " and " << other.text();
    seen.push_back(format);
  }
}

TEST(Format, ParsesFields) {
  const Format e4m3 = Format::parse("e4m3@group32");
  EXPECT_EQ(e4m3.kind, Format::Kind::minifloat);
  EXPECT_EQ(e4m3.width_bits, 8);
  EXPECT_EQ(e4m3.exponent_bits, 4);
  EXPECT_EQ(e4m3.granularity, Format::Granularity::group);
  EXPECT_EQ(e4m3.group_size, 32);
  EXPECT_EQ(Format::parse("f32"), f32);
  EXPECT_EQ(Format::parse("bf16"), bf16);
  EXPECT_EQ(Format::parse("int8"), int8);
  EXPECT_EQ(Format::parse("int8@tensor"), int8);
  EXPECT_EQ(Format::parse("uint4").kind, Format::Kind::unsigned_integer);
  EXPECT_FALSE(Format::parse("f16").is_quantized());
  EXPECT_TRUE(Format::parse("e5m2").is_quantized());
}

TEST(Format, BlockFormatsHaveNames) {
  for (const auto& [name, meaning] : std::vector<std::pair<const char*, const char*>>{{"mxfp8", "e4m3@mx32"},
                                                                                      {"mxfp8e4m3", "e4m3@mx32"},
                                                                                      {"mxfp8e5m2", "e5m2@mx32"},
                                                                                      {"mxfp6", "e3m2@mx32"},
                                                                                      {"mxfp6e3m2", "e3m2@mx32"},
                                                                                      {"mxfp6e2m3", "e2m3@mx32"},
                                                                                      {"mxfp4", "e2m1@mx32"},
                                                                                      {"mxint8", "int8@mx32"},
                                                                                      {"bfp4@16", "int4@mx16"},
                                                                                      {"bfp16@1", "int16@mx1"},
                                                                                      {"bfp2@65535", "int2@mx65535"}}) {
    const Format format = Format::parse(name);
    EXPECT_EQ(format.text(), meaning);
    EXPECT_EQ(format, Format::parse(meaning));
    EXPECT_EQ(format.granularity, Format::Granularity::mx);
  }
}

TEST(Format, WidthsOfElements) {
  EXPECT_EQ(Format::parse("binary").width_bits, 1);
  EXPECT_EQ(Format::parse("ternary").width_bits, 2);
  EXPECT_EQ(Format::parse("pot5").width_bits, 5);
  EXPECT_EQ(Format::parse("mxfp6").width_bits, 6);
  EXPECT_EQ(Format::parse("mxfp6").group_size, 32);
  EXPECT_TRUE(Format::parse("ternary").is_quantized());
}

// Stored hashes of formats are made of these numbers.
TEST(Format, KindsKeepTheirNumbers) {
  const auto number = [](auto enumerator) { return static_cast<int>(enumerator); };
  EXPECT_EQ(number(Format::Kind::f32), 0);
  EXPECT_EQ(number(Format::Kind::minifloat), 5);
  EXPECT_EQ(number(Format::Kind::power_of_two), 6);
  EXPECT_EQ(number(Format::Kind::ternary), 8);
  EXPECT_EQ(number(Format::Granularity::group), 2);
  EXPECT_EQ(number(Format::Granularity::mx), 3);
}

TEST(EffectiveBits, CountScalesAndZeroPoints) {
  const auto bits = [](const char* format, std::int64_t rows, std::int64_t row_length) {
    return effective_bits(Format::parse(format), rows, row_length);
  };
  EXPECT_EQ(bits("f32", 3, 5), 32.0);
  EXPECT_EQ(bits("bf16", 3, 5), 16.0);
  EXPECT_EQ(bits("mxfp4", 8, 64), 4.25);
  EXPECT_EQ(bits("mxfp6", 8, 64), 6.25);
  EXPECT_EQ(bits("mxfp6e2m3", 8, 64), 6.25);
  EXPECT_EQ(bits("mxfp8", 8, 64), 8.25);
  EXPECT_EQ(bits("mxint8", 8, 64), 8.25);
  EXPECT_EQ(bits("bfp4@16", 8, 64), 4.5);
  EXPECT_EQ(bits("int4@group32", 8, 64), 5.0);
  EXPECT_EQ(bits("e2m1@group32", 8, 64), 5.0);
  EXPECT_EQ(bits("uint4@group32", 8, 64), 4.0 + 36.0 / 32.0);
  EXPECT_EQ(bits("uint4@group128", 8, 256), 4.28125);
  EXPECT_EQ(bits("int8", 4, 16), 8.5);
  EXPECT_EQ(bits("int8@channel", 4, 16), 10.0);
  EXPECT_EQ(bits("uint8@channel", 4, 16), 10.5);
  EXPECT_EQ(bits("binary@channel", 4, 64), 1.5);
  EXPECT_EQ(bits("ternary", 4, 16), 2.5);
  EXPECT_EQ(bits("pot4", 4, 16), 4.5);
}

TEST(EffectiveBits, TheLastGroupOfARowMayBeShorter) {
  EXPECT_EQ(scale_count(Format::parse("mxfp4"), 3, 33), 6);
  EXPECT_EQ(scale_count(Format::parse("mxfp4"), 3, 64), 6);
  EXPECT_EQ(scale_count(Format::parse("mxfp4"), 3, 65), 9);
  EXPECT_EQ(scale_count(Format::parse("int4@group7"), 2, 6), 2);
  EXPECT_EQ(scale_count(Format::parse("int4"), 3, 65), 1);
  EXPECT_EQ(scale_count(Format::parse("int4@channel"), 3, 65), 3);
  EXPECT_EQ(scale_count(bf16, 3, 65), 0);
  EXPECT_EQ(stored_bits(Format::parse("mxfp4"), 3, 33), 3 * 33 * 4 + 6 * 8);
  EXPECT_EQ(stored_bits(Format::parse("uint3@group32"), 3, 33), 3 * 33 * 3 + 6 * 35);
}

TEST(Format, RefusesWhatIsNoFormat) {
  for (const char* text : {"",
                           "f64",
                           "F32",
                           "int",
                           "int1",
                           "int0",
                           "int17",
                           "int008",
                           "int8 ",
                           " int8",
                           "int-8",
                           "uint0",
                           "uint17",
                           "e4",
                           "e4m",
                           "m3",
                           "e0m3",
                           "e9m2",
                           "e4m11",
                           "e4m3x",
                           "int8@",
                           "int8@group",
                           "int8@group0",
                           "int8@group65536",
                           "int8@group-1",
                           "int8@group32x",
                           "int8@row",
                           "int8@channel@tensor",
                           "f32@channel",
                           "bf16@tensor",
                           "f16@group8",
                           "int8@mx",
                           "int8@mx0",
                           "int8@mx65536",
                           "int8@mx32x",
                           "uint8@mx32",
                           "pot4@mx32",
                           "binary@mx32",
                           "ternary@mx32",
                           "bf16@mx32",
                           "pot",
                           "pot1",
                           "pot9",
                           "pot04",
                           "binary2",
                           "ternary2",
                           "Binary",
                           "mxfp8@channel",
                           "mxfp5",
                           "mxfp4e3m0",
                           "mxint4",
                           "bfp4",
                           "bfp4@",
                           "bfp1@16",
                           "bfp17@16",
                           "bfp4@mx16",
                           "bfp@16",
                           "int99999999999999999999"}) {
    try {
      const Format format = Format::parse(text);
      ADD_FAILURE() << "'" << text << "' was read as " << format.text();
    } catch (const ConfigError& error) {
      EXPECT_THAT(error.what(), testing::HasSubstr("a number format, found '" + std::string(text) + "'; known: f32"));
      EXPECT_THAT(error.what(), testing::HasSubstr("@mxN; mxfp8,"));
    }
  }
}

TEST(PrecisionPlan, UniformSetsConvolutionsAndMatrixProductsOnly) {
  Network network;
  const NodeId x = network.add_input({1, 4, 6, 6});
  const NodeId y = network.add(conv(4, 3), {x});
  const NodeId z = network.add(make(OpKind::relu), {y});
  const NodeId flat = network.add(make(OpKind::flatten), {z});
  const NodeId fc = network.add(test::linear(9), {flat});
  const NodeId product = network.add(make(OpKind::matmul), {z, z});
  network.mark_output(fc);
  const Format int4 = Format::parse("int4@channel");
  const PrecisionPlan plan = PrecisionPlan::uniform(network, int4, int8);
  ASSERT_EQ(plan.operators.size(), network.size());
  for (NodeId node = 0; node < network.size(); ++node) {
    const bool chosen = node == y || node == fc || node == product;
    EXPECT_EQ(plan.at(node), chosen ? (OperatorFormats{int4, int8}) : OperatorFormats{}) << node;
  }
  EXPECT_EQ(PrecisionPlan{}.at(3), OperatorFormats{});
}

TEST(StoredFormats, FollowReadersThroughOperatorsThatFollow) {
  Network network;
  const NodeId x = network.add_input({1, 4, 6, 6});
  const NodeId a = network.add(conv(4, 3), {x});
  const NodeId norm = network.add(make(OpKind::batch_norm), {a});
  const NodeId relu = network.add(make(OpKind::relu), {norm});
  const NodeId sum = network.add(make(OpKind::add), {relu, x});
  const NodeId b = network.add(conv(4, 1), {sum});
  const NodeId c = network.add(conv(4, 1), {b});
  network.mark_output(c);
  PrecisionPlan plan = PrecisionPlan::uniform(network, int8, int8);
  std::vector<Format> stored = stored_formats(network, plan);
  for (const NodeId node : {x, a, norm, relu, sum, b}) EXPECT_EQ(stored[node], int8) << node;
  EXPECT_EQ(stored[c], f32);  // it leaves the network

  plan.operators[b].activations = bf16;  // the sum and everything that only feeds it become wider
  stored = stored_formats(network, plan);
  for (const NodeId node : {x, a, norm, relu, sum}) EXPECT_EQ(stored[node], bf16) << node;
  EXPECT_EQ(stored[b], int8);
}

TEST(StoredFormats, TakeTheWidestReader) {
  const auto stored_for = [](const char* first, const char* second) {
    Network network;
    const NodeId x = network.add_input({1, 4, 6, 6});
    const NodeId y = network.add(make(OpKind::relu), {x});
    const NodeId a = network.add(conv(4, 1), {y});
    const NodeId b = network.add(conv(4, 1), {y});
    network.mark_output(network.add(make(OpKind::add), {a, b}));
    PrecisionPlan plan = PrecisionPlan::uniform(network, f32, f32);
    plan.operators[a].activations = Format::parse(first);
    plan.operators[b].activations = Format::parse(second);
    return stored_formats(network, plan)[y].text();
  };
  EXPECT_EQ(stored_for("int8", "int8"), "int8");
  EXPECT_EQ(stored_for("int8", "bf16"), "bf16");
  EXPECT_EQ(stored_for("int4", "int8"), "int8");
  EXPECT_EQ(stored_for("bf16", "f32"), "f32");
  EXPECT_EQ(stored_for("bf16", "f16"), "f32");
  EXPECT_EQ(stored_for("int8", "e4m3"), "f32");
  EXPECT_EQ(stored_for("int8", "uint8"), "f32");
  EXPECT_EQ(stored_for("int8", "int8@channel"), "f32");
}

TEST(StoredFormats, DoNotDependOnTheOrderOfReaders) {
  std::vector<std::string> readers{"bf16", "e4m3", "int8"};  // sorted
  do {
    Network network;
    const NodeId x = network.add_input({1, 4, 6, 6});
    PrecisionPlan plan;
    plan.operators.resize(4);
    for (std::size_t i = 0; i < readers.size(); ++i) {
      network.mark_output(network.add(conv(4, 1), {x}));
      plan.operators[i + 1].activations = Format::parse(readers[i]);
    }
    EXPECT_EQ(stored_formats(network, plan)[x], bf16);
  } while (std::next_permutation(readers.begin(), readers.end()));
}

TEST(StoredFormats, DeadReadersDoNotCount) {
  Network network;
  const NodeId x = network.add_input({1, 4, 6, 6});
  const NodeId y = network.add(make(OpKind::relu), {x});
  const NodeId live = network.add(conv(4, 1), {y});
  network.add(make(OpKind::gelu), {network.add(conv(4, 1), {y})});
  network.mark_output(live);
  PrecisionPlan plan;
  plan.operators.resize(live + 1);  // shorter than the network: the rest reads f32
  plan.operators[live] = {int8, int8};
  EXPECT_EQ(stored_formats(network, plan)[y], int8);
}

TEST(StoredFormats, AnOutputThatIsAlsoReadStaysWide) {
  Network network;
  const NodeId x = network.add_input({1, 4, 6, 6});
  const NodeId y = network.add(conv(4, 1), {x});
  const NodeId z = network.add(conv(4, 1), {y});
  network.mark_output(y);
  network.mark_output(z);
  const std::vector<Format> stored = stored_formats(network, PrecisionPlan::uniform(network, int8, int8));
  EXPECT_EQ(stored[x], int8);
  EXPECT_EQ(stored[y], f32);
}

// By the definition: collect what every reader asks for along every path of operators that follow, then take the
// widest. Formats of distinct widths are used, so the widest is unique.
TEST(StoredFormats, MatchTheDefinitionOnRandomNetworks) {
  const std::vector<Format> choices{Format::parse("int4"), int8, bf16, f32};
  for (std::uint64_t trial = 0; trial < 300; ++trial) {
    Rng rng(3, "stored", trial);
    const Network network = test::random_blueprint(rng, 4 + rng.below(14)).build();
    PrecisionPlan plan = PrecisionPlan::uniform(network, f32, f32);
    for (OperatorFormats& formats : plan.operators) formats.activations = choices[rng.below(choices.size())];
    const std::vector<NodeId> live = network.live_nodes();
    const std::set<NodeId> is_live(live.begin(), live.end());
    const std::set<NodeId> outputs(network.outputs().begin(), network.outputs().end());
    const std::function<int(NodeId)> widest = [&](NodeId node) {
      int bits = outputs.count(node) > 0 ? 32 : 0;
      for (const NodeId reader : network.consumers(node)) {
        if (is_live.count(reader) == 0) continue;
        const bool by_plan = network.op(reader).kind == OpKind::conv2d;
        bits = std::max(bits, by_plan ? int{plan.at(reader).activations.width_bits} : widest(reader));
      }
      return bits;
    };
    const std::vector<Format> stored = stored_formats(network, plan);
    for (NodeId node = 0; node < network.size(); ++node) {
      const int bits = is_live.count(node) > 0 ? widest(node) : 32;
      ASSERT_EQ(stored[node].width_bits, bits) << "trial " << trial << ", node " << node;
    }
  }
}

}  // namespace
}  // namespace ridgeline
