#include "framework/formats/open_clip.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/error.h"
#include "framework/files/tensor_file.h"
#include "framework/formats/openai_clip.h"

namespace atelier {
namespace {

namespace fs = std::filesystem;

/// Keys of a tower's config that the shapes tell too, and those that only training reads.
const std::set<std::string>& plain_keys() {
  static const std::set<std::string> keys{
      "image_size",       "layers", "width",         "head_width",    "patch_size", "mlp_ratio", "context_length",
      "vocab_size",       "heads",  "patch_dropout", "output_tokens", "pad_id",     "eos_id",    "attn_pooler_queries",
      "attn_pooler_heads"};
  return keys;
}

/// Keys that choose a variant, with the value of the plain one.
const std::map<std::string, Json>& variants() {
  static const std::map<std::string, Json> values{{"pool_type", Json::array({"tok", "argmax"})},
                                                  {"pos_embed_type", Json::array({"learnable"})},
                                                  {"proj_type", Json::array({"linear"})}};
  return values;
}

[[noreturn]] void fail(const std::string& where, const std::string& key, const Json& found,
                       const std::string& expected) {
  throw Error({.where = where, .found = fmt::format("{}: {}", key, found.dump()), .expected = expected});
}

void require_plain(const Json& config, const std::string& part, const std::string& where) {
  for (const auto& [key, value] : config.items()) {
    if (plain_keys().contains(key) || value.is_null() || value == false) continue;
    const auto variant = variants().find(key);
    if (variant != variants().end() && std::ranges::find(variant->second, value) != variant->second.end()) continue;
    fail(where, part + "." + key, value, "a plain ViT with a plain text transformer; this variant is not built");
  }
}

const Json& object(const Json& json, const char* key, const std::string& where) {
  const Json& found = member_or_null(json, key);
  if (!found.is_object()) fail(where, key, found, "an object");
  return found;
}

std::int64_t integer(const Json& json, const char* key, std::int64_t fallback, const std::string& where) {
  const Json& found = member_or_null(json, key);
  if (found.is_null()) return fallback;
  if (!found.is_number_integer() || found.get<std::int64_t>() < 1) fail(where, key, found, "a positive integer");
  return found.get<std::int64_t>();
}

/// `text.…` of models that keep the text half apart.
TensorFile with_text_at_the_top(TensorFile file) {
  TensorFile out{.path = file.path, .tensors = {}, .metadata = std::move(file.metadata)};
  constexpr std::string_view kPrefix = "text.";
  for (auto& [name, view] : file.tensors) {
    out.tensors.emplace(name.starts_with(kPrefix) ? name.substr(kPrefix.size()) : name, std::move(view));
  }
  return out;
}

}  // namespace

fs::path open_clip_weights(const fs::path& folder, bool allow_pickle) {
  const auto safe = folder / "open_clip_model.safetensors", pickle = folder / "open_clip_pytorch_model.bin";
  if (fs::is_regular_file(safe)) return safe;
  const bool has_pickle = fs::is_regular_file(pickle);
  if (has_pickle && allow_pickle) return pickle;
  throw Error(
      {.where = folder.string(),
       .found = has_pickle ? "open_clip_pytorch_model.bin, a pickle file" : "no weights beside open_clip_config.json",
       .expected = "open_clip_model.safetensors",
       .advice = has_pickle ? "take the safetensors file of this model, or allow pickle files (--allow-pickle)"
                            : "put the weights of this model there"});
}

EncoderSource read_open_clip(const fs::path& folder, bool allow_pickle) {
  const auto path = folder / "open_clip_config.json";
  const std::string where = path.string();
  const Json json = read_json_file(path);
  const Json& model = object(json, "model_cfg", where);
  const Json& vision = object(model, "vision_cfg", where);
  const Json& text = object(model, "text_cfg", where);
  require_plain(vision, "vision_cfg", where);
  require_plain(text, "text_cfg", where);
  const TensorFile file = with_text_at_the_top(read_tensor_file(open_clip_weights(folder, allow_pickle), allow_pickle));
  Json config = clip_sizes(file);
  Json &pictures = config["vision_config"], &words = config["text_config"];
  pictures["num_attention_heads"] =
      std::max<std::int64_t>(1, pictures["hidden_size"].get<std::int64_t>() / integer(vision, "head_width", 64, where));
  words["num_attention_heads"] = integer(text, "heads", 8, where);
  pictures["num_hidden_layers"] = integer(vision, "layers", 12, where);
  words["num_hidden_layers"] = integer(text, "layers", 12, where);
  pictures["image_size"] = integer(vision, "image_size", 224, where);
  const bool quick = member_or_null(model, "quick_gelu") == true;
  for (Json* part : {&pictures, &words}) {
    (*part)["hidden_act"] = quick ? "quick_gelu" : "gelu";
    (*part)["layer_norm_eps"] = 1e-5;
  }
  return {.config = std::move(config), .weights = with_clip_names(file)};
}

}  // namespace atelier
