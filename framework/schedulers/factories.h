#pragma once

#include <memory>

#include "framework/schedulers/scheduler.h"
#include "framework/schedulers/scheduler_settings.h"

// Each reads the keys of its class, with that class's defaults. Internal to the room: others call make_scheduler().
namespace atelier {

std::unique_ptr<Scheduler> make_ddim(SchedulerSettings& config);
std::unique_ptr<Scheduler> make_ddpm(SchedulerSettings& config);
std::unique_ptr<Scheduler> make_dpmpp_2m(SchedulerSettings& config);
std::unique_ptr<Scheduler> make_dpmpp_2m_karras(SchedulerSettings& config);
std::unique_ptr<Scheduler> make_euler(SchedulerSettings& config);
std::unique_ptr<Scheduler> make_euler_ancestral(SchedulerSettings& config);
std::unique_ptr<Scheduler> make_lcm(SchedulerSettings& config);
std::unique_ptr<Scheduler> make_pndm(SchedulerSettings& config);
std::unique_ptr<Scheduler> make_unipc(SchedulerSettings& config);

}  // namespace atelier
