#include "framework/worker/preview.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <array>
#include <nlohmann/json.hpp>

#include "framework/image/encode.h"
#include "framework/models/session.h"
#include "framework/worker/prompt_branches.h"

namespace atelier::worker {

Preview::Preview(JobRun& run, Session& session, const Method& method, const SamplerSpec& sampler,
                 const PreviewRequest& request)
    : run_(run), session_(session), method_(method), sampler_(sampler), request_(request) {
  const auto [width, height] = picture_size(session, std::nullopt);
  plan_ = {.scheduler = sampler.scheduler,
           .settings = &sampler.settings,
           .steps = sampler.steps,
           .width = width,
           .height = height};
  folder_ = run.store().root() / "previews" / run.outputs().back().key;
  std::filesystem::create_directories(folder_);
}

void Preview::after_step(std::int64_t step) {
  if (step % request_.every != 0) return;
  for (std::size_t prompt = 0; prompt < request_.prompts.size(); ++prompt) draw(prompt, step);
  run_.note("preview", fmt::format("step {}: {}", step, folder_.string()));
}

void Preview::draw(std::size_t prompt, std::int64_t step) {
  const at::NoGradGuard no_grad;
  const auto branches = guided_branches(session_, method_,
                                        {.prompt = request_.prompts[prompt],
                                         .negative = std::nullopt,
                                         .base_prompt = "",
                                         .guidance = sampler_.guidance,
                                         .reward = std::nullopt});
  PictureSampler sampler(session_, plan_);
  const Image image = sampler.decode(sampler.latents(branches, {prompt}));
  const Json about{{"prompt", request_.prompts[prompt]}, {"seed", prompt}, {"step", step}};
  const std::array texts{TextChunk{.key = "atelier", .text = about.dump()}};
  write_png(folder_ / fmt::format("{:06}_{:02}.png", step, prompt), image, texts);
}

}  // namespace atelier::worker
