#pragma once

#include <filesystem>
#include <string>

#include "framework/models/session.h"

namespace atelier::worker {

/// One component of a session as diffusers and transformers write it: config.json and weights, with all that artifacts
/// changed in them. `component`: unet, vae, text_encoder, text_encoder_2. Returns how many files that are.
std::size_t write_whole_component(Session& session, const std::string& component, const std::filesystem::path& folder);

/// The whole model in the layout of diffusers, ready for from_pretrained(): components, tokenizers with the new tokens,
/// scheduler, model_index.json. Parts that draw no picture (a safety checker) are left out. Returns how many files that
/// are. Throws Error (usage) where the text encoder's attention is edited, which no file of weights can say.
std::size_t write_whole_pipeline(Session& session, const std::filesystem::path& folder);

}  // namespace atelier::worker
