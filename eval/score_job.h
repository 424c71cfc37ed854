#pragma once

#include "framework/worker/job_run.h"

namespace atelier::eval {

/// Scores the pictures of a run's prompts, which sample jobs published, by one protocol, and publishes the table
/// (score_table.h). A picture whose bytes are damaged becomes a row; a missing set is an error.
void run_score_job(worker::JobRun& run);

}  // namespace atelier::eval
