#include "framework/methods/foreign_files.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/mapped_file.h"
#include "framework/files/file_kind.h"
#include "framework/files/pickle_reader.h"
#include "framework/files/tensor_file.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::size_t kMostFiles = 10000;

std::vector<std::string> files_below(const fs::path& folder) {
  std::vector<std::string> names;
  std::error_code fault;
  for (fs::recursive_directory_iterator entry(folder, fault), end; !fault && entry != end; entry.increment(fault)) {
    std::error_code ignored;
    if (!entry->is_regular_file(ignored)) continue;
    names.push_back(entry->path().lexically_relative(folder).generic_string());
    if (names.size() > kMostFiles) {
      throw Error({.where = folder.string(),
                   .found = fmt::format("more than {} files", kMostFiles),
                   .expected = "the folder of one trained artifact"});
    }
  }
  if (fault) throw Error({.where = folder.string(), .found = fault.message(), .expected = "a folder to read"});
  std::ranges::sort(names);
  return names;
}

}  // namespace

ForeignFiles::ForeignFiles(fs::path path) : path_(std::move(path)) {
  if (!path_.has_filename()) path_ = path_.parent_path();
  std::error_code ignored;
  is_folder_ = fs::is_directory(path_, ignored);
  if (!is_folder_ && !fs::is_regular_file(path_, ignored)) {
    throw Error({.where = path_.string(), .found = "no such file or folder", .expected = "a trained artifact"},
                ErrorKind::usage);
  }
  names_ = is_folder_ ? files_below(path_) : std::vector{path_.filename().string()};
}

bool ForeignFiles::has(std::string_view name) const { return std::ranges::binary_search(names_, name); }

fs::path ForeignFiles::place(std::string_view name) const { return is_folder_ ? path_ / name : path_; }

NamedTensors ForeignFiles::tensors(std::string_view name) const {
  const TensorFile file = read_tensor_file(place(name), /*allow_pickle=*/true);
  NamedTensors content{.tensors = {}, .metadata = file.metadata};
  for (const auto& [key, view] : file.tensors) content.tensors[key] = to_tensor(view);
  return content;
}

NamedTensors ForeignFiles::whole(std::string_view name) const {
  const auto path = place(name);
  const FileKind kind = sniff_file_kind(MappedFile::open(path)->bytes());
  if (kind == FileKind::safetensors || kind == FileKind::other) return tensors(name);
  NamedTensors content;
  for (const auto& [key, view] : flatten_pickle(read_pickle(path)).tensors) content.tensors[key] = to_tensor(view);
  return content;
}

std::string ForeignFiles::text(std::string_view name) const { return read_text_file(place(name)); }

Json ForeignFiles::json(std::string_view name) const { return parse_json(text(name), place(name).string()); }

}  // namespace atelier
