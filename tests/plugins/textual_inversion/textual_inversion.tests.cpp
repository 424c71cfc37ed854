// The plugin as the worker opens it, on a tiny model; its numbers against the reference of
// tests/parity/reference_methods_textual_inversion.py.
#include <ATen/ops/equal.h>

#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/files/safetensors.h"
#include "framework/files/safetensors_writer.h"
#include "framework/formats/embedding_file.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/loader.h"
#include "framework/methods/stage_settings.h"
#include "framework/models/clip_text.h"
#include "framework/models/unet.h"
#include "framework/tensor/tensor_io.h"
#include "tests/framework/methods/tiny_model.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

const MethodPlugin& plugin() {
  static const MethodPlugin opened = MethodPlugin::open(ATELIER_PLUGIN);
  return opened;
}

PromptLists lists() {
  PromptLists lists;
  for (const auto& id : plugin().spec().stages.front().lists) lists[id] = {"a photo of a {}", "a rendering of a {}"};
  return lists;
}

Json resolved(const Json& chosen, const std::string& preset = "") {
  return resolve_options(plugin().spec(), preset, chosen, "test");
}

Concept concept_of(const std::string& class_word, const std::string& initializer = "") {
  return {.name = "", .class_word = class_word, .initializer = initializer, .kind = ""};
}

std::unique_ptr<Stage> stage(const Json& chosen, const Concept& subject = concept_of("man")) {
  return plugin().create()->stage("embedding", options_of_stage(plugin().spec(), "embedding", resolved(chosen)),
                                  subject, lists());
}

double deviation(const Tensor& found, const Tensor& expected) {
  const Tensor wide = expected.to(at::kDouble);
  return (found.to(at::kDouble) - wide).abs().max().item<double>() / wide.pow(2).mean().sqrt().item<double>();
}

/// The first step of a reference case: attach, prompts, forward, backward.
void check_first_step(const std::string& name, const std::string& family, Json chosen) {
  const auto folder = std::string(ATELIER_SOURCE_DIR) + "/tests/parity/references/methods/textual_inversion_" + name;
  const auto in = read_named_tensors(folder + "/in.safetensors");
  const auto out = read_named_tensors(folder + "/expected.float64.safetensors").tensors;
  TensorMap start;
  for (const auto& [key, tensor] : in.tensors) {
    if (key.starts_with("init.")) start[key.substr(5)] = tensor;
  }
  const auto base = tiny::base(family, c10::kDouble);
  Session session(base);
  chosen["placeholder_token"] = "<x>";
  const auto learning = stage(chosen);
  RandomDraws draws({.slot = -1});
  const auto groups = learning->attach(session, Start(start), draws);
  std::vector<Sample> samples;
  for (const auto& caption : parse_json(in.metadata.at("batch.0.captions"), name)) {
    samples.emplace_back();
    samples.back().caption = caption.get<std::string>();
  }
  const auto training = read_training_noise(base->checkpoint().scheduler_config());
  Batch batch;
  batch.latents = in.tensors.at("batch.0.latents").to(at::kDouble);
  batch.noise = in.tensors.at("batch.0.noise").to(at::kDouble);
  batch.timesteps = in.tensors.at("batch.0.timesteps");
  batch.noisy_latents = training.schedule.add_noise(batch.latents, batch.noise, batch.timesteps);
  const bool v = training.prediction_type == PredictionType::v_prediction;
  batch.target = v ? training.schedule.velocity(batch.latents, batch.noise, batch.timesteps) : batch.noise;
  batch.instance_rows = batch.size();
  Reduced reduced;
  const Tensor loss = tiny::loss_of(*learning, learning->forward(batch, learning->per_step(samples, draws)), reduced);
  loss.backward();
  CHECK(deviation(loss, out.at("loss.0")) < 1e-7);
  std::size_t compared = 0;
  for (const auto& [key, tensor] : groups.front().parameters) {
    INFO(key);
    CHECK(deviation(tensor.grad(), out.at("grad.0." + key)) < 1e-6);
    ++compared;
  }
  std::size_t expected = 0;
  for (const auto& [key, tensor] : out) expected += key.starts_with("grad.0.") ? 1 : 0;
  CHECK(compared == expected);
}

}  // namespace

TEST_CASE("textual inversion: the first step has the reference's loss and gradients", "[textual_inversion][parity]") {
  check_first_step("one_vector", "sd15", Json::object());
  check_first_step("three_vectors", "sd15", {{"initializer_token", "time"}, {"num_vectors", 3}});
  check_first_step("v_prediction", "sd21", {{"initializer_token", "red"}});
}

TEST_CASE("textual inversion: nothing but the learned rows has a gradient, and everything else stays as it is",
          "[textual_inversion]") {
  const auto base = tiny::base("sd15");
  Session session(base);
  const auto learning = stage({{"num_vectors", 2}});
  RandomDraws draws({.slot = -1});
  const auto groups = learning->attach(session, Start(), draws);
  REQUIRE(groups.size() == 1);
  REQUIRE(groups.front().parameters.size() == 2);
  CHECK(groups.front().role == ParamGroup::Role::trained);
  CHECK(groups.front().learning_rate == 2e-3);
  TensorMap before;
  const auto note = [&](const char* component, Registry& registry) {
    for (const auto& [name, slot] : registry.parameters) before[component + name] = slot->clone();
  };
  note("unet.", session.unet().registry());
  note("text_encoder.", session.text(0).registry());

  std::vector<Sample> samples(2);
  for (auto& sample : samples) learning->describe({}, sample, draws);
  CHECK(samples.front().caption.find("<concept>") != std::string::npos);
  Reduced reduced;
  const Batch batch = tiny::batch(*base, 2, 2);
  tiny::loss_of(*learning, learning->forward(batch, learning->per_step(samples, draws)), reduced).backward();
  {
    const at::NoGradGuard no_grad;
    for (const auto& [name, row] : groups.front().parameters) {
      REQUIRE(row.grad().defined());
      CHECK(row.grad().norm().item<double>() > 0.0);
      row.sub_(row.grad());
    }
  }
  const auto compare = [&](const char* component, Registry& registry) {
    for (const auto& [name, slot] : registry.parameters) {
      INFO(name);
      CHECK_FALSE(slot->requires_grad());
      CHECK(at::equal(*slot, before.at(component + name)));
    }
  };
  compare("unet.", session.unet().registry());
  compare("text_encoder.", session.text(0).registry());
}

TEST_CASE("textual inversion: what a stage saves, apply() brings back into another session", "[textual_inversion]") {
  const auto base = tiny::base("sdxl");
  Session trained(base), applied(base);
  const auto learning = stage({{"num_vectors", 2}});
  RandomDraws draws({});
  for (const auto& [name, row] : learning->attach(trained, Start(), draws).front().parameters)
    row.detach().add_(tiny::random(row.sizes(), 7));
  tiny::Kept kept;
  learning->save(kept);
  CHECK(kept.tensors.size() == 4);
  CHECK(kept.notes.at("placeholder_token") == "<concept>");
  const auto method = plugin().create();
  method->apply(applied, {.tensors = kept.tensors, .notes = kept.notes}, 1.0);
  const at::NoGradGuard no_grad;
  const std::vector<std::string> prompt{"a photo of a <concept>"};
  CHECK(at::equal(trained.encode(prompt).context, applied.encode(prompt).context));
  CHECK_THROWS_AS(method->apply(applied, {.tensors = kept.tensors, .notes = {}}, 0.5), Error);
}

TEST_CASE("textual inversion: the authors' file is diffusers' form and holds what was learned", "[textual_inversion]") {
  struct Row {
    const char* family;
    std::int64_t vectors;
    const char* file;
    std::vector<std::string> towers;
  };
  const std::vector<Row> rows{{"sd15", 1, "learned_embeds.safetensors", {"text_encoder"}},
                              {"sd15", 3, "learned_embeds.safetensors", {"text_encoder"}},
                              {"sdxl", 2, "<concept>.safetensors", {"text_encoder", "text_encoder_2"}}};
  for (const auto& row : rows) {
    CAPTURE(row.family, row.vectors);
    Session session(tiny::base(row.family));
    const auto learning = stage({{"num_vectors", row.vectors}});
    RandomDraws draws({});
    std::uint64_t seed = 0;
    for (const auto& [name, vector] : learning->attach(session, Start(), draws).front().parameters)
      vector.detach().add_(tiny::random(vector.sizes(), ++seed));
    tiny::Kept kept;
    learning->save(kept);
    const auto files = plugin().create()->files({.tensors = kept.tensors, .notes = kept.notes}, {});
    REQUIRE(files.size() == 1);
    REQUIRE(files.contains(row.file));
    const auto& content = files.at(row.file);
    CHECK(content.metadata.at("format") == "pt");
    if (row.towers.size() == 1) CHECK(content.tensors.contains("<concept>"));

    const TemporaryFolder folder;
    const auto path = folder / row.file;
    write_safetensors(path, content.tensors, {.metadata = content.metadata, .add_format = false});
    const auto read = read_embeddings(read_safetensors(path));
    REQUIRE(read.size() == 1);
    CHECK(read.front().token == "<concept>");
    REQUIRE(read.front().towers.size() == row.towers.size());
    for (const auto& tower : row.towers) {
      const Tensor vectors = to_tensor(read.front().towers.at(tower));
      REQUIRE(vectors.size(0) == row.vectors);
      for (std::int64_t i = 0; i < row.vectors; ++i)
        CHECK(at::equal(vectors[i], kept.tensors.at(token_parameter(tower, "<concept>", i))));
    }
  }
  CHECK_THROWS_WITH(plugin().create()->files({.tensors = {}, .notes = {}}, {}),
                    Catch::Contains("without a learned token"));
}

TEST_CASE("textual inversion: an initializer of several tokens says what to do", "[textual_inversion]") {
  Session session(tiny::base("sd15"));
  RandomDraws draws({});
  const auto learning = stage({{"initializer_token", "red man"}});
  CHECK_THROWS_WITH(learning->attach(session, Start(), draws),
                    Catch::Contains("initializer_token") && Catch::Contains("single token"));
}

TEST_CASE("textual inversion: the token starts from the option, else the concept's initializer, else its class word",
          "[textual_inversion]") {
  struct Row {
    Json chosen;
    Concept subject;
    const char* word;
  };
  const std::vector<Row> rows{{{{"initializer_token", "red"}}, concept_of("man", "time"), "red"},
                              {Json::object(), concept_of("man", "time"), "time"},
                              {Json::object(), concept_of("man"), "man"}};
  for (const auto& row : rows) {
    Session session(tiny::base("sd15"));
    RandomDraws draws({});
    const auto learning = stage(row.chosen, row.subject);
    const auto groups = learning->attach(session, Start(), draws);
    CHECK(at::equal(groups.front().parameters.front().tensor, session.token_vector(row.word, 0)));
  }
}

TEST_CASE("textual inversion: the presets are those of the README", "[textual_inversion]") {
  CHECK(plugin().spec().presets.front().name == "diffusers");
  const Json diffusers = resolved(Json::object());
  CHECK(diffusers.at("embedding.max_train_steps") == 3000);
  CHECK(diffusers.at("embedding.learning_rate") == 2e-3);
  const Json paper = resolved(Json::object(), "paper");
  CHECK(paper.at("embedding.max_train_steps") == 5000);
  CHECK(paper.at("embedding.learning_rate") == 0.04);
  CHECK(paper.at("embedding.train_batch_size") == 8);
  CHECK(resolved(Json::object(), "pocket").at("embedding.lr_scheduler") == "cosine");
  const Json script = resolved(Json::object(), "script");
  CHECK(script.at("embedding.learning_rate") == 1e-4);
  CHECK(script.at("embedding.train_batch_size") == 16);
  CHECK(script.at("embedding.max_train_steps") == 5000);
  const Json sdxl = resolved(Json::object(), "sdxl");
  CHECK(sdxl.at("embedding.learning_rate") == 2e-3);  // 5e-4 times four accumulated batches of one
  CHECK(sdxl.at("embedding.train_batch_size") == 4);
  CHECK(sdxl.at("embedding.max_train_steps") == 500);
  CHECK(sdxl.at("resolution") == 768);
  CHECK(sdxl.at("micro_conditioning") == "photo");
}

TEST_CASE("textual inversion: a schedule that decays does so over the stage's steps", "[textual_inversion]") {
  const auto train =
      stage({{"embedding.lr_scheduler", "cosine"}, {"embedding.lr_warmup_steps", 2}, {"embedding.max_train_steps", 6}})
          ->train();
  CHECK(train.lr_total_steps == 6);
  CHECK(train.lr_warmup_steps == 2);
  CHECK(stage(Json::object())->train().lr_total_steps == 0);
}

TEST_CASE("textual inversion: the description beside the library is that of this library", "[textual_inversion]") {
  auto file = plugin().file();
  const Json description = read_json_file(file.replace_extension(".json"));
  CHECK(description.at("build") == sha256_file(plugin().file()));
  CHECK(method_spec_from_json(description.at("method"), "description").name == "textual_inversion");
}
