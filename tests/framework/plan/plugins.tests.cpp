#include "framework/plan/plugins.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/core/digest.h"
#include "tests/framework/config/known.h"
#include "tests/framework/plan/plan_world.h"

using namespace atelier;
using namespace atelier::tests;
using Catch::Contains;

namespace {

Json description(const std::string& library, const MethodSpec& spec) {
  return {{"schema", "atelier.plugin/1"}, {"api", kPluginApi},      {"torch", "2.11.0"}, {"compiler", "gcc 12"},
          {"build", sha256_hex(library)}, {"method", to_json(spec)}};
}

struct PluginWorld : PlanWorld {
  void add(const std::string& folder, const std::string& name, const std::string& library, const Json& json) const {
    write(folder + "/" + name + ".so", library);
    write(folder + "/" + name + ".json", json.dump());
  }
  [[nodiscard]] PluginCatalog catalog() { return PluginCatalog(digests, {path() / "first", path() / "second"}); }
};

}  // namespace

TEST_CASE("plugins are found by name along the search path, the first folder counts", "[plan][plugins]") {
  PluginWorld world;
  const auto spec = textreg_spec();
  world.add("first", spec.name, "library one", description("library one", spec));
  world.add("second", spec.name, "library two", description("library two", spec));
  const auto catalog = world.catalog();
  REQUIRE(catalog.all().size() == 1);
  CHECK(catalog.find("textreg").library == world.path() / "first/textreg.so");
  CHECK(catalog.find("textreg").method.stages.size() == spec.stages.size());
  CHECK_THAT(message([&] { static_cast<void>(catalog.find("texreg")); }), Contains("did you mean textreg?"));
}

TEST_CASE("a description of another library or another API is refused and says what to do", "[plan][plugins]") {
  PluginWorld world;
  const auto spec = textreg_spec();
  world.add("first", "textreg", "rebuilt since", description("library", spec));
  CHECK_THAT(message([&] { static_cast<void>(world.catalog().find("textreg")); }),
             Contains("another library") && Contains("rebuild or reinstall the plugin"));
  auto json = description("library", spec);
  json["api"] = kPluginApi + 1;
  world.add("first", "textreg", "library", json);
  CHECK_THAT(message([&] { static_cast<void>(world.catalog().find("textreg")); }),
             Contains("plugin API") && Contains("rebuild the plugin"));
  world.add("first", "textreg", "library", Json::object());
  CHECK(world.catalog().problems().size() == 1);
}

TEST_CASE("a damaged plugin does not hide the others", "[plan][plugins]") {
  PluginWorld world;
  world.write("first/broken.json", "{");
  world.add("first", "textreg", "library", description("library", textreg_spec()));
  const auto catalog = world.catalog();
  CHECK(catalog.all().size() == 1);
  REQUIRE(catalog.problems().size() == 1);
  CHECK(catalog.problems()[0].name == "broken");
}
