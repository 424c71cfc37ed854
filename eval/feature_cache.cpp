#include "eval/feature_cache.h"

#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>

#include <cstring>
#include <nlohmann/json.hpp>

#include "framework/core/digest.h"
#include "framework/core/file_descriptor.h"
#include "framework/store/store.h"

namespace atelier::eval {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kDigest = 64;  // hexadecimal digits
constexpr std::size_t kCount = sizeof(std::uint32_t);
constexpr std::size_t kHead = 2 * kDigest + kCount;  // checksum, input, number of floats
constexpr std::uint32_t kMost = 1U << 24U;           // floats of one record

std::string bytes_of(std::span<const float> values) {
  return {reinterpret_cast<const char*>(values.data()), values.size_bytes()};
}

/// checksum(input, count, floats) · input · count · floats
std::string record_of(const std::string& input, std::span<const float> values) {
  const auto count = static_cast<std::uint32_t>(values.size());
  const std::string body = input + std::string(reinterpret_cast<const char*>(&count), kCount) + bytes_of(values);
  return sha256_hex(body) + body;
}

/// What is in a file from `begin` on; empty when it cannot be read.
std::string tail_of(int file, std::size_t begin) {
  struct stat facts {};
  if (::fstat(file, &facts) != 0 || facts.st_size <= static_cast<off_t>(begin)) return {};
  std::string text(static_cast<std::size_t>(facts.st_size) - begin, '\0');
  std::size_t done = 0;
  while (done < text.size()) {
    const auto count = ::pread(file, text.data() + done, text.size() - done, static_cast<off_t>(begin + done));
    if (count <= 0) break;
    done += static_cast<std::size_t>(count);
  }
  text.resize(done);
  return text;
}

}  // namespace

FeatureCache::FeatureCache(const fs::path& folder, const Json& settings) : file_(folder / key_of(settings)) {
  const FileDescriptor file(::open(file_.c_str(), O_RDONLY | O_CLOEXEC));
  if (file) read_ = take(tail_of(file.get(), 0));
}

std::size_t FeatureCache::take(std::string_view text) {
  std::size_t at = 0;
  while (text.size() - at >= kHead) {
    std::uint32_t count = 0;
    std::memcpy(&count, text.data() + at + 2 * kDigest, kCount);
    const std::size_t length = kHead + count * sizeof(float);
    if (count > kMost || text.size() - at < length) break;
    const auto body = text.substr(at + kDigest, length - kDigest);
    if (sha256_hex(body) != text.substr(at, kDigest)) break;
    std::vector<float> values(count);
    std::memcpy(values.data(), text.data() + at + kHead, values.size() * sizeof(float));
    values_.emplace(body.substr(0, kDigest), std::move(values));
    at += length;
  }
  return at;
}

std::optional<std::vector<float>> FeatureCache::find(const std::string& input) const {
  const std::scoped_lock lock(mutex_);
  const auto found = values_.find(input);
  return found == values_.end() ? std::nullopt : std::optional(found->second);
}

void FeatureCache::put(const std::string& input, std::span<const float> values) {
  const std::scoped_lock lock(mutex_);
  if (input.size() != kDigest || values.size() > kMost) return;
  if (!values_.emplace(input, std::vector<float>(values.begin(), values.end())).second) return;
  std::error_code ignored;
  fs::create_directory(file_.parent_path(), ignored);
  const FileDescriptor file(::open(file_.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644));
  if (!file || ::flock(file.get(), LOCK_EX) != 0) return;
  read_ += take(tail_of(file.get(), read_));  // what others appended meanwhile
  const std::string record = record_of(input, values);
  const auto end = static_cast<off_t>(read_);
  if (::ftruncate(file.get(), end) != 0) return;
  const auto written = ::pwrite(file.get(), record.data(), record.size(), end);
  if (written == static_cast<ssize_t>(record.size())) read_ += record.size();
}

}  // namespace atelier::eval
