#pragma once

#include <string>
#include <vector>

#include "framework/models/session.h"
#include "framework/training/stage.h"
#include "plugins/textreg/settings.h"

namespace atelier::textreg {

/// Names of the UNet's layers with low-rank updates: of every transformer block the keys and values of the attention
/// that `filter` names ("cross", "self", "cross+self"), or all linear layers ("full").
[[nodiscard]] std::vector<std::string> unet_layers(Session& session, const std::string& filter);
/// The four linear layers of every attention of the text encoder.
[[nodiscard]] std::vector<std::string> text_layers(Session& session);
/// Those that compute keys.
[[nodiscard]] std::vector<std::string> key_layers(const std::vector<std::string>& layers);

/// The updates of the UNet, and of the text encoder where it is trained.
struct Updates {
  std::vector<Parameter> unet, text;
  [[nodiscard]] std::vector<Parameter> all() const;
};
/// Attaches them: B A x with A [rank, in] ~ N(0, 1/rank²), B = 0, or what `start` holds.
[[nodiscard]] Updates attach_updates(Session& session, const Start& start, Draws& draws, const LoRASettings& settings);

/// ‖ΔW H‖_F of each row: change [B, L, C] -> [B]. Its gradient at zero is zero.
[[nodiscard]] Tensor row_norms(const Tensor& change);

/// What a change of the text's keys and values costs: of each row the mean over the layers of the Frobenius norm of
/// ΔW H, neither squared nor divided by its number of entries. context [B, L, D] -> [B].
/// The gradient is zero where an update is zero.
[[nodiscard]] Tensor mean_update_norm(Session& session, const std::vector<std::string>& layers, const Tensor& context);

}  // namespace atelier::textreg
