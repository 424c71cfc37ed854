#include "framework/models/clip_text.h"

#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/ops/zeros_like.h>

#include <limits>

#include "framework/core/error.h"
#include "framework/tensor/random.h"
#include "tests/framework/models/encoder_reference.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

struct Encoder {
  explicit Encoder(const std::string& name, c10::ScalarType dtype = at::kFloat)
      : reference(name), model(reference.config, reference.weights(dtype)), ids(reference.input("input_ids")) {
    call.extra_tokens = reference.input("extra_tokens");
  }

  [[nodiscard]] Tensor last() const { return model.forward(ids, call).last_hidden_state; }

  EncoderReference reference;
  ClipText model;
  Tensor ids;  ///< [3, 12]; row 2 holds two learned tokens
  TextCall call;
};

/// CatVersion's prefix: keys and values of the model's width from a seed.
TextAttentionEdit prefix(std::int64_t count) {
  auto generator = make_generator(7);
  TextAttentionEdit edit;
  edit.extra_keys = randn({count, 16}, generator);
  edit.extra_values = randn({count, 16}, generator);
  edit.extra_logit = 1.0;
  return edit;
}

/// TextReg's identifier mask (textreg.md 4.1) for a placeholder at `p` and class words of length `words`.
Tensor identifier_mask(std::int64_t length, std::int64_t p, std::int64_t words) {
  Tensor mask = at::zeros({1, 1, length, length});
  if (p > 0) mask.narrow(2, p, 1).narrow(3, 0, p).fill_(-kInfinity);
  const auto after = p + words + 1;
  mask.narrow(2, after, length - after).narrow(3, p, 1).fill_(-kInfinity);
  return mask;
}

}  // namespace

TEST_CASE("CLIP text encoders compute what transformers computes", "[models][clip_text]") {
  const auto name = GENERATE("clip_text", "clip_text_projection");
  const auto dtype = GENERATE(at::kFloat, at::kDouble);
  Encoder encoder(name, dtype);
  encoder.call.hidden_states = true;
  const auto output = encoder.model.forward(encoder.ids, encoder.call);
  const auto& reference = encoder.reference;
  const Tensor states = reference.expected("hidden_states", dtype);
  CHECK(output.last_hidden_state.scalar_type() == dtype);
  CHECK(relative_error(output.last_hidden_state, reference.expected("last_hidden_state", dtype)) < tolerance(dtype));
  CHECK(relative_error(output.pooled, reference.expected("pooled", dtype)) < tolerance(dtype));
  CHECK(relative_error(output.penultimate, states[-2]) < tolerance(dtype));
  REQUIRE(output.hidden_states.size() == 4);
  CHECK(relative_error(at::stack(output.hidden_states).narrow(0, 0, 3), states.narrow(0, 0, 3)) < tolerance(dtype));
  CHECK(relative_error(encoder.model.final_norm(output.hidden_states[3]), output.last_hidden_state) == 0);
}

TEST_CASE("the half types stay near float32", "[models][clip_text]") {
  const Encoder exact("clip_text");
  const auto dtype = GENERATE(at::kBFloat16, at::kHalf);
  const Encoder half("clip_text", dtype);
  CHECK(half.last().scalar_type() == dtype);
  CHECK(relative_error(half.last(), exact.last()) < (dtype == at::kHalf ? 0.02 : 0.15));
}

TEST_CASE("a checkpoint may have or lack the text_model level; the registry always has it", "[models][clip_text]") {
  Encoder bare("clip_text");
  CHECK(bare.reference.checkpoint.tensors.contains("embeddings.token_embedding.weight"));
  TensorFile levelled{.path = "levelled", .tensors = {}, .metadata = {}};
  for (const auto& [name, view] : bare.reference.checkpoint.tensors)
    levelled.tensors.emplace("text_model." + name, view);
  ClipText model(bare.reference.config, Weights(levelled, {}));
  CHECK(at::equal(model.forward(bare.ids, bare.call).last_hidden_state, bare.last()));
  CHECK(bare.model.registry().linears.contains("text_model.encoder.layers.1.self_attn.q_proj"));
  CHECK(bare.model.registry().parameters.contains("text_model.embeddings.token_embedding.weight"));
  CHECK(bare.model.registry().parameters.size() == model.registry().parameters.size());
}

TEST_CASE("no position sees a later one", "[models][clip_text]") {
  Encoder encoder("clip_text");
  if (GENERATE(false, true)) encoder.call.edit_all = prefix(2);
  const Tensor before = encoder.last();
  encoder.ids = encoder.ids.clone();
  encoder.ids.select(1, 6).fill_(13);
  const Tensor after = encoder.last();
  CHECK(at::equal(before.narrow(1, 0, 6), after.narrow(1, 0, 6)));
  CHECK_FALSE(at::allclose(before.narrow(1, 6, 6), after.narrow(1, 6, 6)));
}

TEST_CASE("rows with the edit off are bit-equal to the plain encoder", "[models][clip_text][edit]") {
  const auto dtype = GENERATE(at::kFloat, at::kDouble, at::kBFloat16);
  Encoder encoder("clip_text", dtype);
  const Tensor plain = encoder.last();
  auto edit = prefix(1);
  edit.rows = at::tensor({0, 1, 0}).to(at::kBool);
  encoder.call.edits.emplace(1, edit);
  const Tensor edited = encoder.last();
  CHECK(at::equal(edited[0], plain[0]));
  CHECK(at::equal(edited[2], plain[2]));
  CHECK_FALSE(at::allclose(edited[1], plain[1]));
  // CatVersion's unconditional branch: the first position is a constant without the prefix and moves with it.
  CHECK_FALSE(at::allclose(edited[1][0], plain[1][0]));
}

TEST_CASE("an extra key of weight zero changes nothing", "[models][clip_text][edit]") {
  Encoder encoder("clip_text", at::kDouble);
  const Tensor plain = encoder.last();
  auto edit = prefix(2);
  edit.extra_logit = -kInfinity;
  encoder.call.edit_all = edit;
  CHECK(relative_error(encoder.last(), plain) < 1e-12);
  edit.extra_keys.zero_();
  edit.extra_values.zero_();
  edit.extra_logit = 1.0;  // a sink is not neutral (catversion.md 3.5)
  encoder.call.edit_all = edit;
  CHECK(relative_error(encoder.last(), plain) > 1e-3);
}

TEST_CASE("the prefix of one layer leaves the layers before it alone", "[models][clip_text][edit]") {
  Encoder encoder("clip_text");
  encoder.call.hidden_states = true;
  const auto plain = encoder.model.forward(encoder.ids, encoder.call).hidden_states;
  encoder.call.edits.emplace(2, prefix(1));
  const auto edited = encoder.model.forward(encoder.ids, encoder.call).hidden_states;
  for (std::size_t i = 0; i < 3; ++i) CHECK(at::equal(plain[i], edited[i]));
  CHECK_FALSE(at::allclose(plain[3], edited[3]));
}

TEST_CASE("attention with a concatenated key follows the fixture of catversion.md 14 B", "[models][edit]") {
  const auto options = at::TensorOptions().dtype(at::kDouble);
  const Tensor q = at::tensor({1., 0., 2., -1., 0.5, -1., 0., 1., 2., 1., -1., 0.}, options).view({1, 3, 4});
  const Tensor k = at::tensor({1., 1., 0., 0., 0., 1., 1., -1., -1., 0., 2., 1.}, options).view({1, 3, 4});
  const Tensor v = at::tensor({1., 0., 0., 0., 0., 1., 0., 0., 0., 0., 1., 0.}, options).view({1, 3, 4});
  const Tensor base =
      at::tensor({1., 0., 0., 0., 0.679179, 0.320821, 0., 0., 0.797876, 0.178030, 0.024094, 0.}, options)
          .view({1, 3, 4});
  CHECK(at::allclose(text_attention(q, k, v, 1, nullptr), base, 0, 1e-6));
  TextAttentionEdit edit;
  edit.extra_keys = at::tensor({0.5, -0.5, 1., 0.}, options).view({1, 4});
  edit.extra_values = at::tensor({2., 2., -2., 1.}, options).view({1, 4});
  const Tensor without_bias = at::tensor({1.679179, 1.358357, -1.358357, 0.679179, 1.417851, 1.259906, -1.118505,
                                          0.559253, 0.944255, 0.399886, -0.222374, 0.121767},
                                         options)
                                  .view({1, 3, 4});
  CHECK(at::allclose(text_attention(q, k, v, 1, &edit), without_bias, 0, 1e-6));
  edit.extra_logit = 1.0;
  const Tensor with_bias = at::tensor({1.851953, 1.703906, -1.703906, 0.851953, 1.703130, 1.622585, -1.550476, 0.775238,
                                       1.126928, 0.676750, -0.529952, 0.273726},
                                      options)
                               .view({1, 3, 4});
  CHECK(at::allclose(text_attention(q, k, v, 1, &edit), with_bias, 0, 1e-6));
}

TEST_CASE("a bias can forbid what TextReg's identifier mask forbids", "[models][clip_text][edit]") {
  Encoder encoder("clip_text", at::kDouble);
  encoder.ids =
      at::tensor({62, 5, 9, 64, 11, 63, 63, 63, 63, 63, 63, 63}, at::kLong).view({1, 12});  // placeholder at 3
  const Tensor plain = encoder.last();
  TextAttentionEdit edit;
  edit.bias = identifier_mask(12, 3, 1);
  encoder.call.edit_all = edit;
  const Tensor masked = encoder.last();
  CHECK(relative_error(masked.narrow(1, 0, 3), plain.narrow(1, 0, 3)) < 1e-12);
  CHECK(relative_error(masked.narrow(1, 3, 9), plain.narrow(1, 3, 9)) > 1e-3);
  // The identifier sees itself only: its state depends on no other token, at any depth.
  encoder.ids = encoder.ids.clone();
  encoder.ids.narrow(1, 0, 3).fill_(20);
  CHECK(relative_error(encoder.last().select(1, 3), masked.select(1, 3)) < 1e-12);
}

TEST_CASE("one layer under the identifier mask passes the placeholder to the class words only", "[models][edit]") {
  auto generator = make_generator(3);
  const Tensor q = randn({1, 8, 4}, generator);
  const Tensor k = randn({1, 8, 4}, generator);
  const Tensor v = randn({1, 8, 4}, generator).requires_grad_();
  TextAttentionEdit edit;
  edit.bias = identifier_mask(8, 3, 2);
  for (std::int64_t position = 0; position < 8; ++position) {
    v.mutable_grad() = Tensor();
    text_attention(q, k, v, 2, &edit)[0][position].sum().backward();
    const bool reached = v.grad()[0][3].abs().sum().item<double>() > 0;
    CHECK(reached == (position >= 3 && position <= 5));
  }
}

TEST_CASE("a bias that replaces the causal mask can open later positions", "[models][edit]") {
  auto generator = make_generator(4);
  const Tensor q = randn({2, 5, 4}, generator);
  TextAttentionEdit edit;
  edit.bias = at::zeros({1, 1, 5, 5});
  edit.replaces_causal_mask = true;
  const Tensor open = text_attention(q, at::zeros_like(q), q, 2, &edit);
  CHECK(at::allclose(open, q.mean(1, true).expand_as(q), 0, 1e-6));  // equal keys: the mean over all positions
}

TEST_CASE("learned tokens and prefixes receive gradients, the vocabulary does not", "[models][clip_text]") {
  Encoder encoder("clip_text");
  encoder.call.extra_tokens = encoder.call.extra_tokens.clone().requires_grad_();
  auto edit = prefix(2);
  edit.extra_keys.requires_grad_();
  edit.extra_values.requires_grad_();
  encoder.call.edits.emplace(0, edit);
  encoder.last().square().sum().backward();
  for (const auto& tensor : {encoder.call.extra_tokens, edit.extra_keys, edit.extra_values}) {
    CHECK(tensor.grad().abs().amin().item<double>() > 0);
  }
  CHECK_FALSE(encoder.model.registry().parameters.at("text_model.embeddings.token_embedding.weight")->grad().defined());
}

TEST_CASE("spliced token rows equal ids that name them", "[models][clip_text]") {
  const Encoder encoder("clip_text");
  const Tensor known = encoder.model.embed_tokens(encoder.ids.clamp_max(63));
  const Tensor rows = encoder.model.embed_tokens(encoder.ids, encoder.call.extra_tokens);
  CHECK(at::equal(rows[2][1], encoder.call.extra_tokens[0]));
  CHECK(at::equal(rows[2][3], encoder.call.extra_tokens[1]));
  CHECK(at::equal(rows.narrow(0, 0, 2), known.narrow(0, 0, 2)));
  const Tensor positions = encoder.model.eos_positions(encoder.ids, Pooling::config, 0);
  CHECK(at::equal(encoder.model.encode(rows, positions, {}).last_hidden_state, encoder.last()));
}

TEST_CASE("the pooled vector is read at the placeholder when the config says 2, at the end token on request",
          "[models][clip_text]") {
  Encoder encoder("clip_text");  // eos_token_id 2
  const auto output = encoder.model.forward(encoder.ids, encoder.call);
  CHECK(at::equal(output.pooled[2], output.last_hidden_state[2][3]));  // the id 65
  encoder.call.pooling = Pooling::eos;
  encoder.call.eos_token = 63;
  const auto at_end = encoder.model.forward(encoder.ids, encoder.call);
  CHECK(at::equal(at_end.pooled[0], output.last_hidden_state[0][4]));
  CHECK(at::equal(at_end.pooled[1], output.last_hidden_state[1][11]));
  CHECK(at::equal(at_end.pooled[2], output.last_hidden_state[2][5]));
  encoder.call.eos_token = 61;
  CHECK_THROWS_AS(encoder.model.forward(encoder.ids, encoder.call), Error);
}

TEST_CASE("ids without a row, long prompts and edits that do not fit are refused", "[models][clip_text]") {
  Encoder encoder("clip_text");
  const auto refuses = [&](std::int64_t id) {
    encoder.ids = at::full({1, 4}, id, at::kLong);
    CHECK_THROWS_AS(encoder.last(), Error);
  };
  refuses(66);
  refuses(-1);
  encoder.ids = at::full({1, 13}, 5, at::kLong);
  CHECK_THROWS_AS(encoder.last(), Error);
  encoder.ids = at::full({1, 12}, 5, at::kLong);
  encoder.call.edits.emplace(3, prefix(1));
  CHECK_THROWS_WITH(encoder.last(), Catch::Contains("layer 3"));
  encoder.call.edits.clear();
  encoder.call.edit_all = prefix(1);
  encoder.call.edit_all->extra_values = at::zeros({2, 16});
  CHECK_THROWS_WITH(encoder.last(), Catch::Contains("extra_values"));
}

TEST_CASE("a checkpoint that does not fit its config is refused", "[models][clip_text]") {
  EncoderReference reference("clip_text");
  const auto& view = reference.checkpoint.tensors.at("final_layer_norm.bias");
  SECTION("ignored names") {
    reference.checkpoint.tensors.emplace("embeddings.position_ids", view);
    CHECK_NOTHROW(ClipText(reference.config, reference.weights()));
  }
  SECTION("unexpected") {
    reference.checkpoint.tensors.emplace("final_layer_norm.extra", view);
    CHECK_THROWS_WITH(ClipText(reference.config, reference.weights()), Catch::Contains("final_layer_norm.extra"));
  }
  SECTION("missing") {
    reference.checkpoint.tensors.erase("final_layer_norm.bias");
    CHECK_THROWS_WITH(ClipText(reference.config, reference.weights()), Catch::Contains("final_layer_norm.bias"));
  }
  SECTION("heads that do not divide the width") {
    reference.config["num_attention_heads"] = 3;
    CHECK_THROWS_WITH(ClipText(reference.config, reference.weights()), Catch::Contains("num_attention_heads"));
  }
}
