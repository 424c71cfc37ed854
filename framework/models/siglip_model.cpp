#include "framework/models/siglip_model.h"

namespace atelier {

SiglipModel::SiglipModel(const Json& config, Weights weights)
    : text_(sub_config(config, "text_config", weights.where()), weights),
      vision_(parse_siglip_vision_config(config, weights.where()), weights) {
  weights.ignore("logit_bias");
  weights.check();
}

}  // namespace atelier
