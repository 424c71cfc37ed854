#pragma once

#include <memory>

#include "framework/schedulers/config_reader.h"
#include "framework/schedulers/scheduler.h"

// Each reads the keys of its class, with that class's defaults. Internal to the room: others call make_scheduler().
namespace atelier {

std::unique_ptr<Scheduler> make_ddim(ConfigReader& config);
std::unique_ptr<Scheduler> make_ddpm(ConfigReader& config);
std::unique_ptr<Scheduler> make_dpmpp_2m(ConfigReader& config);
std::unique_ptr<Scheduler> make_dpmpp_2m_karras(ConfigReader& config);
std::unique_ptr<Scheduler> make_euler(ConfigReader& config);
std::unique_ptr<Scheduler> make_euler_ancestral(ConfigReader& config);
std::unique_ptr<Scheduler> make_lcm(ConfigReader& config);
std::unique_ptr<Scheduler> make_pndm(ConfigReader& config);
std::unique_ptr<Scheduler> make_unipc(ConfigReader& config);

}  // namespace atelier
