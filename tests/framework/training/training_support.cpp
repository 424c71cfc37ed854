#include "tests/framework/training/training_support.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/full_like.h>
#include <ATen/ops/ones.h>
#include <ATen/ops/softplus.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>
#include <c10/util/Exception.h>

#include <limits>

#include "framework/core/digest.h"
#include "framework/formats/checkpoint.h"
#include "framework/image/encode.h"
#include "framework/models/unet.h"
#include "framework/tensor/random.h"
#include "framework/training/batch_inputs.h"

namespace training_test {

using namespace atelier;

std::shared_ptr<const Base> tiny_base(c10::ScalarType dtype) {
  const auto checkpoint = std::make_shared<const Checkpoint>(
      Checkpoint::open(std::string(ATELIER_SOURCE_DIR) + "/tests/parity/models/sd15"));
  return std::make_shared<const Base>(checkpoint, Placement{.device = c10::kCPU, .dtype = dtype});
}

namespace {

constexpr const char* kToken = "text_encoder.token.<new>";
constexpr const char* kLayers = "unet.mid_block.*attn2.to_*";

class TestStage final : public Stage {
 public:
  explicit TestStage(StageSettings settings) : settings_(std::move(settings)) {}

  DataSpec data() const override { return settings_.data; }
  TrainSpec train() const override { return settings_.train; }
  bool linear() const override { return !settings_.nonlinear; }

  std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) override {
    session_ = &session;
    std::vector<ParamGroup> groups;
    if (settings_.token) groups.push_back(attach_token(start));
    if (settings_.lora) groups.push_back(attach_lora(start, draws));
    if (!settings_.unfreeze.empty()) groups.push_back(unfreeze());
    for (const auto& group : groups)
      published_.insert(published_.end(), group.parameters.begin(), group.parameters.end());
    return groups;
  }

  void describe(const Photo& photo, Sample& sample, Draws& draws) override {
    const char* const templates[] = {"a photo of a {}", "a picture of the {}", "{} on a table"};
    const std::string text = templates[draws.below("template", 3)];
    const auto place = text.find("{}");
    sample.caption = text.substr(0, place) + (photo.of_class ? "cat" : "<new> cat") + text.substr(place + 2);
  }

  StepTensors per_step(const std::vector<Sample>& samples, Draws& draws) override {
    std::vector<std::string> captions;
    for (const auto& sample : samples) captions.push_back(sample.caption);
    StepTensors tensors;
    tensors.rows["ids"] = session_->tokenize(captions).towers.front();
    tensors.shared["mask"] = at::tensor({draws.happens("mask", 0.5) ? 1.0 : 0.0}, dtype());
    return tensors;
  }

  Terms forward(const Batch& batch, const StepTensors& tensors) override {
    const bool too_many = settings_.most_rows > 0 && batch.size() > settings_.most_rows;
    if (calls_++ == settings_.failing_call || too_many) run_out_of_memory();
    const TextCondition text = session_->encode(TextIds{{tensors.rows.at("ids")}});
    const Tensor predicted = session_->unet().forward({.sample = batch.noisy_latents,
                                                       .timesteps = batch.timesteps,
                                                       .context = text.context,
                                                       .text_embeds = {},
                                                       .time_ids = {}});
    const Tensor error = (predicted.to(batch.target.scalar_type()) - batch.target).pow(2).mean({1, 2, 3});
    return terms(batch, poisoned(error), text.context, tensors.shared.at("mask"));
  }

  Tensor combine(Reduced& reduced, const std::map<std::string, double>& weights) const override {
    if (!settings_.nonlinear) return Stage::combine(reduced, weights);
    Tensor loss = at::softplus((reduced.at("mse") - reduced.at("reference")) * 50.0);
    if (settings_.summed) loss = loss + reduced.at("size") * weights.at("size");
    reduced["dco"] = loss;
    return loss;
  }

  void after_step(const StepInfo& info) override { steps_ = info.step + 1; }

  void save(ArtifactWriter& writer) const override {
    for (const auto& parameter : published_) writer.tensor(parameter.name, parameter.tensor);
  }

 private:
  void run_out_of_memory() const {
    if (settings_.host_memory)
      throw c10::Error({"f", "x.cpp", 1}, "[enforce fail] DefaultCPUAllocator: can't allocate memory: you tried to …");
    throw c10::OutOfMemoryError({"f", "x.cpp", 1}, "CUDA out of memory");
  }

  [[nodiscard]] at::TensorOptions dtype() const {
    return at::TensorOptions().dtype(session_->base().placement().dtype);
  }

  ParamGroup attach_token(const Start& start) {
    const auto make = [&] { return session_->token_vector("a", 0).to(dtype()); };
    const Tensor vector = start.value(kToken, make).requires_grad_();
    session_->add_token("<new>", {vector});
    return {.name = "token", .parameters = {{kToken, vector}}, .learning_rate = settings_.learning_rate};
  }

  ParamGroup attach_lora(const Start& start, Draws& draws) {
    ParamGroup group{.name = "lora", .parameters = {}, .learning_rate = settings_.learning_rate};
    if (settings_.accumulate_lora) group.role = ParamGroup::Role::accumulated;
    std::int64_t index = 0;
    for (const auto& layer : session_->layers(kLayers)) {
      const auto shape = session_->unet().registry().linears.at(layer.substr(5))->weight.sizes().vec();
      const auto down = [&] { return (draws.normal("lora_A", {2, shape[1]}, index) * 0.1).to(dtype()); };
      const auto up = [&] { return (draws.normal("lora_B", {shape[0], 2}, index) * 0.1).to(dtype()); };
      const Tensor a = start.value(layer + ".lora_A.weight", down).requires_grad_();
      const Tensor b = start.value(layer + ".lora_B.weight", up).requires_grad_();
      session_->attach(layer, {.a = a, .b = b});
      group.parameters.push_back({layer + ".lora_A.weight", a});
      group.parameters.push_back({layer + ".lora_B.weight", b});
      ++index;
    }
    return group;
  }

  ParamGroup unfreeze() {
    ParamGroup group{.name = "weights", .parameters = {}, .learning_rate = settings_.learning_rate};
    for (const auto& [name, tensor] : session_->unfreeze(settings_.unfreeze))
      group.parameters.push_back({name, tensor});
    return group;
  }

  [[nodiscard]] Tensor poisoned(const Tensor& error) const {
    if (settings_.poison_step < 0 || steps_ < settings_.poison_step) return error;
    if (settings_.poison_what == "term") return error + at::tensor({0.0, std::numeric_limits<double>::quiet_NaN()});
    // The value stays, the gradient of the square root at 0 does not.
    return error + (error - error.detach()).pow(2).sum().sqrt();
  }

  [[nodiscard]] Terms terms(const Batch& batch, const Tensor& error, const Tensor& context, const Tensor& mask) const {
    Terms terms;
    const std::int64_t instance = settings_.prior ? batch.instance_rows : batch.size();
    terms["mse"] = {.per_sample = error.narrow(0, 0, instance),
                    .weight = settings_.nonlinear ? 0.0 : 1.0,
                    .rows = settings_.prior ? Term::Rows::instance : Term::Rows::all};
    if (settings_.prior) {
      terms["prior"] = {.per_sample = error.narrow(0, instance, batch.size() - instance),
                        .weight = 0.5,
                        .rows = Term::Rows::of_class};
    }
    if (settings_.summed) {
      const Tensor size = context.pow(2).mean({1, 2}) * (mask + 1.0);
      terms["size"] = {.per_sample = size, .weight = 0.125, .reduce = Term::Reduce::sum};
    }
    if (settings_.nonlinear) {
      terms["reference"] = {.per_sample = batch.target.pow(2).mean({1, 2, 3}).detach(), .weight = 0.0};
    }
    return terms;
  }

  StageSettings settings_;
  int calls_ = 0;
  Session* session_ = nullptr;
  std::vector<Parameter> published_;
  std::int64_t steps_ = 0;
};

class DigestWriter final : public ArtifactWriter {
 public:
  void tensor(const std::string& name, const Tensor& value) override {
    const Tensor dense = value.detach().contiguous();
    digest_.update(name);
    digest_.update(std::span(static_cast<const std::byte*>(dense.const_data_ptr()), dense.nbytes()));
  }
  void aux(const std::string& name, const Tensor& value) override { tensor(name, value); }
  void note(const std::string& key, const std::string& value) override { digest_.update(key + value); }
  std::string hex() { return digest_.hex(); }

 private:
  Sha256 digest_;
};

}  // namespace

std::unique_ptr<Stage> make_stage(const StageSettings& settings) { return std::make_unique<TestStage>(settings); }

std::vector<Photo> write_photos(const TemporaryFolder& folder, int count, int width, int height,
                                const std::string& stem) {
  std::vector<Photo> photos;
  for (int k = 0; k < count; ++k) {
    Image image = make_raster<Image>({width, height});
    std::uint32_t state = 12345u + 77u * static_cast<std::uint32_t>(k);
    for (auto& value : image.pixels) {
      state = state * 1664525u + 1013904223u;
      value = static_cast<std::uint8_t>(state >> 24);
    }
    const auto path = folder / (stem + std::to_string(k) + ".png");
    write_png(path, image);
    photos.push_back({.path = path.string(), .caption = "", .base_caption = ""});
  }
  return photos;
}

BatchInputs random_inputs(std::int64_t rows, std::int64_t instance, std::uint64_t seed) {
  auto generator = make_generator(seed);
  BatchInputs inputs;
  inputs.latents = randn({rows, 4, 8, 8}, generator);
  inputs.noise = randn({rows, 4, 8, 8}, generator);
  inputs.timesteps = (randn({rows}, generator).abs() * 300).to(at::kLong).clamp(0, 999);
  inputs.instance_rows = instance;
  for (std::int64_t r = 0; r < rows; ++r) {
    inputs.samples.push_back({.caption = r < instance ? "a photo of a <new> cat" : "a photo of a cat", .texts = {}});
  }
  return inputs;
}

std::string digest(const Stage& stage) {
  DigestWriter writer;
  stage.save(writer);
  return writer.hex();
}

DataSpec flip_data() {
  DataSpec data;
  data.recipe.transform.size = 64;
  data.recipe.flip_probability = 0.5;
  data.repeats = 3;
  return data;
}

DataSpec jitter_data() {
  DataSpec data = flip_data();
  data.recipe.random_crop = true;
  data.recipe.brightness = 0.2;
  data.recipe.contrast = 0.1;
  return data;
}

}  // namespace training_test
