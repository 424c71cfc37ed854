#pragma once

#include <map>
#include <span>
#include <vector>

#include "framework/core/progress.h"
#include "framework/methods/method.h"
#include "framework/sampling/attention_maps.h"
#include "framework/worker/picture_folder.h"
#include "framework/worker/picture_sampler.h"

namespace atelier::worker {

/// The pictures of `atelier sample`: of each prompt in batches or, with edits, each picture's source and edited prompts
/// together, from the same noise.
class PromptSampler {
 public:
  /// The request has a size; with edits its prompts are the source and the edited ones. Borrows everything.
  PromptSampler(Session& session, const Method& method, const SampleRequest& request, const PictureFolder& folder);

  /// Samples and writes every picture. `given`: initial latents of unit variance, one row for each prompt and picture
  /// (with edits for each picture), or undefined. Returns the final latents, prompts and pictures stacked in order.
  [[nodiscard]] Tensor sample(const Tensor& given);

 private:
  struct Row {
    std::size_t prompt = 0;
    std::int64_t picture = 0;
  };
  using Rows = std::vector<Row>;

  [[nodiscard]] std::vector<Rows> batches() const;
  [[nodiscard]] const std::vector<Branch>& branches(std::size_t prompt);
  [[nodiscard]] std::vector<Branch> stacked(const Rows& rows);
  [[nodiscard]] Tensor given_rows(const Rows& rows, const Tensor& given) const;
  [[nodiscard]] Tensor latents(const Rows& rows, const Tensor& given, std::unique_ptr<AttentionMaps>& maps);
  void write(const Rows& rows, const Tensor& latents, const AttentionMaps* maps) const;
  void preview(const Row& row, const SamplingStep& step) const;

  Session& session_;
  const Method& method_;
  const SampleRequest& request_;
  const PictureFolder& folder_;
  SamplingPlan plan_;
  PictureSampler sampler_{session_, plan_};
  Progress progress_;
  std::map<std::size_t, std::vector<Branch>> branches_;     // by prompt
  std::vector<std::vector<AttentionMaps::Places>> places_;  // by prompt, of the attention words
};

}  // namespace atelier::worker
