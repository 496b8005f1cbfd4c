// Whole data sets: descriptions, known layouts, splits, and what is said about each mistake.
#include "experiments/data/dataset.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "experiments/data/contact_sheet.hpp"
#include "experiments/data/image_codec.hpp"
#include "tests/experiments/data_support.hpp"

namespace ridgeline::testing {
namespace {

using ::testing::AllOf;
using ::testing::Each;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

namespace fs = std::filesystem;

constexpr const char* idx_description = R"({
  "ridgeline_dataset": 1, "name": "toy", "format": "idx", "classes": ["a", "b"],
  "train": {"images": "x.idx", "labels": "y.idx"}, "validation": {"images": "vx.idx", "labels": "vy.idx"},
  "test": {"images": "tx.idx", "labels": "ty.idx"}})";

class DatasetTest : public ::testing::Test {
 protected:
  // Two-by-one gray images; every image holds its own number.
  void write_idx(const std::string& x, const std::string& y, int n, int largest_label = 1) const {
    std::string values, labels;
    for (int i = 0; i < n; ++i) {
      values += bytes({i % 256, i / 256});
      labels += bytes({i % (largest_label + 1)});
    }
    scratch_.write(x, idx(8, {n, 2, 1}, values));
    scratch_.write(y, idx(8, {n}, labels));
  }
  void write_toy(const std::string& description = idx_description) const {
    write_idx("x.idx", "y.idx", 6);
    write_idx("vx.idx", "vy.idx", 3);
    write_idx("tx.idx", "ty.idx", 2);
    scratch_.write("dataset.json", description);
  }
  std::string refusal() const {
    return what_of([&] { load_dataset(scratch_.path("")); });
  }
  static std::string replaced(std::string text, const std::string& from, const std::string& to) {
    return text.replace(text.find(from), from.size(), to);
  }
  Scratch scratch_;
};

TEST_F(DatasetTest, ADescriptionNamesEverySplit) {
  write_toy();
  const Dataset dataset = load_dataset(scratch_.path(""));
  EXPECT_EQ(dataset.name, "toy");
  EXPECT_THAT(dataset.class_names, ElementsAre("a", "b"));
  EXPECT_EQ(dataset.train.size(), 6U);
  EXPECT_EQ(dataset.validation.size(), 3U);
  EXPECT_EQ(dataset.train.shape(), (ImageShape{1, 2, 1}));
  std::vector<float> image(2);
  dataset.train.copy(5, image);
  EXPECT_THAT(image, ElementsAre(5.0F / 255.0F, 0.0F));
  // (0 + 1 + ... + 5) / 12 = 1.25 and (0 + 1 + ... + 25) / 12 - 1.25^2 = 3.0208
  EXPECT_NEAR(dataset.normalisation.mean[0], 1.25 / 255, 1e-8);
  EXPECT_NEAR(dataset.normalisation.stddev[0], std::sqrt(3.0208333) / 255, 1e-8);
  EXPECT_EQ(load_test_split(scratch_.path("dataset.json")).size(), 2U);
  EXPECT_EQ(load_dataset(scratch_.path("dataset.json")).fingerprint, dataset.fingerprint);
}

TEST_F(DatasetTest, ASearchCannotSeeTest) {
  write_toy();
  const std::uint64_t fingerprint = load_dataset(scratch_.path("")).fingerprint;
  scratch_.write("tx.idx", "nothing that could be read");
  EXPECT_EQ(load_dataset(scratch_.path("")).fingerprint, fingerprint);
  EXPECT_THAT(what_of([&] { load_test_split(scratch_.path("")); }), AllOf(HasSubstr("tx.idx"), HasSubstr("magic")));
}

TEST_F(DatasetTest, EveryMistakeIsSaid) {
  write_toy();
  write_idx("y.idx", "x.idx", 6);  // the other way round
  EXPECT_THAT(refusal(), AllOf(HasSubstr("x.idx"), HasSubstr("is this the file of the labels?")));
  write_idx("x.idx", "y.idx", 6);
  scratch_.write("y.idx", idx(8, {5}, bytes({0, 1, 0, 1, 0})));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("y.idx"), HasSubstr("6 labels"), HasSubstr("found 5")));
  write_idx("x.idx", "y.idx", 6, 2);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("y.idx: label 2"), HasSubstr("0 to 1"), HasSubstr("found 2")));
  write_idx("x.idx", "y.idx", 6);
  scratch_.write("vx.idx", idx(8, {3, 1, 1}, "abc"));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("vx.idx"), HasSubstr("1x2x1"), HasSubstr("1x1x1")));
  fs::remove(scratch_.path("vx.idx"));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("vx.idx"), HasSubstr("no such file")));
  EXPECT_THAT(what_of([&] { load_dataset(scratch_.path("gone")); }), AllOf(HasSubstr("gone"), HasSubstr("data make")));
}

TEST_F(DatasetTest, EveryMistakeOfADescriptionIsSaidAtOnce) {
  write_toy(replaced(replaced(idx_description, "\"idx\"", "\"idz\""), "\"name\"", "\"nmae\""));
  EXPECT_THAT(refusal(),
              AllOf(HasSubstr("dataset.json: format"), HasSubstr("'idx'"), HasSubstr("nmae"), HasSubstr("name")));
  write_toy(replaced(idx_description, "_dataset\": 1", "_dataset\": 2"));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("ridgeline_dataset"), HasSubstr("expected 1"), HasSubstr("2")));
  write_toy(replaced(idx_description, "[\"a\", \"b\"]", "[\"a\", \"a\"]"));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("classes"), HasSubstr("'a' twice")));
  write_toy(replaced(idx_description, "\"classes\"", "\"mean\": [1e300], \"stddev\": [1e-60], \"classes\""));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("mean: expected"), HasSubstr("1e+300"), HasSubstr("stddev: expected"),
                               HasSubstr("1e-60")));
  write_toy("{");
  EXPECT_THAT(refusal(), HasSubstr("dataset.json"));
  fs::remove(scratch_.path("dataset.json"));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("data_batch_1.bin"), HasSubstr("none of them")));
}

TEST_F(DatasetTest, ValidationComesOffTrainTheSameWayEachTime) {
  write_idx("train-images-idx3-ubyte", "train-labels-idx1-ubyte", 500, 9);
  const Dataset dataset = load_dataset(scratch_.path(""));
  EXPECT_EQ(dataset.class_names.size(), 10U);
  EXPECT_EQ(dataset.train.size(), 450U);
  EXPECT_EQ(dataset.validation.size(), 50U);
  std::set<std::vector<float>> seen;
  std::vector<float> image(2);
  for (const LabelledImages* split : {&dataset.train, &dataset.validation}) {
    for (std::size_t i = 0; i < split->size(); ++i) {
      split->copy(i, image);
      EXPECT_EQ(split->label(i), std::lround(255 * image[0] + 256 * 255 * image[1]) % 10);
      seen.insert(image);
    }
  }
  EXPECT_EQ(seen.size(), 500U);  // nothing twice, nothing lost
  EXPECT_EQ(load_dataset(scratch_.path("")).fingerprint, dataset.fingerprint);
  const std::string text = R"({"ridgeline_dataset": 1, "name": "n", "format": "idx", "validation_seed": 1,
    "train": {"images": "train-images-idx3-ubyte", "labels": "train-labels-idx1-ubyte"}, "validation_share": 0.2})";
  scratch_.write("dataset.json", text);
  EXPECT_EQ(load_dataset(scratch_.path("")).validation.size(), 100U);
  EXPECT_NE(load_dataset(scratch_.path("")).fingerprint, dataset.fingerprint);
  scratch_.write("dataset.json", replaced(text, "0.2}", "0.001}"));
  EXPECT_EQ(load_dataset(scratch_.path("")).validation.size(), 1U);  // half rounds up
  EXPECT_THAT(what_of([&] { load_test_split(scratch_.path("")); }), HasSubstr("a test split"));
}

TEST_F(DatasetTest, OneWildLabelDoesNotMakeABillionClasses) {
  scratch_.write("train-images-idx3-ubyte", idx(8, {2, 1, 1}, "ab"));
  scratch_.write("train-labels-idx1-ubyte", idx(0x0C, {2}, bytes({0, 0, 0, 0, 0x7f, 0, 0, 0})));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("labels"), HasSubstr("2130706432")));
}

TEST_F(DatasetTest, CifarFoldersAreKnown) {
  std::string record = bytes({3}) + std::string(3072, 'p');
  for (int i = 1; i <= 5; ++i) scratch_.write("data_batch_" + std::to_string(i) + ".bin", record + record);
  scratch_.write("test_batch.bin", record);
  scratch_.write("batches.meta.txt", "plane\ncar\nbird\ncat\n\n");
  const Dataset dataset = load_dataset(scratch_.path(""));
  EXPECT_EQ(dataset.train.size() + dataset.validation.size(), 10U);
  EXPECT_THAT(dataset.class_names, ElementsAre("plane", "car", "bird", "cat"));
  EXPECT_EQ(load_test_split(scratch_.path("")).shape(), (ImageShape{3, 32, 32}));
  scratch_.write("data_batch_3.bin", record.substr(0, 3000));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("data_batch_3.bin"), HasSubstr("3073")));
}

TEST_F(DatasetTest, NpzFilesOfKerasAndMedMnistAreKnown) {
  const std::string x = npy("|u1", "(4, 2, 2, 3)", std::string(48, 'x')), y = npy("|u1", "(4, 1)", bytes({0, 1, 2, 0}));
  write_zip(scratch_.path("a.npz"), {{"train_images.npy", x},
                                     {"train_labels.npy", y},
                                     {"val_images.npy", x},
                                     {"val_labels.npy", y},
                                     {"test_images.npy", x},
                                     {"test_labels.npy", y}});
  const Dataset dataset = load_dataset(scratch_.path("a.npz"));
  EXPECT_EQ(dataset.name, "a");
  EXPECT_EQ(dataset.train.shape(), (ImageShape{3, 2, 2}));
  EXPECT_THAT(dataset.class_names, ElementsAre("0", "1", "2"));
  EXPECT_EQ(load_test_split(scratch_.path("a.npz")).size(), 4U);
  write_zip(scratch_.path("b.npz"), {{"images.npy", x}});
  EXPECT_THAT(what_of([&] { load_dataset(scratch_.path("b.npz")); }), AllOf(HasSubstr("x_train"), HasSubstr("images")));
}

TEST_F(DatasetTest, NpyAndRawByDescription) {
  scratch_.write("x.npy", npy("<f4", "(2, 1, 1, 2)", raw_values<float>({-1.5F, 2, 3, 4})));
  scratch_.write("y.npy", npy("<i8", "(2,)", raw_values<std::int64_t>({1, 0})));
  const char* const text = R"({"ridgeline_dataset": 1, "name": "n", "format": "npy", "layout": "nchw",
    "validation_share": 0.5, "train": {"images": "x.npy", "labels": "y.npy"}})";
  scratch_.write("dataset.json", text);
  const Dataset floats = load_dataset(scratch_.path(""));
  EXPECT_EQ(floats.train.size(), 1U);
  EXPECT_EQ(floats.train.shape(), (ImageShape{1, 1, 2}));

  scratch_.write("x.raw", raw_values<float>({1, 2, 3, 4, 5, 6, 7, 8}));
  scratch_.write("y.raw", bytes({0, 1}));
  const std::string raw = R"({"ridgeline_dataset": 1, "name": "n", "format": "raw", "layout": "nhwc", "type": "f32",
    "shape": [2, 1, 2], "train": {"images": "x.raw", "labels": "y.raw"},
    "validation": {"images": "x.raw", "labels": "y.raw"}})";
  scratch_.write("dataset.json", raw);
  const Dataset dataset = load_dataset(scratch_.path(""));
  EXPECT_EQ(dataset.train.shape(), (ImageShape{2, 2, 1}));
  std::vector<float> image(4);
  dataset.train.copy(1, image);
  EXPECT_THAT(image, ElementsAre(5, 7, 6, 8));  // the channels of two pixels, taken apart
  scratch_.write("dataset.json", replaced(raw, "[2, 1, 2]", "[3, 1, 2]"));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("x.raw: length"), HasSubstr("24 bytes"), HasSubstr("32")));
  scratch_.write("dataset.json", replaced(raw, "[2, 1, 2]", "[3, 2]"));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("shape"), HasSubstr("three axes")));
  scratch_.write("dataset.json", replaced(raw, "[2, 1, 2]", "[0, 1, 2]"));
  EXPECT_THAT(refusal(), HasSubstr("from 1 to 65536"));
}

TEST_F(DatasetTest, ImageFoldersAreKnown) {
  const auto put = [&](const std::string& folder, const std::string& name, int channels, std::uint8_t value, int side) {
    fs::create_directories(scratch_.path(folder));
    const std::vector<std::uint8_t> pixels(static_cast<std::size_t>(channels * side * side), value);
    scratch_.write(folder + "/" + name, encode_png(channels, side, side, pixels));
  };
  put("train/cat", "b.PNG", 1, 20, 4);
  put("train/cat", "a.png", 1, 10, 4);
  put("train/dog", "c.png", 3, 30, 4);
  put("val/dog", "d.png", 3, 40, 4);
  put("test/cat", "e.png", 3, 50, 4);
  scratch_.write("train/cat/notes.txt", "not an image");
  const Dataset dataset = load_dataset(scratch_.path(""));
  EXPECT_THAT(dataset.class_names, ElementsAre("cat", "dog"));
  EXPECT_THAT(std::vector(dataset.train.labels().begin(), dataset.train.labels().end()), ElementsAre(0, 0, 1));
  EXPECT_EQ(dataset.train.shape(), (ImageShape{3, 4, 4}));  // gray becomes RGB beside colour
  std::vector<float> image(48);
  dataset.train.copy(0, image);
  EXPECT_THAT(image, Each(10.0F / 255.0F));
  EXPECT_THAT(dataset.validation.label(0), 1);
  EXPECT_EQ(load_test_split(scratch_.path("")).size(), 1U);
  put("val/dgo", "d.png", 3, 40, 4);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("val/dgo"), HasSubstr("did you mean 'dog'?")));
  fs::remove_all(scratch_.path("val"));
  put("train/dog", "d.png", 3, 1, 5);
  EXPECT_THAT(refusal(), AllOf(HasSubstr("train/dog/d.png"), HasSubstr("4x4"), HasSubstr("a.png"), HasSubstr("5x5")));
  scratch_.write("train/dog/d.png", "\x89PNG but not really");
  EXPECT_THAT(refusal(), AllOf(HasSubstr("train/dog/d.png"), HasSubstr("libpng")));
  fs::create_directories(scratch_.path("train/fox"));
  EXPECT_THAT(refusal(), AllOf(HasSubstr("train/fox"), HasSubstr("PNG or JPEG files")));
}

TEST_F(DatasetTest, AContactSheetShowsARowAClass) {
  PixelArray pixels;
  pixels.count = 3;
  pixels.shape = {1, 2, 2};
  pixels.values = std::vector<std::uint8_t>{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12};
  const LabelledImages images(std::move(pixels), {1, 0, 1});
  const PixelArray sheet = decode_image(contact_sheet(images, 2, 3), "sheet");
  EXPECT_EQ(sheet.shape, (ImageShape{1, 2 + 2 * 4, 2 + 3 * 4}));
  const auto& shown = std::get<std::vector<std::uint8_t>>(sheet.values);
  EXPECT_EQ(shown[2 * 14 + 2], 5);  // class 0, its only image
  EXPECT_EQ(shown[6 * 14 + 2], 1);  // class 1
  EXPECT_EQ(shown[6 * 14 + 6], 9);
  EXPECT_EQ(shown[2 * 14 + 6], 64);  // no second image of class 0
}

// Of the published files only what their own documents say is asserted.
TEST(PublishedData, FashionMnistAndBloodCells) {
  const std::string folder = data_folder() + "/datasets/";
  if (!fs::exists(folder + "fashion-mnist-18k")) GTEST_SKIP() << "no datasets/ in RIDGELINE_DATA";
  const Dataset fashion = load_dataset(folder + "fashion-mnist-18k");
  EXPECT_EQ(fashion.train.shape(), (ImageShape{1, 28, 28}));
  EXPECT_THAT(class_counts(fashion.train, 10), Each(1200U));
  EXPECT_THAT(class_counts(fashion.validation, 10), Each(200U));
  EXPECT_THAT(class_counts(load_test_split(folder + "fashion-mnist-18k"), 10), Each(400U));
  const Dataset blood = load_dataset(folder + "blood-rgb32-q5-7k8");
  EXPECT_EQ(blood.train.shape(), (ImageShape{3, 32, 32}));
  EXPECT_EQ(blood.train.size(), 5440U);
  EXPECT_EQ(blood.class_names.size(), 8U);
  const Dataset original = load_dataset(folder + "fashion-mnist-original");
  EXPECT_EQ(original.train.size(), 54000U);
  EXPECT_EQ(original.validation.size(), 6000U);
  EXPECT_EQ(load_test_split(folder + "fashion-mnist-original").size(), 10000U);
  // As widely stated for the 60,000: mean 0.2860, standard deviation 0.3530.
  EXPECT_NEAR(original.normalisation.mean[0], 0.2860, 0.001);
  EXPECT_NEAR(original.normalisation.stddev[0], 0.3530, 0.001);
}

}  // namespace
}  // namespace ridgeline::testing
