// The command `atelier`. It links no LibTorch: what needs tensors is handed to atelier-worker (worker_launch.h).
#include <fmt/format.h>
#include <malloc.h>

#include <cstdio>
#include <exception>
#include <string_view>

#include "framework/cli/arguments.h"
#include "framework/cli/command.h"
#include "framework/core/error.h"

namespace atelier::cli {
namespace {

void add_probe(CLI::App& root, Action& action) {
  CLI::App* probe = root.add_subcommand("probe", "Run one piece of the machinery: tensors in, tensors out");
  probe->require_subcommand(1);
  add_probe_component(*probe, action);
  add_probe_method(*probe, action);
  add_probe_scheduler(*probe, action);
  add_probe_tokenizer(*probe, action);
  add_probe_preprocess(*probe, action);
  add_probe_resize(*probe, action);
}

void add_base(CLI::App& root, Action& action) {
  CLI::App* base = root.add_subcommand("base", "Base models of your own, from recipes");
  base->require_subcommand(1);
  add_base_train(*base, action);
  add_base_measure(*base, action);
}

void name_groups(CLI::App& app) {
  for (CLI::App* sub : app.get_subcommands([](CLI::App*) { return true; })) {
    sub->group("Commands");
    name_groups(*sub);
  }
}

void add_commands(CLI::App& root, Action& action) {
  root.formatter(std::make_shared<HelpFormatter>());
  root.get_formatter()->label("SUBCOMMAND", "COMMAND");
  root.require_subcommand(1);
  root.set_version_flag("--version", "atelier " ATELIER_VERSION);
  root.footer(
      "'atelier COMMAND --help' explains a command.\nExit codes: 0 done, 1 something failed, 2 wrong usage, 3 "
      "interrupted.");
  add_sample(root, action);
  add_probe(root, action);
  add_train(root, action);
  add_base(root, action);
  add_run(root, action);
  add_plan(root, action);
  add_status(root, action);
  add_stop(root, action);
  add_slurm_task(root, action);
  add_show(root, action);
  add_diff(root, action);
  add_why(root, action);
  add_logs(root, action);
  add_table(root, action);
  add_report(root, action);
  add_eval(root, action);
  add_stats(root, action);
  add_export(root, action);
  add_import(root, action);
  add_convert(root, action);
  add_merge(root, action);
  add_plugins(root, action);
  add_new_plugin(root, action);
  add_concepts(root, action);
  add_verify(root, action);
  add_reindex(root, action);
  add_gc(root, action);
  add_doctor(root, action);
  add_completion(root, action);
  name_groups(root);
}

/// CLI11's own complaints (a missing option, a value that failed our check) in our form.
[[noreturn]] void refuse(const CLI::App& root, const CLI::ParseError& error) {
  const CLI::App* app = &root;
  while (!app->get_subcommands().empty()) app = app->get_subcommands().front();
  const bool checked = dynamic_cast<const CLI::ValidationError*>(&error) != nullptr;  // says itself what is expected
  throw Error({.where = place(*app),
               .found = error.what(),
               .advice = checked ? std::string{} : fmt::format("see '{} --help'", full_name(*app))},
              ErrorKind::usage);
}

int run(const std::vector<std::string>& words) {
  CLI::App root("Text-to-image personalization: methods, sampling and measurements", "atelier");
  Action action;
  add_commands(root, action);
  if (words.empty()) {
    fmt::print(stderr, "{}", root.help());
    return 2;
  }
  const auto arguments = normalise_arguments(root, words);
  try {
    root.parse(std::vector<std::string>(arguments.rbegin(), arguments.rend()));
  } catch (const CLI::Success& success) {  // --help, --version
    return root.exit(success);
  } catch (const CLI::ParseError& error) {
    refuse(root, error);
  }
  return action();
}

/// Scoring has one code for every error: other programs call it.
int exit_code(const Error& error, int count, char** words) {
  const std::string_view command = count > 1 ? words[1] : "";
  const bool scoring = command == "stats" || command == "eval";
  return scoring && error.kind() == ErrorKind::usage ? 1 : error.exit_code();
}

int report(int code, const char* message) {
  fmt::print(stderr, "atelier: {}\n", message);
  return code;
}

}  // namespace
}  // namespace atelier::cli

int main(int count, char** words) {
  using namespace atelier;
  // A plan is many small values. Without glibc's lists of freed small blocks, which every larger request sweeps, a call
  // for thousands of runs takes a sixth less.
  ::mallopt(M_MXFAST, 0);
  try {
    const int code = cli::run({words + 1, words + count});
    if (std::fflush(stdout) != 0 || std::ferror(stdout) != 0)
      return cli::report(1, "standard output: could not be written");
    return code;
  } catch (const Error& error) {
    return cli::report(cli::exit_code(error, count, words), error.what());
  } catch (const std::bad_alloc&) {
    return cli::report(1, "memory: exhausted");
  } catch (const std::exception& error) {
    return cli::report(1, error.what());
  }
}
