#pragma once

#include <filesystem>
#include <string>

#include "framework/config/method_spec.h"
#include "framework/methods/method.h"
#include "framework/worker/picture_sampler.h"
#include "framework/worker/train_request.h"

namespace atelier::worker {

/// Pictures of a stage in training, for people: previews/<key>/<step>_<prompt>.png of the store. They have seeds of
/// their own (0, 1, … for the prompts), so training is the same with and without them, and no key knows of them.
class Preview {
 public:
  /// Borrows everything.
  Preview(JobRun& run, Session& session, const Method& method, const SamplerSpec& sampler,
          const PreviewRequest& request);
  void after_step(std::int64_t step);

 private:
  void draw(std::size_t prompt, std::int64_t step);

  JobRun& run_;
  Session& session_;
  const Method& method_;
  const SamplerSpec& sampler_;
  const PreviewRequest& request_;
  SamplingPlan plan_;
  std::filesystem::path folder_;
};

}  // namespace atelier::worker
