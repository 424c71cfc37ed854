#include "plugins/textreg/identifier.h"

#include <ATen/ops/cat.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/isfinite.h>
#include <ATen/ops/tensor.h>

#include "framework/core/error.h"
#include "framework/models/clip_text.h"
#include "framework/text/clip_tokenizer.h"
#include "framework/training/adamw.h"
#include "tests/plugins/textreg/world.h"

using namespace atelier;
using namespace atelier::textreg;

namespace {

using Ids = std::vector<std::int64_t>;

ClipTokenizer clip_tokenizer() {
  auto tokenizer = ClipTokenizer::load(ATELIER_SOURCE_DIR "/tests/data/clip_tokenizer");
  CHECK(tokenizer.add_token("<krk1>") == 49408);
  return tokenizer;
}

Ids padded(Ids ids) {
  ids.resize(77, 49407);
  return ids;
}

Tensor mask_of(const std::string& prompt, const std::string& class_word) {
  const auto tokenizer = clip_tokenizer();
  const auto class_tokens = static_cast<std::int64_t>(tokenizer.tokens(class_word).size());
  return identifier_mask(tokenizer.encode(prompt), 49408, class_tokens)[0];
}

/// Rows of "1100…" for the first n queries and keys.
std::vector<std::string> corner(const Tensor& mask, std::int64_t n) {
  std::vector<std::string> rows;
  for (std::int64_t q = 0; q < n; ++q) {
    rows.emplace_back();
    for (std::int64_t k = 0; k < n; ++k) rows.back() += mask[q][k].item<float>() == 0.0F ? '1' : '0';
  }
  return rows;
}

Tensor pair(double a, double b) { return at::tensor({a, b}, at::kDouble); }

}  // namespace

TEST_CASE("Prompts with the identifier have CLIP's ids", "[textreg][tokens]") {
  const auto tokenizer = clip_tokenizer();
  CHECK(tokenizer.encode("a photo of a <krk1> cat") == padded({49406, 320, 1125, 539, 320, 49408, 2368}));
  CHECK(tokenizer.encode("a photo of a cat") == padded({49406, 320, 1125, 539, 320, 2368}));
  CHECK(tokenizer.encode("photo of a <krk1> cat swimming in a pool") ==
        padded({49406, 1125, 539, 320, 49408, 2368, 7411, 530, 320, 2831}));
  CHECK(tokenizer.encode("a painting in the style of <krk1> art") ==
        padded({49406, 320, 3086, 530, 518, 1844, 539, 49408, 794}));
  CHECK(tokenizer.tokens("duck_toy") == Ids{6910, 318, 5988});
  CHECK(tokenizer.tokens("teddybear") == Ids{25758, 4298});
  CHECK(tokenizer.tokens("ktn") == Ids{74, 7248});
  CHECK(tokenizer.id_of("ktn") == 42170);
}

TEST_CASE("The identifier mask of `a photo of a <krk1> cat` is the worked example", "[textreg][mask]") {
  const Tensor mask = mask_of("a photo of a <krk1> cat", "cat");
  CHECK(corner(mask, 10) == std::vector<std::string>{"1000000000", "1100000000", "1110000000", "1111000000",
                                                     "1111100000", "0000010000", "1111111000", "1111101100",
                                                     "1111101110", "1111101111"});
  CHECK((mask == 0).sum().item<std::int64_t>() == 2928);
  CHECK((causal_mask(77) == 0).sum().item<std::int64_t>() == 3003);
}

TEST_CASE("A class word of three tokens reads the identifier with all three", "[textreg][mask]") {
  const Tensor column = mask_of("a photo of a <krk1> duck_toy", "duck_toy").select(1, 5);
  for (const std::int64_t query : {5, 6, 7, 8}) CHECK(column[query].item<float>() == 0.0F);
  for (const std::int64_t query : {0, 4, 9, 76}) CHECK(column[query].item<float>() < 0.0F);
  CHECK_THROWS_AS(identifier_mask(Ids{1, 2}, 2, 0), Error);
}

TEST_CASE("Under the mask only class words read the identifier in one layer, and all that follow in two",
          "[textreg][mask]") {
  Session session(tiny_base());
  constexpr std::int64_t p = 5, length = 12;
  const Tensor embeddings = random_tensor({1, length, 32}, 3).requires_grad_();
  Ids ids(length, 1);
  ids[p] = 9;
  TextCall call;
  call.hidden_states = true;
  const auto encode = [&](bool masked) {
    const Tensor bias = masked ? identifier_mask(ids, 9, 2) : causal_mask(length);
    call.edit_all.emplace();
    call.edit_all->bias = bias.unsqueeze(0);
    call.edit_all->replaces_causal_mask = true;
    return session.text(0).encode(embeddings, at::zeros({1}, at::kLong), call);
  };
  const auto states = encode(true).hidden_states;
  const auto gradient = [&](std::int64_t layers, std::int64_t query) {
    embeddings.mutable_grad().reset();
    states[static_cast<std::size_t>(layers)][0][query].square().sum().backward({}, /*retain_graph=*/true);
    return embeddings.grad()[0].abs().sum(1);  // by position
  };
  for (std::int64_t query = 0; query < length; ++query) {
    CHECK((gradient(1, query)[p].item<float>() > 0) == (query >= p && query <= p + 2));
    CHECK((gradient(2, query)[p].item<float>() > 0) == (query >= p));
  }
  const Tensor alone = gradient(3, p);
  CHECK(alone[p].item<float>() > 0);
  CHECK(alone.sum().item<float>() == alone[p].item<float>());
  const Tensor plain = encode(false).last_hidden_state, masked = encode(true).last_hidden_state;
  CHECK(at::equal(plain.narrow(1, 0, p), masked.narrow(1, 0, p)));
  CHECK((plain - masked).abs().amax({0, 2}).narrow(0, p + 3, length - p - 3).min().item<float>() > 0);
}

TEST_CASE("Norm decay takes a twentieth of the distance and keeps the direction", "[textreg][decay]") {
  const Tensor row = pair(0.3, 0.4);
  const Tensor target = at::scalar_tensor(0.4, at::kDouble);
  decay_norm_(row, target, 5e-4);
  CHECK(row[0].item<double>() == Approx(0.297).epsilon(1e-12));
  CHECK(row[1].item<double>() == Approx(0.396).epsilon(1e-12));
  decay_norm_(row, target, 5e-4);
  CHECK(row.norm().item<double>() == Approx(0.49025).epsilon(1e-12));
  decay_norm_(row, target, 5e-4);
  CHECK(row.norm().item<double>() == Approx(0.4857375).epsilon(1e-12));
}

TEST_CASE("Norm decay does nothing at rate 0, all at rate 0.01, and has no 0 / 0", "[textreg][decay]") {
  const Tensor target = at::scalar_tensor(0.4, at::kDouble);
  const Tensor row = pair(0.1, 0.7);
  const Tensor before = row.clone();
  decay_norm_(row, target, 0.0);
  CHECK(at::equal(row, before));
  decay_norm_(row, target, 0.5);
  CHECK(row.norm().item<double>() == Approx(0.4));
  const Tensor zero = pair(0, 0);
  decay_norm_(zero, target, 5e-4);
  CHECK(at::isfinite(zero).all().item<bool>());
}

TEST_CASE("One step of AdamW on a quarter of the gradient, then norm decay, gives the specified row",
          "[textreg][decay]") {
  const Tensor row = pair(0.3, 0.4).requires_grad_();
  FlatParameters parameters({{.name = "token", .parameters = {{"row", row}}, .learning_rate = 5e-4}});
  AdamW optimizer(parameters, TrainSpec{});
  row.grad().copy_(pair(0.02, -0.01) / 4);
  optimizer.step({5e-4}, at::zeros({}));
  CHECK(row[0].item<double>() == Approx(0.29949853).epsilon(1e-7));
  CHECK(row[1].item<double>() == Approx(0.40049800).epsilon(1e-7));
  decay_norm_(row, at::scalar_tensor(0.4, at::kDouble), 5e-4);
  CHECK(row[0].item<double>() == Approx(0.29650119).epsilon(1e-7));
  CHECK(row[1].item<double>() == Approx(0.39648989).epsilon(1e-7));
  CHECK(row.norm().item<double>() == Approx(0.49509311).epsilon(1e-7));
}
