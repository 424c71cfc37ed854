#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/models/resampling.h"
#include "framework/models/resnet_block.h"

namespace atelier {

/// config.json of an attribute classifier:
///   {"model_type": "attribute_classifier", "image_size": 64, "channels": [32, 64, 96, 160], "layers_per_block": 1,
///    "norm_num_groups": 8, "attributes": {"class": ["cat", …], "colour": ["red", …], …}}
struct ClassifierConfig {
  struct Attribute {
    std::string name;
    std::vector<std::string> values;  ///< in the order of the logits
  };

  std::int64_t image_size = 64;
  std::vector<std::int64_t> channels = {32, 64, 96, 160};  ///< from half the picture's resolution down
  std::int64_t layers_per_block = 1;
  std::int64_t groups = 8;
  std::vector<Attribute> attributes;  ///< sorted by name: a JSON object has no order

  /// Place of an attribute, nothing where there is none of that name.
  [[nodiscard]] std::optional<std::size_t> find(const std::string& attribute) const;
};

/// `where`: the weights' file or folder. Throws Error.
[[nodiscard]] ClassifierConfig parse_classifier_config(const Json& config, const std::string& where);

/// The judge of the pocket world: says of a picture which value each attribute has. A small residual network (He et al.
/// 2016) of pre-activation blocks with GroupNorm, so that a picture's logits do not depend on its batch; 0.7 M
/// parameters with the default channels. Parameters: conv_in, blocks.<level>.resnets.<i>.…,
/// blocks.<level>.downsample.conv, norm_out, heads.<attribute>.
class AttributeClassifier {
 public:
  /// Throws Error for tensors that are missing, mis-shaped or unexpected.
  AttributeClassifier(const Json& config, Weights weights);
  ~AttributeClassifier();
  AttributeClassifier(const AttributeClassifier&) = delete;
  AttributeClassifier& operator=(const AttributeClassifier&) = delete;

  /// pixels [B, 3, S, S] in [-1, 1] -> logits [B, values] for each attribute, in the order of config().attributes.
  [[nodiscard]] std::vector<Tensor> forward(const Tensor& pixels) const;

  [[nodiscard]] const ClassifierConfig& config() const { return config_; }
  [[nodiscard]] const Placement& placement() const { return placement_; }
  [[nodiscard]] Registry& registry() { return registry_; }

 private:
  struct Level {
    std::vector<std::unique_ptr<ResnetBlock>> resnets;
    std::optional<Downsample> downsample;  ///< absent at the last level
  };
  [[nodiscard]] std::unique_ptr<Level> make_level(const Scope& scope, std::int64_t in, std::int64_t out,
                                                  bool last) const;

  ClassifierConfig config_;
  Placement placement_;
  std::string where_;
  Registry registry_;
  std::optional<Conv2d> conv_in_;
  std::vector<std::unique_ptr<Level>> levels_;
  std::optional<GroupNorm> norm_out_;
  std::vector<std::unique_ptr<Linear>> heads_;
};

}  // namespace atelier
