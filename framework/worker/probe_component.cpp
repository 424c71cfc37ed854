#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <chrono>
#include <functional>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/formats/checkpoint.h"
#include "framework/formats/component_folder.h"
#include "framework/formats/encoder_source.h"
#include "framework/models/clip_text.h"
#include "framework/models/clipseg.h"
#include "framework/models/image_encoder.h"
#include "framework/models/unet.h"
#include "framework/models/vae.h"
#include "framework/tensor/devices.h"
#include "framework/worker/job.h"
#include "framework/worker/process_clock.h"
#include "framework/worker/sample_request.h"
#include "framework/worker/tensor_files.h"

namespace atelier::worker {
namespace {

using Clock = std::chrono::steady_clock;

double seconds_since(Clock::time_point start) { return std::chrono::duration<double>(Clock::now() - start).count(); }

/// A component ready to be called: what it reads, and what it makes of it.
struct Probe {
  std::vector<Expected> inputs;
  std::function<TensorMap(const TensorMap&)> call;
};

Probe unet_probe(const Checkpoint& model, const Placement& placement) {
  const auto unet = std::make_shared<UNet>(model.config("unet"), Weights(model.weights("unet"), placement));
  Probe probe;
  probe.inputs = {{.name = "sample", .shape = "[B, 4, h, w]", .rank = 4},
                  {.name = "timestep", .shape = "[B]", .rank = 1, .either = true},
                  {.name = "encoder_hidden_states", .shape = "[B, L, D]", .rank = 3}};
  if (unet->config().text_time) {
    probe.inputs.push_back({.name = "text_embeds", .shape = "[B, P]", .rank = 2});
    probe.inputs.push_back({.name = "time_ids", .shape = "[B, 6]", .rank = 2, .either = true});
  }
  probe.call = [unet, placement](const TensorMap& in) {
    const auto get = [&](const char* name) {
      const auto found = in.find(name);
      return found == in.end() ? Tensor() : found->second.to(placement.device);
    };
    return TensorMap{{"noise_pred", unet->forward({get("sample"), get("timestep"), get("encoder_hidden_states"),
                                                   get("text_embeds"), get("time_ids")})}};
  };
  return probe;
}

Probe vae_probe(const Checkpoint& model, const Placement& placement, bool encode) {
  const auto vae = std::make_shared<VAE>(model.config("vae"), Weights(model.weights("vae"), placement));
  if (encode) {
    return {.inputs = {{.name = "pixel_values", .shape = "[B, 3, H, W]", .rank = 4}}, .call = [=](const TensorMap& in) {
              const Posterior posterior = vae->encode(in.at("pixel_values").to(placement.device));
              return TensorMap{{"mean", posterior.mean}, {"std", posterior.std}};
            }};
  }
  return {.inputs = {{.name = "latents", .shape = "[B, 4, h, w]", .rank = 4}}, .call = [=](const TensorMap& in) {
            return TensorMap{{"image", vae->decode(in.at("latents").to(placement.device))}};
          }};
}

Probe text_probe(const Checkpoint& model, const Placement& placement, const std::string& component) {
  const auto text = std::make_shared<ClipText>(model.config(component), Weights(model.weights(component), placement));
  return {.inputs = {{.name = "input_ids", .shape = "[B, 77]", .rank = 2, .integral = true}},
          .call = [=](const TensorMap& in) {
            const auto out = text->forward(in.at("input_ids").to(placement.device));
            return TensorMap{{"last_hidden_state", out.last_hidden_state},
                             {"penultimate_hidden_state", out.penultimate},
                             {"pooled", out.pooled}};
          }};
}

/// Config and weights of a model whose folder is no pipeline's.
std::pair<Json, Weights> own_folder(const Job& job, const Placement& placement) {
  const auto folder = ComponentFolder::open(job.text("model"));
  const WeightChoice choice{.variant = job.optional_text("variant").value_or(""),
                            .allow_pickle = job.flag("allow_pickle")};
  return {folder.config(), Weights(folder.weights(choice), placement)};
}

Probe image_probe(const Job& job, const Placement& placement) {
  auto source = read_encoder(job.text("model"), {.variant = job.optional_text("variant").value_or(""),
                                                 .allow_pickle = job.flag("allow_pickle")});
  const std::shared_ptr<ImageEncoder> encoder =
      make_image_encoder(source.config, Weights(std::move(source.weights), placement));
  return {.inputs = {{.name = "pixel_values", .shape = "[B, 3, S, S]", .rank = 4}}, .call = [=](const TensorMap& in) {
            return TensorMap{{"features", encoder->features(in.at("pixel_values").to(placement.device))}};
          }};
}

Probe segmenter_probe(const Job& job, const Placement& placement) {
  auto [config, weights] = own_folder(job, placement);
  const auto segmenter = std::make_shared<ClipSeg>(config, std::move(weights));
  Probe probe;
  probe.inputs = {{.name = "pixel_values", .shape = "[B, 3, S, S]", .rank = 4},
                  {.name = "input_ids", .shape = "[B, L]", .rank = 2, .integral = true, .optional = true},
                  {.name = "conditional_embeddings", .shape = "[B, P]", .rank = 2, .optional = true}};
  probe.call = [=](const TensorMap& in) {
    const auto ids = in.find("input_ids"), given = in.find("conditional_embeddings");
    if ((ids == in.end()) == (given == in.end())) {
      throw Error({.where = "probe component segmenter",
                   .found = ids == in.end() ? "neither input_ids nor conditional_embeddings" : "both",
                   .expected = "input_ids [B, L] or conditional_embeddings [B, P]"});
    }
    const Tensor prompt = given == in.end() ? segmenter->prompt(ids->second) : given->second;
    return TensorMap{{"logits", segmenter->forward(in.at("pixel_values").to(placement.device), prompt)}};
  };
  return probe;
}

Probe make_probe(const Job& job, const Placement& placement) {
  const std::string component = job.text("component");
  if (component == "image_encoder") return image_probe(job, placement);
  if (component == "segmenter") return segmenter_probe(job, placement);
  const auto model = open_checkpoint(job);
  const std::string part = component.starts_with("vae") ? "vae" : component;
  if (!model.has(part)) {
    throw Error(
        {.where = job.text("model"), .found = fmt::format("no component {}", part), .expected = "a model that has it"});
  }
  if (component == "unet") return unet_probe(model, placement);
  if (component == "vae_encoder") return vae_probe(model, placement, true);
  if (component == "vae_decoder") return vae_probe(model, placement, false);
  if (component == "text_encoder" || component == "text_encoder_2") return text_probe(model, placement, component);
  throw Error({.where = "probe component",
               .found = component,
               .expected = "unet, vae_encoder, vae_decoder, text_encoder, text_encoder_2, image_encoder or segmenter"},
              ErrorKind::usage);
}

/// Calls after the first, one by one, for benchmarks.
Json repeat(const Probe& probe, const TensorMap& in, std::int64_t count) {
  Json calls = Json::array();
  for (std::int64_t i = 0; i < count; ++i) {
    const auto start = Clock::now();
    const TensorMap out = probe.call(in);
    (void)out.begin()->second.flatten()[0].item();  // waits for a device
    calls.push_back(seconds_since(start));
  }
  return calls;
}

}  // namespace

void run_probe_component(const Job& job) {
  const at::NoGradGuard no_grad;
  const Placement placement = job.placement();
  const auto start = Clock::now();
  const Probe probe = make_probe(job, placement);
  const auto in = job.texts("in"), out = job.texts("out");
  Json timings{{"load_seconds", seconds_since(start)}};
  std::vector<NamedTensors> results;
  for (const auto& path : in) {
    const TensorMap inputs = read_inputs(path, probe.inputs);
    if (results.empty()) timings["start_to_first_call_seconds"] = seconds_since_process_start();
    NamedTensors result;
    for (const auto& [name, tensor] : probe.call(inputs)) result.tensors[name] = as_output(tensor);
    if (results.empty()) {
      timings["first_call_seconds"] = seconds_since_process_start();
      timings["calls"] = repeat(probe, inputs, job.optional_integer("repeat").value_or(0));
    }
    results.push_back(std::move(result));
  }
  for (std::size_t i = 0; i < out.size(); ++i) write_named_tensors(out[i], results[i]);
  timings["peak_rss_bytes"] = peak_memory();
  if (const auto path = job.optional_text("timings")) write_file_atomically(*path, pretty_json(timings));
}

}  // namespace atelier::worker
