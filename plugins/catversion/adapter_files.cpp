#include "plugins/catversion/adapter_files.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/stack.h>
#include <fmt/format.h>

#include <charconv>
#include <nlohmann/json.hpp>
#include <set>

#include "framework/core/error.h"
#include "framework/files/torch_writer.h"
#include "framework/tensor/tensor_io.h"
#include "plugins/catversion/prefix.h"

namespace atelier::catversion {
namespace {

constexpr const char* kComponent = "text_encoder";
constexpr const char* kWeights = "pytorch_adapter.bin";
constexpr const char* kConfig = "adapter_config.json";
constexpr const char* kLayerFile = "catversion.safetensors";
constexpr std::string_view kLayerKey = "catversion.layers.";
constexpr std::string_view kLeaf = "control_trans";
constexpr const char* kPrefixName = "prefix_tunings.prefix_tuning1.clip_text_model_self_prefix.control_trans";

std::string layer_path(std::int64_t layer) { return fmt::format("text_model.encoder.layers.{}.self_attn", layer); }

/// Width and number of layers of the base model's text encoder.
struct Encoder {
  std::int64_t width = 0, depth = 0;
};

Encoder encoder_of(const ModuleNames& target) {
  Encoder encoder;
  while (const auto* shape = target.find(kComponent, layer_path(encoder.depth) + ".k_proj")) {
    encoder.width = shape->front();
    ++encoder.depth;
  }
  if (encoder.depth > 0) return encoder;
  throw Error({.where = "catversion",
               .found = "a base model without a text encoder of CLIP",
               .expected = "Stable Diffusion 1.x or 2.x"});
}

/// Of "….layers.10.self_attn…" 10; nothing where no layer is named.
std::optional<std::int64_t> layer_in(std::string_view key, std::string_view before) {
  const auto begin = key.find(before);
  if (begin == std::string_view::npos) return std::nullopt;
  const auto digits = key.substr(begin + before.size());
  std::int64_t layer = -1;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), layer);
  const bool whole = fault == std::errc() && end != digits.data() + digits.size() && *end == '.' && layer >= 0;
  return whole ? std::optional(layer) : std::nullopt;
}

/// What the user says of a file.
class Said {
 public:
  Said(const Json& settings, std::string where) : settings_(settings), where_(std::move(where)) {
    static const std::set<std::string> kKnown{"layers", "prefix_length", "prefix_logit_bias", "caption"};
    for (const auto& [key, value] : settings.items()) {
      if (!kKnown.contains(key)) refuse(key, value, "layers, prefix_length, prefix_logit_bias or caption");
    }
  }

  /// "9,10,11" as well as [9,10,11].
  [[nodiscard]] std::optional<std::vector<std::int64_t>> layers() const {
    const Json* found = find("layers");
    if (found == nullptr) return std::nullopt;
    Json list = *found;
    if (list.is_string()) list = Json::parse("[" + list.get<std::string>() + "]", nullptr, false);
    if (list.is_number_integer()) list = Json::array({list});
    const auto is_integer = [](const Json& each) { return each.is_number_integer(); };
    if (!list.is_array() || !std::ranges::all_of(list, is_integer)) refuse("layers", *found, "a list such as 9,10,11");
    return list.get<std::vector<std::int64_t>>();
  }
  [[nodiscard]] std::optional<std::int64_t> prefix_length() const {
    const Json* found = find("prefix_length");
    if (found == nullptr) return std::nullopt;
    if (!found->is_number_integer() || *found < 1) refuse("prefix_length", *found, "an integer from 1");
    return found->get<std::int64_t>();
  }
  [[nodiscard]] std::optional<double> prefix_logit_bias() const {
    const Json* found = find("prefix_logit_bias");
    if (found == nullptr) return std::nullopt;
    if (!found->is_number()) refuse("prefix_logit_bias", *found, "a number");
    return found->get<double>();
  }
  [[nodiscard]] std::string caption() const {
    const Json* found = find("caption");
    if (found == nullptr) return "";
    return found->is_string() ? found->get<std::string>() : found->dump();
  }

 private:
  [[nodiscard]] const Json* find(const char* key) const {
    const auto found = settings_.find(key);
    return found == settings_.end() ? nullptr : &*found;
  }
  [[noreturn]] void refuse(const std::string& key, const Json& value, std::string expected) const {
    throw Error(
        {.where = fmt::format("{}: setting {}", where_, key), .found = value.dump(), .expected = std::move(expected)},
        ErrorKind::usage);
  }

  const Json& settings_;
  std::string where_;
};

/// What a file says, before the settings.
struct Found {
  std::string where;
  Tensor flat;  // [P · 2L · D] float32
  std::optional<std::vector<std::int64_t>> layers = {};
  std::optional<std::int64_t> prefix_length = {};
  std::optional<double> logit_bias = {};
  std::string caption = {};
  std::int64_t step = 0;
};

Tensor checked_flat(const Tensor& tensor, const std::string& where) {
  if (tensor.dim() == 1 && tensor.is_floating_point() && tensor.numel() > 0) return tensor.to(at::kFloat).contiguous();
  throw Error({.where = where,
               .found = describe(tensor.sizes(), tensor.scalar_type()),
               .expected = "the flat tensor of a prefix, [P · 2 · layers · width]"});
}

/// A prefix with a bottleneck has matrices below its name.
void refuse_matrices(const TensorMap& tensors, const std::string& where) {
  for (const auto& [key, tensor] : tensors) {
    if (key.find(std::string(kLeaf) + ".") == std::string::npos && key.find("prefix_gates") == std::string::npos)
      continue;
    throw Error({.where = where + ": " + key,
                 .found = "a prefix with a bottleneck or a gate",
                 .expected = "a flat one, as the published configuration has it"});
  }
}

/// The authors' names: every layer's key leads to one tensor.
std::optional<Found> read_control_trans(const TensorMap& tensors, const std::string& where) {
  Found found{.where = where, .flat = {}};
  std::vector<std::int64_t> layers;
  for (const auto& [key, tensor] : tensors) {
    if (!key.ends_with(kLeaf)) continue;
    const Tensor flat = checked_flat(tensor, where + ": " + key);
    if (found.flat.defined() && !at::equal(found.flat, flat)) {
      throw Error({.where = where + ": " + key,
                   .found = "another tensor than under the other names",
                   .expected = "one tensor that all layers share"});
    }
    found.flat = flat;
    if (const auto layer = layer_in(key, "encoder.layers.")) layers.push_back(*layer);
  }
  if (!found.flat.defined()) return std::nullopt;
  refuse_matrices(tensors, where);
  std::ranges::sort(layers);
  if (!layers.empty()) found.layers = std::move(layers);
  return found;
}

double number_in(const std::map<std::string, std::string>& metadata, const std::string& key, double otherwise) {
  const auto found = metadata.find(key);
  if (found == metadata.end()) return otherwise;
  const Json value = Json::parse(found->second, nullptr, false);
  return value.is_number() ? value.get<double>() : otherwise;
}

/// Our own names: keys and values of each layer.
std::optional<Found> read_layers(const NamedTensors& file, const std::string& where) {
  std::map<std::int64_t, TensorMap> parts;  // by layer: "k", "v"
  for (const auto& [key, tensor] : file.tensors) {
    const auto layer = layer_in(key, kLayerKey);
    if (layer && key.starts_with(kLayerKey)) parts[*layer][key.substr(key.rfind('.') + 1)] = tensor;
  }
  if (parts.empty()) return std::nullopt;
  std::vector<Tensor> all;
  std::vector<std::int64_t> layers;
  for (const auto& [layer, part] : parts) {
    layers.push_back(layer);
    for (const char* kv : {"k", "v"}) {
      const auto tensor = part.find(kv);
      const bool fits = tensor != part.end() && tensor->second.dim() == 2 &&
                        (all.empty() || tensor->second.sizes() == all.front().sizes());
      if (!fits) {
        throw Error(
            {.where = fmt::format("{}: {}{}.{}", where, kLayerKey, layer, kv),
             .found = tensor == part.end() ? "nothing" : describe(tensor->second.sizes(), tensor->second.scalar_type()),
             .expected = "[P, D], the same for keys and values of every layer"});
      }
      all.push_back(tensor->second.to(at::kFloat));
    }
  }
  const auto caption = file.metadata.find("caption");
  return Found{.where = where,
               .flat = at::stack(all, 1).reshape(-1),  // [P, 2L, D]
               .layers = std::move(layers),
               .prefix_length = all.front().size(0),
               .logit_bias = number_in(file.metadata, "prefix_logit_bias", 1.0),
               .caption = caption == file.metadata.end() ? "" : caption->second,
               .step = static_cast<std::int64_t>(number_in(file.metadata, "steps", 0.0))};
}

std::optional<Found> read_weights(const ForeignArtifact& artifact, const std::string& name) {
  const auto where = artifact.files.place(name).string();
  const NamedTensors file = artifact.files.tensors(name);
  if (auto found = read_layers(file, where)) return found;
  if (auto found = read_control_trans(file.tensors, where)) return found;
  const auto bare = file.tensors.find("");
  if (bare == file.tensors.end() || file.tensors.size() != 1 || !artifact.settings.contains("layers"))
    return std::nullopt;
  return Found{.where = where, .flat = checked_flat(bare->second, where)};
}

/// The steps behind "adapter_gs-999": 1000. The number counts from 0.
std::int64_t steps_in(const std::string& folder) {
  constexpr std::string_view kBefore = "adapter_gs-";
  if (!folder.starts_with(kBefore)) return 0;
  const auto digits = std::string_view(folder).substr(kBefore.size());
  std::int64_t index = -1;
  const auto [end, fault] = std::from_chars(digits.data(), digits.data() + digits.size(), index);
  return fault == std::errc() && end == digits.data() + digits.size() ? index + 1 : 0;
}

/// `prefix`: of the names, "" or "adapter_gs-999/".
std::optional<Found> read_folder(const ForeignArtifact& artifact, const std::string& prefix) {
  const auto where = artifact.files.place(prefix + kConfig).string();
  const Json config = artifact.files.json(prefix + kConfig).value("config", Json::object());
  if (!config.is_object() || config.value("architecture", Json()) != "prefix_tuning") return std::nullopt;
  if (config.value("flat", Json(true)) != true || config.value("use_gating", Json(false)) != false) {
    throw Error({.where = where, .found = config.dump(), .expected = "flat true and use_gating false, as published"});
  }
  auto found = read_weights(artifact, prefix + kWeights);
  if (!found) return std::nullopt;
  if (const Json length = config.value("prefix_length", Json()); length.is_number_integer())
    found->prefix_length = length.get<std::int64_t>();
  const auto folder = std::filesystem::path(where).parent_path().filename().string();
  found->step = steps_in(folder);
  return found;
}

/// Where the folder, or one folder in it, holds an adapter.
std::optional<std::string> adapter_place(const ForeignFiles& files) {
  std::vector<std::string> places;
  for (const auto& name : files.names()) {
    if (name != kWeights && !name.ends_with(std::string("/") + kWeights)) continue;
    auto place = name.substr(0, name.size() - std::string_view(kWeights).size());
    if (files.has(place + kConfig)) places.push_back(std::move(place));
  }
  if (places.size() > 1) {
    throw Error({.where = files.path().string(),
                 .found = fmt::format("{} adapters, in {} and {}", places.size(), places[0], places[1]),
                 .expected = "one",
                 .advice = "give the folder of the one that is meant"},
                ErrorKind::usage);
  }
  return places.empty() ? std::nullopt : std::optional(places.front());
}

std::optional<Found> find_adapter(const ForeignArtifact& artifact) {
  const auto& files = artifact.files;
  if (!files.is_folder()) return read_weights(artifact, files.names().front());
  if (files.has(kLayerFile)) return read_weights(artifact, kLayerFile);
  const auto place = adapter_place(files);
  return place ? read_folder(artifact, *place) : std::nullopt;
}

std::vector<std::int64_t> layers_of(const Found& found, const Said& said, std::int64_t depth) {
  const auto given = said.layers();
  if (!found.layers && !given) {
    throw Error({.where = found.where,
                 .found = "a prefix without the names of its layers",
                 .expected = "the layers that it belongs to",
                 .advice = "give them: --artifact-set layers=9,10,11"},
                ErrorKind::usage);
  }
  const auto layers = count_layers(found.layers ? *found.layers : *given, depth, found.where + ": layers");
  if (found.layers && given && count_layers(*given, depth, "layers") != layers) {
    throw Error({.where = "layers",
                 .found = Json(*given).dump(),
                 .expected = Json(layers).dump() + ", as the keys of " + found.where + " say"},
                ErrorKind::usage);
  }
  return layers;
}

TensorView in_float(const Tensor& tensor) { return to_view(tensor.to(at::kCPU, at::kFloat)); }

PrefixForm form_of(const TrainedArtifact& artifact, const ModuleNames& target) {
  return read_form(artifact, encoder_of(target).width);
}

/// The configuration of the authors' adapter library, version 3.2.1. The options of a bottleneck are written, and have
/// no effect on a flat prefix.
std::string config_text(const PrefixForm& form) {
  const Json config{{"architecture", "prefix_tuning"},
                    {"bottleneck_size", 512},
                    {"cross_prefix", true},
                    {"dropout", 0.0},
                    {"encoder_prefix", true},
                    {"flat", true},
                    {"leave_out", Json::array()},
                    {"non_linearity", "tanh"},
                    {"prefix_length", form.length},
                    {"shared_gating", true},
                    {"use_gating", false}};
  return Json{{"config", config},      {"hidden_size", form.width},       {"model_class", "CLIPTextModel"},
              {"model_name", nullptr}, {"model_type", "clip_text_model"}, {"name", "prefix_tuning1"},
              {"version", "3.2.1"}}
      .dump(2);
}

}  // namespace

std::map<std::string, TensorSet> layer_file(const TrainedArtifact& artifact, const ModuleNames& target) {
  const PrefixForm form = form_of(artifact, target);
  const Tensor& flat = artifact.tensors.at(kControlTrans);
  TensorSet content{.tensors = {}, .metadata = notes_of(form)};
  for (std::size_t i = 0; i < form.layers.size(); ++i) {
    const auto key = fmt::format("{}{}.", kLayerKey, form.layers[i]);
    content.tensors[key + "k"] = in_float(form.keys(flat, i).clone());
    content.tensors[key + "v"] = in_float(form.values(flat, i).clone());
  }
  content.metadata["format"] = "pt";
  content.metadata["steps"] = std::to_string(artifact.step);
  if (const auto caption = artifact.notes.find("caption"); caption != artifact.notes.end())
    content.metadata["caption"] = caption->second;
  return {{kLayerFile, std::move(content)}};
}

std::map<std::string, std::string> adapter_folder(const TrainedArtifact& artifact, const ModuleNames& target) {
  const PrefixForm form = form_of(artifact, target);
  if (form.logit_bias != 1.0) return {};
  const TensorView flat = in_float(artifact.tensors.at(kControlTrans));
  TorchValue::Dictionary keys;
  for (const auto layer : form.layers)
    keys.emplace_back(fmt::format("{}.prefix_tuning.pool.{}", layer_path(layer), kPrefixName), flat);
  keys.emplace_back(fmt::format("prefix_tuning.{}", kPrefixName), flat);
  const auto folder = artifact.step > 0 ? fmt::format("adapter_gs-{}/", artifact.step - 1) : std::string("adapter/");
  return {{folder + kConfig, config_text(form)}, {folder + kWeights, torch_file(keys, "archive")}};
}

std::optional<TrainedArtifact> read_adapter(const ForeignArtifact& artifact) {
  const auto found = find_adapter(artifact);
  if (!found) return std::nullopt;
  const Said said(artifact.settings, found->where);
  const Encoder encoder = encoder_of(artifact.target);
  PrefixForm form{.length = 1, .layers = layers_of(*found, said, encoder.depth), .width = encoder.width};
  const auto of_one = form.size();
  form.length = said.prefix_length().value_or(found->prefix_length.value_or(found->flat.numel() / of_one));
  form.logit_bias = said.prefix_logit_bias().value_or(found->logit_bias.value_or(1.0));
  if (form.size() != found->flat.numel() || form.length < 1) {
    throw Error({.where = found->where,
                 .found = fmt::format("{} numbers", found->flat.numel()),
                 .expected = fmt::format("{} entries of a key and a value of {} in {} layers", form.length, form.width,
                                         form.layers.size()),
                 .advice = "this prefix was made for another base model or for other layers"});
  }
  TrainedArtifact read{.tensors = {{kControlTrans, found->flat}}, .notes = notes_of(form), .step = found->step};
  const auto caption = said.caption().empty() ? found->caption : said.caption();
  if (!caption.empty()) read.notes["caption"] = read.notes["phrase"] = caption;
  return read;
}

}  // namespace atelier::catversion
