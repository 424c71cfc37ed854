#pragma once

#include <optional>
#include <string>
#include <vector>

#include "framework/core/json.h"

namespace atelier::cli {

/// The options of `atelier eval`, as given.
struct EvalOptions {
  std::string protocol, generated, references, sheet, out, device = "cpu";
  std::vector<std::string> encoders, text_features, settings;  ///< ROLE=DIR, ROLE=FILE, KEY=VALUE
  std::optional<std::string> masks, removed, name, features_out;
  bool pairs = false;
};

/// The worker's job: the protocol with its settings, every picture with its path, the texts that pictures are compared
/// with. Throws Error naming the option, the file or the sheet's line and column.
[[nodiscard]] Json eval_job(const EvalOptions& options);

}  // namespace atelier::cli
