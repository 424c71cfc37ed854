#pragma once

#include <string>
#include <vector>

#include "framework/config/options.h"
#include "framework/training/stage.h"
#include "plugins/catversion/prefix.h"

namespace atelier::catversion {

struct Settings {
  std::string caption;  ///< of every picture
  std::int64_t prefix_length = 1;
  std::vector<std::int64_t> layers;  ///< as given: negative ones count from the end
  double prefix_logit_bias = 1.0;
  DataSpec data;
  TrainSpec train;
  double learning_rate = 0.0, weight_decay = 0.0;

  /// Throws Error (usage) for an empty caption that is not asked for.
  [[nodiscard]] static Settings read(const Options& options, const Concept& subject);
};

/// Learns the prefix by the noise-prediction loss, under one caption; every weight of the model stays as it is.
class ConcatStage final : public Stage {
 public:
  explicit ConcatStage(Settings settings) : settings_(std::move(settings)) {}

  [[nodiscard]] DataSpec data() const override { return settings_.data; }
  [[nodiscard]] TrainSpec train() const override { return settings_.train; }
  [[nodiscard]] std::vector<ParamGroup> attach(Session& session, const Start& start, Draws& draws) override;
  void describe(const Photo& photo, Sample& sample, Draws& draws) override;
  [[nodiscard]] StepTensors per_step(const std::vector<Sample>& samples, Draws& draws) override;
  [[nodiscard]] Terms forward(const Batch& batch, const StepTensors& tensors) override;
  void save(ArtifactWriter& writer) const override;

 private:
  const Settings settings_;
  Session* session_ = nullptr;  // outlives the stage
  PrefixForm form_;
  Parameter prefix_;
};

}  // namespace atelier::catversion
