#include "framework/formats/embedding_file.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "framework/core/error.h"
#include "framework/files/pickle_reader.h"
#include "framework/formats/cloneofsimo.h"
#include "framework/formats/lora_parts.h"
#include "framework/formats/trained_artifact.h"

namespace atelier {
namespace {

/// Names under which files keep the two towers.
struct Towers {
  const char* first;
  const char* second;
};
constexpr std::array<Towers, 2> kTowers = {{{"clip_l", "clip_g"}, {"text_encoders_0", "text_encoders_1"}}};
constexpr const char* kWebUi = "emb_params";
constexpr std::size_t kMaxTokens = 64;

/// "folder/ink_style.safetensors" → "ink_style".
std::string stem(const std::string& path) { return std::filesystem::path(path).stem().string(); }

bool is_vectors(const TensorView& view) {
  const bool shape = view.shape.size() == 1 || view.shape.size() == 2;
  return shape && view.numel() > 0 && is_floating(view.dtype);
}

/// [D] as [1, D]. Throws Error (`where`) when these are no vectors.
TensorView vectors(const TensorView& view, const std::string& where) {
  if (!is_vectors(view)) {
    throw Error({.where = where, .found = describe(view), .expected = "vectors of tokens, [D] or [n, D]"});
  }
  if (view.shape.size() == 2) return view;
  return reshaped(contiguous(view), {1, view.shape.front()});
}

bool is_custom_diffusion_key(const std::string& key) { return key.find("_custom_diffusion.") != std::string::npos; }
bool is_catversion_key(const std::string& key) {
  return key.ends_with("control_trans") || key.starts_with("catversion.layers.");
}

bool holds_tower(const TensorFile& file, const Towers& names) {
  return file.tensors.contains(names.first) || file.tensors.contains(names.second);
}

/// {placeholder: vectors}, one or several tokens of one width.
bool is_token_dictionary(const TensorFile& file) {
  if (file.tensors.empty() || file.tensors.size() > kMaxTokens) return false;
  const auto& first = file.tensors.begin()->second;
  return std::all_of(file.tensors.begin(), file.tensors.end(), [&](const auto& item) {
    const bool several = file.tensors.size() > 1;  // names with dots are then those of layers
    return is_vectors(item.second) && item.second.shape.back() == first.shape.back() &&
           !(several && item.first.find('.') != std::string::npos);
  });
}

EmbeddingFile unnamed(const std::string& path, const std::string& placeholder, std::string form) {
  const bool named = !placeholder.empty();
  return {.token = named ? placeholder : stem(path), .token_is_stem = !named, .towers = {}, .form = std::move(form)};
}

EmbeddingFile read_towers(const TensorFile& file, const Towers& names, const std::string& placeholder) {
  auto embedding = unnamed(file.path, placeholder, "two towers");
  for (const auto& [key, view] : file.tensors) {
    const bool first = key == names.first;
    if (!first && key != names.second) {
      throw Error({.where = place(file.path, key),
                   .found = describe(view),
                   .expected = fmt::format("only {} and {}", names.first, names.second)});
    }
    embedding.towers.emplace(first ? "text_encoder" : "text_encoder_2", vectors(view, place(file.path, key)));
  }
  if (embedding.towers.size() == 2 &&
      embedding.towers.at("text_encoder").shape[0] != embedding.towers.at("text_encoder_2").shape[0]) {
    throw Error({.where = file.path,
                 .found = fmt::format("{} and {} vectors", embedding.towers.at("text_encoder").shape[0],
                                      embedding.towers.at("text_encoder_2").shape[0]),
                 .expected = "as many in both towers"});
  }
  return embedding;
}

/// Tokens beside a LoRA, or all tensors as tokens.
std::vector<EmbeddingFile> read_tokens(const TensorFile& file, bool marked) {
  std::vector<EmbeddingFile> tokens;
  for (const auto& [key, view] : file.tensors) {
    if (marked && !is_cloneofsimo_token(file, key)) continue;
    tokens.push_back({.token = key,
                      .token_is_stem = false,
                      .towers = {{"text_encoder", vectors(view, place(file.path, key))}},
                      .form = marked ? "cloneofsimo" : "diffusers"});
  }
  return tokens;
}

bool has_marked_tokens(const TensorFile& file) {
  return std::any_of(file.tensors.begin(), file.tensors.end(),
                     [&](const auto& item) { return is_cloneofsimo_token(file, item.first); });
}

/// Entries of a dictionary or of a torch.nn.ParameterDict, whose parameters lie in its state.
std::vector<std::pair<PickleValue, PickleValue>> parameters(const PickleValue& value) {
  if (value.kind() == PickleKind::dictionary) return value.entries();
  if (value.kind() != PickleKind::opaque) return {};
  const auto state = value.state();
  const auto found = state ? state->find("_parameters") : value.find("_parameters");
  if (found && (found->kind() == PickleKind::dictionary || found->kind() == PickleKind::opaque)) {
    return found->entries();
  }
  return value.entries();
}

/// A1111's file says its token in `name`; the original's is the key of its parameter, "*" where that is no name.
EmbeddingFile read_string_to_param(const PickleValue& file, const PickleValue& params, const std::string& placeholder) {
  const auto entries = parameters(params);
  const bool one = entries.size() == 1 && entries.front().first.kind() == PickleKind::text &&
                   entries.front().second.kind() == PickleKind::tensor;
  if (!one) {
    throw Error({.where = place(file.path(), "string_to_param"),
                 .found = params.describe(),
                 .expected = "one tensor by the name of its token"});
  }
  const auto key = std::string(entries.front().first.text());
  const auto name = file.find("name");
  const bool web_ui = name && name->kind() == PickleKind::text && !name->text().empty();
  auto embedding = unnamed(file.path(), placeholder, web_ui ? "A1111" : "original");
  if (web_ui || key != "*") {
    embedding.token = web_ui ? std::string(name->text()) : key;
    embedding.token_is_stem = false;
  }
  embedding.towers.emplace("text_encoder", vectors(entries.front().second.tensor(), place(file.path(), key)));
  return embedding;
}

}  // namespace

std::string other_method(const TensorFile& file) {
  for (const auto& [key, view] : file.tensors) {
    if (is_custom_diffusion_key(key)) return "Custom Diffusion";
    if (is_catversion_key(key)) return "CatVersion";
  }
  return "";
}

std::string other_method(const PickleValue& file) {
  if (file.kind() != PickleKind::dictionary) return "";
  const auto state = file.find("state_dict");
  const bool delta =
      (file.find("unet") && file.find("modifier_token")) || (state && (file.find("embed") || state->find("embed")));
  if (delta) return "Custom Diffusion";
  for (const auto& [key, value] : file.entries()) {  // also keys without tensors, as for the first attentions
    if (key.kind() == PickleKind::text && is_custom_diffusion_key(std::string(key.text()))) return "Custom Diffusion";
    if (key.kind() == PickleKind::text && is_catversion_key(std::string(key.text()))) return "CatVersion";
  }
  return "";
}

void refuse_other_method(const std::string& where, const std::string& method) {
  throw Error({.where = where,
               .found = fmt::format("weights of {}, which needs the method's plugin", method),
               .expected = "a LoRA or learned tokens",
               .advice = fmt::format("import the file with the plugin of {}", method)});
}

bool has_embeddings(const TensorFile& file) {
  if (is_trained_artifact(file)) return holds_artifact_tokens(file);
  if (has_marked_tokens(file)) return true;
  if (!other_method(file).empty() || !lora_dialect(file).empty()) return false;
  return is_token_dictionary(file) ||
         std::any_of(kTowers.begin(), kTowers.end(), [&](const Towers& names) { return holds_tower(file, names); });
}

std::vector<EmbeddingFile> read_embeddings(const TensorFile& file, const std::string& placeholder) {
  if (const auto method = other_method(file); !method.empty()) refuse_other_method(file.path, method);
  if (is_trained_artifact(file)) return artifact_tokens(file);
  if (has_marked_tokens(file)) return read_tokens(file, true);
  for (const auto& names : kTowers) {
    if (holds_tower(file, names)) return {read_towers(file, names, placeholder)};
  }
  if (const auto web_ui = file.tensors.find(kWebUi); web_ui != file.tensors.end() && file.tensors.size() == 1) {
    auto embedding = unnamed(file.path, placeholder, "A1111");
    embedding.towers.emplace("text_encoder", vectors(web_ui->second, place(file.path, kWebUi)));
    return {embedding};
  }
  if (is_token_dictionary(file) || file.tensors.size() == 1) return read_tokens(file, false);
  throw Error({.where = file.path,
               .found = fmt::format("{} tensors that are no learned tokens", file.tensors.size()),
               .expected = "{token: [D] or [n, D]}, emb_params, or clip_l with clip_g"});
}

std::vector<EmbeddingFile> read_embeddings(const PickleValue& file, const std::string& placeholder) {
  if (const auto method = other_method(file); !method.empty()) refuse_other_method(file.path(), method);
  if (file.kind() == PickleKind::tensor) {
    return {{.token = placeholder,
             .token_is_stem = false,
             .towers = {{"text_encoder", vectors(file.tensor(), file.path())}},
             .form = "bare"}};
  }
  if (const auto params = file.find("string_to_param")) return {read_string_to_param(file, *params, placeholder)};
  return read_embeddings(flatten_pickle(file, NestedValues::skip), placeholder);
}

void check_widths(const EmbeddingFile& embedding, const std::map<std::string, std::int64_t>& widths,
                  const std::string& where) {
  for (const auto& [tower, view] : embedding.towers) {
    const auto width = widths.find(tower);
    if (width != widths.end() && view.shape.back() == width->second) continue;
    const auto expected = width == widths.end() ? fmt::format("a model with {}", tower)
                                                : fmt::format("[n, {}] for {}", width->second, tower);
    throw Error({.where = fmt::format("{}: {}", where, embedding.token),
                 .found = describe(view),
                 .expected = expected,
                 .advice = "check that it was made for this base model"});
  }
}

TensorSet learned_embeds(const std::string& token, const TensorView& vectors) {
  return {.tensors = {{token, contiguous(vectors)}}, .metadata = {{"format", "pt"}}};
}

TensorSet two_tower_embeds(const TensorView& clip_l, const TensorView& clip_g) {
  return {.tensors = {{"clip_l", contiguous(clip_l)}, {"clip_g", contiguous(clip_g)}}, .metadata = {{"format", "pt"}}};
}

}  // namespace atelier
