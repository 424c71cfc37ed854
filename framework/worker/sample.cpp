#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/formats/checkpoint.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/models/vae.h"
#include "framework/tensor/tensor_io.h"
#include "framework/worker/artifacts.h"
#include "framework/worker/job.h"
#include "framework/worker/picture_folder.h"
#include "framework/worker/picture_sampler.h"
#include "framework/worker/prompt_sampler.h"
#include "framework/worker/sample_request.h"

namespace atelier::worker {
namespace {

using PixelSize = std::pair<std::int64_t, std::int64_t>;  // width, height

/// What --size says, else what the given latents say, else the model's own.
PixelSize size_of(Session& session, const SampleRequest& request, const Tensor& given) {
  const PixelSize size = picture_size(session, request.size);
  if (!given.defined()) return size;
  const auto scale = session.vae().config().downscale();
  const PixelSize drawn{given.size(3) * scale, given.size(2) * scale};
  if (request.size && drawn != size) {
    throw Error({.where = "--latents-in, --size",
                 .found = fmt::format("latents for {}x{} pixels and --size {}x{}", drawn.first, drawn.second,
                                      size.first, size.second),
                 .expected = "the same size",
                 .advice = "leave --size out"},
                ErrorKind::usage);
  }
  return drawn;
}

/// `latents` of --latents-in, prompts and pictures stacked in order.
Tensor read_latents(const std::string& path, const SampleRequest& request, std::int64_t channels) {
  const auto content = read_named_tensors(path);
  const auto found = content.tensors.find("latents");
  const auto rows = static_cast<std::int64_t>(request.prompts.size()) * request.images;
  const bool present = found != content.tensors.end();
  if (!present || found->second.dim() != 4 || found->second.size(0) != rows || found->second.size(1) != channels ||
      found->second.numel() == 0) {
    throw Error(
        {.where = path,
         .found = present ? "latents " + describe(found->second.sizes(), found->second.scalar_type())
                          : "no tensor `latents`",
         .expected = fmt::format("latents [{}, {}, h, w]: one row for each prompt and picture", rows, channels)});
  }
  return found->second;
}

}  // namespace

void run_sample(const Job& job) {
  const at::NoGradGuard no_grad;
  const Placement placement = job.placement();
  const SampleRequest request = SampleRequest::from(job);
  const auto base = make_base(open_checkpoint(job), placement);
  Session session(base);
  const AppliedArtifacts applied = apply_artifacts(session, request);
  SampleRequest filled = request.with_phrase(applied.phrase);
  if (filled.edit)
    filled.prompts.insert(filled.prompts.end(), filled.edit->prompts.begin(), filled.edit->prompts.end());
  const Tensor given = request.latents_in
                           ? read_latents(*request.latents_in, request, session.vae().config().latent_channels)
                           : Tensor();
  filled.size = size_of(session, request, given);
  build_all(session);

  PictureFolder folder(job.text("out"), filled, base->checkpoint().path().string());
  PromptSampler sampler(session, *applied.method, filled, folder);
  const Tensor latents = sampler.sample(given).to(at::kCPU);
  if (request.latents_out) {
    write_named_tensors(*request.latents_out, {.tensors = {{"latents", latents}}, .metadata = {}});
  }
}

}  // namespace atelier::worker
