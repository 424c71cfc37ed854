#pragma once

#include "framework/worker/job_run.h"

namespace atelier::worker {

/// Trains one stage: publishes an artifact for each step that the outputs ask for (0: before the first step) with the
/// losses up to there. Continues from a snapshot where there is one, and leaves one behind when asked to stop.
void run_train_job(JobRun& run);

/// Samples the pictures of each output: one zip of PNGs a prompt (jobs "sample"), or a part of the images of a class,
/// drawn by the base model (jobs "generate"). Every UNet call has exactly `batch` rows (the last
/// one is filled up), so that a picture does not depend on how many others are wanted.
void run_sample_job(JobRun& run);

/// Takes pictures that another program made into the store, byte for byte: one zip a prompt (jobs "given").
void run_given_job(JobRun& run);

/// Makes one LoRA of a subject's and a style's, with the tokens of both (jobs "merge"), as `atelier merge` makes it of
/// the two artifacts. The subject's method applies it.
void run_merge_job(JobRun& run);

}  // namespace atelier::worker
