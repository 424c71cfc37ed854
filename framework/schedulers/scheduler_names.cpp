#include "framework/schedulers/scheduler_names.h"

#include <fmt/format.h>

#include <map>
#include <nlohmann/json.hpp>
#include <vector>

#include "framework/core/error.h"
#include "framework/core/text.h"

namespace atelier {

std::string scheduler_name_of(const Json& config) {
  static const std::map<std::string, std::string> names{{"DDIMScheduler", "ddim"},
                                                        {"PNDMScheduler", "pndm"},
                                                        {"DDPMScheduler", "ddpm"},
                                                        {"EulerDiscreteScheduler", "euler"},
                                                        {"LCMScheduler", "lcm"},
                                                        {"EulerAncestralDiscreteScheduler", "euler_ancestral"},
                                                        {"UniPCMultistepScheduler", "unipc"},
                                                        {"DPMSolverMultistepScheduler", "dpmpp_2m"}};
  const auto found = config.find("_class_name");
  const std::string name = found != config.end() && found->is_string() ? found->get<std::string>() : "";
  const auto known = names.find(name);
  if (known == names.end()) {
    std::vector<std::string> classes;
    for (const auto& [cls, ours] : names) classes.push_back(cls);
    throw Error({.where = "scheduler_config.json: _class_name",
                 .found = fmt::format("\"{}\"", name),
                 .expected = join(classes),
                 .advice = "choose one with --scheduler"});
  }
  const auto karras = config.find("use_karras_sigmas");
  const bool uses_karras = karras != config.end() && karras->is_boolean() && karras->get<bool>();
  return known->second == "dpmpp_2m" && uses_karras ? "dpmpp_2m_karras" : known->second;
}

}  // namespace atelier
