// The encoders in the sizes that are published, without their weights: what each would read from its file
// (evaluation.md 7.1).
#include <ATen/ops/zeros.h>

#include <nlohmann/json.hpp>

#include "framework/models/clip_model.h"
#include "framework/models/image_encoder.h"
#include "framework/models/siglip_model.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

struct Counts {
  std::int64_t numbers = 0, vision = 0, text = 0;  ///< vision, text: of the towers, without projections
  std::int64_t tensors = 0;

  Counts& operator+=(const Counts& other) {
    numbers += other.numbers, vision += other.vision, text += other.text, tensors += other.tensors;
    return *this;
  }
  friend bool operator==(const Counts&, const Counts&) = default;
};

std::ostream& operator<<(std::ostream& out, const Counts& c) {
  return out << c.numbers << " numbers (vision " << c.vision << ", text " << c.text << ") in " << c.tensors
             << " tensors";
}

/// Builds a model of real shapes without memory, one zero expanded, and counts what it asked for.
template <class Build>
Counts counted(Build build) {
  Counts counts;
  const auto maker = [&counts](const std::string& name, at::IntArrayRef shape) {
    const Tensor made = at::zeros({1}).expand(shape);
    counts += {.numbers = made.numel(),
               .vision = name.starts_with("vision_model.") ? made.numel() : 0,
               .text = name.starts_with("text_model.") ? made.numel() : 0,
               .tensors = 1};
    return made;
  };
  build(Weights("real shapes", {}, maker, Placement{}));
  return counts;
}

struct Tower {
  int width, layers, heads, hidden;

  [[nodiscard]] Json config() const {
    return {{"hidden_size", width},
            {"num_hidden_layers", layers},
            {"num_attention_heads", heads},
            {"intermediate_size", hidden}};
  }
};

Counts clip(const Tower& vision, int patch, const Tower& text, int projection) {
  Json config{{"model_type", "clip"},
              {"projection_dim", projection},
              {"vision_config", vision.config()},
              {"text_config", text.config()}};
  config["vision_config"]["patch_size"] = patch;
  Counts counts = counted([&](Weights weights) { ClipModel(config, std::move(weights)); });
  counts += {.numbers = 1, .tensors = 1};  // logit_scale: no cosine needs it
  return counts;
}

Counts image_encoder(const std::string& type, const Tower& tower, int patch, int side) {
  Json config = tower.config();
  config["model_type"] = type;
  config["patch_size"] = patch;
  config["image_size"] = side;
  Counts counts = counted([&](Weights weights) { static_cast<void>(make_image_encoder(config, std::move(weights))); });
  if (type == "dinov2") counts += {.numbers = tower.width, .tensors = 1};  // mask_token: of training
  return counts;
}

}  // namespace

TEST_CASE("CLIP in its published sizes has the published numbers and tensors", "[models][real_shapes]") {
  const Tower b_text{512, 12, 8, 2048}, base{768, 12, 12, 3072};
  CHECK(clip(base, 32, b_text, 512) ==
        Counts{.numbers = 151'277'313, .vision = 87'456'000, .text = 63'165'952, .tensors = 398});
  CHECK(clip(base, 16, b_text, 512) ==
        Counts{.numbers = 149'620'737, .vision = 85'799'424, .text = 63'165'952, .tensors = 398});
  CHECK(clip({1024, 24, 16, 4096}, 14, base, 768) ==
        Counts{.numbers = 427'616'513, .vision = 303'179'776, .text = 123'060'480, .tensors = 590});
  CHECK(clip({1280, 32, 16, 5120}, 14, {1024, 24, 16, 4096}, 1024) ==
        Counts{.numbers = 986'109'441, .vision = 630'766'080, .text = 352'984'064, .tensors = 910});
  CHECK(clip({1664, 48, 16, 8192}, 14, {1280, 32, 20, 5120}, 1280) ==
        Counts{.numbers = 2'539'567'105, .vision = 1'842'777'344, .text = 693'021'440, .tensors = 1294});
}

TEST_CASE("DINO, DINOv2 and SigLIP in their published sizes have the published numbers", "[models][real_shapes]") {
  const Tower small{384, 12, 6, 1536}, base{768, 12, 12, 3072};
  CHECK(image_encoder("vit", small, 16, 224) == Counts{.numbers = 21'665'664, .tensors = 198});
  CHECK(image_encoder("vit", base, 16, 224) == Counts{.numbers = 85'798'656, .tensors = 198});
  CHECK(image_encoder("dinov2", small, 14, 518) == Counts{.numbers = 22'056'576, .tensors = 223});
  CHECK(image_encoder("dinov2", base, 14, 518) == Counts{.numbers = 86'580'480, .tensors = 223});
  const Json config{{"model_type", "siglip"}, {"vision_config", base.config()}, {"text_config", base.config()}};
  const Counts siglip = counted([&](Weights weights) { SiglipModel(config, std::move(weights)); });
  CHECK(siglip.numbers + 2 == 203'155'970);  // and scale and bias of its logits
}
