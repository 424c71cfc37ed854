#pragma once

#include <functional>
#include <map>
#include <string>

#include "framework/worker/job_run.h"

namespace atelier::worker {

/// Does what is missing of a job. Failures are exceptions.
using ServeHandler = std::function<void(JobRun&)>;

/// Takes jobs, one JSON object a line, from standard input, and answers with events, one a line, on standard output;
/// nothing else appears there. A job that fails is reported and the next one is done. Returns the exit code: 0 at the
/// end of the input, 3 when a job was interrupted or a signal came.
[[nodiscard]] int serve(const std::map<std::string, ServeHandler>& handlers);

}  // namespace atelier::worker
