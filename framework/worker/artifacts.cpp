#include "framework/worker/artifacts.h"

namespace atelier::worker {

std::string apply_artifacts(Session&, const SampleRequest& request) {
  return request.placeholder.value_or(request.class_word.value_or(""));
}

}  // namespace atelier::worker
