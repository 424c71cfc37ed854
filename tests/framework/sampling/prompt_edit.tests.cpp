// Prompt-to-prompt editing and attention maps, piece by piece; whole pictures are compared in tests/parity.
#include "framework/sampling/prompt_edit.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/eye.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/zeros.h>

#include "framework/core/error.h"
#include "framework/sampling/attention_maps.h"
#include "framework/sampling/guidance.h"
#include "framework/tensor/random.h"
#include "tests/framework/sampling/small_base.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

const ClipTokenizer& tokenizer_of_tiny_model() {
  static const ClipTokenizer tokenizer =
      ClipTokenizer::load(std::string(ATELIER_SOURCE_DIR) + "/tests/parity/models/sd15/tokenizer");
  return tokenizer;
}

PromptWords words_of(const std::string& prompt) { return PromptWords::of(tokenizer_of_tiny_model(), prompt); }

Tensor draw_normal(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = make_generator(seed);
  return randn(shape, generator);
}

/// Probabilities of an unconditional and a conditional half of two rows each.
Tensor some_probabilities(std::int64_t queries, std::int64_t keys) {
  return at::softmax(draw_normal({4, 2, queries, keys}, 5), -1);
}

EditedPrompt whole_edit(std::int64_t steps) {
  return {.alignment = {.mapping = at::eye(77), .known = at::ones({77})},
          .scale = at::ones({77}),
          .window = step_window({0.0, 1.0}, steps, 77)};
}

PromptEdit::Options options_for(std::int64_t steps, StepSpan self = {0.0, 0.0}) {
  return {.latents = {.height = 16, .width = 12}, .steps = steps, .first_row = 2, .self = self, .blend = {}};
}

constexpr const char* kCross = "down_blocks.2.attentions.0.transformer_blocks.0.attn2";
constexpr const char* kSelf = "down_blocks.2.attentions.0.transformer_blocks.0.attn1";

}  // namespace

TEST_CASE("words know the places of their tokens, and what is cut off has none", "[sampling][words]") {
  const auto prompt = words_of("a  photo of a cat");  // blanks do not count
  REQUIRE(prompt.words.size() == 5);
  CHECK(prompt.words[0].places == std::vector<std::int64_t>{1});
  CHECK(prompt.words[1].places.front() == 2);
  CHECK(prompt.ids.size() ==
        static_cast<std::size_t>(prompt.words[4].places.back()) + 2);  // start token … last word, end token
  const auto& tokenizer = tokenizer_of_tiny_model();
  CHECK(prompt.ids[1] == tokenizer.tokens("a").front());
  CHECK(places_of(tokenizer, prompt, "a") == std::vector<std::int64_t>{1, prompt.words[3].places.front()});
  CHECK(places_of(tokenizer, prompt, "photo of").size() == prompt.words[1].places.size() + 1);
  CHECK(places_of(tokenizer, prompt, "dog").empty());
  std::string endless;
  for (int i = 0; i < 80; ++i) endless += "a ";
  const auto cut = words_of(endless);
  CHECK(cut.ids.size() == 77);
  CHECK(cut.words[74].places == std::vector<std::int64_t>{75});
  CHECK(cut.words[75].places.empty());
}

TEST_CASE("a word swap shares the attention of the old word among the new one's tokens", "[sampling][edit]") {
  const auto source = words_of("a photo on the moon"), edited = words_of("a man on the moon");
  const auto& from = source.words[1].places;
  const auto& to = edited.words[1].places;
  const auto alignment = align_replacement(source, edited);
  CHECK(at::equal(alignment.known, at::ones({77})));
  CHECK(alignment.mapping[0][0].item<float>() == 1.0f);
  CHECK(alignment.mapping[1][1].item<float>() == 1.0f);
  for (const auto place : to) {
    const float share = from.size() == to.size() ? 1.0f : 1.0f / static_cast<float>(to.size());
    CHECK(alignment.mapping.select(1, place).max().item<float>() == share);
  }
  CHECK_THROWS_WITH(align_replacement(source, words_of("a man on the red moon")), Catch::Contains("5 and 6 words"));
  CHECK(at::equal(align_replacement(source, source).mapping, at::eye(77)));
}

TEST_CASE("a refinement keeps the tokens of both prompts and leaves new ones to themselves", "[sampling][edit]") {
  const auto source = words_of("a man on the moon"), edited = words_of("a red man on the moon");
  const auto alignment = align_refinement(source, edited);
  const auto added = static_cast<std::int64_t>(edited.words[1].places.size());
  for (std::int64_t place = 0; place < 77; ++place) {
    const bool is_new = place >= 2 && place < 2 + added;
    CHECK(alignment.known[place].item<float>() == (is_new ? 0.0f : 1.0f));
    const Tensor column = alignment.mapping.select(1, place);
    CHECK(column.sum().item<float>() == (is_new ? 0.0f : 1.0f));
    const bool shifted = place >= 2 + added && place < static_cast<std::int64_t>(edited.ids.size());
    if (!is_new) CHECK(column[shifted ? place - added : place].item<float>() == 1.0f);
  }
}

TEST_CASE("step windows count one step more than there are, as the authors' do", "[sampling][edit]") {
  const Tensor window = step_window({0.0, 0.8}, 10, 3);
  CHECK(window.sizes() == at::IntArrayRef{11, 3});
  CHECK(window.sum(0)[0].item<float>() == 8.0f);  // int(0.8 · 11)
  CHECK(step_window({0.2, 0.2}, 10, 3).sum().item<float>() == 0.0f);
}

TEST_CASE("an edit gives the edited row the source's attention at its steps, and touches nothing else",
          "[sampling][edit]") {
  const at::NoGradGuard no_grad;
  PromptEdit edit({whole_edit(4)}, options_for(4, {0.0, 0.5}));
  const Tensor cross = some_probabilities(12, 77), own = some_probabilities(12, 12);
  CHECK(edit.wants(kCross, 192));
  CHECK(edit.wants(kSelf, 12));        // 4 x 3 pixels, a quarter of the latents
  CHECK_FALSE(edit.wants(kSelf, 48));  // too fine
  const Tensor edited = edit.edit(kCross, cross);
  CHECK(at::equal(edited.narrow(0, 0, 3), cross.narrow(0, 0, 3)));
  CHECK(at::equal(edited[3], cross[2]));
  CHECK(at::equal(edit.edit(kSelf, own)[3], own[2]));
  const Tensor latents = draw_normal({2, 4, 16, 12}, 1);
  for (int step = 0; step < 2; ++step) CHECK(at::equal(edit.finish(latents), latents));
  CHECK_FALSE(edit.wants(kSelf, 12));  // behind half of the steps
}

TEST_CASE("re-weighting scales the attention to a token, without renormalising", "[sampling][edit]") {
  const at::NoGradGuard no_grad;
  EditedPrompt weighted = whole_edit(4);
  weighted.scale[3] = -2.0;
  PromptEdit edit({weighted}, options_for(4));
  const Tensor cross = some_probabilities(12, 77);
  const Tensor edited = edit.edit(kCross, cross);
  CHECK(at::equal(edited[3].select(-1, 3), -2.0 * cross[2].select(-1, 3)));
  CHECK(at::equal(edited[3].select(-1, 4), cross[2].select(-1, 4)));
}

TEST_CASE("a local blend leaves the source's latents where neither word is looked at", "[sampling][edit]") {
  const at::NoGradGuard no_grad;
  auto options = options_for(2);
  options.latents = {.height = 32, .width = 32};
  options.blend = {.words = at::zeros({2, 77}), .threshold = 0.5};
  options.blend.words[0][2] = 1.0;
  options.blend.words[1][2] = 1.0;
  EditedPrompt none = whole_edit(2);
  none.window.zero_();
  PromptEdit edit({none}, options);
  REQUIRE(edit.wants(kCross, 64));
  Tensor cross = at::zeros({4, 2, 64, 77});
  cross.select(-1, 2).select(-1, 9).fill_(1.0);  // row 1, column 1 of 8 x 8: rows and columns 0 to 2 after the pooling
  CHECK(at::equal(edit.edit(kCross, cross), cross));
  const Tensor latents = draw_normal({2, 4, 32, 32}, 1);
  const Tensor blended = edit.finish(latents);
  CHECK(at::equal(blended[0], latents[0]));
  const Tensor kept = blended[1].narrow(1, 0, 12).narrow(2, 0, 12);  // as a sum of the source and a difference
  CHECK(at::allclose(kept, latents[1].narrow(1, 0, 12).narrow(2, 0, 12), 0.0, 1e-6));
  CHECK(at::equal(blended[1].narrow(1, 12, 20), latents[0].narrow(1, 12, 20)));
  CHECK(at::equal(blended[1].narrow(2, 12, 20), latents[0].narrow(2, 12, 20)));
}

TEST_CASE("attention maps are shares, averaged over heads, layers and calls", "[sampling][maps]") {
  const at::NoGradGuard no_grad;
  AttentionMaps maps({.height = 5, .width = 3}, {{{1, 2}, {}}, {{4}, {5}}}, 2);
  CHECK_THROWS_AS(maps.average(), Error);
  const Tensor fine = some_probabilities(15, 77), coarse = some_probabilities(6, 77);  // 3 x 2
  maps.add("a", fine);
  maps.add("a", coarse);
  maps.add("a", fine);
  const Tensor average = maps.average();
  REQUIRE(average.sizes() == at::IntArrayRef{2, 2, 5, 3});
  CHECK(average[0][1].abs().max().item<float>() == 0.0f);
  const Tensor share = fine[2].mean(0).narrow(-1, 1, 2).sum(-1).view({5, 3});  // row 2 is the first conditional one
  AttentionMaps one({.height = 5, .width = 3}, {{{1, 2}}}, 2);
  one.add("a", fine);
  CHECK((one.average()[0][0] - share).abs().max().item<float>() < 1e-6f);
  CHECK_THROWS_WITH(feature_size({.height = 5, .width = 3}, 7), Catch::Contains("7 pixels"));
}

TEST_CASE("looking at the attention changes no bit of a guided step", "[sampling][maps]") {
  const at::NoGradGuard no_grad;
  Session session(small_base("sd15"));
  const auto branches = classifier_free_guidance(session.encode({""}), session.encode({"a photo"}), 7.5);
  const Tensor sample = draw_normal({2, 4, 8, 8}, 1);
  GuidedModel plain(session.unet(), branches);
  std::int64_t seen = 0;
  GuidedHooks hooks;
  hooks.observer = [&](std::string_view, const Tensor& probabilities) { seen += probabilities.size(0); };
  GuidedModel watched(session.unet(), branches, {}, hooks);
  CHECK(at::equal(plain.predict(sample, 500), watched.predict(sample, 500)));
  CHECK(seen == 16 * 4);  // 16 layers, two branches of two rows
  CHECK(conditional_branch(branches) == 1);
  CHECK(conditional_branch({{.name = "a", .text = {}}, {.name = "b", .text = {}}}) == 1);
}
