#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/equal.h>

#include "framework/formats/known_configs.h"
#include "framework/models/linear.h"
#include "tests/plugins/dco/world.h"

using namespace dco_world;

namespace {

/// Shapes of the layers that DCO adapts in SDXL at its published size. No weight is allocated: every parameter is one
/// zero that stands for all.
std::map<std::string, std::vector<std::int64_t>> sdxl_layers() {
  const Json config = known_configs(Family::sdxl, false).at("unet");
  const WeightMaker make = [](const std::string&, at::IntArrayRef shape) {
    return at::zeros(std::vector<std::int64_t>(shape.size(), 1)).expand(shape);
  };
  UNet unet(config, Weights("SDXL", {}, make, {.device = c10::kCPU, .dtype = c10::kFloat}));
  std::map<std::string, std::vector<std::int64_t>> found;
  for (const auto& [name, layer] : unet.registry().linears) {
    if (dco::is_attention_projection(name)) found[name] = layer->weight.sizes().vec();
  }
  return found;
}

}  // namespace

TEST_CASE("SDXL at its published size has 560 adapters: 46,448,640 numbers at rank 32", "[dco][structure]") {
  const auto layers = sdxl_layers();
  CHECK(layers.size() == 560);
  std::int64_t ins = 0, outs = 0;
  std::map<std::string, std::int64_t> blocks;  // by place
  for (const auto& [name, shape] : layers) {
    outs += shape[0];
    ins += shape[1];
    if (name.ends_with("attn2.to_k")) {
      ++blocks[name.substr(0, name.find(".attentions"))];
      CHECK(shape[1] == 2048);
    }
  }
  CHECK(32 * (ins + outs) == 46'448'640);
  CHECK(32 * outs == 21'299'200);
  CHECK(64 * (ins + outs) == 92'897'280);
  CHECK(4 * (ins + outs) == 5'806'080);
  CHECK(blocks ==
        std::map<std::string, std::int64_t>{
            {"down_blocks.1", 4}, {"down_blocks.2", 20}, {"mid_block", 10}, {"up_blocks.0", 30}, {"up_blocks.1", 6}});
}

TEST_CASE("Downs start as N(0, 1/r²), ups at 0; a step trains both and the token", "[dco][structure]") {
  Run run(tiny_base("sd15"), dco::make_stage(subject_settings({{"rank", 4}})));
  double squares = 0;
  std::int64_t count = 0, trained = 0;
  for (const auto& [name, tensor] : published(*run.stage).tensors) {
    trained += tensor.numel();
    if (name.ends_with("lora_B.weight")) CHECK(tensor.abs().max().item<float>() == 0.0F);
    if (!name.ends_with("lora_A.weight")) continue;
    squares += tensor.square().sum().item<double>();
    count += tensor.numel();
  }
  CHECK(std::sqrt(squares / static_cast<double>(count)) == Approx(0.25).epsilon(0.02));
  CHECK(run.trainer.parameters().trained_numbers() == trained);
}

TEST_CASE("Adapters that are off leave the base's own answer, bit for bit; so do ups of 0 that are on",
          "[dco][structure]") {
  const at::NoGradGuard no_grad;
  for (const char* family : {"sd15", "sdxl"}) {
    const auto base = tiny_base(family);
    Session plain(base);
    const auto input = unet_input(plain, plain.encode({"a photo of a man"}));
    const Tensor expected = plain.unet().forward(input);
    Run untrained(base, dco::make_stage(style_settings()));
    CHECK(at::equal(untrained.session.unet().forward(input), expected));
    Run trained(base, dco::make_stage(style_settings()), random_updates(plain));
    UNetCall off;
    off.adapters.skip = true;
    CHECK(at::equal(trained.session.unet().forward(input, off), expected));
    off = {};
    off.adapters.row_scale = at::zeros({1});
    CHECK(at::equal(trained.session.unet().forward(input, off), expected));
    CHECK_FALSE(at::equal(trained.session.unet().forward(input), expected));
  }
}
