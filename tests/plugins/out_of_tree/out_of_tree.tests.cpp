#include <sys/wait.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "framework/cli/new_plugin_templates.h"
#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/methods/loader.h"
#include "framework/methods/stage_settings.h"
#include "tests/framework/methods/tiny_model.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

/// Runs a command of the shell; its output goes to `log`.
void run(const std::string& command, const std::filesystem::path& log) {
  const int status = std::system((command + " > '" + log.string() + "' 2>&1").c_str());
  INFO(command << "\n" << read_text_file(log));
  REQUIRE(WIFEXITED(status));
  REQUIRE(WEXITSTATUS(status) == 0);
}

std::string quoted(const std::filesystem::path& path) { return "'" + path.string() + "'"; }

}  // namespace

TEST_CASE("the skeleton of a new plugin builds against an installed Atelier as it is, and learns", "[plugins][slow]") {
  const TemporaryFolder folder;
  const auto prefix = folder.path() / "prefix";
  const auto source = folder.path() / "my_method";
  const auto build = folder.path() / "build";
  const auto log = folder.path() / "log.txt";
  const std::string cmake = quoted(ATELIER_CMAKE);
  run(cmake + " --install " + quoted(ATELIER_BINARY_DIR) + " --component development --prefix " + quoted(prefix), log);
  cli::write_new_plugin("my_method", source);
  run(cmake + " -S " + quoted(source) + " -B " + quoted(build) + " -DCMAKE_PREFIX_PATH=" + quoted(prefix) +
          " -DCMAKE_CXX_COMPILER=" + quoted(ATELIER_CXX) + " -DCMAKE_CXX_FLAGS='-O0 -Wall -Wextra -Werror'",
      log);
  run(cmake + " --build " + quoted(build), log);

  const auto library = build / "lib/atelier/plugins/my_method.so";
  const Json description = read_json_file(build / "lib/atelier/plugins/my_method.json");
  CHECK(description.at("method").at("name") == "my_method");
  const auto plugin = MethodPlugin::open(library);
  const Json resolved = resolve_options(plugin.spec(), "", Json::object(), "test");
  Concept subject;
  subject.class_word = "man";
  const PromptLists lists{{"ti/imagenet_templates_small", {"a photo of a {}"}}};
  const auto stage =
      plugin.create()->stage("embedding", options_of_stage(plugin.spec(), "embedding", resolved), subject, lists);

  const auto base = tiny::base("sd15");
  Session session(base);
  RandomDraws draws({.slot = -1});
  const auto groups = stage->attach(session, Start(), draws);
  std::vector<Sample> samples(1);
  stage->describe({}, samples.front(), draws);
  CHECK(samples.front().caption == "a photo of a <concept>");
  Reduced reduced;
  tiny::loss_of(*stage, stage->forward(tiny::batch(*base, 1, 1), stage->per_step(samples, draws)), reduced).backward();
  CHECK(groups.front().parameters.front().tensor.grad().norm().item<double>() > 0.0);
}

TEST_CASE("a new plugin needs a usable name, and overwrites nothing", "[plugins]") {
  const TemporaryFolder folder;
  CHECK_THROWS_AS(cli::new_plugin_files("My-Method"), Error);
  CHECK_THROWS_AS(cli::new_plugin_files("2fast"), Error);
  cli::write_new_plugin("example", folder.path() / "new");
  CHECK_THROWS_WITH(cli::write_new_plugin("example", folder.path() / "new"), Catch::Contains("a file of that name"));
}
