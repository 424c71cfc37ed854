// `atelier merge --as svd`: what of merging LoRAs needs linear algebra.
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/formats/merge.h"
#include "framework/methods/truncated_lora.h"
#include "framework/worker/job.h"
#include "framework/worker/sample_request.h"

namespace atelier::worker {
namespace {

std::vector<MergeInput> inputs_of(const Job& job) {
  const Json* inputs = job.find("inputs");
  if (inputs == nullptr || !inputs->is_array()) {
    throw Error({.where = "job: inputs", .found = "nothing", .expected = "files with weights"}, ErrorKind::usage);
  }
  std::vector<MergeInput> files;
  for (const Json& input : *inputs) files.push_back({Job(input).text("path"), Job(input).number("weight")});
  return files;
}

}  // namespace

void run_merge_files(const Job& job) {
  std::optional<ConvertTarget> target;
  if (job.find("model") != nullptr) target = convert_target(open_checkpoint(job));
  const auto merged = read_inputs(inputs_of(job), target ? &*target : nullptr);
  const auto lora = truncated(merged.loras, job.integer("rank"));
  write_merged_lora(lora.entries, merged.tokens, job.text("out"));
  MergeReport report{.out = job.text("out"),
                     .as = "svd",
                     .layers = lora.entries.size(),
                     .loras = merged.loras.size(),
                     .tokens = {},
                     .kept = lora.kept};
  for (const auto& token : merged.tokens) report.tokens.push_back(token.token);
  fmt::print("{}\n", merge_line(report, job.flag("json")));
}

}  // namespace atelier::worker
