#include "framework/formats/single_file.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/files/safetensors.h"
#include "framework/formats/ldm_export.h"
#include "framework/formats/view_ops.h"
#include "tests/framework/formats/fixtures.h"

using namespace atelier;

namespace {

TensorFile file_of(const std::string& name) { return read_safetensors(fixtures::single_file(name)); }

/// The file with every name passed through `rename`; an empty result drops the tensor.
template <typename Rename>
TensorFile renamed(const std::string& name, const Rename& rename) {
  auto file = file_of(name);
  TensorFile out{.path = file.path, .tensors = {}, .metadata = {}};
  for (auto& [old_name, view] : file.tensors) {
    if (const std::string new_name = rename(old_name); !new_name.empty()) out.tensors.emplace(new_name, view);
  }
  return out;
}

std::string without(std::string text, const std::string& part) {
  if (const auto at = text.find(part); at != std::string::npos) text.erase(at, part.size());
  return text;
}

}  // namespace

// Expected names, shapes and bytes: data/tiny.json, made by diffusers' converters (make_single_files.py).
TEST_CASE("single files give what diffusers' converters make of them", "[formats][single_file]") {
  for (const std::string name : {"sd1", "sd2", "sdxl"}) {
    const SingleFile file(file_of(name));
    for (const auto& [component, expected] : fixtures::record(name).at("expected").items()) {
      REQUIRE(file.has(component));
      fixtures::check_tensors(file.weights(component, fixtures::record(name).at(component), false), expected);
    }
    CHECK(file.has("text_encoder_2") == (name == "sdxl"));
    CHECK_FALSE(file.has_published_sizes());
  }
  CHECK(SingleFile(file_of("sd1")).family() == Family::sd1);
  CHECK(SingleFile(file_of("sd2")).family() == Family::sd2);
  CHECK(SingleFile(file_of("sdxl")).family() == Family::sdxl);
}

TEST_CASE("written back, a single file has the bytes that it had", "[formats][ldm_export]") {
  for (const std::string name : {"sd1", "sd2", "sdxl"}) {
    const auto original = file_of(name);
    const SingleFile file(original);
    std::size_t written = 0;
    for (const auto& [component, expected] : fixtures::record(name).at("expected").items()) {
      const auto& config = fixtures::record(name).at(component);
      const auto tensors =
          to_ldm(file.family(), component, file.weights(component, config, false).tensors, config, name);
      for (const auto& [ldm_name, view] : tensors) {
        INFO(ldm_name);
        REQUIRE(original.tensors.contains(ldm_name));
        CHECK(fixtures::digest(view) == fixtures::digest(original.tensors.at(ldm_name)));
      }
      written += tensors.size();
    }
    std::size_t used = 0;  // without averages, tables, buffers, and what SD 2 leaves unused
    for (const auto& entry : original.tensors) {
      const auto has = [&](const char* part) { return entry.first.find(part) != std::string::npos; };
      const bool in_section =
          has(".diffusion_model.") || has("first_stage_model.") || has("cond_stage_model.") || has("conditioner.");
      const bool is_buffer = has("position_ids") || has("logit_scale");
      const bool unused_by_sd2 = name == "sd2" && (has("resblocks.2.") || has("text_projection"));
      used += in_section && !is_buffer && !unused_by_sd2 ? 1 : 0;
    }
    CHECK(written == used);
  }
}

TEST_CASE("writing refuses names without a place and incomplete in_proj", "[formats][ldm_export]") {
  const auto& config = fixtures::record("sd2").at("text_encoder");
  const auto text = [&](Family family, const std::string& component, const Tensors& tensors) {
    return to_ldm(family, component, tensors, config, "out");
  };
  const std::string layer = "text_model.encoder.layers.0.self_attn.";
  CHECK_THROWS_WITH(text(Family::sd2, "text_encoder", {{"x", fixtures::shaped({1})}}), Catch::Contains("\"x\""));
  CHECK_THROWS_WITH(text(Family::sd2, "text_encoder", {{layer + "q_proj.bias", fixtures::shaped({1})}}),
                    Catch::Contains("in_proj_bias\": a part is missing"));
  CHECK_THROWS_WITH(text(Family::sd1, "text_encoder_2", {}), Catch::Contains("text_encoder_2 of SD 1.x"));
  CHECK_THROWS_WITH(text(Family::other, "text_encoder", {}), Catch::Contains("text_encoder of other"));
}

TEST_CASE("averaged weights replace the UNet's on request", "[formats][single_file]") {
  const auto& record = fixtures::record("sd1");
  const SingleFile file(file_of("sd1"));
  fixtures::check_tensors(file.weights("unet", record.at("unet"), true), record.at("expected_ema"));
  fixtures::check_tensors(file.weights("vae", record.at("vae"), true), record.at("expected").at("vae"));
  CHECK_THROWS_WITH(SingleFile(file_of("sd2")).weights("unet", fixtures::record("sd2").at("unet"), true),
                    Catch::Contains("324 averaged tensors missing") && Catch::Contains("--use-ema"));
}

TEST_CASE("CLIP without its text_model level is read all the same", "[formats][single_file]") {
  const auto& record = fixtures::record("sd1");
  const SingleFile file(renamed("sd1", [](const std::string& name) { return without(name, "text_model."); }));
  fixtures::check_tensors(file.weights("text_encoder", record.at("text_encoder"), false),
                          record.at("expected").at("text_encoder"));
}

TEST_CASE("a file without a text encoder has none", "[formats][single_file]") {
  const SingleFile file(renamed(
      "sd1", [](const std::string& name) { return name.starts_with("cond_stage_model.") ? std::string() : name; }));
  CHECK_FALSE(file.has("text_encoder"));
  CHECK(file.has("unet"));
  CHECK(file.family() == Family::other);
  CHECK_THROWS_WITH(file.weights("text_encoder", Json::object(), false), Catch::Contains("no text_encoder"));
}

TEST_CASE("the family of a bare UNet follows from the width of its cross-attention", "[formats][single_file]") {
  const auto family = [](std::int64_t width) {
    TensorFile file{.path = "x.safetensors", .tensors = {}, .metadata = {}};
    file.tensors["model.diffusion_model.input_blocks.0.0.weight"] = fixtures::shaped({320, 4, 3, 3});
    file.tensors["model.diffusion_model.input_blocks.4.1.transformer_blocks.0.attn2.to_k.weight"] =
        fixtures::shaped({320, width});
    const SingleFile single(std::move(file));
    CHECK(single.has_published_sizes() == (single.family() != Family::other));
    return single.family();
  };
  CHECK(family(768) == Family::sd1);
  CHECK(family(1024) == Family::sd2);
  CHECK(family(2048) == Family::sdxl);
  CHECK(family(512) == Family::other);
}

TEST_CASE("models of another purpose are refused by what they are", "[formats][single_file]") {
  const auto with = [](const std::string& name, std::vector<std::int64_t> shape) {
    auto file = file_of("sd1");
    file.tensors[name] = fixtures::shaped(std::move(shape));
    return SingleFile(std::move(file));
  };
  CHECK_THROWS_WITH(with("model.diffusion_model.input_blocks.0.0.weight", {320, 9, 3, 3}),
                    Catch::Contains("inpainting"));
  CHECK_THROWS_WITH(with("model.diffusion_model.input_blocks.0.0.weight", {320, 8, 3, 3}), Catch::Contains("editing"));
  CHECK_THROWS_WITH(with("conditioner.embedders.0.model.ln_final.bias", {4}), Catch::Contains("SDXL refiner"));
  CHECK_THROWS_WITH(with("control_model.time_embed.0.bias", {4}), Catch::Contains("ControlNet"));
  CHECK_THROWS_WITH(with("edm_mean", {4}), Catch::Contains("Playground") && Catch::Contains("EDM"));
  CHECK_THROWS_WITH(with("model.diffusion_model.joint_blocks.0.x", {4}), Catch::Contains("Stable Diffusion 3"));
  CHECK_THROWS_WITH(with("model.diffusion_model.double_blocks.0.x", {4}), Catch::Contains("FLUX"));
  CHECK_THROWS_WITH(with("model.diffusion_model.time_embed.cond_proj.weight", {4}), Catch::Contains("LCM"));
  CHECK_THROWS_WITH(with("something.else", {4}), Catch::Contains("unexpected tensors: \"something.else\""));
  CHECK_THROWS_WITH(SingleFile({.path = "lora.safetensors", .tensors = {}, .metadata = {}}),
                    Catch::Contains("lora.safetensors: no tensor under \"model.diffusion_model.\""));
}

TEST_CASE("what other programs leave in a file of SDXL changes none of its tensors", "[formats][single_file]") {
  auto file = file_of("sdxl");
  for (const char* name :
       {"conditioner.embedders.0.logit_scale", "conditioner.embedders.1.logit_scale",
        "conditioner.embedders.0.text_projection", "conditioner.embedders.0.transformer.text_projection.weight",
        "conditioner.embedders.0.transformer.text_model.text_projection.weight", "denoiser.sigmas", "v_pred",
        "ztsnr"}) {
    file.tensors[name] = fixtures::shaped({4});
  }
  const SingleFile single(std::move(file));
  const auto& record = fixtures::record("sdxl");
  for (const auto& [component, expected] : record.at("expected").items()) {
    fixtures::check_tensors(single.weights(component, record.at(component), false), expected);
  }
  CHECK(single.family() == Family::sdxl);
}

TEST_CASE("marks in a file say that it predicts the velocity and ends without signal", "[formats][single_file]") {
  auto file = file_of("sdxl");
  CHECK(SingleFile(file).scheduler_marks().empty());
  file.tensors["v_pred"] = fixtures::shaped({0});
  CHECK(SingleFile(file).scheduler_marks() == Json({{"prediction_type", "v_prediction"}}));
  file.tensors["ztsnr"] = fixtures::shaped({0});
  CHECK(
      SingleFile(file).scheduler_marks() ==
      Json({{"prediction_type", "v_prediction"}, {"rescale_betas_zero_snr", true}, {"timestep_spacing", "trailing"}}));
}

TEST_CASE("a tensor that the config has no place for is named", "[formats][single_file]") {
  const auto& record = fixtures::record("sd1");
  const auto weights = [&](const std::string& component, const std::string& from, const std::string& to) {
    const SingleFile file(renamed("sd1", [&](const std::string& name) { return name == from ? to : name; }));
    return file.weights(component, record.at(component), false);
  };
  CHECK_THROWS_WITH(weights("unet", "model.diffusion_model.out.0.bias", "model.diffusion_model.out.5.bias"),
                    Catch::Contains("(unet): unexpected tensors: \"out.5.bias\""));
  CHECK_THROWS_WITH(weights("vae", "first_stage_model.quant_conv.bias", "first_stage_model.encoder.x"),
                    Catch::Contains("(vae): unexpected tensors: \"encoder.x\""));
  CHECK_THROWS_WITH(weights("text_encoder", "cond_stage_model.transformer.text_model.final_layer_norm.bias",
                            "cond_stage_model.transformer.text_model.oops"),
                    Catch::Contains("text_model.oops"));
  auto fewer = record.at("unet");
  fewer["layers_per_block"] = 2;
  CHECK_THROWS_WITH(SingleFile(file_of("sd1")).weights("unet", fewer, false), Catch::Contains("unexpected tensors"));
}

TEST_CASE("two tensors that would share a name are refused", "[formats][single_file]") {
  auto file = file_of("sd1");
  const auto view = file.tensors.at("cond_stage_model.transformer.text_model.final_layer_norm.bias");
  file.tensors["cond_stage_model.transformer.final_layer_norm.bias"] = view;
  const SingleFile single(std::move(file));
  CHECK_THROWS_WITH(single.weights("text_encoder", fixtures::record("sd1").at("text_encoder"), false),
                    Catch::Contains("both become \"text_model.final_layer_norm.bias\""));
}

TEST_CASE("an in_proj that cannot be split in three is refused", "[formats][single_file]") {
  auto file = file_of("sd2");
  const std::string name = "cond_stage_model.model.transformer.resblocks.0.attn.in_proj_bias";
  file.tensors.at(name).shape = {17};
  const auto config = fixtures::record("sd2").at("text_encoder");
  CHECK_THROWS_WITH(SingleFile(file).weights("text_encoder", config, false), Catch::Contains("in_proj_bias"));
  file.tensors.at(name).shape = {};
  CHECK_THROWS_WITH(SingleFile(file).weights("text_encoder", config, false), Catch::Contains("in_proj_bias"));
  for (const Json& bad : {Json("2"), Json(-1), Json(nullptr), Json(1.5)}) {
    auto changed = config;
    changed["num_hidden_layers"] = bad;
    CHECK_THROWS_WITH(SingleFile(file_of("sd2")).weights("text_encoder", changed, false),
                      Catch::Contains("num_hidden_layers"));
  }
}

TEST_CASE("views of views keep to the bytes they came from", "[formats][view_ops]") {
  const std::vector<std::uint8_t> data = {0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11};
  const TensorView view{
      .dtype = Dtype::u8, .shape = {6, 2}, .strides = {}, .bytes = std::as_bytes(std::span(data)), .owner = {}};
  CHECK(fixtures::contiguous_bytes(part_of_rows(view, 1, 3, "x")) == std::string("\4\5\6\7", 4));
  CHECK(fixtures::contiguous_bytes(transposed(view, "x")) == std::string("\0\2\4\6\10\12\1\3\5\7\11\13", 12));
  CHECK(fixtures::contiguous_bytes(transposed(transposed(view, "x"), "x")) == fixtures::contiguous_bytes(view));
  CHECK(fixtures::contiguous_bytes(part_of_rows(transposed(view, "x"), 1, 2, "x")) == std::string("\1\3\5\7\11\13", 6));
  CHECK_THROWS_WITH(part_of_rows(view, 0, 4, "x"), Catch::Contains("[6, 2] U8"));
  CHECK(without_trailing_ones(fixtures::shaped({2, 2, 1, 1})).shape == std::vector<std::int64_t>{2, 2});
  CHECK(without_trailing_ones(fixtures::shaped({2, 2, 1})).shape == std::vector<std::int64_t>{2, 2});
  CHECK(without_trailing_ones(fixtures::shaped({2, 2, 3, 3})).shape.size() == 4);
  CHECK(without_trailing_ones(fixtures::shaped({2})).shape.size() == 1);
}
