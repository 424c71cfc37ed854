#include "framework/store/verify.h"

#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/cli/store_option.h"
#include "framework/cli/verify_sample.h"

namespace atelier::cli {
namespace {

struct VerifyOptions {
  std::string store, sample;
  std::int64_t seed = 0;
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

void print_sample(const SampledCheck& check) {
  for (const auto& key : check.differing)
    fmt::print("key {}: other bytes than before; both are kept, and tables mark it\n", key);
  for (const auto& text : check.failed) fmt::print("could not be done again: {}\n", text);
  fmt::print("{} of {} jobs done again: {} keys gave other bytes, {} jobs failed{}\n", check.jobs, check.all,
             check.differing.size(), check.failed.size(), check.interrupted ? "; interrupted" : "");
}

int do_sample_again(const VerifyOptions& options) {
  const double share = parse_share(options.sample);
  const Store store = open_store(options.store);
  const auto index = open_index(store);
  const SampledCheck check = verify_sample(store, *index, share, options.seed, options.json);
  if (options.json) {
    fmt::print("{}\n", Json{{"event", "end"},
                            {"jobs", check.jobs},
                            {"of", check.all},
                            {"differing", check.differing},
                            {"failed", check.failed},
                            {"interrupted", check.interrupted}}
                           .dump(-1, ' ', false, Json::error_handler_t::replace));
  } else {
    print_sample(check);
  }
  if (check.interrupted) return 3;
  return check.differing.empty() && check.failed.empty() ? 0 : 1;
}

int verify_store(const VerifyOptions& options) {
  if (!options.sample.empty()) return do_sample_again(options);
  const Store store = open_store(options.store);
  const auto damages = verify(store);
  options.json ? print_json(store, damages) : print_text(store, damages);
  return damages.empty() ? 0 : 1;
}

}  // namespace

void add_verify(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("verify", "Read all of a store and find what is not as it was written");
  const auto options = std::make_shared<VerifyOptions>();
  app->footer("Examples:\n  atelier verify\n  atelier verify --store results --json\n  atelier verify --sample 2%");
  app->add_option("--sample", options->sample,
                  "instead: do this share of the finished jobs once more, and compare bytes; e.g. 2%")
      ->type_name("SHARE");
  whole_number(
      app->add_option("--seed", options->seed, "with --sample: another seed chooses other jobs")->capture_default_str(),
      0, 1'000'000'000);
  add_store(*app, options->store);
  app->add_flag("--json", options->json, "as JSON; with --sample one object an event");
  app->callback([options, &action] { action = [options] { return verify_store(*options); }; });
}

}  // namespace atelier::cli
