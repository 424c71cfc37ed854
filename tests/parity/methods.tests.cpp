// The first training steps of every method's stages against independent references (make_method_references.py).
#include <fmt/format.h>

#include <catch2/catch.hpp>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "framework/config/yaml.h"
#include "framework/core/atomic_file.h"
#include "framework/files/safetensors.h"
#include "framework/formats/lora_values.h"
#include "tests/parity/comparison.h"
#include "tests/parity/probe.h"
#include "tests/parity/sketch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

namespace fs = std::filesystem;
using Values = std::vector<double>;
using Named = std::map<std::string, Values>;

/// Largest relative errors that are allowed: of a loss, of a step's gradients together, of one gradient, of the change
/// of the parameters.
struct Tolerance {
  double loss, gradients, gradient, change;
};
constexpr Tolerance kFloatSteps{2e-5, 2e-4, 5e-4, 2e-4};
// On a GPU (ATELIER_TEST_DEVICE) the float32 sinusoids of the time embedding differ in the last bits.
const Tolerance kDoubleSteps = std::getenv("ATELIER_TEST_DEVICE") != nullptr ? Tolerance{1e-5, 5e-5, 1e-4, 5e-5}
                                                                             : Tolerance{1e-9, 1e-9, 1e-9, 1e-9};

Tolerance widened(const Tolerance& tolerance, double least) {
  return {std::max(tolerance.loss, least), std::max(tolerance.gradients, least), std::max(tolerance.gradient, least),
          std::max(tolerance.change, least)};
}

fs::path folder_of(const std::string& name) { return references_folder() / "methods" / name; }

Json config_of(const std::string& name) {
  Faults faults(name);
  const auto root = parse_yaml(read_text_file(folder_of(name) / "run.yaml"), faults);
  faults.raise();
  return yaml_json(root);
}

/// By their configuration: one method's name may be the beginning of another's.
std::vector<std::string> case_names(const std::string& method) {
  std::set<std::string> names;
  for (const auto& entry : fs::directory_iterator(references_folder() / "methods")) {
    const auto name = entry.path().filename().string();
    if (name.starts_with(method + "_") && config_of(name).at("method") == method) names.insert(name);
  }
  return {names.begin(), names.end()};
}

/// The stage whose parameters the case names: of methods with one stage that, else the second word of the folder's
/// name.
std::string stage_of(const std::string& name, const std::string& method) {
  static const std::map<std::string, std::string> only{{"textual_inversion", "embedding"},
                                                       {"dreambooth", "finetune"},
                                                       {"dreambooth_lora", "lora"},
                                                       {"custom_diffusion", "kv"},
                                                       {"catversion", "concat"}};
  if (const auto found = only.find(method); found != only.end()) return found->second;
  const auto rest = name.substr(method.size() + 1);
  return rest.substr(0, rest.find('_'));
}

fs::path model_of(const std::string& name) {
  if (name.find("v_prediction") != std::string::npos || name.find("sd21") != std::string::npos) {
    return models_folder() / "sd21";
  }
  return models_folder() / (name.find("sdxl") != std::string::npos ? "sdxl" : "sd15");
}

Named values_in(const fs::path& path) {
  Named values;
  for (const auto& [name, view] : read_safetensors(path).tensors) values[name] = ::values_of(view);
  return values;
}

double norm(const Values& values) {
  double sum = 0;
  for (const double value : values) sum += value * value;
  return std::sqrt(sum);
}

Values minus(const Values& a, const Values& b) {
  if (a.size() != b.size()) throw std::runtime_error("sizes differ");
  Values difference(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) difference[i] = a[i] - b[i];
  return difference;
}

/// ‖actual − expected‖ / ‖expected‖; the norm itself where nothing but zeros is expected, infinite for NaN.
double relative(const Values& actual, const Values& expected) {
  const double size = norm(expected);
  const double error = norm(minus(actual, expected));
  if (!std::isfinite(error)) return HUGE_VAL;
  return size == 0 ? error : error / size;
}

/// All tensors whose names begin so, one after the other.
Values together(const Named& tensors, const std::string& prefix) {
  Values all;
  for (const auto& [name, values] : tensors) {
    if (name.starts_with(prefix)) all.insert(all.end(), values.begin(), values.end());
  }
  return all;
}

/// Largest error of each kind: "loss", "norm", "gradients" (of a step), "gradient" (of one tensor), "change", "carry".
using Errors = std::map<std::string, double>;

void note(Errors& errors, const std::string& kind, double error) { errors[kind] = std::max(errors[kind], error); }

std::string first_word(const std::string& name) { return name.substr(0, name.find('.')); }

/// "grad.12." of "grad.12.unet.…"
std::string step_of(const std::string& name) { return name.substr(0, name.find('.', name.find('.') + 1) + 1); }

Errors errors_of(const Named& actual, const Named& expected, const Named& start) {
  Errors errors;
  Named changes, expected_changes;
  for (const auto& [name, values] : expected) {
    const auto kind = first_word(name);
    const Values& own = actual.at(name);
    if (kind == "loss") note(errors, "loss", relative(own, values));
    if (kind == "grad_norm") note(errors, "norm", relative(own, values));
    if (kind == "grad") {
      note(errors, "gradient", relative(own, values));
      note(errors, "gradients", relative(together(actual, step_of(name)), together(expected, step_of(name))));
    }
    if (kind == "change") note(errors, "change", relative(own, values));
    if (kind == "carry") note(errors, "gradients", relative(together(actual, "carry."), together(expected, "carry.")));
    if (kind != "param") continue;
    const Values& before = start.at(name.substr(6));
    changes[name] = minus(own, before);
    expected_changes[name] = minus(values, before);
  }
  if (!expected_changes.empty()) {
    note(errors, "change", relative(together(changes, ""), together(expected_changes, "")));
  }
  return errors;
}

Values row_of(const fs::path& model, const std::string& encoder, std::size_t id, std::size_t width) {
  const auto file = model / encoder / "model.safetensors";
  for (const auto& [name, view] : read_safetensors(file).tensors) {
    if (!name.ends_with("token_embedding.weight")) continue;
    const auto values = atelier::values_of(view, name);
    const auto begin = values.begin() + static_cast<std::ptrdiff_t>(id * width);
    return {begin, begin + static_cast<std::ptrdiff_t>(width)};
  }
  throw std::runtime_error("no token table");
}

/// The word whose row a token's vector starts from: of several words the one in the vector's place.
std::string initializer_of(const std::string& name, const Json& config) {
  const Json options = config.value("options", Json::object());
  if (!options.contains("initialize_token")) {
    return options.value("initializer_token", config.at("class_word").get<std::string>());
  }
  std::istringstream words(options["initialize_token"].get<std::string>());
  const auto vector = name.ends_with(">") ? 0 : std::stoi(name.substr(name.rfind('_') + 1));
  std::string word;
  for (int i = 0; i <= vector; ++i) words >> word;
  return word;
}

/// The base's own weight "unet.…", whichever of the model's files holds it.
Values weight_of(const fs::path& model, const std::string& name) {
  const auto key = name.substr(name.find('.') + 1);
  for (const auto& entry : fs::directory_iterator(model / first_word(name))) {
    if (entry.path().extension() != ".safetensors") continue;
    const auto weights = read_safetensors(entry.path());
    if (const auto found = weights.tensors.find(key); found != weights.tensors.end())
      return atelier::values_of(found->second, name);
  }
  throw std::runtime_error(name + ": no such weight");
}

/// Where the method itself starts a parameter: a token from its initializer's row, ups from zero, the rest from the
/// base.
Values own_start(const std::string& name, std::size_t size, const Json& config, const fs::path& model) {
  if (name.ends_with("lora_B.weight")) return Values(size, 0.0);
  const auto encoder = first_word(name);
  if (!name.starts_with(encoder + ".token.")) return weight_of(model, name);
  const Json options = config.value("options", Json::object());
  if (options.contains("initializer_id")) {
    return row_of(model, encoder, options["initializer_id"].get<std::size_t>(), size);
  }
  const auto word = initializer_of(name, config);
  const Json vocabulary = Json::parse(read_text_file(model / "tokenizer" / "vocab.json"));
  return row_of(model, encoder, vocabulary.at(word + "</w>").get<std::size_t>(), size);
}

Named start_of(const std::string& name, const Named& inputs, const Named& expected) {
  Named start;
  for (const auto& [key, values] : expected) {
    if (!key.starts_with("param.")) continue;
    const auto parameter = key.substr(6);
    const auto given = inputs.find("init." + parameter);
    start[parameter] =
        given != inputs.end() ? given->second : own_start(parameter, values.size(), config_of(name), model_of(name));
  }
  return start;
}

/// Same tensors, same shapes, same types, same weights; "" when so.
std::string form_faults(const fs::path& actual, const fs::path& expected) {
  const auto faults = differences(actual, expected, HUGE_VAL);
  const auto weights = [](const fs::path& path) { return Json::parse(read_safetensors(path).metadata.at("weights")); };
  return !faults.empty() || weights(actual) == weights(expected) ? faults : "other weights";
}

/// What another processor's rounding may change besides: the wheel's vector library rounds square roots its own way on
/// each, and so do matrix products.
Tolerance tolerance_of(const std::string& name, const std::string& dtype) {
  if (dtype == "float64") {
    // min-SNR weights are float32 in the reference too, made of two square roots.
    const bool weighted = config_of(name).value("options", Json::object()).contains("snr_gamma");
    return weighted ? widened(kDoubleSteps, 1e-6) : kDoubleSteps;
  }
  // DCO multiplies the difference of two nearly equal errors by β, and Adam divides what is left by its own size: other
  // roundings gave 9e-5 of the loss and 6e-3 of the change. Float64 judges the method, this the path in float32.
  if (name.starts_with("dco_")) return {2e-4, kFloatSteps.gradients, kFloatSteps.gradient, 2e-2};
  return kFloatSteps;
}

void check_errors(const std::string& name, const std::string& dtype, const Errors& ours, const Errors& theirs) {
  const Tolerance allowed = tolerance_of(name, dtype);
  const Errors limits{{"loss", allowed.loss},
                      {"norm", allowed.loss},
                      {"gradients", allowed.gradients},
                      {"gradient", allowed.gradient},
                      {"change", allowed.change}};
  for (const auto& [kind, error] : ours) {
    // Where float32 itself cannot do better, the float64 reference judges: as near to it as the float32 reference is.
    const double noise = theirs.contains(kind) ? 3 * theirs.at(kind) : 0.0;
    INFO(fmt::format("{} {}: {} {:.2e}, limit {:.0e}, float32 noise {:.2e}", name, dtype, kind, error, limits.at(kind),
                     noise));
    CHECK(error <= std::max(limits.at(kind), noise));
  }
  if (std::getenv("ATELIER_PARITY_REPORT") == nullptr) return;
  for (const auto& [kind, error] : ours) std::cout << fmt::format("{} {} {} {:.2e}\n", name, dtype, kind, error);
}

/// In float32 the norm of very many gradients is as exact as these, not as a loss.
Errors norm_among_gradients(Errors errors) {
  note(errors, "gradients", errors.at("norm"));
  errors.erase("norm");
  return errors;
}

/// Where the parameters start that learn in a case of whole components, or of a part that the stage says.
Named sketched_start(const std::string& name) {
  const Json options = config_of(name).value("options", Json::object());
  std::vector<std::string> components{"unet"};
  if (options.value("train_text_encoder", false)) components.emplace_back("text_encoder");
  Named start = component_parameters(model_of(name), components);
  const bool part = name.starts_with("attndreambooth_attention_");
  std::erase_if(start, [&](const auto& entry) { return part && entry.first.find("attn2") == std::string::npos; });
  for (const auto& [key, values] : values_in(folder_of(name) / "in.safetensors")) {
    if (key.starts_with("init.unet.")) start.at(key.substr(5)) = values;
  }
  return start;
}

/// Of a case whose trained numbers are many: exactly those parameters learn, by sketches.
void check_sketched(const std::string& name, const std::string& dtype, const Named& output, const Named& exact) {
  const Named start = sketched_start(name);
  std::size_t trained = 0;
  for (const auto& [key, values] : output) {
    if (!key.starts_with("param.")) continue;
    INFO(key);
    REQUIRE(start.contains(key.substr(6)));
    ++trained;
  }
  CHECK(trained == start.size());
  const Named reference = values_in(folder_of(name) / fmt::format("expected.{}.safetensors", dtype));
  check_errors(name, dtype, norm_among_gradients(errors_of(sketched(output, start), exact, start)),
               dtype == "float32" ? norm_among_gradients(errors_of(reference, exact, start)) : Errors{});
}

void check_case(const std::string& name, const std::string& dtype, const fs::path& output) {
  const Named exact_values = values_in(folder_of(name) / "expected.float64.safetensors");
  if (is_sketched(exact_values)) return check_sketched(name, dtype, values_in(output), exact_values);
  const auto reference = folder_of(name) / fmt::format("expected.{}.safetensors", dtype);
  REQUIRE(form_faults(output, reference) == "");
  const Named inputs = values_in(folder_of(name) / "in.safetensors");
  const Named exact = values_in(folder_of(name) / "expected.float64.safetensors");
  const Named start = start_of(name, inputs, exact);
  const bool single = dtype == "float32";
  check_errors(name, dtype, errors_of(values_in(output), exact, start),
               single ? errors_of(values_in(reference), exact, start) : Errors{});
}

void check_method(const std::string& method, const std::string& dtype) {
  const TemporaryFolder outputs;
  const auto names = case_names(method);
  REQUIRE(!names.empty());
  std::vector<std::vector<std::string>> commands;
  for (const auto& name : names) {
    commands.push_back({"probe", "method", method, "--stage", stage_of(name, method), "--model", model_of(name),
                        "--config", folder_of(name) / "run.yaml", "--dtype", dtype, "--threads", "1", "--in",
                        folder_of(name) / "in.safetensors", "--out", outputs / name});
  }
  const auto outcomes = run_atelier(commands);
  for (std::size_t i = 0; i < names.size(); ++i) {
    INFO(names[i] << ": " << outcomes[i].err);
    CHECK(outcomes[i].status == 0);
    if (outcomes[i].status == 0) check_case(names[i], dtype, outputs / names[i]);
  }
}

}  // namespace

TEST_CASE("Training steps of CatVersion agree in float32", "[parity][methods][catversion]") {
  check_method("catversion", "float32");
}
TEST_CASE("Training steps of CatVersion agree in float64", "[parity][methods][catversion]") {
  check_method("catversion", "float64");
}
TEST_CASE("Training steps of TextReg agree in float32", "[parity][methods][textreg]") {
  check_method("textreg", "float32");
}
TEST_CASE("Training steps of TextReg agree in float64", "[parity][methods][textreg]") {
  check_method("textreg", "float64");
}
TEST_CASE("Training steps of Textual Inversion agree in float32", "[parity][methods][textual_inversion]") {
  check_method("textual_inversion", "float32");
}
TEST_CASE("Training steps of Textual Inversion agree in float64", "[parity][methods][textual_inversion]") {
  check_method("textual_inversion", "float64");
}
TEST_CASE("Training steps of DreamBooth agree in float32", "[parity][methods][dreambooth]") {
  check_method("dreambooth", "float32");
}
TEST_CASE("Training steps of DreamBooth agree in float64", "[parity][methods][dreambooth]") {
  check_method("dreambooth", "float64");
}

TEST_CASE("Training steps of DCO agree in float32", "[parity][methods][dco]") { check_method("dco", "float32"); }
TEST_CASE("Training steps of DCO agree in float64", "[parity][methods][dco]") { check_method("dco", "float64"); }
TEST_CASE("Training steps of Custom Diffusion agree in float32", "[parity][methods][custom_diffusion]") {
  check_method("custom_diffusion", "float32");
}
TEST_CASE("Training steps of Custom Diffusion agree in float64", "[parity][methods][custom_diffusion]") {
  check_method("custom_diffusion", "float64");
}
TEST_CASE("Training steps of DreamBooth with LoRA agree in float32", "[parity][methods][dreambooth_lora]") {
  check_method("dreambooth_lora", "float32");
}
TEST_CASE("Training steps of DreamBooth with LoRA agree in float64", "[parity][methods][dreambooth_lora]") {
  check_method("dreambooth_lora", "float64");
}
TEST_CASE("Training steps of AttnDreamBooth agree in float32", "[parity][methods][attndreambooth]") {
  check_method("attndreambooth", "float32");
}
TEST_CASE("Training steps of AttnDreamBooth agree in float64", "[parity][methods][attndreambooth]") {
  check_method("attndreambooth", "float64");
}

TEST_CASE("A batch computed in pieces has the loss and gradient of the whole", "[parity][methods]") {
  struct Row {
    std::string method, stage, name;
    int rows;
  };
  const std::vector<Row> cases{{"textreg", "ut", "textreg_ut_batch", 1},
                               {"dreambooth", "finetune", "dreambooth_prior", 1},
                               {"dreambooth", "finetune", "dreambooth_text_encoder", 1},
                               {"dreambooth_lora", "lora", "dreambooth_lora_token_prior", 3},
                               {"custom_diffusion", "kv", "custom_diffusion_prior_detached", 3},
                               {"attndreambooth", "embedding", "attndreambooth_embedding_prior", 3},
                               {"attndreambooth", "attention", "attndreambooth_attention_sd21_prior", 1},
                               {"attndreambooth", "identity", "attndreambooth_identity_start", 1}};
  for (const auto& [method, stage, name, rows] : cases) {
    const TemporaryFolder folder;
    const auto config = read_text_file(folder_of(name) / "run.yaml");
    const auto settings = stage + ": {";
    const auto place = config.find(settings);
    REQUIRE(place != std::string::npos);
    const auto after = place + settings.size();
    write_file_atomically(folder / "pieces.yaml",
                          config.substr(0, after) + fmt::format("micro_batch_size: {}, ", rows) + config.substr(after));
    const auto outcome = run_atelier({"probe", "method", method, "--stage", stage, "--model", model_of(name),
                                      "--config", folder / "pieces.yaml", "--dtype", "float64", "--in",
                                      folder_of(name) / "in.safetensors", "--out", folder / "out"});
    INFO(outcome.err);
    REQUIRE(outcome.status == 0);
    check_case(name, "float64", folder / "out");
  }
}

TEST_CASE("A batch of DCO computed in pieces goes through one sigmoid", "[parity][methods][dco]") {
  const TemporaryFolder folder;
  const auto rows = GENERATE(1, 2);
  const std::string name = GENERATE("dco_subject_sd21_batch", "dco_subject_sd21_per_sample", "dco_style_sdxl_batch");
  const std::string stage = stage_of(name, "dco");
  auto config = read_text_file(folder_of(name) / "run.yaml");
  const auto place = config.find("  " + stage + ": {");
  const auto pieces = fmt::format("micro_batch_size: {}", rows);
  if (place == std::string::npos) {
    config += fmt::format("stages: {{{}: {{{}}}}}\n", stage, pieces);
  } else {
    config.insert(place + stage.size() + 5, pieces + ", ");
  }
  write_file_atomically(folder / "pieces.yaml", config);
  const auto outcome = run_atelier({"probe", "method", "dco", "--stage", stage, "--model", model_of(name), "--config",
                                    folder / "pieces.yaml", "--dtype", "float64", "--in",
                                    folder_of(name) / "in.safetensors", "--out", folder / "out"});
  INFO(name << " in pieces of " << rows << ": " << outcome.err);
  REQUIRE(outcome.status == 0);
  check_case(name, "float64", folder / "out");
}

TEST_CASE("Two probes of a method in one process are bit-identical", "[parity][methods]") {
  const TemporaryFolder folder;
  const auto in = folder_of("textreg_ut_readme") / "in.safetensors";
  const auto outcome = run_atelier({"probe", "method", "textreg", "--stage", "ut", "--model", models_folder() / "sd15",
                                    "--config", folder_of("textreg_ut_readme") / "run.yaml", "--in", in, "--out",
                                    folder / "a", "--in", in, "--out", folder / "b"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  CHECK(read_text_file(folder / "a") == read_text_file(folder / "b"));
}
