#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/plan/concept_check.h"
#include "framework/store/digest_cache.h"

namespace atelier::cli {
namespace {

struct CheckOptions {
  std::string root, set;
  bool json = false;
};

int check(const CheckOptions& options) {
  DigestCache digests;
  PhotoReader reader(digests);
  const ConceptReport report = check_concepts(options.root, options.set, reader);
  fmt::print("{}", options.json ? pretty_json(to_json(report)) : to_text(report));
  return report.good() ? 0 : 1;
}

}  // namespace

void add_concepts(CLI::App& parent, Action& action) {
  CLI::App* concepts = parent.add_subcommand("concepts", "Folders of photos to learn from");
  concepts->require_subcommand(1);
  CLI::App* app =
      concepts->add_subcommand("check", "Look at every concept below a folder: photos, class words, faults");
  const auto options = std::make_shared<CheckOptions>();
  existing_folder(app->add_option("root", options->root, "folder with one folder a concept")->required());
  one_of(
      app->add_option("--set", options->set, "a published set: which concepts should be there, with how many photos"),
      {"concepts39", "dreambench"});
  app->add_flag("--json", options->json, "as JSON");
  app->footer(
      "Examples:\n  atelier concepts check experiments/demo/concepts\n"
      "  atelier concepts check ~/data/dreambooth --set dreambench\n");
  app->callback([options, &action] { action = [options] { return check(*options); }; });
}

}  // namespace atelier::cli
