#include "experiments/data/contact_sheet.hpp"

#include <algorithm>
#include <cmath>

#include "experiments/data/image_codec.hpp"

namespace ridgeline {
namespace {

constexpr std::size_t gap = 2;  // pixels between images

struct Sheet {
  std::size_t channels, width;
  std::vector<std::uint8_t> pixels;  // interleaved
};

void paste(Sheet& sheet, const LabelledImages& images, std::size_t i, std::size_t top, std::size_t left) {
  const ImageShape& shape = images.shape();
  std::vector<float> values(shape.size());
  images.copy(i, values);
  float low = 0, high = 1;
  if (std::holds_alternative<std::vector<float>>(images.pixels().values)) {
    low = *std::min_element(values.begin(), values.end());
    high = std::max(low + 1e-6F, *std::max_element(values.begin(), values.end()));
  }
  const auto h = static_cast<std::size_t>(shape.height), w = static_cast<std::size_t>(shape.width);
  for (std::size_t y = 0; y < h; ++y) {
    for (std::size_t x = 0; x < w; ++x) {
      for (std::size_t c = 0; c < sheet.channels; ++c) {
        const float share = std::clamp((values[(c * h + y) * w + x] - low) / (high - low), 0.0F, 1.0F);
        sheet.pixels[((top + y) * sheet.width + left + x) * sheet.channels + c] =
            static_cast<std::uint8_t>(std::lround(255.0F * share));
      }
    }
  }
}

}  // namespace

std::string contact_sheet(const LabelledImages& images, std::size_t classes, std::size_t columns) {
  const ImageShape& shape = images.shape();
  classes = std::min<std::size_t>(classes, 100);
  const std::size_t cell_height = static_cast<std::size_t>(shape.height) + gap;
  const std::size_t cell_width = static_cast<std::size_t>(shape.width) + gap;
  Sheet sheet{shape.channels == 3 ? 3U : 1U, columns * cell_width + gap, {}};
  const std::size_t height = classes * cell_height + gap;
  sheet.pixels.assign(sheet.channels * sheet.width * height, std::uint8_t{64});
  std::vector<std::size_t> shown(classes);
  for (std::size_t i = 0; i < images.size(); ++i) {
    const auto label = static_cast<std::size_t>(images.label(i));
    if (label >= classes || shown[label] >= columns) continue;
    paste(sheet, images, i, gap + label * cell_height, gap + shown[label]++ * cell_width);
  }
  return encode_png(static_cast<int>(sheet.channels), static_cast<int>(height), static_cast<int>(sheet.width),
                    sheet.pixels);
}

}  // namespace ridgeline
