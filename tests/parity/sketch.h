#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

/// Sketches of the trained numbers, as reference_sketch.py writes them where a case has hundreds of thousands: four
/// sums of a tensor's elements with signs. Linear, and of about the tensor's norm, so that a relative error of sketches
/// is about that of the tensors.
///
/// Such a reference has "grad.<step>.sketch" and "change.sketch" [tensors, 4] float64, one row for each parameter in
/// the order of the names, instead of "grad.<step>.<name>" and "param.<name>".
using NamedValues = std::map<std::string, std::vector<double>>;

[[nodiscard]] bool is_sketched(const NamedValues& reference);

/// What a probe wrote, in that form. `start`: where each trained parameter began, by name.
[[nodiscard]] NamedValues sketched(const NamedValues& output, const NamedValues& start);

/// The values of the parameters that learn when whole components do, from the model's folder, by name:
/// "unet.conv_in.weight". `components` are folders of it.
[[nodiscard]] NamedValues component_parameters(const std::filesystem::path& model,
                                               const std::vector<std::string>& components);
