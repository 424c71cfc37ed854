#include "framework/models/session.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/matmul.h>
#include <ATen/ops/promote_types.h>
#include <ATen/ops/tensor.h>
#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/core/text.h"
#include "framework/models/base.h"
#include "framework/models/clip_text.h"
#include "framework/models/conv2d.h"
#include "framework/models/linear.h"
#include "framework/models/text_tower.h"
#include "framework/models/unet.h"
#include "framework/models/vae.h"

namespace atelier {

bool matches(std::string_view pattern, std::string_view text) {
  const auto star = pattern.find('*');
  if (star == std::string_view::npos) return pattern == text;
  if (!text.starts_with(pattern.substr(0, star))) return false;
  const auto rest = pattern.substr(star + 1);
  for (std::size_t skip = star; skip <= text.size(); ++skip) {
    if (matches(rest, text.substr(skip))) return true;
  }
  return false;
}

Session::Session(std::shared_ptr<const Base> base) : base_(std::move(base)) {
  for (std::size_t i = 0; i < base_->text_towers().size(); ++i)
    towers_.push_back(std::make_unique<TextTower>(*base_, i));
}

Session::~Session() = default;

UNet& Session::unet() {
  if (!unet_) unet_ = std::make_unique<UNet>(base_->config("unet"), base_->weights("unet"));
  return *unet_;
}

VAE& Session::vae() {
  if (!vae_) vae_ = std::make_unique<VAE>(base_->config("vae"), base_->weights("vae"));
  return *vae_;
}

TextTower& Session::tower(std::size_t index) {
  if (index < towers_.size()) return *towers_[index];
  throw Error({.where = fmt::format("text tower {}", index),
               .found = fmt::format("a base with {}", towers_.size()),
               .expected = "a tower that the base has"});
}

ClipText& Session::text(std::size_t index) { return tower(index).model(); }

ClipTokenizer& Session::tokenizer(std::size_t index) { return tower(index).tokenizer(); }

void Session::add_token(const std::string& name, const std::vector<Tensor>& vectors) {
  if (vectors.size() != towers_.size()) {
    throw Error({.where = "token " + name,
                 .found = fmt::format("vectors for {} text encoders", vectors.size()),
                 .expected = fmt::format("{}, one set for each of the base's", towers_.size())});
  }
  for (std::size_t i = 0; i < vectors.size(); ++i) towers_[i]->check_token(name, vectors[i]);
  for (std::size_t i = 0; i < vectors.size(); ++i) towers_[i]->add_token(name, vectors[i]);
}

Tensor Session::token_vector(const std::string& word, std::size_t index) { return tower(index).token_vector(word); }

std::vector<std::string> Session::components() const {
  std::vector<std::string> names{"unet"};
  for (const auto& tower : base_->text_towers()) names.push_back(tower);
  names.emplace_back("vae");
  return names;
}

Registry& Session::registry(const std::string& component) {
  if (component == "unet") return unet().registry();
  if (component == "vae") return vae().registry();
  return text(component == "text_encoder" ? 0 : 1).registry();
}

/// The component that the name begins with, and the rest.
Session::Resolved Session::resolve(const std::string& name) {
  const auto known = components();
  for (const auto& component : known) {
    if (name.starts_with(component + ".")) return {&registry(component), name.substr(component.size() + 1)};
  }
  throw Error(
      {.where = name, .found = "no such component", .expected = "a name that begins with one of " + join(known)});
}

std::vector<std::string> Session::layers(const std::string& pattern, bool convolutions) {
  std::vector<std::string> found;
  for (const auto& component : components()) {
    // A component whose name cannot match is not built for the search.
    const auto literal = std::string_view(pattern).substr(0, pattern.find_first_of(".*"));
    if (!component.starts_with(literal)) continue;
    const Registry& names = registry(component);
    const auto add = [&](const auto& layers) {
      for (const auto& [name, layer] : layers) {
        if (matches(pattern, component + "." + name)) found.push_back(component + "." + name);
      }
    };
    add(names.linears);
    if (convolutions) add(names.convolutions);
  }
  return found;
}

namespace {

void require_shape(const std::string& layer, const char* what, const Tensor& found, at::IntArrayRef expected) {
  if (found.sizes() == expected) return;
  throw Error({.where = fmt::format("{}: {}", layer, what),
               .found = describe(found.sizes(), found.scalar_type()),
               .expected = describe(expected, found.scalar_type()),
               .advice = "this adapter was made for another base model"});
}

}  // namespace

std::vector<std::int64_t> Session::layer_shape(const std::string& layer) {
  const Resolved place = resolve(layer);
  const auto linear = place.registry->linears.find(place.name);
  if (linear != place.registry->linears.end()) return linear->second->weight.sizes().vec();
  const auto convolution = place.registry->convolutions.find(place.name);
  if (convolution != place.registry->convolutions.end()) return convolution->second->weight.sizes().vec();
  throw Error(
      {.where = layer, .found = "no such layer", .expected = "a linear or convolution layer of the base model"});
}

void Session::attach(const std::string& layer, LowRank adapter) {
  const Resolved place = resolve(layer);
  const std::int64_t rank = adapter.a.size(0);
  if (const auto linear = place.registry->linears.find(place.name); linear != place.registry->linears.end()) {
    const auto out_in = linear->second->weight.sizes();
    // 1×1 convolutions of older files stand for linear layers.
    if (adapter.a.dim() == 4) adapter.a = adapter.a.flatten(1);
    if (adapter.b.dim() == 4) adapter.b = adapter.b.flatten(1);
    require_shape(layer, "down", adapter.a, {rank, out_in[1]});
    require_shape(layer, "up", adapter.b, {out_in[0], rank});
    linear->second->adapters.push_back(std::move(adapter));
    return;
  }
  if (const auto conv = place.registry->convolutions.find(place.name); conv != place.registry->convolutions.end()) {
    const auto shape = conv->second->weight.sizes();
    if (adapter.a.dim() == 2) adapter.a = adapter.a.unsqueeze(-1).unsqueeze(-1);
    if (adapter.b.dim() == 2) adapter.b = adapter.b.unsqueeze(-1).unsqueeze(-1);
    require_shape(layer, "down", adapter.a, {rank, shape[1], shape[2], shape[3]});
    require_shape(layer, "up", adapter.b, {shape[0], rank, 1, 1});
    conv->second->adapters.push_back(std::move(adapter));
    return;
  }
  throw Error({.where = layer,
               .found = "no such layer",
               .expected = "a linear or convolution layer of the base model",
               .advice = "this adapter was made for another base model"});
}

void Session::detach_adapters() {
  const auto clear = [](Registry& names) {
    for (const auto& [name, layer] : names.linears) layer->adapters.clear();
    for (const auto& [name, layer] : names.convolutions) layer->adapters.clear();
  };
  if (unet_) clear(unet_->registry());
  if (vae_) clear(vae_->registry());
  for (const auto& tower : towers_) {
    if (tower->built()) clear(tower->model().registry());
  }
}

Tensor Session::adapter_output(const std::string& layer, const Tensor& x) {
  const Resolved place = resolve(layer);
  const auto linear = place.registry->linears.find(place.name);
  if (linear == place.registry->linears.end()) {
    throw Error({.where = layer, .found = "no such layer", .expected = "a linear layer of the base model"});
  }
  return linear->second->delta(x);
}

std::vector<std::pair<std::string, Tensor>> Session::unfreeze(const std::string& pattern) {
  std::vector<std::pair<std::string, Tensor>> trained;
  for (const auto& component : components()) {
    if (!pattern.starts_with(component + ".")) continue;
    for (const auto& [name, slot] : registry(component).parameters) {
      const std::string full = component + "." + name;
      if (!matches(pattern, full)) continue;
      const auto type = slot->scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
      *slot = slot->detach().to(type, /*non_blocking=*/false, /*copy=*/true).requires_grad_();
      trained.emplace_back(full, *slot);
    }
  }
  if (trained.empty()) {
    throw Error({.where = pattern, .found = "no parameter that matches", .expected = "a pattern of parameter names"});
  }
  return trained;
}

Tensor& Session::slot(const std::string& parameter) {
  const Resolved place = resolve(parameter);
  const auto slot = place.registry->parameters.find(place.name);
  if (slot != place.registry->parameters.end()) return *slot->second;
  throw Error({.where = parameter, .found = "no such parameter", .expected = "a parameter of the base model"});
}

Tensor Session::parameter(const std::string& name) { return slot(name).detach(); }

void Session::replace(const std::string& parameter, const Tensor& value) {
  Tensor& place = slot(parameter);
  require_shape(parameter, "value", value, place.sizes());
  place = value;
}

namespace {

/// W + Σ scale · B A
Tensor folded(const Tensor& weight, const std::vector<LowRank>& adapters) {
  if (adapters.empty()) return weight;
  const auto type = weight.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  Tensor sum = weight.to(type, /*non_blocking=*/false, /*copy=*/true);
  for (const LowRank& adapter : adapters) {
    const Tensor product = at::matmul(adapter.b.to(type).flatten(1), adapter.a.to(type).flatten(1));
    sum.add_(product.view(sum.sizes()), adapter.scale);
  }
  return sum;
}

}  // namespace

TensorMap Session::whole_weights(const std::string& component) {
  const at::NoGradGuard no_grad;
  const Registry& names = registry(component);
  TensorMap all;
  for (const auto& [name, slot] : names.parameters) all[name] = slot->detach();
  for (const auto& [name, layer] : names.linears)
    all[name + ".weight"] = folded(layer->weight, layer->adapters).detach();
  for (const auto& [name, layer] : names.convolutions) {
    all[name + ".weight"] = folded(layer->weight, layer->adapters).detach();
  }
  const auto known = base_->text_towers();
  const auto place = std::ranges::find(known, component);
  if (place == known.end()) return all;
  const Tensor rows = towers_[static_cast<std::size_t>(place - known.begin())]->added_rows();
  if (!rows.defined()) return all;
  for (auto& [name, tensor] : all) {
    if (!name.ends_with("token_embedding.weight")) continue;
    const auto type = at::promote_types(tensor.scalar_type(), rows.scalar_type());
    tensor = at::cat({tensor.to(type), rows.detach().to(type)});
  }
  return all;
}

void Session::edit_text_attention(std::size_t index, std::int64_t layer, TextAttentionEdit edit) {
  tower(index).edit(layer, std::move(edit));
}

void Session::clear_text_edits() {
  for (const auto& tower : towers_) tower->clear_edits();
}

bool Session::has_text_edits() const {
  return std::ranges::any_of(towers_, [](const auto& tower) { return tower->edited(); });
}

TextIds Session::tokenize(const std::vector<std::string>& prompts) {
  TextIds ids;
  for (const auto& tower : towers_) ids.towers.push_back(tower->tokenize(prompts));
  return ids;
}

TextCondition Session::encode(const std::vector<std::string>& prompts, const EncodeOptions& options) {
  return encode(tokenize(prompts), options);
}

TextCondition Session::encode(const TextIds& ids, const EncodeOptions& given) {
  EncodeOptions options = given;
  options.pool_at_eos = given.pool_at_eos || pool_at_eos_;
  const TextCondition first = towers_.front()->encode(ids.towers.at(0), options);
  if (towers_.size() == 1) return {.context = first.context, .pooled = {}};
  const TextCondition second = towers_[1]->encode(ids.towers.at(1), options);
  return {.context = at::cat({first.context, second.context}, -1), .pooled = second.pooled};
}

}  // namespace atelier
