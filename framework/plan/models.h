#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <nlohmann/json.hpp>
#include <string>

#include "framework/core/json.h"
#include "framework/formats/model_locator.h"
#include "framework/store/digest_cache.h"

namespace atelier {

/// A base model as keys and jobs see it.
struct PlannedBase {
  std::string digest;     ///< over (name, SHA-256) of weights, configs, tokenizer and scheduler, and how they are read
  Json job;               ///< model, model_config, variant, allow_pickle, use_ema, prediction_type
  std::int64_t size = 0;  ///< pixels: side of the pictures it was made for
};

/// Base models and encoders of a plan, each looked up once.
class PlannedModels {
 public:
  PlannedModels(DigestCache& digests, ModelSearch search) : digests_(digests), search_(std::move(search)) {}

  /// Throws Error when the name leads nowhere or the model cannot be read.
  const PlannedBase& base(const std::string& name);
  /// A vision encoder: {"path", "digest"} and, where models.yaml says so, "variant" and "allow_pickle". `name` is a
  /// path or anything that `base:` takes; which files it may lead to, read_encoder() says.
  const Json& encoder(const std::string& name);

 private:
  DigestCache& digests_;  // borrowed
  ModelSearch search_;
  std::map<std::string, PlannedBase> bases_;
  std::map<std::string, Json> encoders_;
};

}  // namespace atelier
