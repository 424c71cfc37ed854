#include "framework/store/import.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/store_option.h"

namespace atelier::cli {
namespace {

struct ImportOptions {
  std::string from, store;
  bool json = false;
};

Json json_of_import(const ImportReport& report) {
  Json out{{"keys", report.keys},           {"objects", report.objects}, {"bytes", report.bytes},
           {"manifests", report.manifests}, {"lines", report.lines},     {"without_object", report.without_object},
           {"divergent", report.divergent}, {"damage", Json::array()}};
  for (const Damage& damage : report.damages)
    out["damage"].push_back({{"place", damage.place}, {"found", damage.found}, {"advice", damage.advice}});
  return out;
}

void print_import(const std::string& from, const ImportReport& report) {
  fmt::print("{}: {} keys, {} objects ({:.1f} MB), {} studies, {} lines of spools were not here yet\n", from,
             report.keys, report.objects, static_cast<double>(report.bytes) / 1e6, report.manifests, report.lines);
  if (report.without_object > 0)
    fmt::print("left out: {} keys whose content is not in that store\n", report.without_object);
  for (const auto& key : report.divergent)
    fmt::print("key {}: other bytes than here; both are kept, and tables mark it\n", key);
  for (const Damage& damage : report.damages)
    fmt::print(stderr, "{}: {}; left out; {}\n", damage.place, damage.found, damage.advice);
}

int import_from(const ImportOptions& options) {
  const Store from = open_store(options.from);
  const ImportReport report = import_store(from, create_store(options.store));
  if (options.json) {
    fmt::print("{}", pretty_json(json_of_import(report)));
  } else {
    print_import(options.from, report);
  }
  return report.damages.empty() ? 0 : 1;
}

}  // namespace

void add_import(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("import", "Take the results of another store, or of a bundle, into this one");
  const auto options = std::make_shared<ImportOptions>();
  existing_folder(app->add_option("from", options->from, "the other store's folder, or a bundle's")->required());
  add_store(*app, options->store);
  app->add_flag("--json", options->json, "as JSON");
  app->footer("Example:\n  atelier import /mnt/cluster/store --store out/store");
  app->callback([options, &action] { action = [options] { return import_from(*options); }; });
}

}  // namespace atelier::cli
