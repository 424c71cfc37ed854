#pragma once

#include <filesystem>
#include <string>

#include "framework/pretraining/scene_set.h"

/// A scene set of two colours of two shapes (a square "cat", a round "house") on two grounds, as a renderer would draw
/// it, only simpler: instances × 2 pictures of side pixels.
void write_scene_set(const std::filesystem::path& folder, std::int64_t instances = 12, std::int64_t side = 16);

/// A recipe of `component` with a network of toy size, its config and whatever else it reads, in `folder`; `train` is
/// the content of the train mapping after steps, batch and learning rate. Returns the recipe's path.
std::filesystem::path write_recipe(const std::filesystem::path& folder, const std::string& component,
                                   std::int64_t steps = 12, const std::string& train = "ema_decay: 0.9");

/// The recipe's text, to be changed before it is written.
std::string recipe_text(const std::string& component, std::int64_t steps, const std::string& train);
