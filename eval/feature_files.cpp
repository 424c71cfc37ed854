#include "eval/feature_files.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/zeros.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/tensor/tensor_io.h"

namespace atelier::eval {
namespace {

namespace fs = std::filesystem;

/// Rows of one tensor, with the files that they are of.
class Rows {
 public:
  void add(const PictureFeatures& features, const std::vector<std::string>& files, const std::string& below) {
    for (std::size_t k = 0; k < files.size(); ++k) {
      if (!features.ok(k)) continue;
      rows_.push_back(features.raw.narrow(0, static_cast<std::int64_t>(k), 1));
      files_.push_back(below + files[k]);
    }
  }

  void write(const std::string& name, NamedTensors& content) const {
    content.tensors[name] = rows_.empty() ? at::zeros({0, 0}) : at::cat(rows_);  // [N, F]
    content.metadata[name] = files_.dump();
  }

 private:
  std::vector<Tensor> rows_;
  Json files_ = Json::array();
};

NamedTensors features_of(const std::string& role, const std::vector<ScoredConcept>& concepts) {
  std::map<View, std::pair<Rows, Rows>> views;
  for (const ScoredConcept& subject : concepts) {
    for (const auto& [view, features] : subject.scores.features.at(role)) {
      auto& [generated, references] = views[view];
      references.add(features.references, subject.references, subject.name + "/");
      for (std::size_t i = 0; i < subject.sets.size(); ++i) generated.add(features.sets[i], subject.sets[i].files, "");
    }
  }
  NamedTensors content;
  for (const auto& [view, rows] : views) {
    const std::string suffix = view == View::foreground ? "_masked" : "";
    rows.first.write("generated" + suffix, content);
    rows.second.write("references" + suffix, content);
  }
  return content;
}

}  // namespace

FeatureFiles::FeatureFiles(const fs::path& folder, const Protocol& protocol,
                           const std::vector<ScoredConcept>& concepts) {
  std::error_code failed;
  for (auto each = fs::absolute(folder).lexically_normal(); !fs::exists(each, failed); each = each.parent_path()) {
    if (!each.filename().empty()) made_.push_back(each);
  }
  fs::create_directories(folder, failed);
  if (failed) throw Error({.where = folder.string(), .found = failed.message(), .expected = "a folder to write in"});
  try {
    for (const auto& [role, use] : protocol.encoders) {
      files_.emplace_back(folder / (role + ".partial"), folder / (role + ".safetensors"));
      write_named_tensors(files_.back().first, features_of(role, concepts));
    }
  } catch (...) {
    clear();
    throw;
  }
}

FeatureFiles::~FeatureFiles() { clear(); }

void FeatureFiles::clear() noexcept {
  std::error_code ignored;
  for (const auto& [now, later] : files_) fs::remove(now, ignored);
  for (const auto& folder : made_) fs::remove(folder, ignored);  // what is not empty stays
}

void FeatureFiles::commit() {
  for (const auto& [now, later] : files_) {
    std::error_code failed;
    fs::rename(now, later, failed);
    if (failed) throw Error({.where = later.string(), .found = failed.message(), .expected = "a file to write"});
  }
  files_.clear();
  made_.clear();
}

}  // namespace atelier::eval
