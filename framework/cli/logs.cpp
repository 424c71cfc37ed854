#include <fmt/format.h>

#include <chrono>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <set>
#include <thread>

#include "framework/cli/command.h"
#include "framework/cli/live_lines.h"
#include "framework/cli/run_lookup.h"
#include "framework/cli/store_option.h"

namespace atelier::cli {
namespace {

using namespace std::chrono_literals;
constexpr auto kBetweenLooks = 500ms;

struct LogsOptions {
  std::string run, store;
  bool json = false, follow = false;
};

void print_log_line(const LogLine& line, bool json) {
  if (json) {
    fmt::print("{}\n",
               Json{{"at", line.at}, {"attempt", line.attempt}, {"level", line.level}, {"text", line.text}}.dump(
                   -1, ' ', false, Json::error_handler_t::replace));
  } else {
    fmt::print("{}  {:<8} {}\n", line.at, line.level, line.text);
  }
}

/// Lines of several workers may come in another order than they were written: each that is new is printed.
class LogPrinter {
 public:
  explicit LogPrinter(bool json) : json_(json) {}

  void print(Index& index, const FoundRun& run) {
    for (const LogLine& line : log_of(index, run.manifest, run.info.run)) {
      if (printed_.insert(line.at + line.attempt + line.text).second) print_log_line(line, json_);
    }
    std::fflush(stdout);
  }

 private:
  bool json_;
  std::set<std::string> printed_;
};

int print_logs(const LogsOptions& options) {
  const Store store = open_store(options.store);
  const auto index = open_index(store);
  const FoundRun run = find_run(*index, options.run);
  LogPrinter printer(options.json);
  printer.print(*index, run);
  while (options.follow && !live_work(store, run.manifest).empty()) {
    std::this_thread::sleep_for(kBetweenLooks);
    index->refresh();
    printer.print(*index, run);
  }
  if (options.follow) {  // what was written between the last look and the end
    index->refresh();
    printer.print(*index, run);
  }
  return 0;
}

}  // namespace

void add_logs(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("logs", "What happened to a run: attempts, events, errors, in time order");
  const auto options = std::make_shared<LogsOptions>();
  app->add_option("run", options->run, "the first letters of the run's id")->required()->type_name("RUN");
  add_store(*app, options->store);
  app->add_flag("-f,--follow", options->follow, "go on with what is added, as long as something works on the study");
  app->add_flag("--json", options->json, "one JSON object a line");
  app->callback([options, &action] { action = [options] { return print_logs(*options); }; });
}

}  // namespace atelier::cli
