#pragma once

#include <string>

#include "framework/core/json.h"

namespace atelier {

/// Our name for the class that a scheduler_config.json names (`_class_name`): PNDMScheduler is pndm, …; a
/// DPMSolverMultistepScheduler with use_karras_sigmas is dpmpp_2m_karras. Throws Error for a class that we do not have.
[[nodiscard]] std::string scheduler_name_of(const Json& config);

}  // namespace atelier
