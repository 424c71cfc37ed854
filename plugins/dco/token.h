#pragma once

#include <vector>

#include "framework/models/session.h"
#include "framework/training/stage.h"
#include "plugins/dco/settings.h"

namespace atelier::dco {

/// The token that stands for the subject: one row of each text encoder, kept on the sphere of its initializer's norm.
class SubjectToken {
 public:
  /// Adds it to the session: from `start`, else from the initializer's row, else at random (draw: the parameter's
  /// name, times the table's standard deviation). Throws Error (usage) for an initializer of several tokens.
  SubjectToken(Session& session, const Start& start, Draws& draws, const TokenSettings& settings);

  [[nodiscard]] const std::vector<Parameter>& rows() const { return rows_; }
  /// Whether its rows learn. "official" says so only where the base is computed in float32.
  [[nodiscard]] bool learns() const { return learns_; }
  /// The rows, and all rows of the tables: they get gradients too, which count in the clip norm. None when it is
  /// frozen.
  [[nodiscard]] std::vector<ParamGroup> groups() const;
  /// Brings every row back to its norm. Without gradient.
  void restore_norms_() const;

 private:
  void watch_tables(Session& session);

  const TokenSettings settings_;
  bool learns_ = false;
  std::vector<Parameter> rows_;    // [D], one for each text encoder
  std::vector<Tensor> norms_;      // scalars
  std::vector<Parameter> tables_;  // [V, D]: what the published script makes learn, and puts back
};

}  // namespace atelier::dco
