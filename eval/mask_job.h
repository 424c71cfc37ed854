#pragma once

#include "framework/worker/job_run.h"

namespace atelier::eval {

/// Makes masks (jobs "mask"): grey PNGs of the pictures' sizes, one zip for each output, in the pictures' order. An
/// output names a set of pictures in the store, which the segmenter masks, or photos of a concept, each masked by the
/// job's rule: its own mask file, its transparency, or the segmenter. A picture that cannot be decoded gets a mask of
/// one black pixel, which nobody looks at: its row says decode_error. Throws Error for a mask file of another size than
/// its photo, and under the rule alpha for an opaque photo.
void run_mask_job(worker::JobRun& run);

}  // namespace atelier::eval
