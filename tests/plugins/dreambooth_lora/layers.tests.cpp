// Which layers get updates, and how many numbers that is at the shapes of the published models. The counts are those of
// PEFT on diffusers' models of these shapes.
#include "plugins/dreambooth_lora/layers.h"

#include <fmt/format.h>

#include <map>

#include "framework/core/error.h"
#include "tests/support/catch_torch.h"

using namespace atelier;
using namespace atelier::dreambooth_lora;

namespace {

using Shapes = std::map<std::string, std::pair<std::int64_t, std::int64_t>>;  // [out, in] by layer

const std::vector<std::string> kAttention{"to_q", "to_k", "to_v", "to_out.0"};

void add_block(Shapes& shapes, const std::string& block, std::int64_t width, std::int64_t text) {
  for (const char* attention : {"attn1", "attn2"}) {
    const auto path = block + "." + attention;
    const std::int64_t in = attention == std::string("attn2") ? text : width;
    shapes[path + ".to_q"] = {width, width};
    shapes[path + ".to_k"] = {width, in};
    shapes[path + ".to_v"] = {width, in};
    shapes[path + ".to_out.0"] = {width, width};
  }
  shapes[block + ".ff.net.0.proj"] = {8 * width, width};
  shapes[block + ".ff.net.2"] = {width, 4 * width};
}

/// name, transformers, blocks in each, width.
struct Level {
  const char* name;
  int attentions, depth;
  std::int64_t width;
};

Shapes unet(const std::vector<Level>& levels, std::int64_t text) {
  Shapes shapes;
  for (const auto& [name, attentions, depth, width] : levels) {
    for (int a = 0; a < attentions; ++a) {
      const auto transformer = fmt::format("unet.{}.attentions.{}", name, a);
      for (int b = 0; b < depth; ++b) {
        add_block(shapes, fmt::format("{}.transformer_blocks.{}", transformer, b), width, text);
      }
      shapes[transformer + ".proj_in"] = {width, width};
    }
    shapes[fmt::format("unet.{}.resnets.0.time_emb_proj", name)] = {width, 1280};
  }
  return shapes;
}

Shapes stable_diffusion(std::int64_t text) {
  return unet({{"down_blocks.0", 2, 1, 320},
               {"down_blocks.1", 2, 1, 640},
               {"down_blocks.2", 2, 1, 1280},
               {"mid_block", 1, 1, 1280},
               {"up_blocks.1", 3, 1, 1280},
               {"up_blocks.2", 3, 1, 640},
               {"up_blocks.3", 3, 1, 320}},
              text);
}

Shapes sdxl() {
  return unet({{"down_blocks.1", 2, 2, 640},
               {"down_blocks.2", 2, 10, 1280},
               {"mid_block", 1, 10, 1280},
               {"up_blocks.0", 3, 10, 1280},
               {"up_blocks.1", 3, 2, 640}},
              2048);
}

/// Layers and trained numbers at this rank.
std::pair<std::size_t, std::int64_t> counted(const Shapes& shapes, const std::vector<std::string>& modules,
                                             std::int64_t rank) {
  std::vector<std::string> names;
  for (const auto& [name, shape] : shapes) names.push_back(name);
  std::int64_t numbers = 0;
  const auto chosen = ending_with(names, modules, "target_modules");
  for (const auto& layer : chosen) numbers += rank * (shapes.at(layer).first + shapes.at(layer).second);
  return {chosen.size(), numbers};
}

}  // namespace

TEST_CASE("The UNets' attention has as many numbers to train as PEFT's updates have", "[dreambooth_lora][layers]") {
  CHECK(counted(stable_diffusion(768), kAttention, 4) == std::pair<std::size_t, std::int64_t>{128, 797'184});
  CHECK(counted(stable_diffusion(1024), kAttention, 4) == std::pair<std::size_t, std::int64_t>{128, 829'952});
  CHECK(counted(sdxl(), kAttention, 4) == std::pair<std::size_t, std::int64_t>{560, 5'806'080});
}

TEST_CASE("Layers are named by the ends of their names, whole words only", "[dreambooth_lora][layers]") {
  const std::vector<std::string> layers{"unet.a.attn1.to_k", "unet.a.attn2.to_k", "unet.a.xto_k", "unet.a.ff.net.2"};
  CHECK(ending_with(layers, {"to_k"}, "o") == std::vector<std::string>{layers[0], layers[1]});
  CHECK(ending_with(layers, {"attn2.to_k", "to_k", "ff.net.2"}, "o") ==
        std::vector<std::string>{layers[0], layers[1], layers[3]});
  CHECK_THROWS_WITH(ending_with(layers, {"to_k", "to_z"}, "target_modules"),
                    Catch::Contains("target_modules") && Catch::Contains("to_z"));
}
