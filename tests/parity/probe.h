#pragma once

#include <filesystem>
#include <string>
#include <vector>

/// What a finished child process left.
struct Outcome {
  int status = -1;  ///< exit status; 128 + the signal when it was killed
  std::string out;
  std::string err;
};

/// Runs the command `atelier` with these arguments (no shell), for each list of arguments one process. Two run at a
/// time. Throws std::runtime_error when a process cannot be started.
[[nodiscard]] std::vector<Outcome> run_atelier(const std::vector<std::vector<std::string>>& commands);
[[nodiscard]] Outcome run_atelier(const std::vector<std::string>& arguments);

[[nodiscard]] std::filesystem::path models_folder();
[[nodiscard]] std::filesystem::path references_folder();
