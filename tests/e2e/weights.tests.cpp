// Damaged weights of a pipeline's component.
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/e2e/damage.h"
#include "tests/e2e/refusal.h"

namespace {

namespace fs = std::filesystem;

/// The UNet's weights after `damage`: the call has to name the file and all of `mentions`.
void check_damaged(const std::function<void(const fs::path&)>& damage, std::vector<std::string> mentions) {
  const Workplace place;
  const fs::path model = place.copy_model();
  const fs::path weights = model / "unet/diffusion_pytorch_model.safetensors";
  damage(weights);
  mentions.push_back(weights.string());
  place.check_component_refused("unet", model, "unet_10x14", {}, mentions);
}

void check_edited(const std::function<void(RawSafetensors&)>& edit, const std::vector<std::string>& mentions) {
  check_damaged([&](const fs::path& path) { edit_safetensors(path, edit); }, mentions);
}

}  // namespace

TEST_CASE("Weights that lost their end are incomplete: found and expected bytes are named", "[e2e][weights]") {
  const auto size = fs::file_size(models_folder() / "sd15/unet/diffusion_pytorch_model.safetensors");
  check_damaged([&](const fs::path& path) { fs::resize_file(path, size - 100); },
                {"bytes of tensor data", "expected", "incomplete", "fetch it again"});
}

TEST_CASE("Weights cut inside the header are incomplete", "[e2e][weights]") {
  check_damaged([](const fs::path& path) { fs::resize_file(path, 100); }, {"in a file of 100", "fetch it again"});
}

TEST_CASE("An empty weight file is called empty", "[e2e][weights]") {
  check_damaged([](const fs::path& path) { fs::resize_file(path, 0); }, {"an empty file", "fetch the file again"});
}

TEST_CASE("A header longer than its file is reported with both lengths", "[e2e][weights]") {
  check_damaged(
      [](const fs::path& path) {
        const auto size = fs::file_size(path);
        set_header_length(path, 2 * size);
      },
      {"byte 0", "a header of ", "expected a header inside the file"});
}

TEST_CASE("A header length beyond any file is no safetensors file", "[e2e][weights]") {
  check_damaged([](const fs::path& path) { set_header_length(path, ~std::uint64_t{0}); },
                {"expected a safetensors file"});
}

TEST_CASE("Tensors that share bytes are reported with the offset", "[e2e][weights]") {
  check_edited(
      [](RawSafetensors& file) {
        file.header["conv_norm_out.bias"]["data_offsets"] = file.header["conv_in.bias"]["data_offsets"];
      },
      {"conv_norm_out.bias", "begins at 0, inside another tensor", "expected", "damaged"});
}

TEST_CASE("A tensor of another shape is reported with both shapes", "[e2e][weights]") {
  check_edited(
      [](RawSafetensors& file) {
        file.header["conv_in.weight"]["shape"] = {3, 3, 4, 8};
      },
      {"conv_in.weight is [3, 3, 4, 8] where [8, 4, 3, 3] is wanted", "config"});
}

TEST_CASE("A tensor whose shape and bytes disagree is reported", "[e2e][weights]") {
  check_edited(
      [](RawSafetensors& file) {
        file.header["conv_in.weight"]["shape"] = {8, 4, 3, 4};
      },
      {"conv_in.weight", "expected"});
}

TEST_CASE("A missing tensor is named", "[e2e][weights]") {
  check_edited(
      [](RawSafetensors& file) {
        const std::string last = last_tensor(file);
        file.data.resize(file.header[last]["data_offsets"][0].get<std::size_t>());
        file.header.erase(last);
      },
      {"1 missing: up_blocks.3.resnets.2.time_emb_proj.weight", "expected exactly the tensors"});
}

TEST_CASE("A tensor too many is named", "[e2e][weights]") {
  check_edited(
      [](RawSafetensors& file) {
        const auto end = file.data.size();
        file.header["surplus.weight"] = {{"dtype", "F32"}, {"shape", {1}}, {"data_offsets", {end, end + 4}}};
        file.data += std::string(4, '\0');
      },
      {"1 unexpected: surplus.weight", "expected exactly the tensors"});
}

TEST_CASE("A misspelt tensor is both missing and unexpected, in one line", "[e2e][weights]") {
  check_edited(
      [](RawSafetensors& file) {
        file.header["conv_in.wait"] = file.header["conv_in.weight"];
        file.header.erase("conv_in.weight");
      },
      {"1 missing: conv_in.weight; 1 unexpected: conv_in.wait"});
}

TEST_CASE("A component without weights says which files it may have", "[e2e][weights]") {
  const Workplace place;
  const fs::path model = place.copy_model();
  fs::remove(model / "vae/diffusion_pytorch_model.safetensors");
  place.check_component_refused("vae_decoder", model, "vae_decoder_4x6", {},
                                {(model / "vae").string(), "no weight file", "diffusion_pytorch_model.safetensors"});
}
