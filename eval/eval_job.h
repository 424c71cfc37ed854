#pragma once

#include "framework/worker/job.h"

namespace atelier::eval {

/// Scores folders of pictures by one protocol (`atelier eval`) and writes the score file. Every fault is a failure: the
/// command has one exit code. Warnings of the job go to standard error once everything is written.
void run_eval_job(const worker::Job& job);

}  // namespace atelier::eval
