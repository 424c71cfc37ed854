#include "tests/framework/formats/convert_sources.h"

#include <catch2/catch.hpp>
#include <fstream>
#include <functional>
#include <map>
#include <nlohmann/json.hpp>
#include <random>

#include "framework/files/safetensors_writer.h"
#include "framework/files/torch_writer.h"
#include "framework/formats/lora_values.h"
#include "framework/formats/lora_writer_parts.h"
#include "framework/formats/trained_artifact.h"
#include "tests/framework/formats/fixtures.h"
#include "tests/framework/formats/lora_reference.h"

namespace convert_sources {
namespace {

using namespace atelier;
namespace fs = std::filesystem;

void write_set(const fs::path& path, const TensorSet& set) {
  write_safetensors(path, set.tensors, {.metadata = set.metadata});
}

void write_torch(const fs::path& path, const TorchValue& value) {
  const auto bytes = torch_file(value, path.stem().string());
  std::ofstream(path, std::ios::binary) << bytes;
}

Source with_lora(const fs::path& path, const std::string& target, bool geglu = true) {
  const auto names = lora_reference::target(target);
  auto entries = lora(names, attention(names, geglu), {1.0, 0.5, 2.0}, {3, 1, 2, 4});
  std::ranges::sort(entries, {}, &LoraEntry::module);
  return {.path = path, .target = target, .entries = std::move(entries)};
}

EmbeddingFile token(const std::string& name, std::int64_t vectors, std::uint64_t seed) {
  return {.token = name, .token_is_stem = false, .towers = {{"text_encoder", noise({vectors, 12}, seed)}}, .form = ""};
}

/// PEFT's own folders: one config and one file a component.
void write_peft_folders(const fs::path& folder, const std::vector<LoraEntry>& entries) {
  std::map<std::string, std::pair<TensorSet, Json>> components;
  for (const auto& entry : entries) {
    const auto [component, path] = split_module(entry.module);
    auto& [set, config] = components[component];
    if (config.is_null()) {
      config = {{"peft_type", "LORA"}, {"r", entry.rank}, {"lora_alpha", entry.alpha}, {"target_modules", {"to_q"}}};
    }
    set.tensors.emplace("base_model.model." + path + ".lora_A.weight", entry.down);
    set.tensors.emplace("base_model.model." + path + ".lora_B.weight", entry.up);
    config["rank_pattern"][path] = entry.rank;
    config["alpha_pattern"][path] = entry.alpha;
  }
  for (const auto& [component, parts] : components) {
    fs::create_directories(folder / component);
    write_set(folder / component / "adapter_model.safetensors", parts.first);
    fixtures::write_text(folder / component / "adapter_config.json", parts.second.dump());
  }
}

/// diffusers of 2023: "….attn1.processor.to_q_lora.down.weight", with alphas.
TensorSet processors(const std::vector<LoraEntry>& entries) {
  const std::map<std::string, std::string> text = {
      {"q_proj", "to_q"}, {"k_proj", "to_k"}, {"v_proj", "to_v"}, {"out_proj", "to_out"}};
  TensorSet set;
  for (const auto& entry : entries) {
    auto path = entry.module;
    if (path.ends_with(".to_out.0")) path.resize(path.size() - 2);
    auto layer = path.substr(path.rfind('.') + 1);
    const auto above = path.substr(0, path.rfind('.'));
    const bool unet = path.starts_with("unet.");
    if (!unet) layer = text.at(layer);
    const auto stem = above + (unet ? ".processor." : ".") + layer + "_lora.";
    set.tensors.emplace(stem + "down.weight", entry.down);
    set.tensors.emplace(stem + "up.weight", entry.up);
    set.tensors.emplace(stem + "alpha", make_view({entry.alpha}, {}, Dtype::f32));
  }
  return set;
}

Source peft(const fs::path& folder) {
  auto source = with_lora(folder / "source.safetensors", "sd");
  write_set(source.path, peft_lora(source.entries));
  return source;
}

Source diffusers(const fs::path& folder) {
  auto source = with_lora(folder / "source.safetensors", "sd");
  write_set(source.path, diffusers_legacy_lora(source.entries));
  for (auto& entry : source.entries) {  // what a file without alphas says
    entry.up = scaled(entry.up, entry.alpha / static_cast<double>(entry.rank), Dtype::f32, entry.module);
    entry.alpha = static_cast<double>(entry.rank);
  }
  return source;
}

Source kohya(const fs::path& folder, const std::string& target) {
  auto source = with_lora(folder / "source.safetensors", target);
  const auto family = target == "sdxl" ? Family::sdxl : Family::sd1;
  write_set(source.path, kohya_lora(source.entries, lora_reference::target(target), {.family = family}));
  return source;
}

Source cloneofsimo(const fs::path& folder) {
  auto source = with_lora(folder / "source.safetensors", "sd");
  for (auto& entry : source.entries) entry.alpha = static_cast<double>(entry.rank);
  source.tokens = {token("<krk1>", 1, 5)};
  const auto set =
      cloneofsimo_lora(source.entries, lora_reference::target("sd"),
                       {{"unet", default_classes("unet")}, {"text_encoder", default_classes("text_encoder")}},
                       {{"<krk1>", source.tokens[0].towers.at("text_encoder")}}, CloneofsimoType::kept);
  write_set(source.path, set);
  return source;
}

/// A LoRA and a token of two vectors, as our store keeps them.
Source artifact(const fs::path& folder) {
  auto source = with_lora(folder / "source.safetensors", "sd");
  for (auto& entry : source.entries) entry.alpha = static_cast<double>(entry.rank);
  source.tokens = {token("<krk1>", 2, 5)};
  write_set(source.path, trained_artifact(source.entries, source.tokens, "some_method", "test"));
  return source;
}

/// A token of SDXL alone.
Source artifact_of_two_towers(const fs::path& folder) {
  Source source{.path = folder / "source.safetensors", .target = "sdxl", .entries = {}, .tokens = {}, .token = {}};
  source.tokens = {token("<cat>", 2, 1)};
  source.tokens[0].towers = {{"text_encoder", noise({2, 8}, 1)}, {"text_encoder_2", noise({2, 12}, 2)}};
  write_set(source.path, trained_artifact({}, source.tokens, "some_method", "test"));
  return source;
}

Source peft_folder(const fs::path& folder) {
  auto source = with_lora(folder / "source", "sd");
  write_peft_folders(source.path, source.entries);
  return source;
}

Source diffusers_2023(const fs::path& folder) {
  auto source = with_lora(folder / "source.safetensors", "sd", false);
  write_set(source.path, processors(source.entries));
  return source;
}

Source reference_list(const fs::path&) {
  const auto path = lora_reference::path("list.pt");
  Source source{.path = path, .target = "sd", .entries = {}, .tokens = {}, .token = {}};
  const auto target = lora_reference::target("sd");
  for (const auto& [module, rank_alpha] : lora_reference::expected().at("files").at("list.pt").at("entries").items()) {
    const auto rank = rank_alpha.at(0).get<std::int64_t>();
    source.entries.push_back({.module = module,
                              .down = scaled(lora_reference::matrix(target, module, 0, rank), 1.0, Dtype::f16, module),
                              .up = scaled(lora_reference::matrix(target, module, 1, rank), 1.0, Dtype::f16, module),
                              .alpha = rank_alpha.at(1).get<double>(),
                              .rank = rank});
  }
  return source;
}

/// One token of two vectors.
Source one_token(const fs::path& path) {
  return {.path = path, .target = "sd", .entries = {}, .tokens = {token("<cat>", 2, 1)}, .token = {}};
}

Source learned_embeds_file(const fs::path& folder) {
  auto source = one_token(folder / "learned_embeds.safetensors");
  write_set(source.path, learned_embeds("<cat>", source.tokens[0].towers.at("text_encoder")));
  return source;
}

Source learned_embeds_bin(const fs::path& folder) {
  auto source = one_token(folder / "learned_embeds.bin");
  write_torch(source.path, TorchValue::Dictionary{{"<cat>", source.tokens[0].towers.at("text_encoder")}});
  return source;
}

Source a1111(const fs::path& folder) {
  auto source = one_token(folder / "cat.pt");
  write_torch(source.path,
              TorchValue::Dictionary{
                  {"string_to_token", TorchValue::Dictionary{{"*", std::int64_t{265}}}},
                  {"string_to_param", TorchValue::Dictionary{{"*", source.tokens[0].towers.at("text_encoder")}}},
                  {"name", "<cat>"}});
  return source;
}

Source a1111_safetensors(const fs::path& folder) {
  auto source = one_token(folder / "<cat>.safetensors");
  write_set(source.path, {{{"emb_params", source.tokens[0].towers.at("text_encoder")}}, {}});
  return source;
}

Source two_towers(const fs::path& folder) {
  auto source = one_token(folder / "<cat>.safetensors");
  source.target = "sdxl";
  source.tokens[0].towers = {{"text_encoder", noise({2, 8}, 1)}, {"text_encoder_2", noise({2, 12}, 2)}};
  const auto& towers = source.tokens[0].towers;
  write_set(source.path, two_tower_embeds(towers.at("text_encoder"), towers.at("text_encoder_2")));
  return source;
}

/// Files whose vectors are 0/8, 1/8, 2/8, ….
Source reference_tokens(const std::string& file, const std::string& name, const std::string& given) {
  const auto path = lora_reference::path("embeddings/" + file);
  const auto read = read_artifact(path, lora_reference::target("sd"), given).embeddings.at(0);
  const auto& shape = read.towers.at("text_encoder").shape;
  std::vector<double> values;
  for (std::int64_t i = 0; i < shape[0] * shape[1]; ++i) values.push_back(static_cast<double>(i) / 8);
  Source source{.path = path, .target = "sd", .entries = {}, .tokens = {token(name, 1, 1)}, .token = given};
  source.tokens[0].towers = {{"text_encoder", make_view(values, shape, Dtype::f32)}};
  return source;
}

}  // namespace

TensorView noise(std::vector<std::int64_t> shape, std::uint64_t seed, Dtype dtype) {
  std::mt19937_64 generator(seed);
  std::uniform_real_distribution<double> uniform(-1.0, 1.0);
  std::size_t count = 1;
  for (const auto size : shape) count *= static_cast<std::size_t>(size);
  std::vector<double> values(count);
  for (auto& value : values) value = uniform(generator);
  return make_view(values, std::move(shape), dtype);
}

std::vector<LoraEntry> lora(const ModuleNames& target, const std::vector<std::string>& modules,
                            const std::vector<double>& scales, const std::vector<std::int64_t>& ranks) {
  std::vector<LoraEntry> entries;
  for (std::size_t i = 0; i < modules.size(); ++i) {
    const auto [component, path] = split_module(modules[i]);
    const auto& weight = *target.find(component, path);
    const auto rank = ranks[i % ranks.size()];
    auto down = weight;
    down[0] = rank;
    WeightShape up(weight.size(), 1);
    up[0] = weight[0], up[1] = rank;
    entries.push_back({.module = modules[i],
                       .down = noise(down, 2 * i + 100),
                       .up = noise(up, 2 * i + 101),
                       .alpha = scales[i % scales.size()] * static_cast<double>(rank),
                       .rank = rank});
  }
  return entries;
}

std::vector<std::string> attention(const ModuleNames& target, bool geglu) {
  std::vector<std::string> modules;
  for (const auto& [component, layers] : target.components()) {
    ClassNames classes = default_classes(component);
    if (!geglu && component == "unet") classes = {"CrossAttention", "Attention"};
    for (const auto& path : walk_layers(layers, classes, {})) modules.push_back(component + "." + path);
  }
  return modules;
}

Source make(const std::string& dialect, const fs::path& folder) {
  const std::map<std::string, std::function<Source(const fs::path&)>> makers = {
      {"peft", peft},
      {"diffusers", diffusers},
      {"kohya", [](const fs::path& path) { return kohya(path, "sd"); }},
      {"kohya-sgm", [](const fs::path& path) { return kohya(path, "sdxl"); }},
      {"cloneofsimo", cloneofsimo},
      {"artifact", artifact},
      {"artifact of two towers", artifact_of_two_towers},
      {"peft-folder", peft_folder},
      {"diffusers-2023", diffusers_2023},
      {"cloneofsimo-list", reference_list},
      {"learned_embeds", learned_embeds_file},
      {"learned_embeds-bin", learned_embeds_bin},
      {"a1111", a1111},
      {"a1111-safetensors", a1111_safetensors},
      {"two-towers", two_towers},
      {"original", [](const fs::path&) { return reference_tokens("named.pt", "<sks>", ""); }},
      {"bare", [](const fs::path&) { return reference_tokens("bare.pt", "<named>", "<named>"); }},
  };
  const auto found = makers.find(dialect);
  INFO("no file of the dialect " << dialect << " is made here: add one");
  REQUIRE(found != makers.end());
  return found->second(folder);
}

}  // namespace convert_sources
