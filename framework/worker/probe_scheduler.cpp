#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/formats/checkpoint.h"
#include "framework/schedulers/scheduler.h"
#include "framework/worker/job.h"
#include "framework/worker/sample_request.h"
#include "framework/worker/tensor_files.h"

namespace atelier::worker {
namespace {

/// [N] rows for N calls, each of the sample's shape.
void check_rows(const std::string& path, const char* name, const Tensor& rows, std::size_t calls,
                const Tensor& sample) {
  auto shape = sample.sizes().vec();
  shape.insert(shape.begin(), static_cast<std::int64_t>(calls));
  if (rows.sizes() == at::IntArrayRef(shape)) return;
  throw Error({.where = fmt::format("{}: {}", path, name),
               .found = describe(rows.sizes(), rows.scalar_type()),
               .expected = describe(shape, sample.scalar_type()),
               .advice = "one row for each model call of this scheduler and number of steps"});
}

NamedTensors walk(Scheduler& scheduler, const std::string& path, const Placement& placement) {
  bool draws = false;
  const std::size_t calls = scheduler.timesteps().size();
  for (std::size_t call = 0; call < calls; ++call) draws = draws || scheduler.draws_noise(call);
  std::vector<Expected> expected{{.name = "sample", .shape = "[B, 4, h, w]", .rank = 4},
                                 {.name = "noise_pred", .shape = "[N, B, 4, h, w]", .rank = 5}};
  // A walk that draws nothing may still come with rows: they are ignored, as rows for skipped draws are.
  const bool given = read_named_tensors(path).tensors.contains("step_noise");
  if (draws || given) expected.push_back({.name = "step_noise", .shape = "[N, B, 4, h, w]", .rank = 5});
  TensorMap in = read_inputs(path, expected);
  const auto place = [&](const char* name) { return in.at(name).to(placement.device, placement.dtype); };
  Tensor sample = place("sample");
  const Tensor noise_pred = place("noise_pred");
  const Tensor step_noise = given ? place("step_noise") : Tensor();
  check_rows(path, "noise_pred", noise_pred, calls, sample);
  if (given) check_rows(path, "step_noise", step_noise, calls, sample);

  std::vector<Tensor> samples{sample};
  for (std::size_t call = 0; call < calls; ++call) {
    const auto row = static_cast<std::int64_t>(call);
    sample = scheduler.step(noise_pred[row], call, sample, scheduler.draws_noise(call) ? step_noise[row] : Tensor());
    samples.push_back(sample);
  }
  NamedTensors out;
  out.tensors["samples"] = as_output(at::stack(samples));
  const auto type = placement.dtype == at::kDouble ? at::kDouble : at::kFloat;
  out.tensors["timesteps"] = at::tensor(scheduler.timesteps()).to(scheduler.fractional_timesteps() ? type : at::kLong);
  if (!scheduler.sigmas().empty()) out.tensors["sigmas"] = at::tensor(scheduler.sigmas()).to(type);
  return out;
}

}  // namespace

void run_probe_scheduler(const Job& job) {
  const Placement placement = job.placement();
  const auto checkpoint = open_checkpoint(job);
  const Json* settings = job.find("set");
  const auto scheduler = make_scheduler(job.text("scheduler"), checkpoint.scheduler_config(),
                                        settings != nullptr ? *settings : Json::object());
  const auto in = job.texts("in"), out = job.texts("out");
  std::vector<NamedTensors> results;
  for (const auto& path : in) {
    scheduler->set_timesteps(job.integer("steps"));
    results.push_back(walk(*scheduler, path, placement));
  }
  for (std::size_t i = 0; i < out.size(); ++i) write_named_tensors(out[i], results[i]);
}

}  // namespace atelier::worker
