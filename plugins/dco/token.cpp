#include "plugins/dco/token.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/linalg_vector_norm.h>

#include "framework/methods/learned_token.h"
#include "framework/methods/trainable.h"
#include "framework/models/base.h"

namespace atelier::dco {
namespace {

std::string table_name(const std::string& encoder) { return encoder + ".text_model.embeddings.token_embedding.weight"; }

bool learns_in(const std::string& update, c10::ScalarType type) {
  if (update == "official") return type == at::kFloat || type == at::kDouble;
  return update == "trained";
}

/// What the rows start from, and the norms that they are brought back to: scalars.
struct Initial {
  TokenRows rows;
  std::vector<Tensor> norms;
};

Initial from_word(Session& session, const std::string& word) {
  Initial initial{.rows = initializer_rows(session, word, "initializer_token"), .norms = {}};
  for (Tensor& row : initial.rows) {
    row = row.to(session.base().placement().device, trainable_type(session));
    initial.norms.push_back(at::linalg_vector_norm(row));
  }
  return initial;
}

Initial at_random(Session& session, Draws& draws, const TokenSettings& settings) {
  const at::NoGradGuard no_grad;
  Initial initial;
  for (const auto& encoder : session.base().text_towers()) {
    const Tensor table = session.parameter(table_name(encoder)).to(trainable_type(session));
    const Tensor deviation = table.std();
    const Tensor drawn = draws.normal(token_parameter(encoder, settings.placeholder), {table.size(1)});
    initial.rows.push_back(drawn.to(deviation.options()) * deviation);
    initial.norms.push_back(settings.own_norm ? at::linalg_vector_norm(initial.rows.back()) : deviation);
  }
  return initial;
}

}  // namespace

SubjectToken::SubjectToken(Session& session, const Start& start, Draws& draws, const TokenSettings& settings)
    : settings_(settings), learns_(learns_in(settings.update, session.base().placement().dtype)) {
  Initial initial =
      settings.initializer.empty() ? at_random(session, draws, settings) : from_word(session, settings.initializer);
  norms_ = std::move(initial.norms);
  for (const auto& tower : add_learned_token(session, start, settings.placeholder, 1, initial.rows)) {
    rows_.push_back(tower.front());
    rows_.back().tensor.requires_grad_(learns_);
  }
  if (!learns_) restore_norms_();
  if (learns_ && settings.clipped) watch_tables(session);
}

/// The base's own memory where its type allows: a table collects gradients and is never written to.
void SubjectToken::watch_tables(Session& session) {
  for (const auto& encoder : session.base().text_towers()) {
    const auto name = table_name(encoder);
    Tensor table = session.parameter(name).to(trainable_type(session)).requires_grad_();
    session.replace(name, table);
    tables_.push_back({name, std::move(table)});
  }
}

std::vector<ParamGroup> SubjectToken::groups() const {
  if (!learns_) return {};
  std::vector<ParamGroup> groups{{.name = "token",
                                  .parameters = rows_,
                                  .learning_rate = settings_.learning_rate,
                                  .weight_decay = settings_.weight_decay}};
  if (!tables_.empty())
    groups.push_back({.name = "other_rows", .parameters = tables_, .role = ParamGroup::Role::norm_only});
  return groups;
}

void SubjectToken::restore_norms_() const {
  const at::NoGradGuard no_grad;
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    const Tensor& row = rows_[i].tensor;
    row.div_(at::linalg_vector_norm(row).clamp_min_(1e-12)).mul_(norms_[i]);
  }
}

}  // namespace atelier::dco
