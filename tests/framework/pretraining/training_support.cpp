#include "tests/framework/pretraining/training_support.h"

#include "framework/core/digest.h"
#include "framework/core/error.h"

namespace fs = std::filesystem;
using namespace atelier;

TrainingPlace::TrainingPlace(const fs::path& folder) : root(folder), data(folder / "data"), out(folder / "base") {
  write_scene_set(data / "train");
}

BaseTrainingRequest TrainingPlace::request(const std::string& component, std::int64_t steps,
                                           const std::string& train) const {
  BaseTrainingRequest request;
  request.recipe = write_recipe(root / "recipes", component, steps, train);
  request.data = data;
  request.out = out;
  request.report_seconds = 0.0;
  return request;
}

void TrainingPlace::prepare(const std::string& component) const {
  if (component == "unet") static_cast<void>(::train(request("vae", 3)));
  if (component == "unet" || component == "segmenter") static_cast<void>(::train(request("clip", 3)));
}

Digests digests(const BaseTrainingResult& result, const fs::path& out) {
  Digests digests;
  for (const auto& file : result.files) digests[fs::relative(file, out).string()] = sha256_file(file);
  return digests;
}

Digests train(const BaseTrainingRequest& request, std::vector<double>* losses) {
  BaseTrainingRequest own = request;
  if (losses != nullptr) own.on_progress = [losses](const BaseProgress& now) { losses->push_back(now.loss); };
  return digests(run_base_training(own), request.out);
}
