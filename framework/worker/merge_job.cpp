#include <fmt/format.h>

#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/formats/merge.h"
#include "framework/methods/low_rank.h"
#include "framework/methods/truncated_lora.h"
#include "framework/tensor/tensor_io.h"
#include "framework/worker/artifact_object.h"
#include "framework/worker/stage_jobs.h"

namespace atelier::worker {
namespace {

/// One of the two artifacts.
struct MergePart {
  std::string name;  // "subject"
  ArtifactObject object;
  WeightedLora lora;
};

MergePart part_of(const JobRun& run, const char* name, double weight) {
  const auto record = find_input(run.store(), run.job().text(name), name);
  MergePart part{.name = name, .object = ArtifactObject::read(run.store().object_path(record.object)), .lora = {}};
  part.lora = {.entries = low_rank_entries(part.object.artifact.tensors), .weight = weight};
  if (!part.lora.entries.empty()) return part;
  throw Error({.where = fmt::format("{} {}", name, record.key.substr(0, 12)),
               .found = fmt::format("an artifact of {} without low-rank updates", part.object.method),
               .expected = "tensors named <layer>.lora_A.weight and <layer>.lora_B.weight"});
}

std::pair<double, double> weights_of(const Job& job) {
  const Json* weights = job.find("weights");
  const bool sound = weights != nullptr && weights->is_array() && weights->size() == 2 && (*weights)[0].is_number() &&
                     (*weights)[1].is_number();
  if (sound) return {(*weights)[0].get<double>(), (*weights)[1].get<double>()};
  throw Error({.where = "job: weights", .found = "nothing", .expected = "two numbers"}, ErrorKind::usage);
}

std::vector<LoraEntry> merged_lora(const std::vector<WeightedLora>& loras, const Job& job) {
  if (job.text("as") == "concat") return concatenated(loras);
  return truncated(loras, job.integer("rank")).entries;
}

bool is_update(const std::string& name) { return name.ends_with(".lora_A.weight") || name.ends_with(".lora_B.weight"); }

/// Tokens, and what else lies beside the updates: unweighted.
void keep_others(const MergePart& part, TrainedArtifact& merged) {
  for (const auto& [name, tensor] : part.object.artifact.tensors) {
    if (is_update(name) || merged.tensors.emplace(name, tensor).second) continue;
    throw Error({.where = part.name,
                 .found = fmt::format("{}, which the subject's artifact holds too", name),
                 .expected = "tokens of different names",
                 .advice = "give one of both another placeholder_token"},
                ErrorKind::usage);
  }
  for (const auto& [key, note] : part.object.artifact.notes) merged.notes.emplace(key, note);
}

}  // namespace

void run_merge_job(JobRun& run) {
  const auto [subject_weight, style_weight] = weights_of(run.job());
  const MergePart subject = part_of(run, "subject", subject_weight), style = part_of(run, "style", style_weight);
  run.begin_work();
  ArtifactObject merged{.method = subject.object.method, .stage = "merge", .artifact = {}, .aux = {}};
  const auto entries = merged_lora({subject.lora, style.lora}, run.job());
  for (const auto& entry : entries) {
    merged.artifact.tensors[entry.module + ".lora_A.weight"] = to_tensor(entry.down);
    merged.artifact.tensors[entry.module + ".lora_B.weight"] = to_tensor(entry.up);
  }
  keep_others(subject, merged.artifact);
  keep_others(style, merged.artifact);
  const std::string object = merged.store_in(run.store());
  const auto bytes = std::filesystem::file_size(run.store().object_path(object));
  run.publish(run.missing().front(), object,
              {{"layers", entries.size()}, {"bytes", bytes}, {"seconds", run.seconds()}});
  run.progress(1, 1, "merging");
}

}  // namespace atelier::worker
