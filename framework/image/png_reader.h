#pragma once

#include <png.h>

#include <array>
#include <csetjmp>
#include <string>

#include "framework/image/decoders.h"

namespace atelier::image_detail {

/// libpng's reading state over bytes in memory. libpng reports errors by a callback that must not return: ours jumps
/// back into guarded(), which throws.
class PngReader {
 public:
  PngReader(Bytes bytes, const std::string& where);  // both are borrowed
  ~PngReader();
  PngReader(const PngReader&) = delete;
  PngReader& operator=(const PngReader&) = delete;

  /// Runs libpng calls. `step` must own nothing: a failure leaves it by longjmp.
  template <typename Step>
  void guarded(const Step& step) {
    if (!run(step)) fail();
  }

  [[nodiscard]] png_structp png() const { return png_; }
  [[nodiscard]] png_infop info() const { return info_; }

 private:
  template <typename Step>
  bool run(const Step& step) {
    if (setjmp(escape_) != 0) return false;
    step();
    return true;
  }
  [[noreturn]] void fail() const;
  [[noreturn]] static void on_error(png_structp png, png_const_charp message);
  static void on_read(png_structp png, png_bytep out, std::size_t size);

  const std::string& where_;
  Bytes rest_;
  png_structp png_ = nullptr;
  png_infop info_ = nullptr;
  std::jmp_buf escape_ = {};
  std::array<char, 200> message_ = {};
};

}  // namespace atelier::image_detail
