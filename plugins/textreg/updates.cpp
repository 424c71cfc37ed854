#include "plugins/textreg/updates.h"

#include <ATen/ops/linalg_vector_norm.h>

#include <algorithm>
#include <array>

#include "framework/methods/low_rank.h"

namespace atelier::textreg {
namespace {

void append(std::vector<std::string>& names, const std::vector<std::string>& more) {
  names.insert(names.end(), more.begin(), more.end());
}

}  // namespace

std::vector<std::string> unet_layers(Session& session, const std::string& filter) {
  if (filter == "full") return session.layers("unet.*.transformer_blocks.*");
  std::vector<std::string> layers;
  for (const char* leaf : {"to_k", "to_v"}) {
    if (filter != "self") append(layers, session.layers(std::string("unet.*.transformer_blocks.*.attn2.") + leaf));
    if (filter != "cross") append(layers, session.layers(std::string("unet.*.transformer_blocks.*.attn1.") + leaf));
  }
  std::sort(layers.begin(), layers.end());
  return layers;
}

std::vector<std::string> text_layers(Session& session) { return session.layers("text_encoder*.self_attn.*"); }

std::vector<std::string> key_layers(const std::vector<std::string>& layers) {
  std::vector<std::string> keys;
  std::copy_if(layers.begin(), layers.end(), std::back_inserter(keys),
               [](const std::string& name) { return name.ends_with(".to_k"); });
  return keys;
}

std::vector<Parameter> Updates::all() const {
  auto both = unet;
  both.insert(both.end(), text.begin(), text.end());
  return both;
}

Updates attach_updates(Session& session, const Start& start, Draws& draws, const LoRASettings& settings) {
  Updates updates;
  updates.unet = attach_low_rank(session, start, draws, unet_layers(session, settings.layers), settings.rank);
  if (settings.text) updates.text = attach_low_rank(session, start, draws, text_layers(session), settings.rank);
  return updates;
}

Tensor row_norms(const Tensor& change) { return at::linalg_vector_norm(change, 2, at::IntArrayRef({1, 2})); }

Tensor mean_update_norm(Session& session, const std::vector<std::string>& layers, const Tensor& context) {
  Tensor sum;
  for (const auto& layer : layers) {
    const Tensor norm = row_norms(session.adapter_output(layer, context));  // [B]
    sum = sum.defined() ? sum + norm : norm;
  }
  return sum / static_cast<double>(layers.size());
}

}  // namespace atelier::textreg
