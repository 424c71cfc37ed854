#include <cstdio>
#include <cstdlib>
// jpeglib.h needs stdio first.
#include <fmt/format.h>
#include <jpeglib.h>

#include <array>
#include <csetjmp>
#include <memory>

#include "framework/core/error.h"
#include "framework/image/decoders.h"
#include "framework/image/encode.h"

namespace atelier {
namespace {

/// libjpeg's writing state into memory that it allocates. Errors come back by longjmp, as in JpegReader.
class JpegWriter {
 public:
  JpegWriter() {
    info_.err = jpeg_std_error(&errors_);
    info_.client_data = this;
    errors_.error_exit = [](j_common_ptr info) {
      auto* writer = static_cast<JpegWriter*>(info->client_data);
      info->err->format_message(info, writer->message_.data());
      std::longjmp(writer->escape_, 1);
    };
    errors_.output_message = [](j_common_ptr) {};
  }
  ~JpegWriter() {
    jpeg_destroy_compress(&info_);
    std::free(bytes_);
  }
  JpegWriter(const JpegWriter&) = delete;
  JpegWriter& operator=(const JpegWriter&) = delete;

  std::vector<std::byte> write(const Image& image, int quality) {
    if (!run(image, quality)) {
      throw Error({.where = "JPEG", .found = fmt::format("cannot be written: {}", message_.data())});
    }
    const auto* begin = reinterpret_cast<const std::byte*>(bytes_);
    return {begin, begin + count_};
  }

 private:
  bool run(const Image& image, int quality) {
    if (setjmp(escape_) != 0) return false;
    jpeg_create_compress(&info_);
    jpeg_mem_dest(&info_, &bytes_, &count_);
    info_.image_width = static_cast<JDIMENSION>(image.width);
    info_.image_height = static_cast<JDIMENSION>(image.height);
    info_.input_components = 3;
    info_.in_color_space = JCS_RGB;
    jpeg_set_defaults(&info_);
    info_.dct_method = JDCT_ISLOW;
    info_.optimize_coding = TRUE;
    jpeg_set_quality(&info_, quality, TRUE);
    jpeg_start_compress(&info_, TRUE);
    while (info_.next_scanline < info_.image_height) {
      // libjpeg reads rows only, but asks for them as its own.
      JSAMPROW row = const_cast<JSAMPROW>(image.row(static_cast<int>(info_.next_scanline)));
      jpeg_write_scanlines(&info_, &row, 1);
    }
    jpeg_finish_compress(&info_);
    return true;
  }

  jpeg_compress_struct info_{};
  jpeg_error_mgr errors_{};
  unsigned char* bytes_ = nullptr;  // libjpeg's, by malloc
  unsigned long count_ = 0;
  std::jmp_buf escape_{};
  std::array<char, JMSG_LENGTH_MAX> message_{};
};

}  // namespace

std::vector<std::byte> encode_jpeg(const Image& image, int quality) {
  image_detail::check_dimensions(static_cast<std::uint64_t>(image.width), static_cast<std::uint64_t>(image.height),
                                 "JPEG");
  return JpegWriter().write(image, quality);
}

}  // namespace atelier
