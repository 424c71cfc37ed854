#include "framework/formats/encoder_source.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/files/tensor_file.h"
#include "framework/formats/dino_names.h"
#include "framework/formats/metric_networks.h"
#include "framework/formats/open_clip.h"
#include "framework/formats/openai_clip.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

bool is_weight_file(const fs::path& path) {
  constexpr std::array<std::string_view, 5> kEndings{".safetensors", ".pt", ".pth", ".bin", ".ckpt"};
  return std::ranges::find(kEndings, path.extension().string()) != kEndings.end();
}

/// What a tokenizer consists of: beside a lone weight file other files may lie that have nothing to do with it.
bool is_tokenizer_file(const fs::path& path) {
  constexpr std::array<std::string_view, 7> kNames{"vocab.json",       "merges.txt",
                                                   "tokenizer.json",   "tokenizer_config.json",
                                                   "spiece.model",     "special_tokens_map.json",
                                                   "added_tokens.json"};
  return std::ranges::find(kNames, path.filename().string()) != kNames.end();
}

bool is_small_file(const fs::path& path) {
  const auto name = path.filename().string();
  const auto ending = path.extension();
  const bool is_small = ending == ".json" || ending == ".txt" || name == "spiece.model";
  return is_small && !name.ends_with(".index.json") && !name.starts_with("LICENSE");
}

/// Regular files of a folder, sorted; none where there is no folder.
template <class Predicate>
std::vector<fs::path> files_in(const fs::path& folder, Predicate wanted) {
  std::vector<fs::path> files;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(folder, ignored)) {
    if (entry.is_regular_file(ignored) && wanted(entry.path())) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

std::vector<std::string> names_of(const std::vector<fs::path>& files) {
  std::vector<std::string> names;
  for (const auto& file : files) names.push_back(file.filename().string());
  return names;
}

/// The weight file, or the files of a folder without a config: one, or a trunk and what LPIPS adds to it.
std::vector<fs::path> bare_files(const fs::path& path) {
  if (fs::is_regular_file(path)) return {path};
  auto files = files_in(path, is_weight_file);
  if (files.size() == 1 || files.size() == 2) return files;
  const auto nothing =
      fs::is_directory(path) ? "no config.json, no open_clip_config.json and no weights" : "no such file or folder";
  throw Error({.where = path.string(),
               .found = files.empty() ? nothing
                                      : fmt::format("{} weight files and no config.json: {}", files.size(),
                                                    fmt::join(names_of(files), ", ")),
               .expected = "config.json or open_clip_config.json with weights, or one weight file",
               .advice = "name the weight file itself"},
              ErrorKind::usage);
}

enum class Layout { transformers, open_clip, bare };

Layout layout_of(const fs::path& path) {
  if (fs::is_regular_file(path / "config.json")) return Layout::transformers;
  if (fs::is_regular_file(path / "open_clip_config.json")) return Layout::open_clip;
  return Layout::bare;
}

EncoderSource read_bare(const std::vector<fs::path>& paths, const WeightChoice& choice) {
  TensorFile file = read_tensor_file(paths.front(), choice.allow_pickle);
  if (paths.size() == 2) {
    file = joined(std::move(file), read_tensor_file(paths.back(), choice.allow_pickle));
    if (is_lpips(file)) return read_lpips(std::move(file));
    throw Error({.where = paths.front().parent_path().string(),
                 .found = fmt::format("2 weight files and no config.json: {}", fmt::join(names_of(paths), ", ")),
                 .expected = "one encoder, or LPIPS with its trunk",
                 .advice = "name the weight file itself"});
  }
  if (is_openai_clip(file)) return read_openai_clip(std::move(file));
  if (is_dino(file)) return read_dino(std::move(file));
  if (is_inception(file)) return read_inception(std::move(file));
  if (is_lpips(file)) return read_lpips(std::move(file));
  std::vector<std::string> names;
  for (const auto& [name, view] : file.tensors) {
    if (names.size() < 5) names.push_back(name);
  }
  throw Error({.where = file.path,
               .found = fmt::format("{} tensors such as {}", file.tensors.size(), fmt::join(names, ", ")),
               .expected = "the names of OpenAI's CLIP, DINO, DINOv2, the Inception network of FID, or LPIPS",
               .advice = "give the folder its config.json if the names are those of transformers"});
}

}  // namespace

EncoderSource read_encoder(const fs::path& path, const WeightChoice& choice) {
  switch (layout_of(path)) {
    case Layout::transformers: {
      const auto folder = ComponentFolder::open(path);
      return {.config = folder.config(), .weights = folder.weights(choice)};
    }
    case Layout::open_clip:
      return read_open_clip(path, choice.allow_pickle);
    case Layout::bare:
      break;
  }
  return read_bare(bare_files(path), choice);
}

std::vector<fs::path> encoder_files(const fs::path& path, const WeightChoice& choice) {
  const auto layout = layout_of(path);
  std::vector<fs::path> files;
  if (layout == Layout::transformers) {
    files = ComponentFolder::open(path).weight_files(choice);
  } else if (layout == Layout::open_clip) {
    files = {open_clip_weights(path, choice.allow_pickle)};
  } else {
    files = bare_files(path);
  }
  const fs::path folder = fs::is_directory(path) ? path : path.parent_path();
  const auto wanted = layout == Layout::bare ? is_tokenizer_file : is_small_file;
  for (const auto& place : {folder, folder / "tokenizer"}) {
    const auto small = files_in(place, wanted);
    files.insert(files.end(), small.begin(), small.end());
  }
  std::ranges::sort(files);
  return files;
}

}  // namespace atelier
