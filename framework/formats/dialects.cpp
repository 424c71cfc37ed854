#include "framework/formats/dialects.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/files/pickle_reader.h"
#include "framework/formats/artifact_content.h"

namespace atelier {
namespace {

/// The dialect of a LoRA's keys by the name that lora_dialect() gives it.
std::string lora_name(const std::string& dialect) {
  if (dialect == "diffusers 2023") return "diffusers-2023";
  return dialect == "kohya sgm" ? "kohya-sgm" : dialect;
}

/// How a file keeps its tokens, by the form that read_embeddings() gives them.
std::string token_name(const std::string& form, bool pickle) {
  if (form == "diffusers") return pickle ? "learned_embeds-bin" : "learned_embeds";
  if (form == "A1111") return pickle ? "a1111" : "a1111-safetensors";
  if (form == "two towers") return "two-towers";
  return form;
}

std::vector<std::string> dialects_of_content(const ArtifactContent& content) {
  const auto kind = kind_of(content);
  const auto where = content.path.string();
  if (kind == ArtifactKind::custom_diffusion) refuse_other_method(where, "Custom Diffusion");
  if (kind == ArtifactKind::catversion) refuse_other_method(where, "CatVersion");
  if (kind == ArtifactKind::unknown) {
    throw Error({.where = where,
                 .found = fmt::format("{} tensors of no known kind", content.tensors.tensors.size()),
                 .expected = "a LoRA or learned tokens"});
  }
  std::vector<std::string> names;
  if (kind != ArtifactKind::embedding) {
    const bool list = content.pickle && content.pickle->kind() == PickleKind::list;
    names.push_back(list ? "cloneofsimo-list" : lora_name(lora_dialect(content.tensors)));
  }
  if (kind == ArtifactKind::lora) return names;
  const auto tokens = content.pickle ? read_embeddings(*content.pickle) : read_embeddings(content.tensors);
  auto name = token_name(tokens.front().form, content.pickle.has_value());
  if (std::ranges::count(names, name) == 0) names.push_back(std::move(name));
  return names;
}

}  // namespace

const std::vector<Dialect>& dialects() {
  static const std::vector<Dialect> all = {
      {"peft", "LoRA", ".safetensors", true, false, true,
       "….lora_A.weight; ranks and alphas in the metadata, as diffusers writes and reads them"},
      {"diffusers", "LoRA", ".safetensors", true, false, false,
       "….lora.down.weight, as training scripts of 2024 wrote it"},
      {"kohya", "LoRA", ".safetensors", true, true, true,
       "lora_unet_….lora_down.weight of sd-scripts, for A1111 and ComfyUI; for SDXL with the original model's names"},
      {"cloneofsimo", "LoRA", ".safetensors", true, true, false,
       "unet:0:up, numbered layers; TextReg's programs; can hold tokens beside the LoRA"},
      {"artifact", "LoRA", ".safetensors", true, false, false,
       "what a method trains: for `sample --artifact` and `merge`, written by --to METHOD; holds tokens too"},
      {"peft-folder", "LoRA", "", false, true, true, "folders with adapter_config.json, one for each component"},
      {"diffusers-2023", "LoRA", ".safetensors", false, false, false, "….processor.to_q_lora.down.weight"},
      {"kohya-sgm", "LoRA", ".safetensors", false, true, true, "lora_unet_input_blocks_…, sd-scripts for SDXL"},
      {"cloneofsimo-list", "LoRA", ".pt", false, true, false, "up and down in turn, without names"},
      {"learned_embeds", "tokens", ".safetensors", true, false, false, "{token: vectors}, as diffusers reads it"},
      {"learned_embeds-bin", "tokens", ".bin", true, false, false, "the same by torch.save"},
      {"a1111", "tokens", ".pt", true, false, false, "string_to_param with a name; one token a file"},
      {"a1111-safetensors", "tokens", ".safetensors", true, false, false,
       "emb_params; the file's name is the token's, one a file"},
      {"two-towers", "tokens", ".safetensors", true, false, false,
       "clip_l and clip_g of SDXL; the file's name is the token's, one a file"},
      {"original", "tokens", ".pt", false, false, false, "string_to_param by the token, of textual_inversion"},
      {"bare", "tokens", ".pt", false, false, false, "one tensor; --token names it"},
  };
  return all;
}

const Dialect& find_dialect(std::string_view name) {
  const auto found = std::ranges::find(dialects(), name, &Dialect::name);
  if (found != dialects().end()) return *found;
  std::vector<std::string> names;
  for (const auto& dialect : dialects()) names.push_back(dialect.name);
  throw Error({.where = "dialect", .found = fmt::format("'{}'", name), .expected = join(names)}, ErrorKind::usage);
}

std::vector<ConversionPair> conversions() {
  std::vector<ConversionPair> pairs;
  for (const auto& from : dialects()) {
    for (const auto& to : dialects()) {
      const bool artifact = from.name == "artifact" || to.name == "artifact";
      const bool towers = (from.name == "two-towers") == (to.name == "two-towers");
      if (!to.written || !(towers || artifact)) continue;
      const bool beside = from.name == "cloneofsimo" || from.name == "artifact";
      if (to.holds == from.holds) pairs.push_back({from.name, to.name, to.holds, from.needs_model || to.needs_model});
      if (beside && to.holds == "tokens") pairs.push_back({from.name, to.name, "tokens", false});
      if (to.name == "artifact" && from.holds == "tokens") pairs.push_back({from.name, to.name, "tokens", false});
    }
  }
  return pairs;
}

std::vector<std::string> dialects_of(const std::filesystem::path& path) {
  if (!std::filesystem::is_directory(path)) return dialects_of_content(open_artifact(path));
  const auto folder = look_into(path);
  if (folder.kind == ArtifactKind::catversion) refuse_other_method(path.string(), "CatVersion");
  if (folder.kind == ArtifactKind::pipeline) {
    throw Error({.where = path.string(),
                 .found = "a whole pipeline",
                 .expected = "a LoRA or learned tokens",
                 .advice = "give it with --model"});
  }
  std::vector<std::string> names;
  if (!folder.adapters.empty()) names.emplace_back("peft-folder");
  for (const auto& file : folder.files) {
    for (auto& name : dialects_of_content(open_artifact(file))) {
      if (std::ranges::find(names, name) == names.end()) names.push_back(std::move(name));
    }
  }
  return names;
}

}  // namespace atelier
