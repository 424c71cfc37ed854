#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/run_lookup.h"
#include "framework/cli/store_option.h"
#include "framework/plan/keys.h"
#include "framework/plan/run_stages.h"

namespace atelier::cli {
namespace {

struct DiffOptions {
  std::string first, second, store;
  bool json = false;
};

/// What decides a run: the descriptions of its keys, by place; also of what is not made yet.
Json descriptions_of(const Store& store, const FoundRun& run) {
  Json all = Json::object();
  const Json manifest = read_json_file(store.root() / "manifests" / (run.manifest + ".json"));
  for (const auto& [place, stage] : run_stages(manifest, run.info.run)) all[place] = stage.description;
  return all;
}

int diff(const DiffOptions& options) {
  const Store store = open_store(options.store);
  const auto index = open_index(store);
  const FoundRun first = find_run(*index, options.first), second = find_run(*index, options.second);
  const Json differences = explain_difference(descriptions_of(store, first), descriptions_of(store, second));
  if (options.json) {
    fmt::print("{}", pretty_json(differences));
    return 0;
  }
  if (differences.empty()) fmt::print("nothing that decides a result differs\n");
  for (const Json& entry : differences) {
    fmt::print("{}: {} | {}\n", entry.at("path").get<std::string>(), entry.at("a").dump(), entry.at("b").dump());
  }
  return 0;
}

}  // namespace

void add_diff(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("diff", "What decides the results of two runs, where it differs");
  const auto options = std::make_shared<DiffOptions>();
  app->add_option("first", options->first, "the first letters of a run's id")->required()->type_name("RUN");
  app->add_option("second", options->second, "the same of another")->required()->type_name("RUN");
  add_store(*app, options->store);
  app->add_flag("--json", options->json, "as JSON");
  app->callback([options, &action] { action = [options] { return diff(*options); }; });
}

}  // namespace atelier::cli
