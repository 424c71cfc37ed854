#pragma once

#include <map>
#include <string>
#include <vector>

/// What a child process printed, and how it ended.
struct Outcome {
  int code = -1;  ///< exit code, or 128 + the signal
  std::string out, err;
};

struct Child {
  std::vector<std::string> words;                     ///< the program's path, then its arguments
  std::string input = {};                             ///< standard input
  std::map<std::string, std::string> variables = {};  ///< added to the environment; "" removes
  std::string folder = {};                            ///< working folder; "" keeps this one
};
[[nodiscard]] Outcome run_child(const Child& child);

/// The built `atelier`, with the fake worker in ATELIER_WORKER.
[[nodiscard]] Outcome run_atelier(const std::vector<std::string>& arguments, const std::string& input = {});
