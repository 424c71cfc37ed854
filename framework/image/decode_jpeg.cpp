#include <cstdio>
// jpeglib.h needs stdio first.
#include <fmt/format.h>
#include <jerror.h>
#include <jpeglib.h>

#include <algorithm>
#include <array>
#include <csetjmp>
#include <cstring>

#include "framework/core/error.h"
#include "framework/image/decoders.h"
#include "framework/image/exif.h"

namespace atelier::image_detail {
namespace {

constexpr int kMaxScans = 500;  // a few bytes can ask for another pass over the whole picture; encoders write about ten

/// libjpeg's state. It reports errors by a callback that must not return: ours jumps back into guarded().
class JpegReader {
 public:
  explicit JpegReader(const std::string& where) : where_(where) {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = [](j_common_ptr info) { self(info)->give_up(info); };
    errors_.emit_message = &on_message;
    errors_.output_message = [](j_common_ptr) {};
    progress_.progress_monitor = &on_progress;
  }
  ~JpegReader() { jpeg_destroy_decompress(&info_); }
  JpegReader(const JpegReader&) = delete;
  JpegReader& operator=(const JpegReader&) = delete;

  /// Reads the header. Not in the constructor, which must not throw once libjpeg owns memory.
  void open(Bytes bytes) {
    guarded([&] {
      jpeg_create_decompress(&info_);
      info_.progress = &progress_;
      jpeg_mem_src(&info_, bytes.data(), static_cast<unsigned long>(bytes.size()));
      jpeg_save_markers(&info_, JPEG_APP0 + 1, 0xFFFF);
      jpeg_read_header(&info_, TRUE);
    });
  }

  /// Runs libjpeg calls. `step` must own nothing: a failure leaves it by longjmp, and is thrown from here.
  template <typename Step>
  void guarded(const Step& step) {
    if (run(step)) return;
    throw_damaged(where_, "JPEG", message_.data());
  }

  [[nodiscard]] jpeg_decompress_struct& info() { return info_; }

 private:
  template <typename Step>
  bool run(const Step& step) {
    if (setjmp(escape_) != 0) return false;
    step();
    return true;
  }

  static JpegReader* self(j_common_ptr info) { return static_cast<JpegReader*>(info->client_data); }

  [[noreturn]] void give_up(j_common_ptr info) {
    info->err->format_message(info, message_.data());
    std::longjmp(escape_, 1);
  }

  /// Data that ends early is only a warning to libjpeg, which goes on with grey.
  static void on_message(j_common_ptr info, int level) {
    const int code = info->err->msg_code;
    if (level < 0 && (code == JWRN_JPEG_EOF || code == JWRN_HIT_MARKER)) self(info)->give_up(info);
  }

  static void on_progress(j_common_ptr info) {
    if (!info->is_decompressor) return;
    const auto* reader = reinterpret_cast<j_decompress_ptr>(info);
    if (reader->input_scan_number <= kMaxScans) return;
    std::snprintf(self(info)->message_.data(), JMSG_LENGTH_MAX, "more than %d scans", kMaxScans);
    std::longjmp(self(info)->escape_, 1);
  }

  const std::string& where_;
  jpeg_decompress_struct info_ = {};
  jpeg_error_mgr errors_ = {};
  jpeg_progress_mgr progress_ = {};
  std::jmp_buf escape_ = {};
  std::array<char, JMSG_LENGTH_MAX> message_ = {};
};

/// Huffman coding spends at least one bit on an 8x8 block of one component, and no component is subsampled by more than
/// 4x4 against the others: under 1024 pixels a byte. Checked so that a short file cannot ask for much memory.
void check_length(const jpeg_decompress_struct& info, std::size_t bytes, const std::string& where) {
  const auto pixels = std::uint64_t{info.image_width} * info.image_height;
  if (info.arith_code || pixels / 1024 <= bytes) return;
  throw_damaged(where, "JPEG",
                fmt::format("{} bytes cannot hold {}x{} pixels", bytes, info.image_width, info.image_height));
}

J_COLOR_SPACE output_space(const jpeg_decompress_struct& info, const std::string& where) {
  switch (info.jpeg_color_space) {
    case JCS_GRAYSCALE:
      return JCS_GRAYSCALE;
    case JCS_RGB:
    case JCS_YCbCr:
      return JCS_RGB;
    case JCS_CMYK:
    case JCS_YCCK:
      return JCS_CMYK;
    default:
      throw_damaged(where, "JPEG", fmt::format("{} colour components", info.num_components));
  }
}

/// One scan line of 1 or 4 components to RGB. CMYK is stored inverted (Adobe's way), so `row` holds 255 - C, and so
/// on; the result is (255 - K) - C (255 - K) / 255 with the quotient rounded.
void to_rgb(const std::uint8_t* row, int components, int width, std::uint8_t* out) {
  for (int x = 0; x < width; ++x, row += components, out += 3) {
    if (components == 4) {
      const int white = row[3];
      for (int c = 0; c < 3; ++c) {
        const int ink = 255 - row[c];
        out[c] = static_cast<std::uint8_t>(white - (ink * white + 127) / 255);
      }
    } else {
      for (int c = 0; c < 3; ++c) out[c] = row[0];
    }
  }
}

int orientation_of(const jpeg_decompress_struct& info) {
  for (const auto* marker = info.marker_list; marker != nullptr; marker = marker->next) {
    const Bytes data{marker->data, marker->data_length};
    if (data.size() >= 6 && std::memcmp(data.data(), "Exif\0\0", 6) == 0) return exif_orientation(data);
  }
  return 1;
}

}  // namespace

Decoded decode_jpeg(Bytes bytes, const std::string& where) {
  JpegReader reader(where);
  reader.open(bytes);
  auto& info = reader.info();
  check_dimensions(info.image_width, info.image_height, where);
  check_length(info, bytes.size(), where);
  info.out_color_space = output_space(info, where);
  Decoded decoded;
  decoded.orientation = orientation_of(info);
  decoded.image = make_raster<Image>({static_cast<int>(info.image_width), static_cast<int>(info.image_height)});
  reader.guarded([&] { jpeg_start_decompress(&info); });
  const bool is_rgb = info.output_components == 3;  // then libjpeg writes where the pixels stay
  std::vector<std::uint8_t> line(std::size_t{info.output_width} * static_cast<std::size_t>(info.output_components));
  for (int y = 0; y < decoded.image.height; ++y) {
    JSAMPROW rows[] = {is_rgb ? decoded.image.row(y) : line.data()};
    reader.guarded([&] { jpeg_read_scanlines(&info, rows, 1); });
    if (!is_rgb) to_rgb(line.data(), info.output_components, decoded.image.width, decoded.image.row(y));
  }
  reader.guarded([&] { jpeg_finish_decompress(&info); });
  return decoded;
}

}  // namespace atelier::image_detail
