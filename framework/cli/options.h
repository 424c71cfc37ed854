#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "framework/core/json.h"
#include "framework/image/image.h"

namespace atelier::cli {

// Checks that CLI11 applies to the text of an option. Each message says what was found and what is expected.
CLI::Option* whole_number(CLI::Option* option, std::int64_t low, std::int64_t high);
CLI::Option* real_number(CLI::Option* option);
CLI::Option* one_of(CLI::Option* option, std::vector<std::string> values);
/// "FILE" and "DIR" are also what shell completion goes by.
CLI::Option* existing_file(CLI::Option* option);
CLI::Option* existing_folder(CLI::Option* option);

/// Where and in which type a job computes.
struct Placement {
  std::string device = "cpu";
  std::string dtype = "float32";
};
void add_placement(CLI::App& app, Placement& placement);
void add_device(CLI::App& app, std::string& device);

/// `--in X --out Y`, several times, in pairs.
struct FilePairs {
  std::vector<std::string> in;
  std::vector<std::string> out;
};
void add_file_pairs(CLI::App& app, FilePairs& files);
/// Throws a usage Error when the files do not pair up, an output is named twice, or its folder does not exist.
void check_file_pairs(const FilePairs& files);
/// Throws a usage Error when `path` cannot become a file: no folder to hold it, a folder itself, or a device.
void check_output(const std::string& option, const std::string& path);
/// Throws a usage Error when `path` is not, and cannot be made, a folder to write in.
void check_output_folder(const std::string& option, const std::filesystem::path& path);

/// `--set KEY=VALUE`, several times. A VALUE that is a JSON number, boolean, null, list or string is that; anything
/// else is text. Throws a usage Error for a missing '=', an empty key, or a key given twice.
void add_settings(CLI::App& app, std::vector<std::string>& settings, const std::string& help);
[[nodiscard]] Json parse_settings(const std::vector<std::string>& settings, const std::string& option = "--set");

/// "512x768" is width 512, height 768; both from 1 to 16384 and multiples of `multiple`. Throws a usage Error.
[[nodiscard]] Size parse_size(const std::string& option, const std::string& text, int multiple);

/// FILE[:WEIGHT]. A path that exists as it stands is a path, colons included; else what follows the last colon is the
/// weight when it is a number. Throws a usage Error when no such path exists.
struct WeightedPath {
  std::string path;
  double weight = 1.0;
};
[[nodiscard]] WeightedPath parse_weighted_path(const std::string& option, const std::string& text);

/// The text as a JSON value, or null when it was not given.
[[nodiscard]] Json or_null(const std::optional<std::string>& text);
[[nodiscard]] Json or_null(const std::optional<std::int64_t>& number);
[[nodiscard]] Json or_null(const std::optional<double>& number);

}  // namespace atelier::cli
