#include "framework/worker/prompt_branches.h"

#include <ATen/ops/zeros.h>

#include "framework/core/error.h"
#include "framework/models/base.h"
#include "framework/models/session.h"
#include "framework/worker/picture_sampler.h"

namespace atelier::worker {
namespace {

EncodeOptions options_of(const PromptBranch& branch, const Session& session) {
  EncodeOptions options;
  if (!branch.edits && session.has_text_edits()) {
    options.edited_rows =
        at::zeros({1}, at::TensorOptions().dtype(at::kBool).device(session.base().placement().device));
  }
  return options;
}

TextCondition encoded_text(Session& session, const PromptBranch& branch) {
  const auto options = options_of(branch, session);
  return branch.text ? session.encode({*branch.text}, options) : encode_no_prompt(session, options);
}

}  // namespace

std::vector<Branch> guided_branches(Session& session, const Method& method, const GuidanceRequest& request) {
  std::vector<Branch> encoded;
  for (const PromptBranch& branch : method.branches(request)) {
    if (branch.weight == 0.0) continue;
    encoded.push_back({.name = branch.name,
                       .text = encoded_text(session, branch),
                       .weight = branch.weight,
                       .adapter_scale = branch.adapter_scale});
  }
  if (encoded.empty()) {
    throw Error({.where = "guidance", .found = "no branch with a weight", .expected = "weights that sum to 1"});
  }
  return encoded;
}

}  // namespace atelier::worker
