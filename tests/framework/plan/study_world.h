#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "framework/core/digest.h"
#include "framework/plan/manifest.h"
#include "framework/store/manifest_parts.h"
#include "tests/framework/config/known.h"
#include "tests/framework/plan/plan_world.h"

namespace atelier::tests {

inline MethodSpec two_stages() {
  MethodSpec spec = textreg_spec();
  spec.stages[1].depends_on_total_when = {{.option = "ut.lr_scheduler", .value = "constant", .negated = true}};
  spec.stages[1].lists = {"textreg/train_object"};
  return spec;
}

/// Two installed methods, a base model, an encoder and two concepts; studies are planned in it.
class StudyWorld : public PlanWorld {
 public:
  StudyWorld() {
    for (const auto& spec : {two_stages(), dco_spec()}) install(spec);
    write_pipeline(*this, "base");
    write("clip/config.json", R"({"model_type": "clip"})");
    write("clip/model.safetensors", no_tensors("a"));
    for (const auto* name : {"cat", "vase"}) {
      for (int i = 0; i < 2; ++i)
        photo(std::string("concepts/") + name + "/" + std::to_string(i) + ".png", i + name[0]);
      write(std::string("concepts/") + name + "/concept.yaml", std::string("class: ") + name + "\n");
    }
  }

  void install(const MethodSpec& spec) const {
    write("plugins/" + spec.name + ".so", "library of " + spec.name);
    const Json json{{"schema", "atelier.plugin/1"},
                    {"api", kPluginApi},
                    {"torch", "2.11.0"},
                    {"compiler", "gcc 12"},
                    {"build", sha256_hex("library of " + spec.name)},
                    {"method", to_json(spec)}};
    write("plugins/" + spec.name + ".json", json.dump());
  }

  /// With everything in its place. `device` and `threads` of the machine.
  [[nodiscard]] Json plan(const std::string& yaml, const std::vector<std::string>& overrides = {},
                          const std::string& device = "cpu", std::int64_t threads = 1) {
    return whole_manifest(plan_in_parts(yaml, overrides, device, threads));
  }

  /// As it is stored.
  [[nodiscard]] Json plan_in_parts(const std::string& yaml, const std::vector<std::string>& overrides = {},
                                   const std::string& device = "cpu", std::int64_t threads = 1) {
    const PluginCatalog plugins(digests, {path() / "plugins"});
    const PromptCatalog prompts(data());
    PlannedModels models(digests, {path() / "models.yaml", path() / "hub"});
    const Study study = read_study(yaml, "study.yaml", overrides, known_words(plugins, prompts));
    return make_manifest(study, {.digests = digests,
                                 .photos = reader,
                                 .plugins = plugins,
                                 .prompts = prompts,
                                 .models = models,
                                 .folder = path(),
                                 .device = device,
                                 .threads = threads});
  }
};

/// The jobs of a kind, in order.
inline std::vector<Json> jobs(const Json& manifest, const std::string& kind) {
  std::vector<Json> found;
  for (const auto& job : manifest.at("jobs")) {
    if (job.at("kind") == kind) found.push_back(job);
  }
  return found;
}

}  // namespace atelier::tests
