#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/run_lookup.h"
#include "framework/cli/store_option.h"

namespace atelier::cli {
namespace {

struct LogsOptions {
  std::string run, store;
  bool json = false;
};

int print_logs(const LogsOptions& options) {
  const auto index = open_index(open_store(options.store));
  const FoundRun run = find_run(*index, options.run);
  for (const LogLine& line : log_of(*index, run.manifest, run.info.run)) {
    if (options.json) {
      fmt::print("{}\n",
                 Json{{"at", line.at}, {"attempt", line.attempt}, {"level", line.level}, {"text", line.text}}.dump(
                     -1, ' ', false, Json::error_handler_t::replace));
    } else {
      fmt::print("{}  {:<8} {}\n", line.at, line.level, line.text);
    }
  }
  return 0;
}

}  // namespace

void add_logs(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("logs", "What happened to a run: attempts, events, errors, in time order");
  const auto options = std::make_shared<LogsOptions>();
  app->add_option("run", options->run, "the first letters of the run's id")->required()->type_name("RUN");
  add_store(*app, options->store);
  app->add_flag("--json", options->json, "one JSON object a line");
  app->callback([options, &action] { action = [options] { return print_logs(*options); }; });
}

}  // namespace atelier::cli
