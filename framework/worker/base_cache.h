#pragma once

#include <memory>
#include <string>

#include "framework/models/base.h"
#include "framework/worker/job.h"

namespace atelier::worker {

/// The base model of the last job: kept while the next one wants the same at the same placement.
class BaseCache {
 public:
  /// `job` has the keys `base` (model, model_config, variant, allow_pickle), `device` and `dtype`. The old base is let
  /// go before another is read.
  [[nodiscard]] std::shared_ptr<const Base> get(const Job& job);

 private:
  std::string identity_;
  std::shared_ptr<const Base> base_;
};

}  // namespace atelier::worker
