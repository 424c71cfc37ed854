#include <fmt/format.h>

#include <cstdio>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/pretraining/measure.h"
#include "framework/worker/job.h"
#include "framework/worker/stop.h"

namespace atelier::worker {
namespace {

std::string number(double value, MeasureUnit unit) {
  if (unit == MeasureUnit::decibels) return fmt::format("{:.2f} dB", value);
  return unit == MeasureUnit::score ? fmt::format("{:.3f}", value) : fmt::format("{:.1f} %", 100.0 * value);
}

const char* name_of(MeasureUnit unit) {
  if (unit == MeasureUnit::decibels) return "dB";
  return unit == MeasureUnit::score ? "score" : "share";
}

std::string verdict(const Measurement& measured) {
  if (!measured.wanted) return "";
  return measured.ok() ? "yes" : "NO";
}

void print_table(const MeasureResult& result) {
  std::size_t width = 0;
  for (const auto& one : result.measurements) width = std::max(width, one.quantity.size());
  fmt::print("| {:<{}} | {:>9} | {:>9} | {:<3} | {:>6} |\n", "quantity", width, "measured", "at least", "ok", "of");
  fmt::print("| {:-<{}} | {:->8}: | {:->8}: | --- | {:->5}: |\n", "", width, "", "", "");
  for (const auto& one : result.measurements) {
    fmt::print("| {:<{}} | {:>9} | {:>9} | {:<3} | {:>6} |\n", one.quantity, width, number(one.measured, one.unit),
               one.wanted ? number(*one.wanted, one.unit) : "", verdict(one), one.count);
  }
}

Json as_json(const MeasureResult& result, const Job& job) {
  Json quantities = Json::array(), pictures = Json::array();
  bool all_ok = true;
  for (const auto& one : result.measurements) {
    all_ok = all_ok && one.ok();
    quantities.push_back({{"name", one.name},
                          {"quantity", one.quantity},
                          {"measured", one.measured},
                          {"unit", name_of(one.unit)},
                          {"wanted", one.wanted ? Json(*one.wanted) : Json()},
                          {"ok", one.ok()},
                          {"count", one.count}});
  }
  for (const auto& file : result.pictures) pictures.push_back(file.string());
  return {{"base", job.text("base")},
          {"quality", job.text("quality")},
          {"device", job.optional_text("device").value_or("cpu")},
          {"dtype", job.optional_text("dtype").value_or("float32")},
          {"quantities", quantities},
          {"pictures", pictures},
          {"seconds", result.seconds},
          {"ok", all_ok}};
}

}  // namespace

void run_base_measure(const Job& job) {
  stop_on_signals(-1);
  const MeasureResult result = measure_base({.quality = job.text("quality"),
                                             .data = job.text("data"),
                                             .base = job.text("base"),
                                             .placement = job.placement(),
                                             .only = job.texts("only"),
                                             .pictures = job.optional_text("pictures").value_or(""),
                                             .stop = stop_requested});
  if (job.flag("json")) {
    fmt::print("{}", pretty_json(as_json(result, job)));
  } else {
    print_table(result);
  }
  std::fflush(stdout);
  std::vector<std::string> below;
  for (const auto& one : result.measurements) {
    if (!one.ok()) below.push_back(one.name);
  }
  if (below.empty()) return;
  throw Error({.where = job.text("base"),
               .found = fmt::format("{} of {} quantities below what is wanted: {}", below.size(),
                                    result.measurements.size(), join(below)),
               .expected = "all that " + job.text("quality") + " asks for"});
}

}  // namespace atelier::worker
