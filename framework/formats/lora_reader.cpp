#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/formats/cloneofsimo.h"
#include "framework/formats/kohya_names.h"
#include "framework/formats/lora_diffusers.h"
#include "framework/formats/lora_parts.h"
#include "framework/formats/trained_artifact.h"

namespace atelier {
namespace {

template <typename Predicate>
bool any_key(const TensorFile& file, Predicate predicate) {
  return std::any_of(file.tensors.begin(), file.tensors.end(), [&](const auto& item) { return predicate(item.first); });
}

bool contains(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

LoraFile read_kohya(const TensorFile& file, const ModuleNames& target) {
  const KohyaNames names(target);
  const auto sgm = [](std::string_view key) { return key.starts_with("lora_unet_") && is_sgm_name(key); };
  const bool both = any_key(file, sgm) && any_key(file, is_diffusers_block_name);
  LoraFile result{.entries = {}, .dialect = any_key(file, sgm) && !both ? "kohya sgm" : "kohya", .ignored = {}};
  LoraParts parts(file.path, target);
  std::vector<std::string> unknown;
  for (const auto& [key, view] : file.tensors) {
    if (both && sgm(key)) {
      result.ignored.push_back(key);
    } else if (const auto parsed = names.parse(key)) {
      parts.add(*parsed, key, view);
    } else {
      unknown.push_back(key);
    }
  }
  refuse_unknown_keys(file.path, unknown);
  result.entries = parts.entries();
  return result;
}

}  // namespace

std::string lora_dialect(const TensorFile& file) {
  if (is_trained_artifact(file)) {
    return any_key(file, [](const std::string& key) { return contains(key, ".lora_A."); }) ? "artifact" : "";
  }
  if (any_key(file, is_kohya_key)) {
    const bool sgm = any_key(file, is_sgm_name) && !any_key(file, is_diffusers_block_name);
    return sgm ? "kohya sgm" : "kohya";
  }
  if (any_key(file, [](const std::string& key) { return parse_cloneofsimo_key(key).has_value(); })) {
    return "cloneofsimo";
  }
  auto dialect = diffusers_dialect(file);
  const auto other = [](const std::string& key) {
    return contains(key, "lora_magnitude_vector") || contains(key, ".lokr_");
  };
  if (dialect.empty() && any_key(file, other)) dialect = "diffusers";
  return dialect;
}

LoraFile read_lora(const TensorFile& file, const ModuleNames& target) {
  const auto dialect = lora_dialect(file);
  if (dialect.empty()) {
    throw Error({.where = file.path,
                 .found = fmt::format("{} tensors without a LoRA among them", file.tensors.size()),
                 .expected = "a LoRA of diffusers, PEFT, kohya or cloneofsimo"});
  }
  if (dialect == "artifact") {
    auto lora = read_diffusers_lora(artifact_updates(file), target);
    lora.dialect = dialect;
    return lora;
  }
  refuse_other_adapters(file);
  if (dialect.starts_with("kohya")) return read_kohya(file, target);
  if (dialect == "cloneofsimo") return read_cloneofsimo(file, target);
  return read_diffusers_lora(file, target);
}

}  // namespace atelier
