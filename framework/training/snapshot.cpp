#include "framework/training/snapshot.h"

#include <fmt/format.h>

#include <charconv>

#include "framework/core/error.h"
#include "framework/tensor/tensor_io.h"

namespace atelier {
namespace {

constexpr const char* kSchema = "atelier.snapshot/1";
constexpr std::string_view kSeries = "series.";

std::string text(const NamedTensors& content, const std::string& key) {
  const auto found = content.metadata.find(key);
  return found == content.metadata.end() ? "" : found->second;
}

[[noreturn]] void refuse(const std::filesystem::path& path, std::string found, std::string expected) {
  throw Error({.where = path.string(),
               .found = std::move(found),
               .expected = std::move(expected),
               .advice = "remove the file to start the stage from its beginning"});
}

std::int64_t step_of(const std::filesystem::path& path, const NamedTensors& content) {
  const std::string value = text(content, "step");
  std::int64_t step = 0;
  const auto end = std::from_chars(value.data(), value.data() + value.size(), step);
  if (end.ec != std::errc() || end.ptr != value.data() + value.size() || step < 1) {
    refuse(path, fmt::format("step \"{}\"", value), "a positive integer");
  }
  return step;
}

}  // namespace

void Snapshot::write(const Trainer& trainer, LossRecord& losses) const {
  NamedTensors content;
  content.tensors = trainer.state();
  for (const auto& [name, series] : losses.tensors()) content.tensors.emplace(std::string(kSeries) + name, series);
  content.metadata = {{"schema", kSchema}, {"key", key_}, {"step", std::to_string(trainer.steps())}};
  write_named_tensors(path_, content);
}

std::int64_t Snapshot::load(Trainer& trainer, LossRecord& losses) const {
  if (!enabled()) return 0;
  remove_leftovers();
  if (!std::filesystem::exists(path_)) return 0;
  const NamedTensors content = read_named_tensors(path_);
  if (text(content, "schema") != kSchema) refuse(path_, "schema " + text(content, "schema"), kSchema);
  if (text(content, "key") != key_) refuse(path_, "a snapshot of key " + text(content, "key"), "key " + key_);
  const std::int64_t step = step_of(path_, content);
  TensorMap state, series;
  for (const auto& [name, tensor] : content.tensors) {
    const bool recorded = name.starts_with(kSeries);
    (recorded ? series : state).emplace(recorded ? name.substr(kSeries.size()) : name, tensor);
  }
  losses.restore(step, series);
  trainer.restore(step, state);
  return step;
}

void Snapshot::remove_leftovers() const {
  const auto folder = path_.has_parent_path() ? path_.parent_path() : std::filesystem::path(".");
  if (!std::filesystem::is_directory(folder)) return;
  const std::string prefix = fmt::format(".{}.", path_.filename().string());
  for (const auto& entry : std::filesystem::directory_iterator(folder)) {
    std::error_code ignored;
    if (entry.path().filename().string().starts_with(prefix)) std::filesystem::remove(entry.path(), ignored);
  }
}

void Snapshot::remove() const {
  if (!enabled()) return;
  std::error_code ignored;
  std::filesystem::remove(path_, ignored);
  remove_leftovers();
}

}  // namespace atelier
