#include "framework/formats/trained_artifact.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <nlohmann/json.hpp>
#include <optional>

#include "framework/core/error.h"
#include "framework/core/json.h"
#include "framework/core/text.h"
#include "framework/formats/lora_parts.h"
#include "framework/formats/lora_writer_parts.h"

namespace atelier {
namespace {

constexpr const char* kMetadata = "atelier";
constexpr std::string_view kAux = "aux.";
constexpr std::string_view kDown = ".lora_A.weight";
constexpr std::string_view kUp = ".lora_B.weight";
constexpr std::array<const char*, 2> kEncoders = {"text_encoder", "text_encoder_2"};

std::string token_prefix(const std::string& encoder) { return encoder + ".token."; }

bool is_update(const std::string& key) { return key.ends_with(kDown) || key.ends_with(kUp); }

/// "text_encoder.token.<x>" → {"text_encoder", "<x>"}.
std::optional<std::pair<std::string, std::string>> token_of(const std::string& key) {
  for (const std::string encoder : kEncoders) {
    const auto prefix = token_prefix(encoder);
    if (key.starts_with(prefix) && key.size() > prefix.size()) return std::pair{encoder, key.substr(prefix.size())};
  }
  return std::nullopt;
}

void require_known(const TensorFile& file) {
  std::vector<std::string> others;
  for (const auto& [key, view] : file.tensors) {
    if (!key.starts_with(kAux) && !is_update(key) && !token_of(key)) others.push_back(key);
  }
  if (others.empty()) return;
  throw Error({.where = file.path,
               .found = fmt::format("tensors of a method that learns more: {}", join(others, ", ", 20)),
               .expected = "low-rank updates and tokens",
               .advice = "atelier export --form authors or pipeline writes what other programs read"});
}

/// Whether the name is that of a token's further vector: its last part is a number, and the rest is a token.
bool is_further(const TensorFile& file, const std::string& encoder, const std::string& name) {
  const auto underscore = name.rfind('_');
  return underscore != std::string::npos && underscore + 1 < name.size() &&
         name.find_first_not_of("0123456789", underscore + 1) == std::string::npos &&
         file.tensors.contains(token_prefix(encoder) + name.substr(0, underscore));
}

/// All vectors of a token, one under the other [n, D].
TensorView vectors_of(const TensorFile& file, const std::string& encoder, const std::string& token) {
  std::vector<double> values;
  std::int64_t rows = 0;
  const auto& first = file.tensors.at(token_prefix(encoder) + token);
  for (auto key = token_prefix(encoder) + token; file.tensors.contains(key);
       key = fmt::format("{}{}_{}", token_prefix(encoder), token, ++rows)) {
    const auto& view = file.tensors.at(key);
    if (view.numel() != first.numel() || view.dtype != first.dtype) {
      throw Error({.where = place(file.path, key), .found = describe(view), .expected = describe(first)});
    }
    const auto row = values_of(view, place(file.path, key));
    values.insert(values.end(), row.begin(), row.end());
  }
  const auto width = static_cast<std::int64_t>(values.size()) / std::max<std::int64_t>(rows, 1);
  return make_view(values, {std::max<std::int64_t>(rows, 1), width}, first.dtype);
}

void add_token(TensorSet& set, const EmbeddingFile& token) {
  for (const auto& [encoder, vectors] : token.towers) {
    const auto width = vectors.shape.back();
    const auto values = values_of(vectors, token.token);
    for (std::int64_t row = 0; row * width < vectors.numel(); ++row) {
      const auto name = row == 0 ? token.token : fmt::format("{}_{}", token.token, row);
      const auto begin = values.begin() + row * width;
      set.tensors.emplace(token_prefix(encoder) + name, make_view({begin, begin + width}, {width}, vectors.dtype));
    }
  }
}

}  // namespace

std::string session_layer(const std::string& module) {
  for (const std::string encoder : kEncoders) {
    if (module.starts_with(encoder + ".encoder.")) return encoder + ".text_model" + module.substr(encoder.size());
  }
  return module;
}

bool is_trained_artifact(const TensorFile& file) { return file.metadata.contains(kMetadata); }

bool holds_artifact_tokens(const TensorFile& file) {
  return std::ranges::any_of(file.tensors, [](const auto& item) { return token_of(item.first).has_value(); });
}

TensorFile artifact_updates(const TensorFile& file) {
  require_known(file);
  TensorFile updates{.path = file.path, .tensors = {}, .metadata = {}};
  for (const auto& [key, view] : file.tensors) {
    if (is_update(key) && !key.starts_with(kAux)) updates.tensors.emplace(key, view);
  }
  return updates;
}

std::vector<EmbeddingFile> artifact_tokens(const TensorFile& file) {
  require_known(file);
  std::vector<EmbeddingFile> tokens;
  for (const auto& [key, view] : file.tensors) {
    const auto found = token_of(key);
    if (!found || found->first != kEncoders[0] || is_further(file, found->first, found->second)) continue;
    EmbeddingFile token{.token = found->second, .token_is_stem = false, .towers = {}, .form = "artifact"};
    for (const std::string encoder : kEncoders) {
      if (!file.tensors.contains(token_prefix(encoder) + found->second)) continue;
      token.towers.emplace(encoder, vectors_of(file, encoder, found->second));
    }
    tokens.push_back(std::move(token));
  }
  return tokens;
}

TensorSet trained_artifact(const std::vector<LoraEntry>& entries, const std::vector<EmbeddingFile>& tokens,
                           const std::string& method, const std::string& source) {
  const Json about{{"method", method}, {"stage", "converted"}, {"step", 0}, {"notes", {{"converted_from", source}}}};
  TensorSet set{.tensors = {}, .metadata = {{kMetadata, about.dump()}}};
  for (const auto& entry : entries) {
    const double scale = entry.alpha / static_cast<double>(entry.rank);
    set.tensors.emplace(entry.module + std::string(kDown), contiguous(entry.down));
    set.tensors.emplace(entry.module + std::string(kUp),
                        scale == 1.0 ? contiguous(entry.up) : scaled(entry.up, scale, entry.up.dtype, entry.module));
  }
  for (const auto& token : tokens) add_token(set, token);
  return set;
}

}  // namespace atelier
