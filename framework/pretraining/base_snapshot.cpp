#include "framework/pretraining/base_snapshot.h"

#include <fmt/format.h>

#include <charconv>

#include "framework/core/error.h"
#include "framework/tensor/placement.h"
#include "framework/tensor/tensor_io.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

constexpr const char* kSnapshotSchema = "atelier.base_training/1";

[[noreturn]] void refuse(const fs::path& path, std::string found, std::string expected) {
  throw Error({.where = path.string(),
               .found = std::move(found),
               .expected = std::move(expected),
               .advice = "remove the file to train this component from its beginning"});
}

std::string text(const NamedTensors& content, const std::string& key) {
  const auto found = content.metadata.find(key);
  return found == content.metadata.end() ? "" : found->second;
}

std::int64_t step_of(const fs::path& path, const NamedTensors& content) {
  const std::string value = text(content, "step");
  std::int64_t step = 0;
  const auto end = std::from_chars(value.data(), value.data() + value.size(), step);
  if (end.ec == std::errc() && end.ptr == value.data() + value.size() && step > 0) return step;
  refuse(path, fmt::format("step \"{}\"", value), "a positive integer");
}

}  // namespace

void BaseSnapshot::write(const BaseState& state) const {
  fs::create_directories(path_.parent_path());
  write_named_tensors(
      path_, {.tensors = state.buffers,
              .metadata = {{"schema", kSnapshotSchema}, {"digest", digest_}, {"step", std::to_string(state.step)}}});
}

std::int64_t BaseSnapshot::load(const TensorMap& buffers) const {
  remove_leftovers();
  if (!fs::exists(path_)) return 0;
  const NamedTensors content = read_named_tensors(path_);
  if (text(content, "schema") != kSnapshotSchema) refuse(path_, "schema " + text(content, "schema"), kSnapshotSchema);
  if (text(content, "digest") != digest_) {
    refuse(path_, "a snapshot of another recipe, of other data or of other inputs", "one of this training");
  }
  const std::int64_t step = step_of(path_, content);
  for (const auto& [name, buffer] : buffers) {
    const auto found = content.tensors.find(name);
    const std::string wanted = describe(buffer.sizes(), buffer.scalar_type());
    if (found == content.tensors.end()) refuse(path_, "no tensor " + name, wanted);
    if (found->second.sizes() != buffer.sizes() || found->second.scalar_type() != buffer.scalar_type()) {
      refuse(path_, fmt::format("{} {}", name, describe(found->second.sizes(), found->second.scalar_type())), wanted);
    }
  }
  const at::NoGradGuard no_grad;
  for (const auto& [name, buffer] : buffers) buffer.copy_(content.tensors.at(name));
  return step;
}

void BaseSnapshot::remove_leftovers() const {
  if (!fs::is_directory(path_.parent_path())) return;
  const std::string prefix = fmt::format(".{}.", path_.filename().string());
  for (const auto& entry : fs::directory_iterator(path_.parent_path())) {
    std::error_code ignored;
    if (entry.path().filename().string().starts_with(prefix)) fs::remove(entry.path(), ignored);
  }
}

void BaseSnapshot::remove() const {
  std::error_code ignored;
  fs::remove(path_, ignored);
  remove_leftovers();
}

}  // namespace atelier
