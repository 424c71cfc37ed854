// What happens when a library is not the plugin that it should be: one error that names the file, what was found, what
// was expected and what to do; and whatever a plugin throws arrives as an Error that names plugin, stage and call.
#include <nlohmann/json.hpp>

#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/formats/checkpoint.h"
#include "framework/methods/loader.h"
#include "framework/methods/plugin.h"
#include "framework/methods/stage_settings.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

std::filesystem::path library(const std::string& fault) {
  return std::filesystem::path(ATELIER_FOREIGN_PLUGINS) / ("foreign_" + fault + ".so");
}

/// The error of a call that must fail.
template <typename Call>
Fault fault_of(const Call& call) {
  try {
    call();
  } catch (const Error& error) {
    return error.fault();
  }
  FAIL("nothing was thrown");
  return {};
}

Fault refusal(const std::string& fault) {
  return fault_of([&] { (void)MethodPlugin::open(library(fault)); });
}

bool holds_text(const std::string& text, const std::string& part) { return text.find(part) != std::string::npos; }

std::unique_ptr<Stage> stage_of(const MethodPlugin& plugin) {
  const Json resolved = resolve_options(plugin.spec(), "", Json::object(), "test");
  return plugin.create()->stage("only", options_of_stage(plugin.spec(), "only", resolved), {}, {});
}

}  // namespace

TEST_CASE("a sound plugin opens, describes itself and makes its stage", "[plugins][loader]") {
  const auto plugin = MethodPlugin::open(library("sound"));
  CHECK(plugin.spec().name == "foreign_sound");
  CHECK(stage_of(plugin) != nullptr);

  const Json description = describe_plugin(plugin);
  CHECK(description.at("schema") == "atelier.plugin/1");
  CHECK(description.at("api") == kPluginApi);
  CHECK(description.at("compiler") == kPluginCompiler);
  CHECK(description.at("build") == sha256_file(library("sound")));
  CHECK(method_spec_from_json(description.at("method"), "test").stages.front().name == "only");
}

TEST_CASE("a stage outlives the plugin object and the method that it came from", "[plugins][loader]") {
  std::unique_ptr<Stage> stage;
  {
    const auto plugin = MethodPlugin::open(library("sound"));
    stage = stage_of(plugin);
  }
  CHECK(stage->train().batch == 1);
}

TEST_CASE("each field of the table that differs is named, with what was found and what was expected",
          "[plugins][loader]") {
  struct Row {
    const char* fault;
    std::string found, expected;
  };
  const auto row =
      GENERATE(values<Row>({{"wrong_magic", "magic 0x12345678", "0x41544c52"},
                            {"wrong_api", "plugin API " + std::to_string(kPluginApi + 1), std::to_string(kPluginApi)},
                            {"wrong_torch", "LibTorch 1.13.1", "2.11"},
                            {"wrong_compiler", "compiler gcc 4 cxx11abi=0", kPluginCompiler},
                            {"wrong_name", "\"another_method\"", "\"foreign_wrong_name\""},
                            {"no_function", "a table without all of its functions", "create"},
                            {"no_table", "no plugin table", "table"}}));
  INFO(row.fault);
  const Fault fault = refusal(row.fault);
  CHECK(fault.where == library(row.fault).string());
  CHECK(holds_text(fault.found, row.found));
  CHECK(holds_text(fault.expected, row.expected));
  CHECK(holds_text(fault.advice, "rebuild the plugin"));
}

TEST_CASE("files that are no plugins are refused in the system's words, under their name", "[plugins][loader]") {
  const Fault text = refusal("text");
  CHECK(text.where == library("text").string());
  CHECK((holds_text(text.found, "file too short") || holds_text(text.found, "invalid ELF header")));
  CHECK_FALSE(holds_text(text.found, "boost"));

  const Fault missing = refusal("missing");
  CHECK(missing.found == "no such file");

  const Fault other = refusal("without_symbol");
  CHECK(holds_text(other.found, "without the symbol atelier_plugin"));
}

TEST_CASE("a description that contradicts itself, is no JSON or cannot be made is refused", "[plugins][loader]") {
  const Fault inconsistent = refusal("inconsistent_spec");
  CHECK(holds_text(inconsistent.where, library("inconsistent_spec").string()));
  CHECK(holds_text(inconsistent.where + inconsistent.found, "strenght"));

  const Fault no_json = refusal("spec_is_no_json");
  CHECK(holds_text(no_json.where, library("spec_is_no_json").string()));

  const Fault thrown = refusal("throws_in_spec");
  CHECK(holds_text(thrown.found, "the description cannot be made"));
}

TEST_CASE("a constructor that throws gives an error with its reason", "[plugins][loader]") {
  const auto plugin = MethodPlugin::open(library("throws_in_create"));
  const Fault fault = fault_of([&] { (void)plugin.create(); });
  CHECK(fault.where == library("throws_in_create").string());
  CHECK(holds_text(fault.found, "not today"));
}

TEST_CASE("an exception of the plugin's own names plugin, stage and call", "[plugins][loader]") {
  const auto checkpoint = std::make_shared<const Checkpoint>(
      Checkpoint::open(std::string(ATELIER_SOURCE_DIR) + "/tests/parity/models/sd15"));
  Session session(std::make_shared<const Base>(checkpoint, Placement{}));
  RandomDraws draws({});
  const auto plugin = MethodPlugin::open(library("throws_in_attach"));
  const auto stage = stage_of(plugin);
  const Fault fault = fault_of([&] { (void)stage->attach(session, Start(), draws); });
  CHECK(fault.where == "foreign_throws_in_attach: stage only: attach");
  CHECK(fault.found == "the idea does not work out");

  const Fault number = fault_of([&] { plugin.create()->apply(session, {}, 1.0); });
  CHECK(number.where == "foreign_throws_in_attach: apply");
}

TEST_CASE("reading an option that the stage did not declare is an error", "[plugins][loader]") {
  const auto plugin = MethodPlugin::open(library("undeclared_option"));
  const Fault fault = fault_of([&] { (void)stage_of(plugin); });
  CHECK(holds_text(fault.where, "stage only"));
  CHECK(holds_text(fault.found, "secret"));
  CHECK(holds_text(fault.expected, "strength"));
}

TEST_CASE("a stage that the method does not have is named with those it has", "[plugins][loader]") {
  const auto plugin = MethodPlugin::open(library("sound"));
  const Json resolved = resolve_options(plugin.spec(), "", Json::object(), "test");
  const Fault fault = fault_of([&] { (void)options_of_stage(plugin.spec(), "second", resolved); });
  CHECK(holds_text(fault.found, "second"));
  CHECK(holds_text(fault.expected, "only"));
}
