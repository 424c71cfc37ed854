#include "framework/worker/base_cache.h"

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/formats/checkpoint.h"
#include "framework/worker/picture_sampler.h"
#include "framework/worker/sample_request.h"

namespace atelier::worker {

std::shared_ptr<const Base> BaseCache::get(const Job& job) {
  const Json* json = job.find("base");
  if (json == nullptr || !json->is_object()) {
    throw Error({.where = "job: base", .found = "nothing", .expected = "the base model"}, ErrorKind::usage);
  }
  const std::string identity = Json{
      {"base", *json},
      {"device", job.optional_text("device").value_or("cpu")},
      {"dtype", job.optional_text("dtype").value_or(
                    "float32")}}.dump();
  if (base_ && identity == identity_) return base_;
  base_.reset();
  base_ = make_base(open_checkpoint(Job(*json)), job.placement());
  identity_ = identity;
  return base_;
}

}  // namespace atelier::worker
