#include "plugins/catversion/prefix.h"

#include <fmt/format.h>

#include <algorithm>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/core/json.h"

namespace atelier::catversion {
namespace {

constexpr const char* kLength = "prefix_length";
constexpr const char* kLayers = "layers";
constexpr const char* kBias = "prefix_logit_bias";

[[noreturn]] void refuse_layer(const std::string& where, std::string found, std::int64_t depth) {
  throw Error({.where = where,
               .found = std::move(found),
               .expected = fmt::format("different layers from 0 to {}, or from {} to -1", depth - 1, -depth),
               .advice = "this text encoder has that many"},
              ErrorKind::usage);
}

/// Key (0) or value (1) of one layer, [P, D].
Tensor part(const PrefixForm& form, const Tensor& flat, std::size_t layer, std::int64_t kv) {
  const auto layers = static_cast<std::int64_t>(form.layers.size());
  return flat.view({form.length, layers, 2, form.width}).select(1, static_cast<std::int64_t>(layer)).select(1, kv);
}

Json note_of(const TrainedArtifact& artifact, const char* name) {
  const auto found = artifact.notes.find(name);
  if (found == artifact.notes.end()) {
    throw Error({.where = "catversion",
                 .found = fmt::format("an artifact without the note {}", name),
                 .expected = "one that this method trained or read"});
  }
  return parse_json(found->second, std::string("catversion: note ") + name);
}

}  // namespace

Tensor PrefixForm::keys(const Tensor& flat, std::size_t layer) const { return part(*this, flat, layer, 0); }

Tensor PrefixForm::values(const Tensor& flat, std::size_t layer) const { return part(*this, flat, layer, 1); }

TextAttentionEdit PrefixForm::edit(const Tensor& flat, std::size_t layer) const {
  TextAttentionEdit edit;
  edit.extra_keys = keys(flat, layer);
  edit.extra_values = values(flat, layer);
  edit.extra_logit = logit_bias;
  return edit;
}

std::vector<std::int64_t> count_layers(const std::vector<std::int64_t>& layers, std::int64_t depth,
                                       const std::string& where) {
  if (layers.empty()) refuse_layer(where, "no layer", depth);
  std::vector<std::int64_t> counted;
  for (const auto layer : layers) {
    if (layer < -depth || layer >= depth) refuse_layer(where, fmt::format("layer {}", layer), depth);
    counted.push_back(layer < 0 ? layer + depth : layer);
  }
  std::ranges::sort(counted);
  if (std::ranges::adjacent_find(counted) != counted.end()) {
    refuse_layer(where, Json(layers).dump() + ", where one layer stands twice", depth);
  }
  return counted;
}

void put_prefix(Session& session, const PrefixForm& form, const Tensor& flat) {
  for (std::size_t i = 0; i < form.layers.size(); ++i)
    session.edit_text_attention(0, form.layers[i], form.edit(flat, i));
}

PrefixForm read_form(const TrainedArtifact& artifact, std::int64_t width) {
  PrefixForm form{.length = 0, .layers = {}, .width = width};
  try {
    form.length = note_of(artifact, kLength).get<std::int64_t>();
    form.layers = note_of(artifact, kLayers).get<std::vector<std::int64_t>>();
    form.logit_bias = note_of(artifact, kBias).get<double>();
  } catch (const Json::exception& error) {
    throw Error({.where = "catversion: the artifact's notes", .found = error.what(), .expected = "numbers"});
  }
  const auto found = artifact.tensors.find(kControlTrans);
  if (found == artifact.tensors.end() || found->second.dim() != 1 || found->second.numel() != form.size()) {
    throw Error({.where = std::string("catversion: ") + kControlTrans,
                 .found = found == artifact.tensors.end()
                              ? "nothing"
                              : describe(found->second.sizes(), found->second.scalar_type()),
                 .expected = fmt::format("[{}]: {} entries of a key and a value of {} in {} layers", form.size(),
                                         form.length, width, form.layers.size()),
                 .advice = "this artifact was made for another base model"});
  }
  return form;
}

std::map<std::string, std::string> notes_of(const PrefixForm& form) {
  return {{kLength, std::to_string(form.length)},
          {kLayers, Json(form.layers).dump()},
          {kBias, Json(form.logit_bias).dump()}};
}

}  // namespace atelier::catversion
