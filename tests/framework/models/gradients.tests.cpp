// Gradients of the noise-prediction loss against PyTorch's autograd on the reference's modules, in float64:
// tests/parity/reference_gradients.py.
#include <ATen/ops/arange.h>
#include <ATen/ops/mse_loss.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "framework/formats/checkpoint.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/models/unet.h"
#include "framework/schedulers/noise_schedule.h"
#include "framework/tensor/tensor_io.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

constexpr double kTolerance = 1e-6;  // float64; the sinusoids of the time embedding are float32 on both sides
const std::string kParity = std::string(ATELIER_SOURCE_DIR) + "/tests/parity/";

struct Reference {
  TensorMap in, out;
  Json description;
};

Reference read_reference(const std::string& family) {
  const auto in = read_named_tensors(kParity + "references/" + family + "/gradients.in.safetensors");
  const auto out = read_named_tensors(kParity + "references/" + family + "/gradients.float64.safetensors");
  return {in.tensors, out.tensors, parse_json(in.metadata.at("case"), family)};
}

double deviation(const Tensor& found, const Tensor& expected) {
  const double rms = expected.pow(2).mean().sqrt().item<double>();
  return (found.reshape(expected.sizes()) - expected).abs().max().item<double>() / std::max(rms, 1e-300);
}

struct Step {
  Tensor loss;
  TextCondition text;
};

/// The forward pass of one training step, as every method's loss begins.
Step forward(Session& session, const Reference& reference, bool checkpoint) {
  const auto training = read_training_noise(session.base().checkpoint().scheduler_config());
  const Tensor latents = reference.in.at("batch.0.latents").to(at::kDouble);
  const Tensor noise = reference.in.at("batch.0.noise").to(at::kDouble);
  const Tensor timesteps = reference.in.at("batch.0.timesteps");
  Step step;
  step.text = session.encode(reference.description.at("captions").get<std::vector<std::string>>());
  step.text.context.retain_grad();
  UNetInput input{.sample = training.schedule.add_noise(latents, noise, timesteps),
                  .timesteps = timesteps,
                  .context = step.text.context,
                  .text_embeds = step.text.pooled,
                  .time_ids = {}};
  if (reference.description.contains("time_ids")) {
    const Tensor ids = at::tensor(reference.description.at("time_ids").get<std::vector<float>>());
    input.time_ids = at::stack({ids, ids});
  }
  UNetCall call;
  call.checkpoint = checkpoint;
  const bool v = reference.description.at("target") == "v_prediction";
  step.loss = at::mse_loss(session.unet().forward(input, call),
                           v ? training.schedule.velocity(latents, noise, timesteps) : noise);
  return step;
}

void check_family(const std::string& family, bool checkpoint) {
  const Reference reference = read_reference(family);
  const auto model = std::make_shared<const Checkpoint>(Checkpoint::open(kParity + "models/" + family));
  Session session(std::make_shared<const Base>(model, Placement{.device = c10::kCPU, .dtype = c10::kDouble}));
  const auto trained = session.unfreeze("unet.*");
  const auto table = session.unfreeze("text_encoder.*token_embedding.weight").front().second;
  const Step step = forward(session, reference, checkpoint);
  step.loss.backward();

  CHECK(deviation(step.loss, reference.out.at("loss.0")) < 1e-7);
  CHECK(deviation(step.text.context.grad(), reference.out.at("grad.0.encoder_hidden_states")) < kTolerance);
  std::map<std::string, Tensor> gradients;
  Tensor squares = at::tensor(0.0, at::kDouble);
  for (const auto& [name, parameter] : trained) {
    gradients["grad.0." + name] = parameter.grad();
    squares = squares + parameter.grad().pow(2).sum();
  }
  const double whole = reference.out.at("grad_norm.0.unet").item<double>();
  std::size_t compared = 0;
  for (const auto& [name, expected] : reference.out) {
    if (!name.starts_with("grad.0.unet.")) continue;
    INFO(name);
    REQUIRE(gradients.contains(name));
    // Over one position softmax is constant: that gradient is 0 up to the rounding of the whole.
    const double scale = std::max(expected.norm().item<double>(), 1e-6 * whole);
    CHECK((gradients.at(name) - expected).norm().item<double>() < kTolerance * scale);
    ++compared;
  }
  CHECK(compared > 10);
  CHECK(deviation(squares.sqrt(), reference.out.at("grad_norm.0.unet")) < kTolerance);
  const Tensor rows = table.grad().index_select(0, reference.out.at("token_ids.text_encoder"));
  CHECK(deviation(rows, reference.out.at("grad.0.text_encoder.token_rows")) < kTolerance);
}

}  // namespace

TEST_CASE("an SD 1.5-like training step has PyTorch's loss and gradients", "[models][gradients]") {
  check_family("sd15", false);
}

TEST_CASE("an SD 2.1-like training step with v-prediction has PyTorch's loss and gradients", "[models][gradients]") {
  check_family("sd21", false);
}

TEST_CASE("an SDXL-like training step has PyTorch's loss and gradients", "[models][gradients]") {
  check_family("sdxl", false);
}

TEST_CASE("activation checkpointing leaves loss and gradients as they are", "[models][gradients]") {
  check_family("sd15", true);
}

TEST_CASE("summaries of attention maps and their gradients survive activation checkpointing", "[models][gradients]") {
  const auto model = std::make_shared<const Checkpoint>(Checkpoint::open(kParity + "models/sd15"));
  const auto base = std::make_shared<const Base>(model, Placement{.device = c10::kCPU, .dtype = c10::kDouble});
  struct Run {
    std::vector<Tensor> layers, gradients;
    Tensor output, context;
    int calls = 0;
  };
  const auto run = [&](bool checkpoint) {
    Run result;
    Session session(base);
    const auto trained = session.unfreeze("unet.*");
    AttentionSummaries summaries;
    summaries.summarise = [&](std::string_view, const Tensor& probabilities) {
      ++result.calls;
      return probabilities.select(-1, 3).square().mean({1, 2});  // [B]
    };
    UNetCall call;
    call.checkpoint = checkpoint;
    call.summaries = &summaries;
    const Tensor grid = at::arange(2 * 4 * 8 * 8, at::kDouble).view({2, 4, 8, 8});
    result.context = at::arange(2 * 77 * 32, at::kDouble).view({2, 77, 32}).mul(0.7).sin().requires_grad_();
    result.output = session.unet().forward({.sample = (grid * 0.37).sin(),
                                            .timesteps = at::tensor({17, 611}),
                                            .context = result.context,
                                            .text_embeds = {},
                                            .time_ids = {}},
                                           call);
    CHECK(result.calls == 16);
    REQUIRE(summaries.layers.size() == 16);
    result.layers = summaries.layers;
    (result.output.square().mean() + at::stack(summaries.layers).sum() * 1e3).backward();
    CHECK(result.calls == (checkpoint ? 32 : 16));
    for (const auto& [name, parameter] : trained) result.gradients.push_back(parameter.grad());
    return result;
  };
  const Run plain = run(false), recomputed = run(true);
  CHECK(deviation(recomputed.output, plain.output) < 1e-12);
  CHECK(deviation(recomputed.context.grad(), plain.context.grad()) < 1e-10);
  for (std::size_t i = 0; i < plain.layers.size(); ++i) {
    CHECK(recomputed.layers[i].sizes() == at::IntArrayRef({2}));
    CHECK(deviation(recomputed.layers[i], plain.layers[i]) < 1e-12);
  }
  double error = 0.0, size = 0.0;
  for (std::size_t i = 0; i < plain.gradients.size(); ++i) {
    error += (recomputed.gradients[i] - plain.gradients[i]).square().sum().item<double>();
    size += plain.gradients[i].square().sum().item<double>();
  }
  CHECK(std::sqrt(error / size) < 1e-10);
}
