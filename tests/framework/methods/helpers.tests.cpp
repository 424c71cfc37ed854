#include <ATen/ops/equal.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/methods/artifact_checks.h"
#include "framework/methods/diffusion_loss.h"
#include "framework/methods/learned_token.h"
#include "framework/methods/low_rank.h"
#include "framework/methods/method.h"
#include "framework/methods/prompts.h"
#include "framework/methods/stage_settings.h"
#include "framework/methods/token_files.h"
#include "framework/methods/trainable.h"
#include "framework/tensor/tensor_io.h"
#include "tests/framework/methods/tiny_model.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

class Plain final : public Method {
 public:
  [[nodiscard]] std::unique_ptr<Stage> stage(std::string_view, const Options&, const Concept&,
                                             const PromptLists&) const override {
    return nullptr;
  }
  void apply(Session&, const TrainedArtifact&, double) const override {}
};

MethodSpec spec_with_optimizer() {
  MethodSpec spec;
  spec.name = "example";
  spec.options = stage_options("only", {.learning_rate = 1e-3, .train_batch_size = 2, .source = "test"});
  StageSpec only;
  only.name = "only";
  only.reads = stage_option_names("only");
  only.steps.add = {"steps"};
  declare_schedules(only);
  spec.stages = {only};
  OptionSpec steps;
  steps.name = "steps";
  steps.type = OptionType::integer;
  steps.value = 40;
  spec.options.push_back(steps);
  spec.presets = {{.name = "default", .help = "", .options = Json::object()}};
  return spec;
}

/// Kernels differ with and without gradient, so equality is up to rounding.
double gap(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

}  // namespace

TEST_CASE("the default guided step is classifier-free guidance, whose weights sum to 1", "[methods]") {
  GuidanceRequest request;
  request.prompt = "a cat";
  request.negative = "blurry";
  request.guidance = 5.0;
  const auto branches = Plain().branches(request);
  REQUIRE(branches.size() == 2);
  CHECK(branches[0].text == "blurry");
  CHECK(branches[0].weight == -4.0);
  CHECK(branches[1].text == "a cat");
  CHECK(branches[1].weight == 5.0);
}

TEST_CASE("a guidance of 1 needs no unconditional branch", "[methods]") {
  GuidanceRequest request;
  request.guidance = 1.0;
  const auto branches = Plain().branches(request);
  REQUIRE(branches.size() == 1);
  CHECK(branches[0].weight == 1.0);
}

TEST_CASE("with a reward scale the step has three branches, the base model's in two of them", "[methods]") {
  GuidanceRequest request{
      .prompt = "a <x> cat", .negative = std::nullopt, .base_prompt = "a cat", .guidance = 7.5, .reward = 3.0};
  const auto branches = Plain().branches(request);
  REQUIRE(branches.size() == 3);
  CHECK_FALSE(branches[0].text.has_value());
  CHECK(branches[1].text == "a cat");
  CHECK(branches[2].text == "a <x> cat");
  for (const std::size_t base : {0u, 1u}) {
    CHECK(branches[base].adapter_scale == 0.0);
    CHECK_FALSE(branches[base].edits);
  }
  CHECK(branches[2].adapter_scale == 1.0);
  CHECK(branches[2].edits);
  CHECK(branches[0].weight == -6.5);
  CHECK(branches[1].weight == 4.5);
  CHECK(branches[2].weight == 3.0);
}

TEST_CASE("a method reads no foreign files and writes none unless it says so", "[methods]") {
  const ForeignFiles here(std::string(ATELIER_SOURCE_DIR) + "/tests/parity/models/sd15");
  const ModuleNames names;
  CHECK_FALSE(Plain().read({.files = here, .target = names}).has_value());
  CHECK(Plain().other_files({}, names).empty());
}

TEST_CASE("only the vectors of a learned token get a gradient, and the table stays bit-identical", "[methods][token]") {
  const auto shared = tiny::base("sdxl");
  Session session(shared);
  const auto rows = initializer_rows(session, "man", "test");
  REQUIRE(rows.size() == 2);
  const auto learned = add_learned_token(session, Start(), "<x>", 2, rows);
  REQUIRE(learned.size() == 2);
  CHECK(learned[0][0].name == "text_encoder.token.<x>");
  CHECK(learned[1][1].name == "text_encoder_2.token.<x>_1");
  CHECK(at::equal(learned[0][1].tensor, rows[0]));

  const TextCondition text = session.encode({std::vector<std::string>{"a photo of a <x>"}});
  (text.context.square().sum() + text.pooled.square().sum()).backward();
  for (const auto& tower : learned) {
    for (const auto& [name, vector] : tower) {
      INFO(name);
      REQUIRE(vector.grad().defined());
      CHECK(vector.grad().norm().item<double>() > 0.0);
    }
  }
  CHECK(at::equal(session.token_vector("man", 0), rows[0]));
}

TEST_CASE("the encoder sees a learned vector that was moved to another buffer", "[methods][token]") {
  Session session(tiny::base("sd15"));
  auto learned = add_learned_token(session, Start(), "<x>", 1, initializer_rows(session, "man", "test"));
  const std::vector<std::string> prompt{"a photo of a <x>"};
  const at::NoGradGuard no_grad;
  const Tensor before = session.encode(prompt).context;
  Tensor& vector = learned[0][0].tensor;
  vector.set_data(vector + 1.0);
  CHECK_FALSE(at::equal(session.encode(prompt).context, before));
}

TEST_CASE("a token starts from what it is given, and an artifact gives it back", "[methods][token]") {
  const Tensor value = tiny::random({32}, 5);
  const TensorMap tensors{{"text_encoder.token.<x>", value}, {"text_encoder.token.<x>_1", value * 2.0}};
  Session trained(tiny::base("sd15")), applied(tiny::base("sd15"));
  const auto learned = add_learned_token(trained, Start(tensors), "<x>", 2, initializer_rows(trained, "man", "test"));
  CHECK(at::equal(learned[0][0].tensor, value));
  CHECK(placeholders_of(tensors) == std::vector<std::string>{"<x>"});
  CHECK(apply_token(applied, tensors, "<x>", "test") == 2);
  const at::NoGradGuard no_grad;
  const std::vector<std::string> prompt{"a photo of a <x>"};
  CHECK(at::equal(trained.encode(prompt).context, applied.encode(prompt).context));
}

TEST_CASE("a token's file has its vectors under its name, or both encoders' under the name of the file",
          "[methods][token]") {
  const Tensor value = tiny::random({32}, 5), other = tiny::random({40}, 6);
  TensorMap tensors{{"text_encoder.token.<x>", value}, {"text_encoder.token.<x>_1", value * 2.0}};
  const auto [name, one] = token_file(tensors, "<x>");
  CHECK(name == "learned_embeds.safetensors");
  CHECK(at::equal(to_tensor(one.tensors.at("<x>")), at::stack({value, value * 2.0})));
  tensors["text_encoder_2.token.<x>"] = other;
  tensors["text_encoder_2.token.<x>_1"] = other * 3.0;
  const auto [named, two] = token_file(tensors, "<x>");
  CHECK(named == "<x>.safetensors");
  CHECK(at::equal(to_tensor(two.tensors.at("clip_l")), at::stack({value, value * 2.0})));
  CHECK(at::equal(to_tensor(two.tensors.at("clip_g")), at::stack({other, other * 3.0})));
  CHECK(token_stem("a/b", "else") == "else");
  CHECK(token_stem(".x", "else") == "else");
  CHECK_THROWS_WITH(token_file(tensors, "<y>"), Catch::Contains("text_encoder.token.<y>"));
  CHECK_FALSE(token_vectors(tensors, "text_encoder", "<y>").defined());
}

TEST_CASE("what methods refuse in common is said in one way", "[methods]") {
  CHECK_NOTHROW(require_full_weight(1.0, "m"));
  CHECK_THROWS_WITH(require_full_weight(0.5, "m"),
                    Catch::Contains("m: weight 0.5") && Catch::Contains("tuned weights"));
  CHECK_THROWS_WITH(require_full_weight(2.0, "m", "a row"), Catch::Contains("1: a row"));
  CHECK_THROWS_WITH(require_tokens({}, "m"), Catch::Contains("without a learned token"));
  CHECK(require_tokens({.tensors = {{"text_encoder.token.<x>", tiny::random({4}, 1)}}}, "m") ==
        std::vector<std::string>{"<x>"});
  Session one(tiny::base("sd15")), two(tiny::base("sdxl"));
  CHECK_NOTHROW(require_one_encoder(one, "m", "advice"));
  CHECK_THROWS_WITH(require_one_encoder(two, "m", "use another"),
                    Catch::Contains("two text encoders") && Catch::Contains("use another"));
}

TEST_CASE("an initializer of several tokens is refused, with their number", "[methods][token]") {
  Session session(tiny::base("sd15"));
  CHECK_THROWS_WITH(initializer_rows(session, "red man", "initializer_token"),
                    Catch::Contains("initializer_token") && Catch::Contains("2 tokens"));
}

TEST_CASE("low-rank updates begin silent, learn B first, and an artifact gives them back", "[methods][low_rank]") {
  const auto shared = tiny::base("sd15");
  const Batch batch = tiny::batch(*shared, 2, 2);
  const TextCondition text{.context = tiny::random({1, 77, 32}, 3), .pooled = {}};
  Session plain(shared), trained(shared);
  RandomDraws draws({.step = -1});
  const auto layers = trained.layers("unet.*attn2.to_k");
  const auto parameters = attach_low_rank(trained, Start(), draws, layers, 3);
  REQUIRE(parameters.size() == 2 * layers.size());
  CHECK(parameters[0].name == layers[0] + ".lora_A.weight");
  CHECK(parameters[0].tensor.std().item<double>() == Approx(1.0 / 3.0).epsilon(0.3));
  const Tensor prediction = predict(trained, batch, text);
  CHECK(gap(prediction, predict(plain, batch, text)) < 1e-5);

  prediction.square().sum().backward();
  CHECK(parameters[0].tensor.grad().abs().max().item<double>() == 0.0);
  CHECK(parameters[1].tensor.grad().abs().max().item<double>() > 0.0);

  const at::NoGradGuard no_grad;
  TensorMap artifact;
  for (const auto& [name, tensor] : parameters) {
    if (name.ends_with("lora_B.weight")) tensor.add_(0.1);
    artifact[name] = tensor.detach();
  }
  apply_low_rank(plain, artifact, 1.0);
  const Tensor adapted = predict(trained, batch, text);
  CHECK(gap(adapted, prediction) > 1e-3);
  CHECK(at::equal(adapted, predict(plain, batch, text)));
  UNetCall without;
  without.adapters.skip = true;
  CHECK(gap(predict(trained, batch, text, without), prediction) < 1e-5);
}

TEST_CASE("a rank above a layer's width is refused", "[methods][low_rank]") {
  Session session(tiny::base("sd15"));
  RandomDraws draws({});
  CHECK_THROWS_WITH(attach_low_rank(session, Start(), draws, session.layers("unet.*mid*attn2.to_k"), 4000),
                    Catch::Contains("rank 4000"));
}

TEST_CASE("the noise-prediction terms split a batch into concept and class", "[methods][loss]") {
  Batch batch;
  batch.latents = at::zeros({3, 4, 2, 2});
  batch.target = at::zeros({3, 4, 2, 2});
  batch.instance_rows = 2;
  const Tensor prediction = at::ones({3, 4, 2, 2}) * at::tensor({1.0f, 2.0f, 3.0f}).view({3, 1, 1, 1});
  const auto all = diffusion_terms(prediction, batch);
  CHECK(all.at("mse").per_sample.sum().item<double>() == 14.0);
  const auto split = diffusion_terms(prediction, batch, 0.5);
  CHECK(at::equal(split.at("mse").per_sample, at::tensor({1.0f, 4.0f})));
  CHECK(at::equal(split.at("prior").per_sample, at::tensor({9.0f})));
  CHECK(split.at("prior").weight == 0.5);
}

TEST_CASE("frozen prompts are what the encoder gives, row by row", "[methods][prompts]") {
  Session session(tiny::base("sdxl"));
  FrozenPrompts prompts(session);
  StepTensors tensors;
  prompts.put(tensors, "caption", {"a red man", "a man"});
  const TextCondition frozen = FrozenPrompts::take(tensors, "caption");
  const at::NoGradGuard no_grad;
  const TextCondition direct = session.encode({std::vector<std::string>{"a red man", "a man"}});
  CHECK((frozen.context - direct.context).abs().max().item<double>() < 1e-5);
  CHECK((frozen.pooled - direct.pooled).abs().max().item<double>() < 1e-5);
  CHECK_FALSE(frozen.context.requires_grad());
}

TEST_CASE("the learning rate is scaled by batch and accumulation where asked, and accumulated losses are averaged",
          "[methods][settings]") {
  const auto spec = spec_with_optimizer();
  const Json chosen{{"only.scale_lr", true}, {"only.gradient_accumulation_steps", 3}};
  const Options options = options_of_stage(spec, "only", resolve_options(spec, "", chosen, "test"));
  CHECK(read_learning_rate(options, "only") == Approx(6e-3));
  CHECK(read_train_spec(options, "only").loss_divisor == 3.0);
  CHECK(read_train_spec(options, "only").accumulation == 3);
}

TEST_CASE("only a schedule that decays reads the number of steps", "[methods][settings]") {
  const auto spec = spec_with_optimizer();
  const auto total = [&](const Json& chosen) {
    const Options options = options_of_stage(spec, "only", resolve_options(spec, "", chosen, "test"));
    return read_train_spec(options, "only", "steps").lr_total_steps;
  };
  CHECK(total(Json::object()) == 0);
  CHECK(total({{"only.lr_scheduler", "cosine"}}) == 40);
  CHECK(spec.stages.front().depends_on_total_when.size() == 4);
}

TEST_CASE("parameters that are unfrozen start from what they are given; the base keeps its own", "[methods]") {
  const auto shared = tiny::base("sd15");
  Session session(shared), other(shared);
  const std::string name = "unet.conv_in.bias";
  const Tensor value = tiny::random(session.unet().registry().parameters.at("conv_in.bias")->sizes(), 4);
  const auto parameters = unfreeze(session, Start({{name, value}}), name);
  REQUIRE(parameters.size() == 1);
  CHECK(at::equal(parameters[0].tensor, value));
  CHECK(parameters[0].tensor.requires_grad());
  CHECK_FALSE(at::equal(*other.unet().registry().parameters.at("conv_in.bias"), value));
  restore(other, {{name, value}, {"text_encoder.token.<x>", value}}, "unet.*");
  CHECK(at::equal(*other.unet().registry().parameters.at("conv_in.bias"), value));
}
