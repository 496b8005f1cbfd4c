// PNG and JPEG files to pixels, and pixels to PNG. Gray stays gray, everything else becomes RGB; 16 bits become 8, and
// what is transparent is laid over black. Sizes are read from the header and compared with the file's length before
// anything is allocated. Throws ConfigError: neither PNG nor JPEG, damaged, larger than its bytes can mean. Pure.
#pragma once

#include <string>
#include <string_view>

#include "experiments/data/pixels.hpp"

namespace ridgeline {

// One image, 8-bit, [1, C, H, W].
PixelArray decode_image(std::string_view bytes, const std::string& origin);

// `pixels` row by row, gray (channels 1) or RGB (channels 3, interleaved). The same pixels give the same bytes with
// the same version of libpng and zlib.
std::string encode_png(int channels, int height, int width, std::span<const std::uint8_t> pixels);

}  // namespace ridgeline
