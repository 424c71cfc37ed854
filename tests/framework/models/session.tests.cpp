#include "framework/models/session.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>
#include <ATen/record_function.h>
#include <c10/core/Allocator.h>

#include <atomic>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/formats/checkpoint.h"
#include "framework/models/base.h"
#include "framework/models/clip_text.h"
#include "framework/models/conv2d.h"
#include "framework/models/linear.h"
#include "framework/models/unet.h"
#include "framework/tensor/random.h"
#include "framework/text/clip_tokenizer.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

std::shared_ptr<const Base> base(const std::string& family, c10::ScalarType dtype = c10::kFloat) {
  const auto checkpoint = std::make_shared<const Checkpoint>(
      Checkpoint::open(std::string(ATELIER_SOURCE_DIR) + "/tests/parity/models/" + family));
  return std::make_shared<const Base>(checkpoint, Placement{.device = c10::kCPU, .dtype = dtype});
}

Tensor random(at::IntArrayRef shape, std::uint64_t seed) {
  auto generator = make_generator(seed);
  return randn(shape, generator);
}

UNetInput unet_input(const UNet& unet, std::int64_t batch = 2) {
  const auto width = unet.config().blocks.front().context_width;
  return {.sample = random({batch, 4, 8, 8}, 1),
          .timesteps = at::ones({batch}, at::kLong) * 300,
          .context = random({batch, 7, width}, 2),
          .text_embeds = {},
          .time_ids = {}};
}

constexpr const char* kToK = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k";

LowRank adapter_for(Session& session, const std::string& layer, double scale) {
  const auto& weight = session.unet().registry().linears.at(layer.substr(5))->weight;
  return {.a = random({2, weight.size(1)}, 11), .b = random({weight.size(0), 2}, 12), .scale = scale};
}

/// What one call costs: operators run, allocations made, fused attentions among the operators.
struct Cost {
  std::int64_t operators = 0, allocations = 0, attentions = 0;
  bool operator==(const Cost&) const = default;
};

class CountingAllocations final : public c10::MemoryReportingInfoBase {
 public:
  explicit CountingAllocations(std::int64_t& count) : count_(count) {}
  bool memoryProfilingEnabled() const override { return true; }
  void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device) override {
    if (size > 0) ++count_;
  }
  void reportOutOfMemory(std::int64_t, std::size_t, std::size_t, c10::Device) override {}

 private:
  std::int64_t& count_;
};

Cost* counted = nullptr;

std::unique_ptr<at::ObserverContext> count_operator(const at::RecordFunction& function) {
  if (counted != nullptr) {
    ++counted->operators;
    if (std::string_view(function.name()) == "aten::scaled_dot_product_attention") ++counted->attentions;
  }
  return nullptr;
}

Cost cost_of(const std::function<void()>& call) {
  call();  // first calls fill caches
  call();
  Cost cost;
  counted = &cost;
  const auto handle =
      at::addThreadLocalCallback(at::RecordFunctionCallback(count_operator).scopes({at::RecordScope::FUNCTION}));
  {
    const c10::DebugInfoGuard guard(c10::DebugInfoKind::PROFILER_STATE,
                                    std::make_shared<CountingAllocations>(cost.allocations));
    call();
  }
  at::removeCallback(handle);
  counted = nullptr;
  return cost;
}

}  // namespace

TEST_CASE("a session that asks for nothing costs what the bare UNet costs, and keeps fused attention",
          "[models][session]") {
  const at::NoGradGuard no_grad;
  const auto shared = base("sd15");
  UNet bare(shared->config("unet"), shared->weights("unet"));
  Session session(shared);
  const UNetInput input = unet_input(bare);
  const Cost expected = cost_of([&] { (void)bare.forward(input); });
  CHECK(cost_of([&] { (void)session.unet().forward(input); }) == expected);

  std::int64_t attention_layers = 0;
  for (const auto& [name, layer] : bare.registry().linears) attention_layers += name.ends_with(".to_q") ? 1 : 0;
  CHECK(expected.attentions == attention_layers);

  // The count is able to see what features cost.
  UNetCall observing;
  observing.observer = [](std::string_view, const Tensor&) {};
  const Cost observed = cost_of([&] { (void)session.unet().forward(input, observing); });
  CHECK(observed.attentions == attention_layers / 2);
  CHECK(observed.operators > expected.operators);
  session.attach(kToK, adapter_for(session, kToK, 1.0));
  CHECK(cost_of([&] { (void)session.unet().forward(input); }).operators > expected.operators);
  session.detach_adapters();
  CHECK(cost_of([&] { (void)session.unet().forward(input); }) == expected);
}

TEST_CASE("adapters attached by name act on the UNet, row by row where asked", "[models][session]") {
  const at::NoGradGuard no_grad;
  Session session(base("sd15"));
  const UNetInput input = unet_input(session.unet());
  const Tensor plain = session.unet().forward(input);
  session.attach(kToK, adapter_for(session, kToK, 3.0));
  const Tensor adapted = session.unet().forward(input);
  CHECK_FALSE(at::allclose(adapted, plain, 1e-3, 1e-4));
  UNetCall call;
  call.adapters.row_scale = at::tensor({0.0f, 1.0f});
  const Tensor mixed = session.unet().forward(input, call);
  CHECK(at::allclose(mixed[0], plain[0], 1e-4, 1e-5));
  CHECK(at::allclose(mixed[1], adapted[1], 1e-4, 1e-5));
}

TEST_CASE("layers are found by pattern, and wrong names and shapes are refused", "[models][session]") {
  Session session(base("sd15"));
  const auto keys = session.layers("unet.*attn2.to_k");
  CHECK(keys.size() > 2);
  for (const auto& name : keys) CHECK(name.ends_with("attn2.to_k"));
  CHECK(session.layers("unet.*.conv1").empty());
  CHECK_FALSE(session.layers("unet.*.conv1", true).empty());
  CHECK_FALSE(session.layers("text_encoder.*q_proj").empty());
  LowRank wrong = adapter_for(session, kToK, 1.0);
  wrong.a = at::ones({2, 3});
  CHECK_THROWS_WITH(session.attach(kToK, wrong), Catch::Contains("another base model"));
  CHECK_THROWS_WITH(session.attach("unet.nothing", wrong), Catch::Contains("no such layer"));
  CHECK_THROWS_WITH(session.attach("clip.nothing", wrong), Catch::Contains("no such component"));
}

TEST_CASE("unfreezing copies on write: the base and other sessions stay as they are", "[models][session]") {
  const auto shared = base("sd15");
  Session one(shared), other(shared);
  const Tensor before = other.unet().registry().parameters.at("conv_in.weight")->clone();
  const auto trained = one.unfreeze("unet.conv_in.*");
  REQUIRE(trained.size() == 2);
  {
    const at::NoGradGuard no_grad;
    trained.back().second.add_(1.0);
  }
  CHECK(trained.back().first == "unet.conv_in.weight");
  CHECK(one.unet().registry().parameters.at("conv_in.weight")->is_same(trained.back().second));
  CHECK(at::equal(*other.unet().registry().parameters.at("conv_in.weight"), before));
  CHECK(at::equal(*Session(shared).unet().registry().parameters.at("conv_in.weight"), before));
  const UNetInput input = unet_input(one.unet());
  one.unet().forward(input).sum().backward();
  CHECK(trained.back().second.grad().abs().sum().item<double>() > 0);
  CHECK_THROWS_WITH(one.unfreeze("unet.nothing*"), Catch::Contains("no parameter"));
}

TEST_CASE("a learned token is read from its vectors and carries a gradient", "[models][session]") {
  Session session(base("sd15"));
  const auto width = session.text(0).config().width;
  const Tensor vectors = random({2, width}, 5).requires_grad_();
  session.add_token("<new>", {vectors});
  const TextCondition with = session.encode({"a photo of <new>"});
  with.context.sum().backward();
  CHECK(vectors.grad()[0].abs().sum().item<double>() > 0);
  CHECK(vectors.grad()[1].abs().sum().item<double>() > 0);  // the prompt holds the name once and gets both vectors
  CHECK(session.tokenizer(0).id_of("<new>_1") == session.tokenizer(0).id_of("<new>") + 1);
  CHECK_THROWS_WITH(session.add_token("<new>", {vectors}), Catch::Contains("token of that name"));
  CHECK_THROWS_WITH(session.add_token("<b>", {at::ones({width + 1})}), Catch::Contains("another base model"));
  CHECK_THROWS_WITH(session.add_token("<c>", {vectors, vectors}), Catch::Contains("2 text encoders"));
}

TEST_CASE("an existing token's own vector under a new name changes nothing", "[models][session]") {
  const at::NoGradGuard no_grad;
  Session session(base("sd15"));
  const Tensor vector = session.token_vector("a", 0);
  session.add_token("<same>", {vector});
  CHECK(at::allclose(session.encode({"<same>"}).context, session.encode({"a"}).context, 1e-5, 1e-6));
}

TEST_CASE("SDXL's context is both towers side by side, and pooling at the end token can be asked for",
          "[models][session]") {
  const at::NoGradGuard no_grad;
  Session session(base("sdxl"));
  REQUIRE(session.text_towers() == 2);
  const TextCondition plain = session.encode({"a photo"});
  CHECK(plain.context.size(2) == session.text(0).config().width + session.text(1).config().width);
  CHECK(plain.pooled.dim() == 2);
  // Without a learned token both rules read the same position.
  CHECK(at::allclose(session.encode({"a photo"}, {.edited_rows = {}, .pool_at_eos = true}).pooled, plain.pooled));
  session.add_token("<n>", {random({session.text(0).config().width}, 1), random({session.text(1).config().width}, 2)});
  const TextCondition argmax = session.encode({"a <n> photo"});
  const TextCondition eos = session.encode({"a <n> photo"}, {.edited_rows = {}, .pool_at_eos = true});
  CHECK(at::allclose(argmax.context, eos.context));
  CHECK_FALSE(
      at::allclose(argmax.pooled, eos.pooled, 1e-3, 1e-3));  // formats.md 7: the learned token has the largest id
}

TEST_CASE("text-attention edits act on the chosen rows only and can be cleared", "[models][session]") {
  const at::NoGradGuard no_grad;
  Session session(base("sd15"));
  const TextCondition plain = session.encode({"a photo", "a photo"});
  const auto width = session.text(0).config().width;
  TextAttentionEdit edit;
  edit.extra_keys = random({1, width}, 3);
  edit.extra_values = random({1, width}, 4);
  edit.extra_logit = 1.0;
  session.edit_text_attention(0, 0, edit);
  const Tensor rows = at::tensor({0, 1}).to(at::kBool);
  const TextCondition edited = session.encode({"a photo", "a photo"}, {.edited_rows = rows});
  CHECK(at::allclose(edited.context[0], plain.context[0], 1e-5, 1e-6));
  CHECK_FALSE(at::allclose(edited.context[1], plain.context[1], 1e-3, 1e-3));
  session.clear_text_edits();
  CHECK(at::equal(session.encode({"a photo", "a photo"}).context, plain.context));
}

TEST_CASE("activation checkpointing gives the UNet's gradients", "[models][session]") {
  Session session(base("sd15"));
  const auto trained = session.unfreeze("unet.*attn2.to_v.weight");
  UNetInput input = unet_input(session.unet());
  input.context = input.context.clone().requires_grad_();
  const Tensor whole = session.unet().forward(input);
  whole.pow(2).mean().backward();
  std::vector<Tensor> expected;
  for (const auto& [name, parameter] : trained) {
    expected.push_back(parameter.grad().clone());
    parameter.mutable_grad().zero_();
  }
  UNetCall call;
  call.checkpoint = true;
  const Tensor again = session.unet().forward(input, call);
  CHECK(at::equal(again, whole));
  again.pow(2).mean().backward();
  for (std::size_t i = 0; i < trained.size(); ++i) {
    const double error = (trained[i].second.grad() - expected[i]).norm().item<double>();
    CHECK(error < 1e-6 * expected[i].norm().item<double>());
  }
}

TEST_CASE("patterns hold stars for any run of characters", "[models][session]") {
  CHECK(matches("a*c", "abbc"));
  CHECK(matches("*", ""));
  CHECK(matches("unet.*.to_*", "unet.x.attn.to_k"));
  CHECK_FALSE(matches("a*c", "abd"));
  CHECK_FALSE(matches("abc", "ab"));
}

TEST_CASE("whole weights compute without a session's additions what it computes with them", "[models][session]") {
  const auto model = base("sd21");
  Session session(model);
  constexpr const char* kConvolution = "unet.down_blocks.0.resnets.0.conv1";
  session.attach(kToK, adapter_for(session, kToK, 3.0));
  const auto shape = session.layer_shape(kConvolution);
  session.attach(
      kConvolution,
      {.a = random({2, shape[1], shape[2], shape[3]}, 13), .b = random({shape[0], 2, 1, 1}, 14), .scale = 0.5});
  session.replace("unet.conv_in.bias", random({session.layer_shape("unet.conv_in")[0]}, 15));
  const auto width = session.text(0).config().width;
  const Tensor rows = random({2, width}, 16);
  session.add_token("<a>", {rows});
  const TensorMap unet = session.whole_weights("unet"), text = session.whole_weights("text_encoder");

  const at::NoGradGuard no_grad;
  const UNet whole(model->config("unet"), Weights("whole", unet, model->placement()));
  const auto input = unet_input(session.unet());
  const Tensor expected = session.unet().forward(input), found = whole.forward(input);
  CHECK((found - expected).abs().max().item<double>() < 1e-4 * expected.abs().max().item<double>());
  CHECK(unet.size() == session.unet().registry().parameters.size());

  Json config = model->config("text_encoder");
  const auto words = session.text(0).config().vocabulary;
  config["vocab_size"] = words + 2;
  const ClipText encoder(config, Weights("whole", text, model->placement()));
  const auto ids = session.tokenize({"a photo of <a>"}).towers.front();
  CHECK(at::equal(encoder.forward(ids).last_hidden_state, session.encode({"a photo of <a>"}).context));
  const Tensor& table = text.at("text_model.embeddings.token_embedding.weight");
  CHECK(at::equal(table.narrow(0, words, 2), rows));
  // The base is what it was.
  Session other(model);
  CHECK(other.whole_weights("text_encoder").at("text_model.embeddings.token_embedding.weight").size(0) == words);
  CHECK_FALSE(at::equal(other.whole_weights("unet").at("conv_in.bias"), unet.at("conv_in.bias")));
}
