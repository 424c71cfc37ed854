#include "eval/text_table.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/tensor/tensor_io.h"

namespace atelier::eval {
namespace {

namespace fs = std::filesystem;

using TextVectors = std::map<std::string, Tensor>;  // [F] float32

[[noreturn]] void refuse(const fs::path& path, std::string found) {
  throw Error({.where = "--text-features " + path.string(),
               .found = std::move(found),
               .expected = "a tensor `features` [N, F] and the metadata `texts`, a JSON array of N different texts"},
              ErrorKind::usage);
}

TextVectors read_vectors(const fs::path& path) {
  const auto content = read_named_tensors(path);
  const auto found = content.tensors.find("features");
  const auto named = content.metadata.find("texts");
  if (found == content.tensors.end()) refuse(path, "no tensor `features`");
  if (named == content.metadata.end()) refuse(path, "no metadata `texts`");
  const Tensor features = found->second;
  const Json texts = parse_json(named->second, path.string() + ": texts");
  if (features.dim() != 2 || !features.is_floating_point()) {
    refuse(path,
           fmt::format("`features` of {} dimensions and type {}", features.dim(), toString(features.scalar_type())));
  }
  if (!texts.is_array() || static_cast<std::int64_t>(texts.size()) != features.size(0)) {
    refuse(path, fmt::format("{} rows and {} texts", features.size(0), texts.is_array() ? texts.size() : 0));
  }
  TextVectors vectors;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    if (!texts[i].is_string()) refuse(path, "the text " + texts[i].dump());
    const auto row = features[static_cast<std::int64_t>(i)].to(at::kFloat).contiguous().clone();
    if (!vectors.emplace(texts[i].get<std::string>(), row).second) refuse(path, "twice the text " + texts[i].dump());
  }
  return vectors;
}

class TextTable final : public Encoder {
 public:
  TextTable(std::unique_ptr<Encoder> encoder, fs::path path) : encoder_(std::move(encoder)), path_(std::move(path)) {
    if (!path_.empty()) vectors_ = read_vectors(path_);
  }

  Tensor image_features(const Tensor& pixel_values) const override { return encoder_->image_features(pixel_values); }
  Tensor text_features(const std::string& text) const override {
    const auto found = vectors_.find(text);
    if (found != vectors_.end()) return found->second;
    if (path_.empty()) return vectors_.emplace(text, encoder_->text_features(text)).first->second;
    throw Error({.where = "--text-features " + path_.string(),
                 .found = fmt::format("no vector of the text \"{}\"", text),
                 .expected = "one for every scoring text"});
  }
  bool on_cpu() const override { return encoder_->on_cpu(); }
  std::int64_t image_size() const override { return encoder_->image_size(); }

 private:
  std::unique_ptr<Encoder> encoder_;
  fs::path path_;
  mutable TextVectors vectors_;
};

}  // namespace

std::unique_ptr<Encoder> with_texts(std::unique_ptr<Encoder> encoder, const fs::path& vectors) {
  return std::make_unique<TextTable>(std::move(encoder), vectors);
}

}  // namespace atelier::eval
