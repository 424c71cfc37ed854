#pragma once

#include <string>
#include <vector>

#include "framework/config/option_spec.h"

namespace atelier {

/// The schedulers that a study can sample with. Those of framework/schedulers, which links LibTorch; a test there holds
/// both together, here and below.
[[nodiscard]] const std::vector<std::string>& sampler_schedulers();

/// What a study may set of a scheduler, with the values it can have. Not everything that the scheduler reads: switches
/// that are refused there, and betas of one's own, which belong to a model. Empty for an unknown name.
[[nodiscard]] std::vector<OptionSpec> sampler_settings(const std::string& scheduler);

}  // namespace atelier
