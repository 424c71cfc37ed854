#include "framework/cli/study_file.h"

#include <fmt/format.h>

#include <functional>
#include <nlohmann/json.hpp>

#include "framework/cli/arguments.h"
#include "framework/cli/machine.h"
#include "framework/cli/options.h"
#include "framework/cli/store_option.h"
#include "framework/config/faults.h"
#include "framework/config/study.h"
#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/formats/model_locator.h"
#include "framework/plan/manifest.h"

namespace atelier::cli {
namespace {

constexpr std::size_t kLongestStudy = 1u << 20;

/// One fault a line, so that an editor can jump to each.
[[noreturn]] void rethrow_lines(const Error& error) {
  const auto lines = fault_lines(error);
  if (lines.size() < 2) throw Error(error);
  for (std::size_t i = 0; i + 1 < lines.size(); ++i) fmt::print(stderr, "atelier: {}\n", lines[i]);
  throw Error({.where = lines.back(), .found = fmt::format("the last of {} faults; nothing was started", lines.size())},
              ErrorKind::usage);
}

}  // namespace

void add_study(CLI::App& app, StudyOptions& options) {
  existing_file(app.add_option("study", options.file, "the study file")->required());
  app.add_option("--set", options.overrides, "override of the file, e.g. methods.textreg.options.lora_rank=4")
      ->allow_extra_args(false)
      ->type_name(std::string("KEY=VALUE") + kSeveral);
  add_store(app, options.store);
}

namespace {

using Reading = std::function<Study(const Known& known)>;

Json plan(const Reading& read, const std::filesystem::path& folder) {
  DigestCache digests;
  const PluginCatalog plugins(digests);
  const PromptCatalog prompts;
  const Known known = known_words(plugins, prompts);
  try {
    const Study study = read(known);
    PhotoReader photos(digests);
    PlannedModels models(digests, ModelSearch::from_environment());
    const PlanSources sources{.digests = digests,
                              .photos = photos,
                              .plugins = plugins,
                              .prompts = prompts,
                              .models = models,
                              .folder = folder,
                              .device = study.placement.device == "auto" ? automatic_device() : "cpu",
                              .threads = describe_machine().cores};
    return make_manifest(study, sources);
  } catch (const Error& error) {
    rethrow_lines(error);
  }
}

}  // namespace

Json plan_tree(const YamlNode& root, const std::string& name, const std::filesystem::path& folder) {
  return plan([&](const Known& known) { return read_study(root, name, known); }, folder);
}

Json plan_study(const StudyOptions& options) {
  const std::filesystem::path file(options.file);
  const auto text = read_text_file(file, kLongestStudy);
  return plan([&](const Known& known) { return read_study(text, options.file, options.overrides, known); },
              std::filesystem::absolute(file).parent_path());
}

}  // namespace atelier::cli
