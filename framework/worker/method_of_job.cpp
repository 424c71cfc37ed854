#include "framework/worker/method_of_job.h"

#include <fmt/format.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <sstream>

#include "framework/core/error.h"

namespace atelier::worker {
namespace {

/// The base model: nothing to train, nothing to apply.
class BareModel final : public Method {
 public:
  [[nodiscard]] std::unique_ptr<Stage> stage(std::string_view name, const Options&, const Concept&,
                                             const PromptLists&) const override {
    throw Error({.where = "job: stage", .found = std::string(name), .expected = "a job with a plugin"});
  }
  void apply(Session&, const TrainedArtifact&, double) const override {
    throw Error({.where = "job: artifact", .found = "an artifact", .expected = "the plugin that applies it"});
  }
};

std::vector<std::filesystem::path> plugin_folders() {
  std::vector<std::filesystem::path> folders;
  const char* chosen = std::getenv("ATELIER_PLUGINS");
  std::istringstream list(chosen == nullptr ? "" : chosen);
  for (std::string folder; std::getline(list, folder, ':');) {
    if (!folder.empty()) folders.emplace_back(folder);
  }
  folders.push_back(std::filesystem::read_symlink("/proc/self/exe").parent_path() / "../lib/atelier/plugins");
  return folders;
}

}  // namespace

MethodPlugin installed_plugin(const std::string& method) {
  for (const auto& folder : plugin_folders()) {
    const auto file = folder / (method + ".so");
    if (method.find('/') == std::string::npos && std::filesystem::exists(file)) return MethodPlugin::open(file);
  }
  throw Error({.where = "method " + method,
               .found = "no plugin of this name",
               .expected = "the method that trained the artifact",
               .advice = "install it, or name its folder in ATELIER_PLUGINS"},
              ErrorKind::usage);
}

std::map<std::string, std::shared_ptr<const Method>> installed_methods() {
  std::map<std::string, std::shared_ptr<const Method>> methods;
  for (const auto& folder : plugin_folders()) {
    std::error_code ignored;
    for (const auto& entry : std::filesystem::directory_iterator(folder, ignored)) {
      const auto name = entry.path().stem().string();
      if (entry.path().extension() != ".so" || methods.contains(name)) continue;
      try {
        methods[name] = MethodPlugin::open(entry.path()).create();
      } catch (const Error& error) {
        fmt::print(stderr, "atelier: {}\n", error.what());
      }
    }
  }
  return methods;
}

std::shared_ptr<const Method> bare_model() { return std::make_shared<const BareModel>(); }

MethodPlugin plugin_of(const Job& job) { return MethodPlugin::open(job.text("plugin")); }

std::shared_ptr<const Method> method_of(const Job& job) {
  if (job.find("plugin") == nullptr) return bare_model();
  return plugin_of(job).create();
}

}  // namespace atelier::worker
