#pragma once

#include <filesystem>
#include <string>
#include <vector>

// One picture of 64x64 pixels by the command, drawn on one thread with seed 5, as the references of whole walks are.

struct Drawing {
  std::filesystem::path model;
  std::string prompt;
  std::string steps = "10", guidance = "3", scheduler = "ddim";
  std::vector<std::string> artifacts = {};  ///< "FILE[:WEIGHT]"
  std::vector<std::string> more = {};       ///< further arguments
};

/// The arguments of the command; it writes `pictures` and `latents.safetensors` below `out`.
[[nodiscard]] std::vector<std::string> drawing_arguments(const Drawing& drawing, const std::filesystem::path& out);
/// The final latents. The test fails where the command does.
[[nodiscard]] std::vector<double> drawn_latents(const Drawing& drawing);

/// Runs the command; the test fails where it does.
void run_well(const std::vector<std::string>& arguments);
/// A tensor of a safetensors file.
[[nodiscard]] std::vector<double> tensor_in(const std::filesystem::path& file, const std::string& name = "latents");
