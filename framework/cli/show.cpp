#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/run_lookup.h"
#include "framework/cli/store_option.h"
#include "framework/core/text.h"

namespace atelier::cli {
namespace {

struct ShowOptions {
  std::string run, store;
  bool json = false;
};

Json parsed(const std::string& text) { return text.empty() ? Json() : parse_json(text, "index"); }

Json json_of(const ArtifactInfo& artifact) {
  return {{"job", artifact.job},
          {"kind", artifact.kind},
          {"key", artifact.key},
          {"object", artifact.object.empty() ? Json() : Json(artifact.object)},
          {"step", artifact.step ? Json(*artifact.step) : Json()},
          {"prompt", artifact.prompt},
          {"evaluations", artifact.evaluations},
          {"divergent", artifact.divergent},
          {"summary", parsed(artifact.summary)}};
}

/// What is said about an artifact in one line: the facts of its summary that are numbers or short texts.
std::string facts_of(const ArtifactInfo& artifact) {
  std::string text;
  const Json summary = parsed(artifact.summary);
  if (!summary.is_object()) return text;
  for (const auto& [name, value] : summary.items()) {
    if (value.is_number()) text += fmt::format("  {} {}", name, value.dump());
  }
  return text;
}

void print_artifact(const ArtifactInfo& artifact) {
  std::string what = artifact.kind;
  if (artifact.step) what += fmt::format(" step {}", *artifact.step);
  if (!artifact.prompt.empty()) what += " \"" + artifact.prompt + "\"";
  if (!artifact.evaluations.empty()) what += " for " + join(artifact.evaluations);
  fmt::print("  {}\n    key    {}\n    object {}{}\n", what, artifact.key,
             artifact.object.empty() ? "(not made yet)" : artifact.object,
             artifact.divergent ? "  (other bytes came out under this key too)" : "");
  if (const auto facts = facts_of(artifact); !facts.empty()) fmt::print("   {}\n", facts);
}

int show(const ShowOptions& options) {
  const auto index = open_index(open_store(options.store));
  const FoundRun run = find_run(*index, options.run);
  const auto artifacts = artifacts_of(*index, run.manifest, run.info.run);
  const auto rows =
      index->query("SELECT options FROM run WHERE manifest = ?1 AND run = ?2", {run.manifest, run.info.run});
  const Json chosen = rows.empty() ? Json() : parsed(text_of(rows.front().at(0)));
  if (options.json) {
    Json out{{"run", run.info.run},
             {"study", run.study},
             {"manifest", run.manifest},
             {"label", run.info.label},
             {"method", run.info.method},
             {"concept", run.info.concept_name},
             {"preset", run.info.preset},
             {"seed", run.info.seed ? Json(*run.info.seed) : Json()},
             {"checkpoint", run.info.checkpoint ? Json(*run.info.checkpoint) : Json()},
             {"options", chosen},
             {"artifacts", Json::array()}};
    for (const auto& artifact : artifacts) out["artifacts"].push_back(json_of(artifact));
    fmt::print("{}", pretty_json(out));
    return 0;
  }
  fmt::print("run {} of {}: {}\nmethod {}, concept {}, seed {}, preset {}\n", run.info.run, run.study, run.info.label,
             run.info.method, run.info.concept_name, run.info.seed ? std::to_string(*run.info.seed) : "-",
             run.info.preset.empty() ? "-" : run.info.preset);
  if (run.info.checkpoint) fmt::print("checkpoint: step {}\n", *run.info.checkpoint);
  if (chosen.is_object()) {
    for (const auto& [name, value] : chosen.items()) fmt::print("  {} = {}\n", name, value.dump());
  }
  for (const auto& artifact : artifacts) print_artifact(artifact);
  return 0;
}

}  // namespace

void add_show(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("show", "A run: its options, what it made, and where that lies");
  const auto options = std::make_shared<ShowOptions>();
  app->add_option("run", options->run, "the first letters of the run's id")->required()->type_name("RUN");
  add_store(*app, options->store);
  app->add_flag("--json", options->json, "as JSON");
  app->callback([options, &action] { action = [options] { return show(*options); }; });
}

}  // namespace atelier::cli
