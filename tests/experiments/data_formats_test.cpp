// Every format from bytes written by hand, and every way in which they can be wrong.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "experiments/data/array_files.hpp"
#include "experiments/data/image_codec.hpp"
#include "experiments/data/split_reader.hpp"
#include "experiments/whole_file.hpp"
#include "tests/experiments/data_support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const std::vector<std::uint8_t>& u8(const NumberArray& array) {
  return std::get<std::vector<std::uint8_t>>(array.values);
}
const std::vector<std::uint8_t>& u8(const PixelArray& pixels) {
  return std::get<std::vector<std::uint8_t>>(pixels.values);
}

TEST(DataIdx, EveryTypeAndRank) {
  const NumberArray images = parse_idx(idx(8, {2, 1, 3}, bytes({1, 2, 3, 4, 5, 255})), "x");
  EXPECT_THAT(images.dims, ElementsAre(2, 1, 3));
  EXPECT_THAT(u8(images), ElementsAre(1, 2, 3, 4, 5, 255));
  const NumberArray four = parse_idx(idx(8, {1, 1, 2, 2}, bytes({1, 2, 3, 4})), "x");
  EXPECT_EQ(four.dims.size(), 4U);
  EXPECT_THAT(std::get<1>(parse_idx(idx(0x0D, {2}, bytes({0x3f, 0x80, 0, 0, 0xc0, 0, 0, 0})), "x").values),
              ElementsAre(1.0F, -2.0F));
  EXPECT_THAT(std::get<1>(parse_idx(idx(0x0E, {1}, bytes({0x3f, 0xf8, 0, 0, 0, 0, 0, 0})), "x").values),
              ElementsAre(1.5F));
  EXPECT_THAT(std::get<2>(parse_idx(idx(0x09, {2}, bytes({255, 7})), "x").values), ElementsAre(-1, 7));
  EXPECT_THAT(std::get<2>(parse_idx(idx(0x0B, {2}, bytes({255, 254, 1, 0})), "x").values), ElementsAre(-2, 256));
  EXPECT_THAT(std::get<2>(parse_idx(idx(0x0C, {1}, bytes({0, 1, 0, 0})), "x").values), ElementsAre(65536));
}

TEST(DataIdx, WhatIsWrittenIsRead) {
  const std::vector<std::uint8_t> values{9, 8, 7, 6, 5, 4};
  EXPECT_EQ(idx_bytes({1, 2, 3}, values), idx(8, {1, 2, 3}, bytes({9, 8, 7, 6, 5, 4})));
}

TEST(DataIdx, RefusesWhatIsWrong) {
  const auto refusal = [](const std::string& text) { return what_of([&] { parse_idx(text, "a.idx"); }); };
  EXPECT_THAT(refusal(""), AllOf(HasSubstr("a.idx: magic number"), HasSubstr("0 bytes")));
  EXPECT_THAT(refusal("\x89PNG1234"), AllOf(HasSubstr("magic number"), HasSubstr("0x89504e47"), HasSubstr("format")));
  EXPECT_THAT(refusal(bytes({0, 0, 8, 5, 0, 0, 0, 0})), HasSubstr("1 to 4 dimensions"));
  EXPECT_THAT(refusal(bytes({0, 0, 8, 3, 0, 0})), AllOf(HasSubstr("header"), HasSubstr("16 bytes")));
  EXPECT_THAT(refusal(idx(8, {2, 2, 2}, "1234567")),
              AllOf(HasSubstr("[2, 2, 2]"), HasSubstr("7 bytes"), HasSubstr("cut")));
  EXPECT_THAT(refusal(idx(8, {1}, "12")), HasSubstr("2 bytes after the header"));
}

// 2^96 values would overflow, 2^40 would not fit into memory: neither is allocated.
TEST(DataIdx, AHugeDeclaredSizeIsNotAllocated) {
  const std::string huge = bytes({0, 0, 8, 3, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1});
  EXPECT_THAT(what_of([&] { parse_idx(huge, "a"); }), HasSubstr("1 bytes after the header"));
  const std::string large = bytes({0, 0, 8, 2, 0, 16, 0, 0, 0, 16, 0, 0, 1});
  EXPECT_THAT(what_of([&] { parse_idx(large, "a"); }), HasSubstr("length"));
}

TEST(DataNpy, TypesAndShapes) {
  const NumberArray images = parse_npy(npy("|u1", "(1, 2, 3)", "abcdef"), "x");
  EXPECT_THAT(images.dims, ElementsAre(1, 2, 3));
  EXPECT_THAT(u8(images), ElementsAre('a', 'b', 'c', 'd', 'e', 'f'));
  EXPECT_THAT(std::get<1>(parse_npy(npy("<f4", "(2,)", raw_values<float>({0.5F, -2.0F})), "x").values),
              ElementsAre(0.5F, -2.0F));
  EXPECT_THAT(std::get<1>(parse_npy(npy("<f8", "(1,)", raw_values<double>({0.25})), "x").values), ElementsAre(0.25F));
  EXPECT_THAT(std::get<2>(parse_npy(npy("<i8", "(2, 1)", raw_values<std::int64_t>({3, -4})), "x").values),
              ElementsAre(3, -4));
  EXPECT_THAT(std::get<2>(parse_npy(npy("|i1", "(2,)", bytes({255, 5})), "x").values), ElementsAre(-1, 5));
  EXPECT_THAT(std::get<2>(parse_npy(npy("<i2", "(1,)", raw_values<std::int16_t>({-5})), "x").values), ElementsAre(-5));
  EXPECT_EQ(parse_npy(npy("|u1", "()", "a"), "x").dims.size(), 0U);
}

TEST(DataNpy, WhatIsWrittenIsReadAgain) {
  const std::vector<float> values{0.5F, -2.0F, 3.25F, 0.0F, 1e-30F, 7.0F};
  for (const std::size_t columns : {1U, 2U, 3U}) {
    const std::string written = npy_bytes(values, columns);
    EXPECT_EQ((written.size() - values.size() * sizeof(float)) % 64, 0U);
    const NumberArray read = parse_npy(written, "x");
    EXPECT_THAT(read.dims, ElementsAre(6 / columns, columns));
    EXPECT_EQ(std::get<1>(read.values), values);
  }
}

TEST(DataNpy, RefusesWhatIsWrong) {
  const auto refusal = [](const std::string& text) { return what_of([&] { parse_npy(text, "a.npy"); }); };
  EXPECT_THAT(refusal("hello"), AllOf(HasSubstr("a.npy: magic number"), HasSubstr("numpy.save")));
  EXPECT_THAT(refusal("\x93NUMPY\x01"), HasSubstr("header"));
  EXPECT_THAT(refusal("\x93NUMPY" + bytes({9, 0, 0, 0})), AllOf(HasSubstr("version"), HasSubstr("9")));
  EXPECT_THAT(refusal(npy(">f4", "(1,)", "1234")), AllOf(HasSubstr("descr"), HasSubstr(">f4"), HasSubstr("astype")));
  EXPECT_THAT(refusal(npy("|O", "(1,)", "12345678")), HasSubstr("|O"));
  EXPECT_THAT(refusal(npy("|u1", "(3, 4)", "abc")), AllOf(HasSubstr("[3, 4]"), HasSubstr("3 bytes")));
  EXPECT_THAT(refusal(npy("|u1", "(99999999999, 99999999999)", "abc")), HasSubstr("length"));
  EXPECT_THAT(refusal(npy("|u1", "(-1,)", "abc")), HasSubstr("header"));
  std::string fortran = npy("|u1", "(1,)", "a");
  fortran.replace(fortran.find("False"), 5, "True ");
  EXPECT_THAT(refusal(fortran), HasSubstr("ascontiguousarray"));
}

TEST(DataNpz, FindsItsArrays) {
  const Scratch scratch;
  write_zip(scratch.path("a.npz"), {{"x.npy", npy("|u1", "(2,)", "ab")}, {"y.npy", npy("|u1", "(1,)", "c")}});
  const std::string text = read_whole_file(scratch.path("a.npz"));
  EXPECT_THAT(npz_names(text, "a.npz"), ElementsAre("x", "y"));
  EXPECT_THAT(u8(parse_npz(text, "x", "a.npz")), ElementsAre('a', 'b'));
  EXPECT_THAT(what_of([&] { parse_npz(text, "z", "a.npz"); }), AllOf(HasSubstr("an array 'z'"), HasSubstr("x, y")));
  EXPECT_THAT(what_of([&] { parse_npz(text.substr(0, text.size() / 2), "x", "a.npz"); }),
              AllOf(HasSubstr("a.npz"), HasSubstr("libzip"), HasSubstr("savez")));
  std::string damaged = text;
  damaged[50] = static_cast<char>(damaged[50] ^ 1);
  EXPECT_NE(what_of([&] { parse_npz(damaged, "x", "a.npz"); }), "");
}

TEST(DataCifar, RecordsAndTheirLabels) {
  std::string record(1 + 3072, '\0');
  record[0] = 9;
  record[1] = 100;         // red of the first pixel
  record[1 + 1024] = 101;  // green
  record[1 + 3071] = 102;  // blue of the last
  const LabelledImages images = parse_cifar(record + record, {1, 10}, "x");
  EXPECT_EQ(images.size(), 2U);
  EXPECT_EQ(images.label(1), 9);
  EXPECT_EQ(images.shape(), (ImageShape{3, 32, 32}));
  EXPECT_EQ(u8(images.pixels())[0], 100);
  EXPECT_EQ(u8(images.pixels())[1024], 101);
  EXPECT_EQ(u8(images.pixels())[6143], 102);
  const LabelledImages fine = parse_cifar(bytes({19, 99}) + std::string(3072, '\1'), {2, 100}, "x");
  EXPECT_EQ(fine.label(0), 99);
  EXPECT_THAT(what_of([&] {
                parse_cifar(record.substr(1), {1, 10}, "b.bin");
              }),
              AllOf(HasSubstr("b.bin: length"), HasSubstr("3073"), HasSubstr("3072")));
  EXPECT_THAT(what_of([] { parse_cifar("", {1, 10}, "b.bin"); }), HasSubstr("length"));
  record[0] = 10;
  EXPECT_THAT(what_of([&] {
                parse_cifar(record, {1, 10}, "b.bin");
              }),
              AllOf(HasSubstr("label of record 0"), HasSubstr("0 to 9"), HasSubstr("10")));
}

TEST(DataPixels, LayoutsComeOutChannelsFirst) {
  const auto array = [](std::vector<std::size_t> dims) {
    NumberArray a;
    a.dims = std::move(dims);
    std::size_t n = 1;
    for (const std::size_t d : a.dims) n *= d;
    std::vector<std::uint8_t> values(n);
    for (std::size_t i = 0; i < n; ++i) values[i] = static_cast<std::uint8_t>(i);
    a.values = std::move(values);
    return a;
  };
  const PixelArray nhwc = to_pixels(array({2, 1, 2, 3}), PixelLayout::nhwc, "x");
  EXPECT_EQ(nhwc.shape, (ImageShape{3, 1, 2}));
  EXPECT_THAT(u8(nhwc), ElementsAre(0, 3, 1, 4, 2, 5, 6, 9, 7, 10, 8, 11));
  EXPECT_THAT(u8(to_pixels(array({1, 3, 1, 2}), PixelLayout::unstated, "x")), ElementsAre(0, 1, 2, 3, 4, 5));
  EXPECT_EQ(to_pixels(array({1, 4, 4, 3}), PixelLayout::unstated, "x").shape, (ImageShape{3, 4, 4}));
  EXPECT_EQ(to_pixels(array({5, 4, 2}), PixelLayout::unstated, "x").shape, (ImageShape{1, 4, 2}));
  EXPECT_THAT(what_of([&] {
                to_pixels(array({1, 3, 3, 3}), PixelLayout::unstated, "x");
              }),
              AllOf(HasSubstr("[1, 3, 3, 3]"), HasSubstr("\"layout\"")));
  EXPECT_THAT(what_of([&] { to_pixels(array({5}), PixelLayout::nchw, "x"); }), HasSubstr("file of the labels?"));
  EXPECT_THAT(what_of([&] { to_pixels(array({0, 2, 2}), PixelLayout::nchw, "x"); }), HasSubstr("at least one image"));
}

TEST(DataPixels, RefusesWhatIsNotFinite) {
  NumberArray array;
  array.dims = {2, 1, 2};
  array.values = std::vector<float>{0, 1, 2, std::numeric_limits<float>::quiet_NaN()};
  EXPECT_THAT(what_of([&] { to_pixels(array, PixelLayout::nchw, "x.npy"); }),
              AllOf(HasSubstr("x.npy"), HasSubstr("nan in image 1, value 1")));
  array.values = std::vector<std::int64_t>{0, 1, 2, 3};
  EXPECT_THAT(what_of([&] { to_pixels(array, PixelLayout::nchw, "x.npy"); }), HasSubstr("uint8"));
  array.dims = {4};
  EXPECT_THAT(to_labels(array, "x"), ElementsAre(0, 1, 2, 3));
  array.values = std::vector<std::int64_t>{0, -1, 2, 3};
  EXPECT_THAT(what_of([&] { to_labels(array, "y.npy"); }), AllOf(HasSubstr("y.npy"), HasSubstr("-1 for image 1")));
  array.values = std::vector<float>{0, 0.5F, 2, 3};
  EXPECT_THAT(what_of([&] { to_labels(array, "y.npy"); }), HasSubstr("0.5 for image 1"));
  array.dims = {2, 2};
  EXPECT_THAT(what_of([&] { to_labels(array, "y.npy"); }), HasSubstr("one-hot"));
}

TEST(DataImages, PngThereAndBack) {
  const std::vector<std::uint8_t> gray{0, 50, 100, 150, 200, 255};
  const PixelArray back = decode_image(encode_png(1, 2, 3, gray), "x.png");
  EXPECT_EQ(back.shape, (ImageShape{1, 2, 3}));
  EXPECT_EQ(u8(back), gray);
  const std::vector<std::uint8_t> colour{1, 2, 3, 4, 5, 6};  // two pixels
  const PixelArray planes = decode_image(encode_png(3, 1, 2, colour), "x.png");
  EXPECT_EQ(planes.shape, (ImageShape{3, 1, 2}));
  EXPECT_THAT(u8(planes), ElementsAre(1, 4, 2, 5, 3, 6));
}

// 8x8 pixels of gray 128: every coefficient is 0. Written by hand after ITU T.81.
std::string gray_jpeg() {
  std::string text = bytes({0xff, 0xd8, 0xff, 0xdb, 0, 67, 0}) + std::string(64, '\1');
  text += bytes({0xff, 0xc0, 0, 11, 8, 0, 8, 0, 8, 1, 1, 0x11, 0});                  // 8 bits, 8x8, one component
  text += bytes({0xff, 0xc4, 0, 20, 0, 1}) + std::string(15, '\0') + bytes({0});     // DC: one code of one bit, 0
  text += bytes({0xff, 0xc4, 0, 20, 0x10, 1}) + std::string(15, '\0') + bytes({0});  // AC: the end of the block
  return text + bytes({0xff, 0xda, 0, 8, 1, 1, 0, 0, 63, 0, 0x3f, 0xff, 0xd9});
}

TEST(DataImages, JpegWrittenByHand) {
  const PixelArray image = decode_image(gray_jpeg(), "x.jpg");
  EXPECT_EQ(image.shape, (ImageShape{1, 8, 8}));
  EXPECT_EQ(u8(image), std::vector<std::uint8_t>(64, 128));
}

TEST(DataImages, RefusesWhatIsDamaged) {
  const std::string png = encode_png(1, 16, 16, std::vector<std::uint8_t>(256, 7));
  EXPECT_THAT(what_of([&] { decode_image(png.substr(0, 50), "x.png"); }),
              AllOf(HasSubstr("x.png"), HasSubstr("libpng")));
  EXPECT_THAT(what_of([&] { decode_image(gray_jpeg().substr(0, 60), "x.jpg"); }), HasSubstr("x.jpg"));
  EXPECT_THAT(what_of([&] { decode_image(gray_jpeg().substr(0, 130), "x.jpg"); }), HasSubstr("libjpeg"));
  EXPECT_THAT(what_of([] { decode_image("GIF89a", "x.png"); }), HasSubstr("neither"));
  std::string wide = gray_jpeg();
  wide[76] = wide[78] = '\x3f';  // height and width of 0x3f08
  EXPECT_THAT(what_of([&] { decode_image(wide, "x.jpg"); }), AllOf(HasSubstr("x.jpg"), HasSubstr("header that says")));
}

TEST(WholeFile, GzipPlainAndTheirFaults) {
  const Scratch scratch;
  const std::string text(100000, 'r');
  write_gzip(scratch.path("a.gz"), text);
  EXPECT_EQ(read_whole_file(scratch.path("a.gz")), text);
  EXPECT_EQ(read_whole_file(scratch.write("a", text)), text);
  const std::string zipped = [&] {
    std::ifstream file(scratch.path("a.gz"), std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), {});
  }();
  EXPECT_THAT(what_of([&] { read_whole_file(scratch.write("cut.gz", zipped.substr(0, zipped.size() / 2))); }),
              AllOf(HasSubstr("cut.gz"), HasSubstr("zlib")));
  EXPECT_THAT(what_of([&] { read_whole_file(scratch.path("a.gz"), {.kind = "list", .most_bytes = 99999}); }),
              AllOf(HasSubstr("a list of at most 99999 bytes"), HasSubstr("more")));
  EXPECT_THAT(what_of([&] { read_whole_file(scratch.path("")); }), HasSubstr("a folder"));
  EXPECT_THAT(what_of([&] { read_whole_file(scratch.path("none")); }), HasSubstr("no file of that name"));
}

}  // namespace
}  // namespace ridgeline::testing
