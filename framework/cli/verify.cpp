#include "framework/store/verify.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/store_option.h"

namespace atelier::cli {
namespace {

struct VerifyOptions {
  std::string store;
  bool json = false;
};

void print_json(const Store& store, const std::vector<Damage>& damages) {
  Json out{{"store", store.root().string()}, {"sound", damages.empty()}, {"damage", Json::array()}};
  for (const Damage& damage : damages) {
    out["damage"].push_back({{"place", damage.place}, {"found", damage.found}, {"advice", damage.advice}});
  }
  fmt::print("{}", pretty_json(out));
}

void print_text(const Store& store, const std::vector<Damage>& damages) {
  for (const Damage& damage : damages) fmt::print("{}: {}; {}\n", damage.place, damage.found, damage.advice);
  if (damages.empty()) {
    fmt::print("{}: every file is as it was written\n", store.root().string());
  } else {
    fmt::print("{}: {} damaged place{}\n", store.root().string(), damages.size(), damages.size() == 1 ? "" : "s");
  }
}

int verify_store(const VerifyOptions& options) {
  const Store store = open_store(options.store);
  const auto damages = verify(store);
  options.json ? print_json(store, damages) : print_text(store, damages);
  return damages.empty() ? 0 : 1;
}

}  // namespace

void add_verify(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("verify", "Read all of a store and find what is not as it was written");
  const auto options = std::make_shared<VerifyOptions>();
  app->footer("Examples:\n  atelier verify\n  atelier verify --store results --json");
  add_store(*app, options->store);
  app->add_flag("--json", options->json, "as JSON");
  app->callback([options, &action] { action = [options] { return verify_store(*options); }; });
}

}  // namespace atelier::cli
