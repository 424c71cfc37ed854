#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "framework/config/method_spec.h"
#include "framework/config/options.h"
#include "framework/training/recipe.h"
#include "framework/training/stage.h"

namespace atelier {

/// What one stage of a method may read of its resolved options. Throws Error (usage) for a stage that it does not have.
[[nodiscard]] Options options_of_stage(const MethodSpec& spec, std::string_view stage, const Json& resolved);

/// A stage that reads these options and those that every stage has, and makes `steps` (an option) optimizer steps.
[[nodiscard]] StageSpec trained_stage(const std::string& name, std::vector<std::string> reads,
                                      const std::string& steps);

/// Declares what a learning-rate schedule that decays needs: it reads the options that count the stage's steps, and its
/// checkpoints depend on their total. To be called when `name` and `steps` are set.
void declare_schedules(StageSpec& stage);

/// What the optimizer options of a stage (stage_options() in method_spec.h) say. Accumulated batches are averaged: the
/// loss is divided by their number, as accelerate does. `steps`: the option that counts the stage's steps, which a
/// schedule that decays needs; read only then. gradient_checkpointing is read where the stage declares it.
[[nodiscard]] TrainSpec read_train_spec(const Options& options, const std::string& stage,
                                        const std::string& steps = {});

/// <stage>.learning_rate, or another option of the stage; with <stage>.scale_lr times batch size and accumulation
/// steps, as the published scripts do.
[[nodiscard]] double read_learning_rate(const Options& options, const std::string& stage,
                                        const std::string& option = "learning_rate");

/// The word whose row a new token starts from: the option's, else the concept's initializer, else its class word.
[[nodiscard]] std::string read_initializer(const Options& options, const Concept& subject,
                                           const std::string& option = "initializer_token");

/// Whether micro_conditioning is `photo`: DataSpec::tells_photos.
[[nodiscard]] bool read_tells_photos(const Options& options);

/// <stage>.adam_weight_decay.
[[nodiscard]] double read_weight_decay(const Options& options, const std::string& stage);

}  // namespace atelier
