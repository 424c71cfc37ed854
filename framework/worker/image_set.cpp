#include "framework/worker/image_set.h"

#include <fmt/format.h>
#include <zip.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <string_view>

#include "framework/core/error.h"
#include "framework/files/zip_archive.h"
#include "framework/image/encode.h"

namespace atelier::worker {
namespace {

constexpr zip_uint16_t kFirstDay = (1 << 5) | 1;  // 1 January 1980, where MS-DOS begins

[[noreturn]] void fail(const std::filesystem::path& path, const char* what) {
  throw Error({.where = path.string(), .found = what, .expected = "a zip file that can be written"});
}

/// By the first bytes; ".bin" where they are no picture's, which scoring then says of the file.
std::string_view suffix_of(std::span<const std::byte> bytes) {
  const std::string_view text(reinterpret_cast<const char*>(bytes.data()), std::min<std::size_t>(bytes.size(), 12));
  if (text.starts_with("\x89PNG")) return ".png";
  if (text.starts_with("\xff\xd8\xff")) return ".jpg";
  return text.starts_with("RIFF") && text.ends_with("WEBP") ? ".webp" : ".bin";
}

/// An archive that is thrown away unless close() is called.
class ZipWriter {
 public:
  explicit ZipWriter(std::filesystem::path path) : path_(std::move(path)) {
    int code = 0;
    zip_ = ::zip_open(path_.c_str(), ZIP_CREATE | ZIP_EXCL, &code);
    if (zip_ != nullptr) return;
    zip_error_t error;
    ::zip_error_init_with_code(&error, code);
    const std::string text = ::zip_error_strerror(&error);
    ::zip_error_fini(&error);
    fail(path_, text.c_str());
  }
  ~ZipWriter() {
    if (zip_ != nullptr) ::zip_discard(zip_);
  }
  ZipWriter(const ZipWriter&) = delete;
  ZipWriter& operator=(const ZipWriter&) = delete;

  /// The bytes must live until close().
  void add(const std::string& name, std::span<const std::byte> bytes) {
    zip_source_t* source = ::zip_source_buffer(zip_, bytes.data(), bytes.size(), 0);
    if (source == nullptr) fail(path_, ::zip_strerror(zip_));
    const zip_int64_t index = ::zip_file_add(zip_, name.c_str(), source, ZIP_FL_ENC_UTF_8);
    if (index < 0) {
      ::zip_source_free(source);
      fail(path_, ::zip_strerror(zip_));
    }
    const auto place = static_cast<zip_uint64_t>(index);
    if (::zip_set_file_compression(zip_, place, ZIP_CM_STORE, 0) != 0 ||
        ::zip_file_set_dostime(zip_, place, 0, kFirstDay, 0) != 0) {
      fail(path_, ::zip_strerror(zip_));
    }
  }

  void close() {
    if (::zip_close(zip_) != 0) fail(path_, ::zip_strerror(zip_));
    zip_ = nullptr;
  }

 private:
  std::filesystem::path path_;
  zip_t* zip_ = nullptr;
};

}  // namespace

std::vector<std::byte> image_bytes(const Image& image, const Json& about) {
  const std::array texts{TextChunk{.key = "atelier", .text = about.dump()}};
  return encode_png(image, texts);
}

void write_image_set(const std::filesystem::path& target, const std::vector<std::vector<std::byte>>& images) {
  ZipWriter writer(target);
  for (std::size_t i = 0; i < images.size(); ++i) writer.add(fmt::format("{:03}.png", i), images[i]);
  writer.close();
}

void write_file_set(const std::filesystem::path& target, const std::vector<std::span<const std::byte>>& files) {
  ZipWriter writer(target);
  for (std::size_t i = 0; i < files.size(); ++i) writer.add(fmt::format("{:03}{}", i, suffix_of(files[i])), files[i]);
  writer.close();
}

ImageSet ImageSet::open(const std::filesystem::path& path) {
  ImageSet set;
  set.file_ = MappedFile::open(path);
  const auto archive = ZipArchive::parse(set.file_->bytes(), path.string());
  // The numbers have three digits, or more from 1000 on: shorter ones come first.
  for (const auto& [name, entry] : archive.entries()) set.entries_.push_back({name, entry.bytes});
  std::ranges::stable_sort(set.entries_, {}, [](const Entry& entry) { return entry.name.find('.'); });
  return set;
}

}  // namespace atelier::worker
