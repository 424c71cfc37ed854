#pragma once

#include <string>
#include <vector>

namespace atelier {

/// What a finished program left.
struct ProgramOutcome {
  int status = -1;  ///< exit status; 128 + the signal when it was killed
  std::string out, err;
};

/// Runs a program of PATH to its end, with nothing on its standard input. Throws Error, with `advice`, when it cannot
/// be started.
[[nodiscard]] ProgramOutcome run_program(const std::vector<std::string>& words, const std::string& advice);

}  // namespace atelier
