// Models of other people, read from ONNX files and run on the sets that their published answers are of. Needs
// RIDGELINE_DATA (its README names the sources); skipped without.
#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>
#include <fstream>

#include "experiments/quantization/post_training.hpp"
#include "experiments/quantization/sensitivity.hpp"
#include "experiments/training/evaluate.hpp"
#include "experiments/training/trained_model.hpp"
#include "experiments/whole_file.hpp"
#include "kernels/quantization/folded_norms.hpp"
#include "predictors/classification.hpp"
#include "support.hpp"
#include "tests/experiments/striped_data.hpp"
#include "tests/spaces/published_data.hpp"

namespace ridgeline {
namespace {

struct Published {
  const char *model, *set, *answers;
  const char* preprocessing;  // members of dataset.json
  double accuracy;            // of the answers of ONNX Runtime 1.20
};

const char* const normalised =
    R"("layout": "nhwc", "shape": [32, 32, 3], "type": "u8", "mean": [0.485, 0.456, 0.406], "stddev": [0.229, 0.224, 0.225],)";
const char* const pixels =
    R"("layout": "nhwc", "shape": [32, 32, 3], "type": "u8", "scale": 1, "mean": [0], "stddev": [1],)";
const char* const features =
    R"("layout": "nchw", "shape": [1, 49, 10], "type": "i8", "scale": 1, "mean": [83], "stddev": [1.7102703], )";

const Published published[] = {
    {"resnet20_cifar10", "cifar10_ic01_200_nhwc.u8", "resnet20.cifar10_ic01_200_nhwc", normalised, 0.9000},
    {"resnet20_cifar10", "cifar10_jpeg_test_2000_nhwc.u8", "resnet20.cifar10_jpeg_test_2000_nhwc", normalised, 0.8135},
    {"mlperftiny_ic_resnet8", "cifar10_ic01_200_nhwc.u8", "ic_resnet8.cifar10_ic01_200_nhwc", pixels, 0.8550},
    {"mlperftiny_ic_resnet8", "cifar10_jpeg_test_2000_nhwc.u8", "ic_resnet8.cifar10_jpeg_test_2000_nhwc", pixels,
     0.7640},
    {"mlperftiny_kws_dscnn", "speechcmd_kws01_1000.i8", "kws_dscnn.speechcmd_kws01_1000", features, 0.9010},
};

class PublishedModels : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!std::filesystem::exists(data_path("models"))) GTEST_SKIP() << "no published models in RIDGELINE_DATA";
  }
  // The whole set as validation, and as train to calibrate on.
  Dataset set_of(const Published& one) const {
    std::string name = one.set, labels = name.substr(0, name.rfind('.')) + "_labels.csv";
    const Json split{{"images", data_path("sets/" + name + ".gz")}, {"labels", data_path("sets/" + labels)}};
    Json description =
        Json::parse("{" + std::string(one.preprocessing) + R"("ridgeline_dataset": 1, "format": "raw"})");
    description["name"] = name;
    description["train"] = description["validation"] = split;
    return load_dataset(scratch_.write("dataset.json", description.dump()));
  }
  TrainedModel model_of(const Published& one) const {
    return load_trained_model(data_path("models/" + std::string(one.model) + ".onnx"), testing::resources());
  }
  testing::Scratch scratch_;
};

std::vector<float> answers_of(const std::string& name) {
  const std::string bytes = read_whole_file(data_path("reference/" + name + ".logits.f32"), {.kind = "answers"});
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), bytes.size());
  return values;
}

double top1(const std::vector<float>& answers, const LabelledImages& images) {
  const std::size_t classes = answers.size() / images.size();
  std::size_t right = 0;
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto row = answers.begin() + static_cast<std::ptrdiff_t>(i * classes);
    right += static_cast<std::size_t>(std::max_element(row, row + static_cast<std::ptrdiff_t>(classes)) - row) ==
             static_cast<std::size_t>(images.label(i));
  }
  return static_cast<double>(right) / static_cast<double>(images.size());
}

TEST_F(PublishedModels, AnswerAsOnnxRuntimeDoes) {
  for (const Published& one : published) {
    SCOPED_TRACE(one.answers);
    const Dataset data = set_of(one);
    TrainedModel model = model_of(one);
    adapt(model, data);
    const std::vector<float> expected = answers_of(one.answers);
    const std::vector<float> found = answers(model.design, data.validation, model.normalisation, {.threads = 2});
    ASSERT_EQ(found.size(), expected.size());
    double most = 0, largest = 0;
    for (std::size_t i = 0; i < found.size(); ++i) {
      most = std::max(most, std::abs(static_cast<double>(found[i]) - static_cast<double>(expected[i])));
      largest = std::max(largest, std::abs(static_cast<double>(expected[i])));
    }
    EXPECT_LE(most / largest, 1e-4);
    EXPECT_NEAR(top1(found, data.validation), one.accuracy, 1e-9);
  }
}

TEST_F(PublishedModels, UniformInt8LosesLittleAndIsEmulatedAlike) {
  for (const Published& one : {published[1], published[3], published[4]}) {
    SCOPED_TRACE(one.answers);
    const Dataset data = set_of(one);
    TrainedModel model = model_of(one);
    adapt(model, data);
    Design design = with_folded_norms(model.design);
    design.precision = PrecisionPlan::uniform(design.network, "int8");
    calibrate(design, data.train, model.normalisation, 2);
    const std::vector<float> executed = answers(design, data.validation, model.normalisation, {.threads = 2});
    const std::vector<float> emulated =
        answers(design, data.validation, model.normalisation, {.threads = 2, .emulation = Emulation::all});
    EXPECT_GE(top1(executed, data.validation), one.accuracy - 0.005);
    const std::size_t classes = executed.size() / data.validation.size();
    EXPECT_GE(agreement(executed, emulated, classes), 0.995);
    // Both round the same sums, in another order: what is rounded the other way somewhere moves an answer by steps of
    // 8 bits over all answers, the largest / 127.
    EXPECT_LE(testing::most_difference(executed, emulated), 2 * range_of(executed).magnitude() / 127);
  }
}

// Half of what is quantized is a 0 behind a relu: no method may take that for a reason to cut the rest.
TEST_F(PublishedModels, EveryCalibrationKeepsTheAccuracyInInt8) {
  const Dataset data = set_of(published[1]);
  TrainedModel model = model_of(published[1]);
  adapt(model, data);
  for (const CalibrationMethod method :
       {CalibrationMethod::percentile, CalibrationMethod::mse, CalibrationMethod::entropy}) {
    const PostTraining prepared(model, data.train, {.calibration = method, .passes = {QuantizationPass::fold}}, 2);
    const Design design = prepared.quantized(PrecisionPlan::uniform(model.design.network, "int8"));
    const std::vector<float> found = answers(design, data.validation, model.normalisation, {.threads = 2});
    EXPECT_GE(top1(found, data.validation), published[1].accuracy - 0.01) << static_cast<int>(method);
  }
}

// What is usually found (CPTQuant too): the first layer is the most sensitive one.
TEST_F(PublishedModels, TheFirstLayerIsTheMostSensitive) {
  const Dataset data = set_of(published[1]);
  TrainedModel model = model_of(published[1]);
  adapt(model, data);
  Design design = with_folded_norms(model.design);
  const LabelledImages images = calibration_images(data.validation, 100);
  design.quantization =
      std::make_shared<const Quantization>(Quantization{image_ranges(design, images, model.normalisation, 100, 2)});
  const Sensitivity found = measure_sensitivity(
      planned(design), images, model.normalisation,
      {.methods = {SensitivityMethod::kl, SensitivityMethod::mse, SensitivityMethod::loss, SensitivityMethod::taylor2},
       .formats = {"int4"},
       .threads = 2});
  ASSERT_EQ(found.rows.size(), 22U);
  for (const char* method : {"kl", "mse", "loss"}) {
    EXPECT_EQ(layer_ranking(found, method).front(), found.layers().front()) << method;
  }
  EXPECT_GT(agreements(found, "kl")[1].spearman, 0.8);  // of mse
  // A divergence is, to second order, half of what the Fisher matrix makes of the change: in 4 bits that is the larger
  // term of taylor2, which runs nothing in the format.
  const Sensitivity weights = measure_sensitivity(planned(design), images, model.normalisation,
                                                  {.methods = {SensitivityMethod::kl, SensitivityMethod::taylor2},
                                                   .formats = {"int4"},
                                                   .part = SensitivityPart::weights,
                                                   .threads = 2});
  EXPECT_GT(agreements(weights, "kl")[1].spearman, 0.8);
}

}  // namespace
}  // namespace ridgeline
