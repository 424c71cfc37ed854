#pragma once

#include <map>
#include <memory>
#include <string>

#include "framework/methods/loader.h"
#include "framework/worker/job_run.h"

namespace atelier::worker {

/// The plugin that the job names. Throws Error when it names none.
[[nodiscard]] MethodPlugin plugin_of(const Job& job);
/// The installed plugin of a method: in the folders of ATELIER_PLUGINS (colon separated), else beside this program in
/// ../lib/atelier/plugins. Throws Error (usage) when there is none.
[[nodiscard]] MethodPlugin installed_plugin(const std::string& method);
/// Every installed plugin's method, by name. A library that does not open is named on standard error and left out.
[[nodiscard]] std::map<std::string, std::shared_ptr<const Method>> installed_methods();
/// The base model by itself: nothing to train or apply, the default guidance.
[[nodiscard]] std::shared_ptr<const Method> bare_model();
/// The method of a sample job: its plugin's, or the bare base model with classifier-free guidance where it names none.
[[nodiscard]] std::shared_ptr<const Method> method_of(const Job& job);

}  // namespace atelier::worker
