#include "framework/methods/learned_token.h"

#include <ATen/ops/stack.h>
#include <fmt/format.h>

#include "framework/core/error.h"
#include "framework/methods/trainable.h"
#include "framework/models/base.h"
#include "framework/text/clip_tokenizer.h"

namespace atelier {
namespace {

std::string vector_name(const std::string& placeholder, std::int64_t vector) {
  return vector == 0 ? placeholder : fmt::format("{}_{}", placeholder, vector);
}

/// [n, D] of one encoder, the vectors that `tensors` hold from the first on.
std::vector<Tensor> vectors_of(const TensorMap& tensors, const std::string& encoder, const std::string& placeholder) {
  std::vector<Tensor> vectors;
  while (true) {
    const auto found = tensors.find(token_parameter(encoder, placeholder, static_cast<std::int64_t>(vectors.size())));
    if (found == tensors.end()) return vectors;
    vectors.push_back(found->second.detach());
  }
}

}  // namespace

TokenRows initializer_rows(Session& session, const std::string& word, const std::string& where) {
  TokenRows rows;
  for (std::size_t tower = 0; tower < session.text_towers(); ++tower) {
    const auto ids = session.tokenizer(tower).tokens(word);
    if (ids.size() != 1) {
      throw Error({.where = where,
                   .found = fmt::format("\"{}\", which is {} tokens", word, ids.size()),
                   .expected = "a word that is a single token",
                   .advice = "name one that means about the same, such as \"toy\""},
                  ErrorKind::usage);
    }
    rows.push_back(session.token_vector(word, tower));
  }
  return rows;
}

std::string token_parameter(const std::string& encoder, const std::string& placeholder, std::int64_t vector) {
  return encoder + ".token." + vector_name(placeholder, vector);
}

std::vector<std::vector<Parameter>> add_learned_token(Session& session, const Start& start,
                                                      const std::string& placeholder, std::int64_t vectors,
                                                      const TokenRows& rows) {
  return add_learned_token(session, start, placeholder,
                           std::vector<TokenRows>(static_cast<std::size_t>(vectors), rows));
}

std::vector<std::vector<Parameter>> add_learned_token(Session& session, const Start& start,
                                                      const std::string& placeholder,
                                                      const std::vector<TokenRows>& rows) {
  const auto encoders = session.base().text_towers();
  std::vector<std::vector<Parameter>> learned(encoders.size());
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const auto vector = static_cast<std::int64_t>(i);
    std::vector<Tensor> leaves;
    for (std::size_t tower = 0; tower < encoders.size(); ++tower) {
      const auto name = token_parameter(encoders[tower], placeholder, vector);
      leaves.push_back(trainable(session, start.value(name, [&] { return rows[i].at(tower); })));
      learned[tower].push_back({name, leaves.back()});
    }
    // Each vector is a token of its own, so that the session holds the leaves themselves.
    session.add_token(vector_name(placeholder, vector), leaves);
  }
  return learned;
}

std::int64_t apply_token(Session& session, const TensorMap& tensors, const std::string& placeholder,
                         const std::string& where) {
  std::vector<Tensor> vectors;
  for (const auto& encoder : session.base().text_towers()) {
    const auto found = vectors_of(tensors, encoder, placeholder);
    if (found.empty()) {
      throw Error({.where = where,
                   .found = "no " + token_parameter(encoder, placeholder),
                   .expected = "a vector for each text encoder of the base model",
                   .advice = "it was trained on another kind of base model"});
    }
    vectors.push_back(at::stack(found).to(session.base().placement().device, trainable_type(session)));
  }
  session.add_token(placeholder, vectors);
  return vectors.front().size(0);
}

std::vector<std::string> placeholders_of(const TensorMap& tensors) {
  std::vector<std::string> names;
  const std::string prefix = token_parameter("text_encoder", "");
  for (const auto& [name, tensor] : tensors) {
    if (!name.starts_with(prefix)) continue;
    const auto token = name.substr(prefix.size());
    const auto underscore = token.rfind('_');
    const bool further = underscore != std::string::npos && tensors.contains(prefix + token.substr(0, underscore)) &&
                         token.find_first_not_of("0123456789", underscore + 1) == std::string::npos;
    if (!further) names.push_back(token);
  }
  return names;
}

}  // namespace atelier
