#include "framework/worker/picture_folder.h"

#include <fmt/format.h>

#include <array>
#include <system_error>

#include "framework/core/error.h"
#include "framework/image/encode.h"
#include "framework/tensor/tensor_io.h"
#include "framework/worker/attention_pictures.h"

namespace atelier::worker {
namespace {

constexpr std::size_t kSlugLength = 40;

/// The first words of a prompt as a file name: ASCII letters and digits, the rest becomes single underscores. A prompt
/// can therefore never name a path.
std::string slug(const std::string& prompt) {
  std::string name;
  for (const char character : prompt) {
    const bool plain = (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z') ||
                       (character >= '0' && character <= '9');
    if (plain) {
      name += character;
    } else if (!name.empty() && name.back() != '_') {
      name += '_';
    }
    if (name.size() == kSlugLength) break;
  }
  while (!name.empty() && name.back() == '_') name.pop_back();
  return name;
}

/// Enough digits that names sort as numbers.
std::string numbered(std::int64_t number, std::int64_t count) {
  return fmt::format("{:0{}}", number, std::max<std::size_t>(3, std::to_string(count - 1).size()));
}

void make_folder(const std::filesystem::path& path) {
  std::error_code error;
  std::filesystem::create_directories(path, error);
  if (error) throw Error({.where = path.string(), .found = error.message(), .expected = "a folder that can be made"});
}

}  // namespace

PictureFolder::PictureFolder(std::filesystem::path root, const SampleRequest& request, std::string model)
    : root_(std::move(root)), request_(request), model_(std::move(model)) {
  make_folder(root_);
}

std::filesystem::path PictureFolder::folder(std::size_t prompt) const {
  const auto number = numbered(static_cast<std::int64_t>(prompt), static_cast<std::int64_t>(request_.prompts.size()));
  const std::string words = slug(request_.prompts[prompt]);
  return root_ / (words.empty() ? number : number + "_" + words);
}

Json PictureFolder::provenance(std::size_t prompt, std::int64_t picture) const {
  Json artifacts = Json::array();
  for (const auto& artifact : request_.artifacts)
    artifacts.push_back({{"path", artifact.path}, {"weight", artifact.weight}});
  Json json{{"prompt", request_.prompts[prompt]},
            {"seed", request_.seed + picture},
            {"steps", request_.steps},
            {"guidance", request_.guidance},
            {"scheduler", request_.scheduler.value_or("the model's")},
            {"model", model_}};
  if (request_.negative) json["negative"] = *request_.negative;
  if (request_.reward_guidance) json["reward_guidance"] = *request_.reward_guidance;
  if (!artifacts.empty()) json["artifacts"] = artifacts;
  if (request_.edit && prompt > 0) {
    json["edit_of"] = request_.prompts.front();
    json["cross_replace"] = {request_.edit->cross.begin, request_.edit->cross.end};
    json["self_replace"] = {request_.edit->self.begin, request_.edit->self.end};
  }
  return json;
}

void PictureFolder::write(std::size_t prompt, std::int64_t picture, const Image& image) const {
  const auto into = folder(prompt);
  make_folder(into);
  const auto path = into / (numbered(picture, request_.images) + ".png");
  Json json = provenance(prompt, picture);
  const std::array texts{TextChunk{.key = "atelier", .text = json.dump()}};
  write_png(path, image, texts);
  if (!request_.json) return;
  json["file"] = path.string();
  fmt::print("{}\n", json.dump());
}

void PictureFolder::write_attention(std::size_t prompt, std::int64_t picture, const Image& image,
                                    const std::vector<std::string>& words, const Tensor& maps) const {
  const auto into = folder(prompt);
  const auto name = numbered(picture, request_.images) + "_attention";
  NamedTensors raw;
  for (std::size_t i = 0; i < words.size(); ++i) {
    const Tensor map = maps[static_cast<std::int64_t>(i)];
    raw.tensors[words[i]] = map;
    write_png(into / fmt::format("{}_{}_{}.png", name, i, slug(words[i])), with_heat(image, map));
  }
  write_named_tensors(into / (name + ".safetensors"), raw);
}

void PictureFolder::write_preview(std::size_t prompt, std::int64_t picture, std::size_t step,
                                  const Image& image) const {
  const auto into = root_ / "previews" / folder(prompt).filename();
  make_folder(into);
  write_png(into / fmt::format("{}_step{:04}.png", numbered(picture, request_.images), step), image);
}

}  // namespace atelier::worker
