#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/files/tensor_view.h"

/// A tensor's elements as doubles (exact for every type but 64-bit integers above 2^53).
[[nodiscard]] std::vector<double> values_of(const atelier::TensorView& view);

/// max |actual - expected| / rms(expected); infinite when an element is not finite or the sizes differ. Against an
/// expectation of zeros only: the absolute difference.
[[nodiscard]] double deviation(const std::vector<double>& actual, const std::vector<double>& expected);

/// What is wrong with the tensors of `actual`, one line for each fault; empty when the file has exactly the tensors of
/// `expected`, of the same shapes and floating-point types, and each deviates by at most `tolerance`.
[[nodiscard]] std::string differences(const std::filesystem::path& actual, const std::filesystem::path& expected,
                                      double tolerance);

/// The description a reference file carries in its metadata.
[[nodiscard]] atelier::Json case_of(const std::filesystem::path& reference);
