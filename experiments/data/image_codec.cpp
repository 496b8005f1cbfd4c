#include "experiments/data/image_codec.hpp"

#include <fmt/format.h>
#include <png.h>
#include <turbojpeg.h>

#include <memory>
#include <stdexcept>

#include "spaces/config_error.hpp"

namespace ridgeline {
namespace {

[[noreturn]] void refuse(const std::string& origin, std::string found) {
  throw ConfigError({origin, "", "a whole PNG or JPEG image", std::move(found), "replace the file or take it out"});
}

// No image of one colour is packed more tightly than this, so a larger size is damage.
void check_size(std::size_t height, std::size_t width, std::size_t bytes, const std::string& origin) {
  constexpr std::size_t longest_side = 1 << 14;
  constexpr std::size_t pixels_per_byte = 8256;  // 1032 bytes by deflate, 8 pixels a byte
  if (height < 1 || width < 1 || height > longest_side || width > longest_side ||
      height * width / pixels_per_byte > bytes) {
    refuse(origin, fmt::format("a header that says {}x{} in a file of {} bytes", height, width, bytes));
  }
}

PixelArray image_of(std::size_t channels, std::size_t height, std::size_t width, std::vector<std::uint8_t> pixels) {
  PixelArray image;
  image.count = 1;
  image.shape = {static_cast<int>(channels), static_cast<int>(height), static_cast<int>(width)};
  image.values = std::move(pixels);
  return from_interleaved(std::move(image));
}

PixelArray decode_png(std::string_view bytes, const std::string& origin) {
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  const std::unique_ptr<png_image, decltype(&png_image_free)> owner(&png, png_image_free);
  if (png_image_begin_read_from_memory(&png, bytes.data(), bytes.size()) == 0) {
    refuse(origin, fmt::format("'{}' from libpng", png.message));
  }
  check_size(png.height, png.width, bytes.size(), origin);
  const bool colour = (png.format & PNG_FORMAT_FLAG_COLOR) != 0;
  png.format = colour ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  std::vector<std::uint8_t> pixels(std::size_t{colour ? 3U : 1U} * png.height * png.width);
  const png_color black{0, 0, 0};
  if (png_image_finish_read(&png, &black, pixels.data(), 0, nullptr) == 0) {
    refuse(origin, fmt::format("'{}' from libpng", png.message));
  }
  return image_of(colour ? 3 : 1, png.height, png.width, std::move(pixels));
}

PixelArray decode_jpeg(std::string_view bytes, const std::string& origin) {
  const std::unique_ptr<void, decltype(&tjDestroy)> jpeg(tjInitDecompress(), tjDestroy);
  if (!jpeg) throw std::runtime_error("libjpeg-turbo cannot be started");
  const auto* data = reinterpret_cast<const unsigned char*>(bytes.data());
  int width = 0, height = 0, subsampling = 0, colours = 0;
  if (tjDecompressHeader3(jpeg.get(), data, bytes.size(), &width, &height, &subsampling, &colours) != 0) {
    refuse(origin, fmt::format("'{}' from libjpeg", tjGetErrorStr2(jpeg.get())));
  }
  const auto rows = static_cast<std::size_t>(height), columns = static_cast<std::size_t>(width);
  check_size(rows, columns, bytes.size(), origin);
  if (colours == TJCS_CMYK || colours == TJCS_YCCK) refuse(origin, "a JPEG in the colours of printing (CMYK)");
  const bool gray = colours == TJCS_GRAY;
  std::vector<std::uint8_t> pixels((gray ? 1 : 3) * rows * columns);
  // The accurate transform: the fast one differs between processors.
  const int flags = TJFLAG_ACCURATEDCT | TJFLAG_STOPONWARNING | TJFLAG_LIMITSCANS;
  if (tjDecompress2(jpeg.get(), data, bytes.size(), pixels.data(), width, 0, height, gray ? TJPF_GRAY : TJPF_RGB,
                    flags) != 0) {
    refuse(origin, fmt::format("'{}' from libjpeg", tjGetErrorStr2(jpeg.get())));
  }
  return image_of(gray ? 1 : 3, rows, columns, std::move(pixels));
}

}  // namespace

PixelArray decode_image(std::string_view bytes, const std::string& origin) {
  if (bytes.starts_with("\x89PNG")) return decode_png(bytes, origin);
  if (bytes.starts_with("\xff\xd8")) return decode_jpeg(bytes, origin);
  refuse(origin, fmt::format("{} bytes that are neither", bytes.size()));
}

std::string encode_png(int channels, int height, int width, std::span<const std::uint8_t> pixels) {
  if (pixels.size() != ImageShape{channels, height, width}.size() || (channels != 1 && channels != 3)) {
    throw std::logic_error("encode_png: pixels do not match the shape");
  }
  png_image png{};
  png.version = PNG_IMAGE_VERSION;
  png.width = static_cast<png_uint_32>(width);
  png.height = static_cast<png_uint_32>(height);
  png.format = channels == 3 ? PNG_FORMAT_RGB : PNG_FORMAT_GRAY;
  png_alloc_size_t size = PNG_IMAGE_PNG_SIZE_MAX(png);
  std::string bytes(size, '\0');
  if (png_image_write_to_memory(&png, bytes.data(), &size, 0, pixels.data(), 0, nullptr) == 0) {
    throw std::runtime_error(fmt::format("libpng: {}", png.message));
  }
  bytes.resize(size);
  return bytes;
}

}  // namespace ridgeline
