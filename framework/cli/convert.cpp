#include "framework/formats/convert.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/cli/base_model.h"
#include "framework/cli/command.h"
#include "framework/cli/options.h"
#include "framework/config/study_merge.h"
#include "framework/core/error.h"
#include "framework/core/progress.h"
#include "framework/core/text.h"
#include "framework/plan/plugins.h"
#include "framework/store/digest_cache.h"

namespace atelier::cli {
namespace {

struct ConvertOptions {
  std::optional<std::string> in, to, out;
  BaseModel base;
  std::string dtype = "keep", token, title;
  bool list = false, json = false;
};

std::vector<std::string> written_dialects() {
  std::vector<std::string> names;
  for (const auto& dialect : dialects()) {
    if (dialect.written) names.push_back(dialect.name);
  }
  return names;
}

std::optional<Dtype> dtype_of(const std::string& name) {
  if (name == "float32") return Dtype::f32;
  if (name == "float16") return Dtype::f16;
  if (name == "bfloat16") return Dtype::bf16;
  return std::nullopt;
}

int print_conversions(bool json) {
  if (json) {
    Json all{{"dialects", Json::array()}, {"pairs", Json::array()}};
    for (const auto& each : dialects()) {
      all["dialects"].push_back({{"name", each.name},
                                 {"holds", each.holds},
                                 {"ending", each.ending},
                                 {"written", each.written},
                                 {"text", each.text}});
    }
    for (const auto& pair : conversions()) {
      all["pairs"].push_back(
          {{"from", pair.from}, {"to", pair.to}, {"holds", pair.holds}, {"needs_model", pair.needs_model}});
    }
    fmt::print("{}", pretty_json(all));
    return 0;
  }
  for (const auto& each : dialects()) fmt::print("{:<18} {:<7} {}\n", each.name, each.holds, each.text);
  fmt::print("\n{:<18} {:<18} {}\n", "from", "to", "what");
  for (const auto& pair : conversions()) {
    fmt::print("{:<18} {:<18} {}{}\n", pair.from, pair.to, pair.holds, pair.needs_model ? ", with --model" : "");
  }
  return 0;
}

void print_conversion(const ConvertReport& report, const std::string& out, bool json) {
  if (json) {
    const Json line{{"from", report.from},     {"to", report.to},         {"out", out},
                    {"layers", report.layers}, {"tokens", report.tokens}, {"left", report.left}};
    fmt::print("{}\n", line.dump(-1, ' ', false, Json::error_handler_t::replace));
    return;
  }
  std::vector<std::string> what;
  if (report.layers > 0) what.push_back(fmt::format("{} layers", report.layers));
  if (!report.tokens.empty()) what.push_back("tokens " + join(report.tokens, ", ", 20));
  fmt::print("{}: {} from {}, as {}\n", out, join(what, " and "), join(report.from, " with "), report.to);
  for (const auto& left : report.left) {
    fmt::print(stderr, "atelier: {} has no place for {}: it is left out\n", report.to, left);
  }
}

/// Options that a method has when nothing is chosen.
bool takes_lora(const MethodSpec& spec) {
  return learns_low_rank(spec, resolve_options(spec, "", Json::object(), spec.name));
}
bool takes_tokens(const MethodSpec& spec) { return find_option(spec, "placeholder_token") != nullptr; }

/// The method that `--to` names, after a look at what it can apply of the file.
std::string method_named(const std::string& to, const std::string& in) {
  DigestCache digests;
  const PluginCatalog catalog(digests);
  std::vector<std::string> names;
  for (const auto& name : written_dialects()) {
    if (name != "artifact") names.push_back(name);
  }
  for (const auto& plugin : catalog.all()) {
    if (takes_lora(plugin.method) || takes_tokens(plugin.method)) names.push_back(plugin.method.name);
  }
  const auto found = std::ranges::find(catalog.all(), to, [](const auto& plugin) { return plugin.method.name; });
  if (found == catalog.all().end()) {
    const auto near = nearest(to, names);
    throw Error({.where = "--to",
                 .found = fmt::format("'{}'", to),
                 .expected = "a dialect or a method: " + join(names, ", ", 40),
                 .advice = near.empty() ? "" : fmt::format("did you mean {}?", near)},
                ErrorKind::usage);
  }
  for (const auto& dialect : dialects_of(in)) {
    const bool lora = find_dialect(dialect).holds == "LoRA" && sniff_artifact(in) != ArtifactKind::embedding;
    if (lora ? takes_lora(found->method) : takes_tokens(found->method)) continue;
    throw Error({.where = "--to " + to,
                 .found = fmt::format("{} for a method that learns no {}", in, lora ? "LoRA" : "token"),
                 .expected = "a method that applies what the file holds",
                 .advice = "`atelier plugins` lists the methods"},
                ErrorKind::usage);
  }
  return to;
}

void require(const std::optional<std::string>& value, const char* name) {
  if (value) return;
  throw Error({.where = "convert",
               .found = fmt::format("no {}", name),
               .expected = "FILE, --to and --out, or --list alone",
               .advice = "see 'atelier convert --help'"},
              ErrorKind::usage);
}

int run_convert(const ConvertOptions& options) {
  if (options.list) return print_conversions(options.json);
  require(options.in, "FILE");
  require(options.to, "--to");
  require(options.out, "--out");
  check_output("--out", *options.out);
  const auto known = written_dialects();
  const bool dialect = *options.to != "artifact" && std::ranges::count(known, *options.to) > 0;
  const auto method = dialect ? std::string() : method_named(*options.to, *options.in);
  std::optional<ConvertTarget> target;
  if (!options.base.model.empty()) target = convert_target(open_base_model(options.base));
  Progress progress("convert", 1);
  const auto report = convert({.in = *options.in,
                               .to = dialect ? *options.to : "artifact",
                               .out = *options.out,
                               .target = target ? &*target : nullptr,
                               .token = options.token,
                               .dtype = dtype_of(options.dtype),
                               .title = options.title,
                               .method = method});
  progress.advance();
  progress.finish();
  print_conversion(report, *options.out, options.json);
  return 0;
}

constexpr const char* kConvertExamples =
    R"(What FILE is, its content says. Alphas that a dialect has no place for are multiplied into
`up`; converting back restores them. Of the base model the headers are read, not the weights.

Examples:
  atelier convert --list
  atelier convert out/lora.safetensors --to kohya --model sd15 --out out/webui.safetensors
  atelier convert webui.safetensors --to METHOD --model sd15 --out out/artifact.safetensors
  atelier convert learned_embeds.bin --to a1111 --out out/cat.pt
)";

}  // namespace

void add_convert(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("convert", "Write a LoRA or learned tokens as another program's file");
  const auto options = std::make_shared<ConvertOptions>();
  app->add_option("file", options->in, "a LoRA or learned tokens: a file, or a folder that holds them")
      ->type_name("FILE");
  app->add_option("--to", options->to, "dialect to write, or the method that applies it as an artifact")
      ->type_name("DIALECT|METHOD");
  app->add_option("--out", options->out, "file to write")->type_name("FILE");
  add_optional_base_model(*app, options->base, "base model, where --list says so: a folder, a file, or a name");
  one_of(app->add_option("--dtype", options->dtype, "element type of the written tensors")->capture_default_str(),
         {"keep", "float32", "float16", "bfloat16"});
  app->add_option("--token", options->token, "names a token whose file does not; of several, the one to write")
      ->type_name("TOKEN");
  app->add_option("--title", options->title, "title in a kohya file")->type_name("TEXT");
  app->add_flag("--list", options->list, "print the dialects and the pairs that can be converted");
  app->add_flag("--json", options->json, "one JSON object on standard output");
  app->footer(kConvertExamples);
  app->callback([options, &action] { action = [options] { return run_convert(*options); }; });
}

}  // namespace atelier::cli
