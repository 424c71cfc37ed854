// Tokens, initial rows and captions.
#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include <filesystem>
#include <fstream>

#include "framework/core/error.h"
#include "framework/methods/learned_token.h"
#include "framework/text/clip_tokenizer.h"
#include "tests/plugins/attndreambooth/world.h"
#include "tests/support/temporary_folder.h"

using namespace attn_world;
namespace fs = std::filesystem;

namespace {

using Ids = std::vector<std::int64_t>;

/// CLIP's vocabulary as Stable Diffusion 2.x has it: padded with "!".
ClipTokenizer published_tokenizer() {
  const fs::path source = fs::path(ATELIER_SOURCE_DIR) / "tests/data/clip_tokenizer";
  const TemporaryFolder folder;
  for (const char* name : {"vocab.json", "merges.txt", "tokenizer_config.json"}) {
    fs::copy(source / name, folder / name);
  }
  std::ofstream(folder / "special_tokens_map.json")
      << R"({"bos_token": "<|startoftext|>", "eos_token": "<|endoftext|>", "pad_token": "!", "unk_token": "<|endoftext|>"})";
  return ClipTokenizer::load(folder.path());
}

std::vector<Sample> samples_of(const std::vector<std::string>& captions) {
  std::vector<Sample> samples;
  for (const auto& caption : captions) samples.push_back({.caption = caption, .texts = {}});
  return samples;
}

}  // namespace

TEST_CASE("The caption of a doll has the published ids", "[attndreambooth][tokens]") {
  auto tokenizer = published_tokenizer();
  CHECK(tokenizer.add_token("new_concept_v0") == 49408);
  CHECK(tokenizer.vocab_size() == 49409);
  Ids expected{49406, 320, 1125, 539, 320, 49408, 9286, 49407};
  expected.resize(77, 0);
  CHECK(tokenizer.encode("a photo of a new_concept_v0 doll") == expected);
  CHECK(settings_for("embedding", Json::object(), "", "doll").instance_prompt == "a photo of a new_concept_v0 doll");
  const std::vector<std::pair<std::string, Ids>> categories{
      {"doll", {9286}},          {"cat", {2368}},      {"dog", {1929}},
      {"sloth", {30007}},        {"toy", {5988}},      {"teapot", {40749}},
      {"backpack", {14894}},     {"bowl", {3814}},     {"can", {753}},
      {"clock", {6716}},         {"sneaker", {24781}}, {"stuffed animal", {11781, 4668}},
      {"plushie", {2052, 26638}}};
  for (const auto& [category, ids] : categories) CHECK(tokenizer.tokens(category) == ids);
}

TEST_CASE("The token's place is found, and with it the word behind its vectors", "[attndreambooth][tokens]") {
  Session session(tiny::base("sd15"));
  (void)add_learned_token(session, Start(), "<v>", 2, initializer_rows(session, "man", "test"));
  const auto places = [&](const std::vector<std::string>& captions) {
    return attndreambooth::placeholder_positions(session, samples_of(captions), "<v>", 2);
  };
  const std::string plain = "a photo of a <v> man", late = "the photo of a red <v> man, today",
                    bare = "a photo of a man";
  const auto place = [&](const std::string& caption) {
    const auto ids = session.tokenize({caption}).towers.front()[0];
    return (ids == session.tokenizer(0).id_of("<v>")).to(at::kInt).argmax().item<std::int64_t>();
  };
  CHECK(at::equal(places({plain, late, plain}), at::tensor({place(plain), place(late), place(plain)}, at::kLong)));
  CHECK(place(late) > place(plain));
  CHECK(
      at::equal(places({plain, bare, bare}), at::tensor({place(plain), std::int64_t{0}, std::int64_t{0}}, at::kLong)));
  CHECK_THROWS_WITH(places({bare}), Catch::Contains("no <v>"));
  CHECK_THROWS_WITH(places({plain, bare, plain}), Catch::Contains("\"a photo of a man\""));
  CHECK_THROWS_WITH(places({"a <v> and a <v> man"}), Catch::Contains("<v> 2 times"));
}

TEST_CASE("Before the first step the vectors are the rows of the initializer's first tokens",
          "[attndreambooth][tokens]") {
  for (const char* family : {"sd15", "sd21"}) {
    Run run(settings_for("embedding"), {}, family);
    CHECK(at::equal(run.published().at(kToken), run.session.token_vector("man", 0)));
  }
  const Json three{{"n_object_embedding", 3}, {"initialize_token", "red time of man"}};
  Run run(settings_for("embedding", three));
  const auto published = run.published();
  CHECK(published.size() == 3);
  CHECK(at::equal(published.at(kToken), run.session.token_vector("red", 0)));
  CHECK(at::equal(published.at(std::string(kToken) + "_1"), run.session.token_vector("time", 0)));
  CHECK(at::equal(published.at(std::string(kToken) + "_2"), run.session.token_vector("of", 0)));
  CHECK_THROWS_WITH(Run(settings_for("embedding", {{"n_object_embedding", 2}})),
                    Catch::Contains("initialize_token") && Catch::Contains("at least 2"));
}

TEST_CASE("A class word of several tokens starts from its first and is noted", "[attndreambooth][tokens]") {
  Run run(settings_for("embedding", Json::object(), "", "people"));
  const auto first = run.session.tokenizer(0).tokens("people").front();
  const Tensor row = run.session.text(0).embed_tokens(at::full({1, 1}, first, at::kLong)).reshape(-1);
  CHECK(at::equal(run.published().at(kToken), row));
  tiny::Kept kept;
  run.stage->save(kept);
  CHECK_THAT(kept.notes.at("warning"), Catch::Contains("3 tokens"));
  Run single(settings_for("embedding"));
  tiny::Kept plain;
  single.stage->save(plain);
  CHECK_FALSE(plain.notes.contains("warning"));
}

TEST_CASE("From rows of the table the encoder computes what it computes from ids, bit for bit",
          "[attndreambooth][tokens]") {
  Session session(tiny::base("sd15"));
  auto& encoder = session.text(0);
  const Tensor ids = session.tokenize({"a photo of a man", "the photo of a red man"}).towers.front();
  const Tensor places = encoder.eos_positions(ids, Pooling::config, 49407);
  const auto from_rows = encoder.encode(encoder.embed_tokens(ids), places);
  const auto from_ids = encoder.forward(ids);
  CHECK(at::equal(from_rows.last_hidden_state, from_ids.last_hidden_state));
}

TEST_CASE("The states in front of the token do not depend on it, all others do", "[attndreambooth][tokens]") {
  Run run(settings_for("embedding"));
  StepTensors tensors;
  attndreambooth::put_captions(tensors, run.session, samples_of({"a photo of a new_concept_v0 man"}));
  const Tensor before = attndreambooth::encode_captions(tensors, run.session).context.detach().clone();
  const auto place = attndreambooth::placeholder_positions(run.session, samples_of({"a photo of a new_concept_v0 man"}),
                                                           "new_concept_v0", 1)[0]
                         .item<std::int64_t>();
  {
    const at::NoGradGuard no_grad;
    for (const auto& slot : run.trainer.parameters().slots()) slot.parameter.tensor.add_(0.1);
  }
  const Tensor after = attndreambooth::encode_captions(tensors, run.session).context.detach();
  CHECK(at::equal(before.narrow(1, 0, place), after.narrow(1, 0, place)));
  const Tensor moved = (before - after).abs().amax(-1)[0];  // [77]
  CHECK(moved.narrow(0, place, 77 - place).min().item<double>() > 0.0);
}

TEST_CASE("Equal captions are encoded once and give each row its own states", "[attndreambooth][tokens]") {
  Run run(settings_for("embedding"));
  const std::vector<std::string> texts{"a photo of a new_concept_v0 man", "a photo of a man",
                                       "a photo of a new_concept_v0 man"};
  StepTensors tensors;
  attndreambooth::put_captions(tensors, run.session, samples_of(texts));
  CHECK(tensors.shared.at("caption.ids").size(0) == 2);
  const Tensor context = attndreambooth::encode_captions(tensors, run.session).context;
  CHECK(at::equal(context, run.session.encode(texts).context));
}
