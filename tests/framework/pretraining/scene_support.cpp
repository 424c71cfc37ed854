#include "tests/framework/pretraining/scene_support.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <fmt/format.h>

#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "framework/tensor/tensor_io.h"

namespace fs = std::filesystem;
using atelier::Json;
using atelier::Tensor;

namespace {

struct Look {
  bool round;
  std::int64_t colour, ground;
  std::int64_t x, y;
};

constexpr std::array<const char*, 2> kClasses{"cat", "house"}, kColours{"red", "blue"}, kPlaces{"beach", "city"};

void paint(const Tensor& image, const Tensor& mask, const Look& look, std::int64_t side) {
  auto pixels = image.accessor<std::uint8_t, 3>();
  auto coverage = mask.accessor<std::uint8_t, 2>();
  const std::int64_t radius = side / 4;
  for (std::int64_t y = 0; y < side; ++y) {
    for (std::int64_t x = 0; x < side; ++x) {
      const std::int64_t dx = x - look.x, dy = y - look.y;
      const bool inside =
          look.round ? dx * dx + dy * dy <= radius * radius : std::max(std::abs(dx), std::abs(dy)) <= radius;
      coverage[y][x] = inside ? 255 : 0;
      for (std::int64_t c = 0; c < 3; ++c) {
        const std::int64_t own = c == 2 * look.colour ? 230 : 30;
        const std::int64_t behind = look.ground == 0 ? 180 - 40 * c : 60 + 5 * y;
        pixels[y][x][c] = static_cast<std::uint8_t>(std::min<std::int64_t>(inside ? own : behind, 255));
      }
    }
  }
}

Json line_of(const Look& look, std::int64_t instance) {
  const std::string thing = fmt::format("{} {}", kColours[static_cast<std::size_t>(look.colour)],
                                        kClasses[static_cast<std::size_t>(look.round)]);
  const std::string place = kPlaces[static_cast<std::size_t>(look.ground)];
  return {{"captions", {fmt::format("a photo of a {} in a {}", thing, place), fmt::format("a {}, {}", thing, place)}},
          {"class", kClasses[static_cast<std::size_t>(look.round)]},
          {"subject", fmt::format("a {}", kClasses[static_cast<std::size_t>(look.round)])},
          {"attributes",
           {{"class", kClasses[static_cast<std::size_t>(look.round)]},
            {"colour", kColours[static_cast<std::size_t>(look.colour)]},
            {"place", place}}},
          {"instance", instance}};
}

const Json kVAE = {{"_class_name", "AutoencoderKL"},
                   {"block_out_channels", {8, 8}},
                   {"down_block_types", {"DownEncoderBlock2D", "DownEncoderBlock2D"}},
                   {"up_block_types", {"UpDecoderBlock2D", "UpDecoderBlock2D"}},
                   {"layers_per_block", 1},
                   {"latent_channels", 4},
                   {"norm_num_groups", 4}};

const Json kUNet = {{"_class_name", "UNet2DConditionModel"},
                    {"block_out_channels", {8, 16}},
                    {"down_block_types", {"DownBlock2D", "CrossAttnDownBlock2D"}},
                    {"up_block_types", {"CrossAttnUpBlock2D", "UpBlock2D"}},
                    {"layers_per_block", 1},
                    {"norm_num_groups", 4},
                    {"cross_attention_dim", 16},
                    {"attention_head_dim", 2},
                    {"sample_size", 8}};

Json tower() {
  return {{"hidden_size", 16}, {"intermediate_size", 32}, {"num_attention_heads", 2}, {"num_hidden_layers", 2}};
}

Json clip_config() {
  Json text = tower(), vision = tower();
  text["max_position_embeddings"] = 77;
  vision["image_size"] = 16;
  vision["patch_size"] = 4;
  return {{"architectures", {"CLIPModel"}},
          {"model_type", "clip"},
          {"projection_dim", 16},
          {"text_config", text},
          {"vision_config", vision}};
}

const Json kSegmenter = {{"architectures", {"CLIPSegForImageSegmentation"}},
                         {"model_type", "clipseg"},
                         {"extract_layers", {0, 1}},
                         {"reduce_dim", 8},
                         {"decoder_num_attention_heads", 2},
                         {"decoder_intermediate_size", 16}};

const Json kJudge = {
    {"model_type", "attribute_classifier"}, {"image_size", 16}, {"channels", {8, 16}}, {"norm_num_groups", 4}};

const Json kScheduler = {{"_class_name", "DDIMScheduler"},
                         {"beta_start", 0.00085},
                         {"beta_end", 0.012},
                         {"beta_schedule", "scaled_linear"},
                         {"num_train_timesteps", 1000},
                         {"clip_sample", false},
                         {"set_alpha_to_one", false},
                         {"steps_offset", 1}};

Json config_of(const std::string& component) {
  if (component == "vae") return kVAE;
  if (component == "clip") return clip_config();
  if (component == "unet") return kUNet;
  return component == "segmenter" ? kSegmenter : kJudge;
}

void write_text(const fs::path& path, const std::string& text) { std::ofstream(path) << text; }

}  // namespace

void write_scene_set(const fs::path& folder, std::int64_t instances, std::int64_t side) {
  fs::create_directories(folder);
  const std::int64_t count = 2 * instances;
  const Tensor images = at::empty({count, side, side, 3}, at::kByte), masks = at::empty({count, side, side}, at::kByte);
  std::string lines;
  for (std::int64_t i = 0; i < count; ++i) {
    const std::int64_t instance = i / 2;
    const Look look{.round = instance % 2 == 1,
                    .colour = instance / 2 % 2,
                    .ground = (i + instance) % 2,
                    .x = side / 3 + (7 * i) % (side / 3),
                    .y = side / 3 + (5 * i) % (side / 3)};
    paint(images[i], masks[i], look, side);
    lines += line_of(look, instance).dump() + "\n";
  }
  atelier::write_named_tensors(folder / "images.safetensors",
                               {.tensors = {{"images", images}, {"masks", masks}}, .metadata = {}});
  write_text(folder / "scenes.jsonl", lines);
  const Json description{{"size", side},
                         {"count", count},
                         {"seed", 0},
                         {"attributes", {{"class", kClasses}, {"colour", kColours}, {"place", kPlaces}}},
                         {"licence", "CC0-1.0"}};
  write_text(folder / "set.json", description.dump());
}

std::string recipe_text(const std::string& component, std::int64_t steps, const std::string& train) {
  const bool own = train.find("snapshot_every") != std::string::npos;
  std::string text = fmt::format(
      "component: {0}\nmodel: {0}.config.json\nscenes: train\n"
      "train: {{steps: {1}, batch: 6, learning_rate: 1e-3, {2}{3}}}\n",
      component, steps, own ? "" : "snapshot_every: 4, ", train);
  if (component == "clip") text += "tokenizer: tokenizer\n";
  if (component == "unet") text += "scheduler: scheduler_config.json\n";
  return text;
}

fs::path write_recipe(const fs::path& folder, const std::string& component, std::int64_t steps,
                      const std::string& train) {
  fs::create_directories(folder);
  write_text(folder / (component + ".config.json"), config_of(component).dump(2));
  write_text(folder / "scheduler_config.json", kScheduler.dump(2));
  const fs::path tokenizer = fs::path(ATELIER_SOURCE_DIR) / "tests/parity/models/sd15/tokenizer";
  fs::copy(tokenizer, folder / "tokenizer", fs::copy_options::recursive | fs::copy_options::skip_existing);
  const fs::path path = folder / (component + ".yaml");
  write_text(path, recipe_text(component, steps, train));
  return path;
}
