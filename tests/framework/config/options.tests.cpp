#include "framework/config/options.h"

#include <catch2/catch.hpp>

#include <algorithm>

#include "framework/config/method_spec.h"

using namespace atelier;
using Catch::Contains;

namespace {

OptionSpec option(std::string name, OptionType type, Json value) {
  OptionSpec made;
  made.name = std::move(name);
  made.type = type;
  made.value = std::move(value);
  made.help = "an option of the tests";
  return made;
}

/// Two stages: ti learns a token unless one is given as a file, ut the UNet.
MethodSpec two_stages() {
  MethodSpec spec;
  spec.name = "twostep";
  spec.options = stage_options("ti", {.learning_rate = 5e-4, .source = "tests"});
  const auto ut = stage_options("ut", {.learning_rate = 1e-4, .max_grad_norm = 1.0, .source = "tests"});
  spec.options.insert(spec.options.end(), ut.begin(), ut.end());
  spec.options.push_back(option("placeholder_token", OptionType::text, "<krk1>"));
  spec.options.push_back(option("token_file", OptionType::file, nullptr));
  spec.options.push_back(option("steps", OptionType::integer, 2000));
  spec.options.push_back(option("ti_steps", OptionType::integer, 500));
  auto ratio = option("mask_ratio", OptionType::real, 0.5);
  ratio.low = 0.0;
  ratio.high = 1.0;
  ratio.active_when = {{.option = "mask", .value = true}};
  spec.options.push_back(option("mask", OptionType::boolean, false));
  spec.options.push_back(ratio);
  auto kind = option("kind", OptionType::choice, "object");
  kind.choices = {"object", "style"};
  spec.options.push_back(kind);
  spec.options.push_back(option("layers", OptionType::integers, Json::array({1, 2})));
  spec.presets = {{.name = "published", .help = "", .options = Json::object()},
                  {.name = "masked", .help = "", .options = {{"mask", true}}}};
  StageSpec first;
  first.name = "ti";
  first.reads = stage_option_names("ti");
  first.runs_when = {{.option = "token_file", .value = nullptr}};
  first.steps = {.add = {"ti_steps"}, .subtract = {}};
  StageSpec second;
  second.name = "ut";
  second.reads = stage_option_names("ut");
  second.reads.insert(second.reads.end(), {"mask", "mask_ratio", "kind", "layers"});
  second.inputs = {"ti"};
  second.steps = {.add = {"steps"}, .subtract = {"ti_steps"}};
  spec.stages = {first, second};
  spec.phrases = {{.when = {{.option = "kind", .value = "style"}}, .text = "{placeholder}", .base = "{class}"},
                  {.when = {}, .text = "{placeholder} {class}", .base = "{class}"}};
  spec.arguments = {{.name = "--steps", .status = ArgumentSpec::Status::option, .text = "steps"},
                    {.name = "--wandb", .status = ArgumentSpec::Status::without_effect, .text = "no sink"}};
  return spec;
}

std::string resolve_error(const Json& chosen, const std::string& preset = "") {
  try {
    static_cast<void>(resolve_options(two_stages(), preset, chosen, "test"));
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    return error.what();
  }
  return "";
}

template <typename Change>
std::string spec_error(Change change) {
  auto spec = two_stages();
  change(spec);
  try {
    check_spec(spec);
  } catch (const Error& error) {
    return error.what();
  }
  return "";
}

}  // namespace

TEST_CASE("a method's description survives JSON", "[config]") {
  const auto spec = two_stages();
  check_spec(spec);
  const auto json = to_json(spec);
  const auto again = method_spec_from_json(parse_json(json.dump(), "t"), "t");
  CHECK(to_json(again) == json);
  CHECK(again.options.size() == spec.options.size());
  CHECK(again.stages[1].steps.subtract == std::vector<std::string>{"ti_steps"});
  CHECK(again.arguments[1].status == ArgumentSpec::Status::without_effect);
  CHECK(find_option(again, "mask_ratio")->high == 1.0);
}

TEST_CASE("a description that is none is refused with the place", "[config]") {
  auto json = to_json(two_stages());
  json["options"][3]["type"] = "float";
  CHECK_THROWS_WITH(method_spec_from_json(json, "x.json"), Contains("x.json.options[3]") && Contains("\"float\""));
  json = to_json(two_stages());
  json["stages"][0].erase("numerics");
  CHECK_THROWS_WITH(method_spec_from_json(json, "x.json"), Contains("x.json.stages[0]: no field \"numerics\""));
  json = to_json(two_stages());
  json["colour"] = 1;
  CHECK_THROWS_WITH(method_spec_from_json(json, "x.json"), Contains("unknown field \"colour\""));
  CHECK_THROWS_AS(method_spec_from_json(Json::array(), "x.json"), Error);
}

TEST_CASE("a value is checked and brought into its option's type", "[config]") {
  const auto spec = two_stages();
  const auto check = [&](const char* name, const Json& value) {
    return check_value(*find_option(spec, name), value, "t");
  };
  CHECK(check("ti.learning_rate", 1).is_number_float());
  CHECK(check("steps", 1e3) == 1000);
  CHECK(check("steps", 1e3).is_number_integer());
  CHECK(check("token_file", nullptr).is_null());
  CHECK(check("layers", Json::array({3})) == Json::array({3}));
  CHECK_THROWS_WITH(check("steps", 1.5), "t: steps: 1.5; expected an integer");
  CHECK_THROWS_WITH(check("steps", nullptr), "t: steps: null; expected an integer");
  CHECK_THROWS_WITH(check("mask_ratio", 1.5), "t: mask_ratio: 1.5; expected a number from 0 to 1");
  CHECK_THROWS_WITH(check("mask", "yes"), "t: mask: \"yes\"; expected true or false; write true");
  CHECK_THROWS_WITH(check("kind", "objekt"), Contains("one of object, style; did you mean object?"));
  CHECK_THROWS_WITH(check("placeholder_token", 42), Contains("put it in quotes"));
  CHECK_THROWS_WITH(check("token_file", ""), Contains("a path, or null for unset"));
  CHECK_THROWS_WITH(check("layers", Json::array({1, "a"})), Contains("a list of integers"));
  CHECK_THROWS_AS(check("ti.learning_rate", std::numeric_limits<double>::infinity()), Error);
  CHECK_THROWS_AS(check("steps", std::numeric_limits<std::uint64_t>::max()), Error);
  CHECK_THROWS_AS(check("steps", 1e300), Error);
}

TEST_CASE("options resolve as default, preset, chosen", "[config]") {
  const auto spec = two_stages();
  CHECK(resolve_options(spec, "", Json::object(), "t").at("mask") == false);
  CHECK(resolve_options(spec, "masked", Json::object(), "t").at("mask") == true);
  CHECK(resolve_options(spec, "masked", {{"mask_ratio", 0.75}}, "t").at("mask_ratio") == 0.75);
  CHECK(resolve_options(spec, "", nullptr, "t").size() == spec.options.size());
  CHECK(resolve_error({{"mask", true}}, "masket") ==
        "test: twostep has no preset \"masket\"; expected one of published, masked; did you mean masked?");
}

TEST_CASE("unknown options name the nearest known one", "[config]") {
  CHECK(resolve_error({{"ut.learning_rat", 1}}) ==
        "test: twostep has no option \"ut.learning_rat\"; did you mean ut.learning_rate?");
  CHECK_THAT(resolve_error({{"colour", 1}}), Contains("expected one of ti.learning_rate"));
}

TEST_CASE("an option without effect is an error that says why", "[config]") {
  CHECK(resolve_error({{"mask_ratio", 0.1}}) == "test: mask_ratio has no effect unless mask = true; leave it out");
  CHECK(resolve_error({{"ut.lr_warmup_steps", 5}}) ==
        "test: ut.lr_warmup_steps has no effect unless ut.lr_scheduler is not constant; leave it out");
  CHECK(resolve_error({{"ut.lr_warmup_steps", 5}, {"ut.lr_scheduler", "linear"}}).empty());
  CHECK_THAT(resolve_error({{"ut.lr_num_cycles", 2}, {"ut.lr_scheduler", "cosine"}}),
             Contains("unless ut.lr_scheduler = cosine_with_restarts"));
  CHECK(resolve_error({{"token_file", "t.safetensors"}, {"ti.learning_rate", 1}}) ==
        "test: ti.learning_rate has no effect unless token_file is unset (stage ti is left out); leave it out");
  CHECK(resolve_error({{"token_file", nullptr}}).empty());
}

TEST_CASE("all faults of the chosen options are told at once", "[config]") {
  const auto text = resolve_error({{"mask_ratio", 0.1}, {"steps", "many"}, {"zzzzzz", 1}});
  CHECK_THAT(text, Contains("mask_ratio has no effect") && Contains("steps: \"many\"") && Contains("\"zzzzzz\""));
  CHECK(try_resolve_options(two_stages(), "", {{"steps", "many"}, {"zzzzzz", 1}}, "t").faults.size() == 2);
}

TEST_CASE("the steps of a stage are a difference and never negative", "[config]") {
  const auto spec = two_stages();
  CHECK(stage_steps(spec.stages[1], resolve_options(spec, "", nullptr, "t")) == 1500);
  CHECK_THROWS_WITH(stage_steps(spec.stages[1], resolve_options(spec, "", {{"steps", 100}}, "t")),
                    Contains("steps (100) - ti_steps (500) = -400"));
}

TEST_CASE("every stage has the optimizer's options, and reads them all", "[config]") {
  std::vector<std::string> names;
  for (const auto& made : stage_options("ut", {})) names.push_back(made.name);
  auto reads = stage_option_names("ut");
  std::ranges::sort(names);
  std::ranges::sort(reads);
  CHECK(names == reads);
  CHECK(names.size() == 14);
}

TEST_CASE("an inconsistent method is refused", "[config]") {
  CHECK(spec_error([](MethodSpec&) {}).empty());
  CHECK_THAT(spec_error([](auto& s) { s.options.push_back(s.options[0]); }), Contains("declared twice"));
  CHECK_THAT(spec_error([](auto& s) { s.options[0].value = "x"; }), Contains("ti.learning_rate: \"x\""));
  CHECK_THAT(spec_error([](auto& s) {
               s.options[0].value = 1;
               s.options[0].type = OptionType::text;
             }),
             Contains("limits"));
  CHECK_THAT(spec_error([](auto& s) { s.stages[1].reads.push_back("mas"); }), Contains("perhaps mask"));
  CHECK_THAT(spec_error([](auto& s) { s.stages[0].inputs = {"ut"}; }), Contains("an earlier stage"));
  CHECK_THAT(spec_error([](auto& s) { s.stages[1].name = "ti"; }), Contains("each stage once"));
  CHECK_THAT(spec_error([](auto& s) { s.presets[1].options["mask"] = 3; }), Contains("preset masked"));
  CHECK_THAT(spec_error([](auto& s) { s.presets[1].name = "published"; }), Contains("each name once"));
  CHECK_THAT(spec_error([](auto& s) { s.phrases.pop_back(); }), Contains("always holds"));
  CHECK_THAT(spec_error([](auto& s) { s.phrases[0].text = "{token}"; }), Contains("token"));
  CHECK_THAT(spec_error([](auto& s) { s.stages[0].steps.add = {"kind"}; }), Contains("integer options"));
  CHECK_THAT(spec_error([](auto& s) { s.stages[0].runs_when = {{.option = "kind", .value = "life"}}; }),
             Contains("stage ti: runs_when"));
  CHECK_THAT(spec_error([](auto& s) { s.arguments[0].text = "stepps"; }), Contains("argument --steps"));
  CHECK_THAT(spec_error([](auto& s) { s.options[0].name = "xx.learning_rate"; }), Contains("no stage \"xx\""));
}

TEST_CASE("an option that decides memory alone is read, in no key, and decides nothing else", "[config]") {
  auto spec = two_stages();
  auto lean = option("lean", OptionType::boolean, false);
  lean.memory_only = true;
  spec.options.push_back(lean);
  for (auto& stage : spec.stages) stage.reads.push_back("lean");
  check_spec(spec);
  const auto values = resolve_options(spec, "", Json{{"lean", true}}, "test");
  CHECK(std::ranges::count(stage_reads(spec.stages[0], values), "lean") == 1);
  CHECK(stage_key_options(spec, spec.stages[0], values) == stage_reads(two_stages().stages[0], values));
  CHECK(deciding_options(spec, values) == resolve_options(two_stages(), "", nullptr, "test"));
  CHECK(method_spec_from_json(to_json(spec), "test").options.back().memory_only);

  const Condition on{.option = "lean", .value = true};
  const auto refused = [&](auto change) {
    auto changed = spec;
    change(changed);
    CHECK_THROWS_WITH(check_spec(changed), Contains("decides memory alone"));
  };
  refused([&](auto& s) { s.stages[0].runs_when = {on}; });
  refused([&](auto& s) { s.stages[1].depends_on_total_when = {on}; });
  refused([&](auto& s) { s.stages[1].class_images_when = {on}; });
  refused([&](auto& s) { s.stages[1].reads_when = {{.when = on, .options = {"kind"}}}; });
  refused([&](auto& s) { s.phrases[0].when = {on}; });
  refused([&](auto& s) { s.options[0].active_when = {on}; });
  refused([&](auto& s) {
    s.options.back().type = OptionType::integer;
    s.options.back().value = 3;
    s.stages[0].steps.add = {"lean"};
  });
}

TEST_CASE("a reader sees what it declared, and nothing else", "[config]") {
  const auto values = resolve_options(two_stages(), "", nullptr, "t");
  const Options options(values, {"mask", "steps", "token_file", "layers", "ut.learning_rate"}, "twostep: stage ut");
  CHECK_FALSE(options.flag("mask"));
  CHECK(options.declared("mask"));
  CHECK_FALSE(options.declared("kind"));
  CHECK(options.integer("steps") == 2000);
  CHECK(options.real("ut.learning_rate") == 1e-4);
  CHECK(options.real("steps") == 2000.0);
  CHECK(options.integers("layers") == std::vector<std::int64_t>{1, 2});
  CHECK_FALSE(options.optional_text("token_file").has_value());
  CHECK(options.optional_integer("steps") == 2000);
  CHECK_THROWS_WITH(options.text("kind"), Contains("twostep: stage ut: reads the option \"kind\"") &&
                                              Contains("layers, mask, steps, token_file, ut.learning_rate"));
  CHECK_THROWS_WITH(options.text("token_file"), Contains("is unset"));
  CHECK_THROWS_WITH(options.flag("steps"), Contains("expected true or false"));
  auto copy = options;
  copy = Options(values, {}, "nobody");
  CHECK_THROWS_WITH(copy.flag("mask"), Contains("no option at all"));
}
