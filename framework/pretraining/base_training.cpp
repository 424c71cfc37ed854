#include "framework/pretraining/base_training.h"

#include <ATen/Context.h>
#include <fmt/format.h>
#include <malloc.h>

#include <chrono>
#include <limits>
#include <nlohmann/json.hpp>

#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/pretraining/base_snapshot.h"
#include "framework/pretraining/component_files.h"
#include "framework/pretraining/pipeline_parts.h"
#include "framework/pretraining/scene_set.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr const char* kComponentSchema = "atelier.base_component/1";

/// Raised when what a training computes changes: then nothing of an earlier version goes on, or counts as done.
constexpr int kNumerics = 1;

std::vector<fs::path> tokenizer_files(const fs::path& folder) {
  std::vector<fs::path> files;
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer.json"}) {
    if (fs::is_regular_file(folder / name)) files.push_back(folder / name);
  }
  if (!files.empty()) return files;
  throw Error({.where = folder.string(),
               .found = fs::is_directory(folder) ? "no files of a tokenizer" : "no such folder",
               .expected = "vocab.json and merges.txt"});
}

/// Every file that a component learns from, besides recipe and scenes.
std::vector<fs::path> input_files(const BaseRecipe& recipe, const fs::path& out) {
  std::vector<fs::path> files;
  const auto add = [&](std::vector<fs::path> more) { files.insert(files.end(), more.begin(), more.end()); };
  switch (recipe.component) {
    case BaseComponent::clip:
      add(tokenizer_files(recipe.beside(recipe.tokenizer)));
      break;
    case BaseComponent::unet: {
      const fs::path base = out / recipe.base_input;
      add(component_files(base / "vae", "vae"));
      add(component_files(base / "text_encoder", "clip"));
      add(tokenizer_files(base / "tokenizer"));
      files.push_back(recipe.beside(recipe.scheduler));
      break;
    }
    case BaseComponent::segmenter:
      add(component_files(out / recipe.clip_input, "clip"));
      add(tokenizer_files(out / recipe.clip_input));
      break;
    case BaseComponent::vae:
    case BaseComponent::judge:
      break;
  }
  return files;
}

std::string digest_of(const BaseRecipe& recipe, const SceneSet& scenes, const fs::path& out) {
  Json inputs = Json::array();
  for (const auto& file : input_files(recipe, out)) inputs.push_back(sha256_file(file));
  const Json all{
      {"numerics", kNumerics}, {"recipe", recipe.resolved()}, {"scenes", scenes.digest()}, {"inputs", inputs}};
  return sha256_hex(all.dump());
}

/// OUT/.training/<component>.json: what lies in the pipeline's folder, and what it came of.
class BaseRecord {
 public:
  BaseRecord(fs::path path, fs::path out, std::string digest)
      : path_(std::move(path)), out_(std::move(out)), digest_(std::move(digest)) {}

  /// The files, when all are there as they were written; nothing else.
  [[nodiscard]] std::vector<fs::path> find() const {
    if (!fs::is_regular_file(path_)) return {};
    const Json record = read_json_file(path_);
    if (!record.is_object() || record.value("schema", "") != kComponentSchema || record.value("digest", "") != digest_)
      return {};
    std::vector<fs::path> files;
    const Json listed = record.value("files", Json::object());
    for (const auto& [name, digest] : listed.items()) {
      if (!fs::is_regular_file(out_ / name) || digest != sha256_file(out_ / name)) return {};
      files.push_back(out_ / name);
    }
    return files;
  }

  void write(const BaseRecipe& recipe, const BaseTrainingResult& result) const {
    Json files = Json::object();
    for (const auto& file : result.files) files[fs::relative(file, out_).string()] = sha256_file(file);
    write_json(path_, {{"schema", kComponentSchema},
                       {"digest", digest_},
                       {"recipe", recipe.resolved()},
                       {"loss", result.training.loss},
                       {"seconds", result.seconds},
                       {"parameters", result.training.numbers},
                       {"files", files}});
  }

 private:
  fs::path path_, out_;
  std::string digest_;
};

void check_dtype(c10::ScalarType dtype) {
  if (dtype == at::kFloat || dtype == at::kBFloat16) return;
  throw Error({.where = "--dtype",
               .found = std::string(c10::toString(dtype)),
               .expected = "float32 or bfloat16",
               .advice = "parameters and optimizer stay float32 in both"},
              ErrorKind::usage);
}

/// What the loop computes with.
void set_up_device(const Placement& placement) {
  auto& context = at::globalContext();
  if (placement.device.is_cpu()) {
    // Attention over a few dozen positions: whole products are quicker than blocks, each of which sets up its own.
    context.setSDPUseFlash(false);
    // Every step allocates the same large tensors again: memory that goes back to the system in between is cleared page
    // by page when it comes again (measured: a sixth of a step).
    ::mallopt(M_MMAP_THRESHOLD, 1 << 30);
    ::mallopt(M_TRIM_THRESHOLD, std::numeric_limits<int>::max());
    ::mallopt(M_TOP_PAD, 64 << 20);
    return;
  }
  context.setBenchmarkCuDNN(true);
  context.setAllowTF32CuBLAS(true);
  context.setAllowTF32CuDNN(true);
}

[[noreturn]] void interrupt(const std::string& component, std::int64_t step) {
  throw Error({.where = component,
               .found = step > 0 ? fmt::format("asked to stop after step {}", step) : "asked to stop",
               .expected = {},
               .advice = "call it again to go on"},
              ErrorKind::interrupted);
}

}  // namespace

BaseTrainingResult run_base_training(const BaseTrainingRequest& request) {
  const auto start = std::chrono::steady_clock::now();
  check_dtype(request.placement.dtype);
  const BaseRecipe recipe = read_base_recipe(request.recipe, request.steps);
  const SceneSet scenes = SceneSet::open(request.data / recipe.scenes);
  BaseTrainingResult result;
  result.component = component_name(recipe.component);
  const fs::path records = request.out / ".training";
  const std::string digest = digest_of(recipe, scenes, request.out);
  const BaseRecord record(records / (result.component + ".json"), request.out, digest);
  result.files = record.find();
  result.already_done = !result.files.empty();
  if (result.already_done) return result;

  set_up_device(request.placement);
  const auto keep_on = [&] {
    if (request.stop()) interrupt(result.component, 0);
  };
  const auto objective = make_objective(
      {.recipe = recipe, .scenes = scenes, .out = request.out, .placement = request.placement, .keep_on = keep_on});
  const fs::path snapshot = records / (result.component + ".safetensors");
  result.training = train_component(*objective, recipe,
                                    {.snapshot = snapshot,
                                     .digest = digest,
                                     .placement = request.placement,
                                     .report_seconds = request.report_seconds,
                                     .stop = request.stop,
                                     .on_progress = request.on_progress});
  if (!result.training.done) interrupt(result.component, result.training.steps);
  result.files = objective->publish(result.training.values);
  result.seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
  record.write(recipe, result);
  BaseSnapshot(snapshot, digest).remove();
  return result;
}

}  // namespace atelier
