#include "framework/pretraining/measure.h"

#include <ATen/core/grad_mode.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <chrono>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/pretraining/measure_context.h"

namespace atelier {
namespace {

using Clock = std::chrono::steady_clock;

const std::vector<std::string> kSections{"vae", "clip", "segmenter", "judge", "samples", "swaps"};

/// The sections to measure, in the order of kSections.
std::vector<Measure> prepare(const QualityFile& file, const std::vector<std::string>& only, MeasureContext& context) {
  std::vector<Measure> measures;
  std::vector<std::string> present;
  const auto take = [&](const std::string& name, const auto& section, const auto& make) {
    if (!section) return;
    present.push_back(name);
    if (only.empty() || std::ranges::count(only, name) > 0) measures.push_back(make(*section));
  };
  take("vae", file.vae, [&](const auto& wanted) { return prepare_vae(wanted, context); });
  take("clip", file.clip, [&](const auto& wanted) { return prepare_clip(wanted, context); });
  take("segmenter", file.segmenter, [&](const auto& wanted) { return prepare_segmenter(wanted, context); });
  take("judge", file.judge, [&](const auto& wanted) { return prepare_judge(wanted, context); });
  take("samples", file.samples, [&](const auto& wanted) { return prepare_samples(wanted, file.sampler, context); });
  take("swaps", file.swaps, [&](const auto& wanted) { return prepare_swaps(wanted, file.sampler, context); });
  for (const auto& name : only) {
    if (std::ranges::count(present, name) > 0) continue;
    throw Error({.where = file.path.string(),
                 .found = fmt::format("no section \"{}\"", name),
                 .expected = present.empty() ? "a section of " + join(kSections) : "one of " + join(present)},
                ErrorKind::usage);
  }
  if (!measures.empty()) return measures;
  throw Error({.where = file.path.string(),
               .found = "nothing to measure",
               .expected = "at least one section of " + join(kSections)},
              ErrorKind::usage);
}

}  // namespace

MeasureResult measure_base(const MeasureRequest& request) {
  const at::NoGradGuard no_grad;
  const auto start = Clock::now();
  const QualityFile file = read_quality_file(request.quality);
  MeasureResult result;
  MeasureContext context(request, result);
  const auto measures = prepare(file, request.only, context);
  if (!request.pictures.empty()) std::filesystem::create_directories(request.pictures);
  for (const auto& measure : measures) measure(context);
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  return result;
}

}  // namespace atelier
