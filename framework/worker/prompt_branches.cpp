#include "framework/worker/prompt_branches.h"

#include <ATen/ops/zeros.h>

#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/worker/picture_sampler.h"

namespace atelier::worker {
namespace {

EncodeOptions options_of(const PromptBranch& branch, const Session& session) {
  EncodeOptions options;
  if (!branch.edits) {
    options.edited_rows =
        at::zeros({1}, at::TensorOptions().dtype(at::kBool).device(session.base().placement().device));
  }
  return options;
}

}  // namespace

std::vector<Branch> encode_branches(Session& session, const std::vector<PromptBranch>& branches) {
  std::vector<Branch> encoded;
  for (const PromptBranch& branch : branches) {
    if (branch.weight == 0.0) continue;
    const auto options = options_of(branch, session);
    encoded.push_back(
        {.name = branch.name,
         .text = branch.text.empty() ? encode_negative(session, "", options) : session.encode({branch.text}, options),
         .weight = branch.weight,
         .adapter_scale = branch.adapter_scale});
  }
  return encoded;
}

}  // namespace atelier::worker
