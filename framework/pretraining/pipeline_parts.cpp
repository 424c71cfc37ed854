#include "framework/pretraining/pipeline_parts.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <fmt/format.h>

#include "framework/core/error.h"
#include "framework/core/progress.h"
#include "framework/formats/component_folder.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr std::int64_t kPromptsAtOnce = 128;

}  // namespace

ComponentFolder open_component(const fs::path& folder, const std::string& trained_by) {
  if (!fs::is_regular_file(folder / "config.json")) {
    throw Error({.where = folder.string(),
                 .found = fs::is_directory(folder) ? "no config.json" : "no such folder",
                 .expected = "a component that is trained already",
                 .advice = fmt::format("train the recipe of \"{}\" into the same --out first", trained_by)});
  }
  return ComponentFolder::open(folder);
}

std::unique_ptr<VAE> open_vae(const fs::path& pipeline, const Placement& placement) {
  const auto folder = open_component(pipeline / "vae", "vae");
  return std::make_unique<VAE>(folder.config(), Weights(folder.weights(), placement));
}

std::unique_ptr<ClipText> open_text_encoder(const fs::path& pipeline, const Placement& placement) {
  const auto folder = open_component(pipeline / "text_encoder", "clip");
  return std::make_unique<ClipText>(folder.config(), Weights(folder.weights(), placement));
}

std::vector<fs::path> component_files(const fs::path& folder, const std::string& trained_by) {
  auto files = open_component(folder, trained_by).weight_files();
  files.push_back(folder / "config.json");
  return files;
}

Tensor encode_captions(const ClipText& text, const Tensor& ids, const std::function<void()>& keep_on) {
  const at::NoGradGuard no_grad;
  Progress progress("encoding captions", static_cast<std::size_t>(ids.size(0)));
  Tensor states = at::empty({ids.size(0), ids.size(1), text.config().width},
                            at::TensorOptions().device(text.placement().device).dtype(text.placement().dtype));
  for (std::int64_t first = 0; first < ids.size(0); first += kPromptsAtOnce) {
    keep_on();
    const std::int64_t rows = std::min(kPromptsAtOnce, ids.size(0) - first);
    states.narrow(0, first, rows).copy_(text.forward(ids.narrow(0, first, rows)).last_hidden_state);
    progress.advance(static_cast<std::size_t>(rows));
  }
  progress.finish();
  return states;
}

}  // namespace atelier
