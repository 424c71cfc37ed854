#include "framework/pretraining/measure_context.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/core/progress.h"
#include "framework/pretraining/measure_pictures.h"

namespace atelier {

Tensor MeasuredSet::images(std::int64_t first, std::int64_t rows, c10::Device device) const {
  return scenes.images().narrow(0, first, rows).to(device);
}

MeasuredSet MeasureContext::open(const MeasuredScenes& wanted) {
  auto& set = sets_[wanted.scenes];
  if (!set) set = std::make_unique<const SceneSet>(SceneSet::open(request_.data / wanted.scenes));
  if (wanted.count > set->size()) {
    throw Error({.where = set->folder().string(),
                 .found = fmt::format("{} pictures", set->size()),
                 .expected = fmt::format("at least the {} that {} asks for", wanted.count, request_.quality.string())});
  }
  return {*set, wanted.count == 0 ? set->size() : wanted.count};
}

void MeasureContext::check_stop() const {
  if (!request_.stop()) return;
  throw Error({.where = "base measure", .found = "asked to stop", .expected = {}, .advice = "run it again"},
              ErrorKind::interrupted);
}

void MeasureContext::in_batches(const std::string& what, std::int64_t count, std::int64_t batch,
                                const std::function<void(std::int64_t, std::int64_t)>& piece) const {
  Progress progress(what, static_cast<std::size_t>(count));
  for (std::int64_t first = 0; first < count; first += batch) {
    check_stop();
    const std::int64_t rows = std::min(batch, count - first);
    piece(first, rows);
    progress.advance(static_cast<std::size_t>(rows));
  }
  progress.finish();
}

void MeasureContext::add_sheet(const char* name, const std::vector<Image>& pictures, int columns,
                               const std::string& title) {
  if (!wants_pictures() || pictures.empty()) return;
  result_.pictures.push_back(request_.pictures / name);
  write_sheet(result_.pictures.back(), pictures, columns, title);
}

void MeasureContext::add_text(const char* name, const std::string& text) {
  if (!wants_pictures()) return;
  result_.pictures.push_back(request_.pictures / name);
  write_file_atomically(result_.pictures.back(), text);
}

}  // namespace atelier
