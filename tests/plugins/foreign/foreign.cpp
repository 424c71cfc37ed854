// A plugin with one chosen fault: what the table says, what its functions do. One object file for all of them.
#include <torch/headeronly/version.h>

#include <nlohmann/json.hpp>
#include <stdexcept>
#include <string>

#include "framework/methods/plugin.h"
#include "framework/models/session.h"

namespace atelier_foreign {

const void* table_with(const char* fault);

namespace {

using namespace atelier;

std::string fault_of_this;  // NOLINT: one for each library; a sound plugin has no such object

bool is(const char* fault) { return fault_of_this == fault; }

/// An exception that the host has never seen.
struct PrivateFault : std::runtime_error {
  using std::runtime_error::runtime_error;
};

class ForeignStage final : public Stage {
 public:
  [[nodiscard]] DataSpec data() const override { return {}; }
  [[nodiscard]] TrainSpec train() const override { return {}; }
  [[nodiscard]] std::vector<ParamGroup> attach(Session&, const Start&, Draws&) override {
    if (is("throws_in_attach")) throw PrivateFault("the idea does not work out");
    return {};
  }
  void describe(const Photo&, Sample&, Draws&) override {}
  [[nodiscard]] Terms forward(const Batch&, const StepTensors&) override { return {}; }
  void save(ArtifactWriter&) const override {}
};

class ForeignMethod final : public Method {
 public:
  ForeignMethod() {
    if (is("throws_in_create")) throw PrivateFault("not today");
  }
  [[nodiscard]] std::unique_ptr<Stage> stage(std::string_view, const Options& options, const Concept&,
                                             const PromptLists&) const override {
    (void)options.integer(is("undeclared_option") ? "secret" : "strength");
    return std::make_unique<ForeignStage>();
  }
  void apply(Session&, const TrainedArtifact&, double) const override { throw 7; }
};

MethodSpec make_spec() {
  OptionSpec strength;
  strength.name = "strength";
  strength.type = OptionType::integer;
  strength.value = 3;
  strength.help = "how strongly";
  strength.source = "ours";
  OptionSpec secret = strength;
  secret.name = "secret";
  StageSpec only;
  only.name = "only";
  only.reads = {is("inconsistent_spec") ? "strenght" : "strength"};
  only.steps.add = {"strength"};
  MethodSpec spec;
  spec.name = "foreign_" + fault_of_this;
  spec.summary = "a plugin for tests";
  spec.paper = "none";
  spec.options = {strength, secret};
  spec.presets = {{.name = "default", .help = "as it is", .options = Json::object()}};
  spec.stages = {only};
  spec.phrases = {{.when = {}, .text = "{class}", .base = "{class}"}};
  return spec;
}

std::string error_text;  // NOLINT: as above

const char* spec() {
  static std::string text;
  if (is("throws_in_spec")) {
    error_text = "the description cannot be made";
    return nullptr;
  }
  text = is("spec_is_no_json") ? "a sentence" : to_json(make_spec()).dump();
  return text.c_str();
}

Method* create() {
  try {
    return new ForeignMethod();
  } catch (const std::exception& error) {
    error_text = error.what();
    return nullptr;
  }
}

void destroy(Method* method) { delete method; }

const char* last_error() { return error_text.c_str(); }

}  // namespace

const void* table_with(const char* fault) {
  fault_of_this = fault;
  static std::string name;
  name = is("wrong_name") ? "another_method" : "foreign_" + fault_of_this;
  static PluginTable table;
  table = {.magic = is("wrong_magic") ? 0x12345678 : kPluginMagic,
           .api = is("wrong_api") ? kPluginApi + 1 : kPluginApi,
           .torch_version = is("wrong_torch") ? "1.13.1" : TORCH_VERSION,
           .compiler = is("wrong_compiler") ? "gcc 4 cxx11abi=0" : kPluginCompiler,
           .name = name.c_str(),
           .spec = spec,
           .create = is("no_function") ? nullptr : create,
           .destroy = destroy,
           .last_error = last_error};
  return is("no_table") ? nullptr : &table;
}

}  // namespace atelier_foreign
