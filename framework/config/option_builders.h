#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "framework/config/method_spec.h"

namespace atelier {

// What descriptions of methods are written with. `source` says where a default comes from; a null default is "unset".

[[nodiscard]] OptionSpec text_option(std::string name, Json value, std::string help, std::string source);
[[nodiscard]] OptionSpec flag_option(std::string name, bool value, std::string help, std::string source);
[[nodiscard]] OptionSpec choice_option(std::string name, std::string value, std::vector<std::string> choices,
                                       std::string help, std::string source);

/// Inclusive limits of a number.
struct Limits {
  std::optional<double> low = {}, high = {};
};
[[nodiscard]] OptionSpec integer_option(std::string name, Json value, Limits limits, std::string help,
                                        std::string source);
[[nodiscard]] OptionSpec real_option(std::string name, Json value, Limits limits, std::string help, std::string source);

/// The option, without effect unless the condition holds.
[[nodiscard]] OptionSpec only_when(const Condition& condition, OptionSpec option);
[[nodiscard]] std::vector<OptionSpec> only_when(const Condition& condition, std::vector<OptionSpec> options);

/// Several lists as one, in order.
[[nodiscard]] std::vector<OptionSpec> joined(std::vector<std::vector<OptionSpec>> lists);
[[nodiscard]] std::vector<std::string> names_of(const std::vector<OptionSpec>& options);

// Options that several methods have.

/// `gradient_checkpointing`, off: decides memory alone. read_train_spec() reads it where a stage declares it.
inline constexpr const char* kGradientCheckpointing = "gradient_checkpointing";
[[nodiscard]] OptionSpec gradient_checkpointing_option(std::string source);

/// `resolution`.
[[nodiscard]] OptionSpec resolution_option(std::int64_t side, std::string source);

/// `micro_conditioning`: what SDXL is told of a training picture. read_tells_photos() reads it. A stage declares it by
/// micro_conditioning_reads(), so that it enters a key only where it is not the default.
inline constexpr const char* kMicroConditioning = "micro_conditioning";
[[nodiscard]] OptionSpec micro_conditioning_option(std::string source);
[[nodiscard]] ConditionalReads micro_conditioning_reads();

/// Prior preservation (Ruiz et al. 2023, Eq. 2): `with_prior_preservation`, off, and `prior_loss_weight`, 1.
[[nodiscard]] std::vector<OptionSpec> prior_options(const std::string& source);
/// That it is on.
[[nodiscard]] Condition with_prior();

}  // namespace atelier
