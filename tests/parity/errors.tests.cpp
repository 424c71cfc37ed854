// What `probe` says when its input is not what it asks for. Nothing is computed, so nothing depends on the weights.
#include <algorithm>
#include <catch2/catch.hpp>

#include "framework/files/safetensors.h"
#include "framework/files/safetensors_writer.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using Tensors = std::map<std::string, atelier::TensorView>;

fs::path reference(const std::string& family, const std::string& name) {
  return references_folder() / family / (name + ".in.safetensors");
}

Tensors inputs(const std::string& family, const std::string& name) {
  return atelier::read_safetensors(reference(family, name)).tensors;
}

/// Runs the component on `tensors`; the command has to refuse them in one line that holds all of `mentions`.
void check_refused(const std::string& family, const std::string& component, const Tensors& tensors,
                   const std::vector<std::string>& mentions) {
  const TemporaryFolder folder;
  atelier::write_safetensors(folder / "in", tensors);
  const Outcome outcome = run_atelier({"probe", "component", component, "--model", models_folder() / family, "--in",
                                       folder / "in", "--out", folder / "out"});
  CHECK(outcome.status == 1);
  CHECK(outcome.out.empty());
  INFO(outcome.err);
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  for (const auto& text : mentions) CHECK(outcome.err.find(text) != std::string::npos);
  CHECK(!fs::exists(folder / "out"));
  CHECK(std::distance(fs::directory_iterator(folder.path()), {}) == 1);  // no temporary file either
}

}  // namespace

TEST_CASE("A missing input tensor is named with the shape it should have", "[parity][errors]") {
  Tensors tensors = inputs("sd15", "unet_10x14");
  tensors.erase("encoder_hidden_states");
  check_refused("sd15", "unet", tensors, {"encoder_hidden_states", "32"});
}

TEST_CASE("SDXL's UNet asks for its size conditions by name", "[parity][errors]") {
  Tensors tensors = inputs("sdxl", "unet_10x14");
  tensors.erase("time_ids");
  check_refused("sdxl", "unet", tensors, {"time_ids", "6"});
}

TEST_CASE("An unknown input tensor is refused by name", "[parity][errors]") {
  Tensors tensors = inputs("sd15", "vae_decoder_4x6");
  tensors["surplus"] = inputs("sd15", "vae_decoder_5x3").at("latents");
  check_refused("sd15", "vae_decoder", tensors, {"surplus", "latents"});
}

TEST_CASE("SD 1.5's UNet refuses the size conditions of SDXL", "[parity][errors]") {
  Tensors tensors = inputs("sd15", "unet_10x14");
  tensors["time_ids"] = inputs("sdxl", "unet_10x14").at("time_ids");
  check_refused("sd15", "unet", tensors, {"time_ids"});
}

TEST_CASE("A wrong shape is reported with both shapes", "[parity][errors]") {
  Tensors tensors = inputs("sd15", "unet_10x14");
  tensors["encoder_hidden_states"] = inputs("sd21", "unet_10x14").at("encoder_hidden_states");
  check_refused("sd15", "unet", tensors, {"encoder_hidden_states", "40", "32"});
}

TEST_CASE("Batch sizes that disagree are refused", "[parity][errors]") {
  Tensors tensors = inputs("sd15", "unet_10x14");
  tensors["timestep"] = inputs("sd15", "unet_16x8").at("timestep");
  check_refused("sd15", "unet", tensors, {"timestep"});
}

TEST_CASE("Token ids that are not integers are refused", "[parity][errors]") {
  check_refused("sd15", "text_encoder", {{"input_ids", inputs("sd15", "unet_10x14").at("encoder_hidden_states")}},
                {"input_ids"});
}

TEST_CASE("Token ids beyond the vocabulary are refused", "[parity][errors]") {
  auto view = inputs("sd15", "text_encoder_ids").at("input_ids");
  std::vector<std::int64_t> ids(static_cast<std::size_t>(view.numel()), 814);  // the table has 814 rows
  view.bytes = std::as_bytes(std::span(ids));
  check_refused("sd15", "text_encoder", {{"input_ids", view}}, {"input_ids", "814"});
}

TEST_CASE("When the second of two inputs is wrong, the first is not written either", "[parity][errors]") {
  const TemporaryFolder folder;
  const Outcome outcome = run_atelier({"probe", "component", "vae_decoder", "--model", models_folder() / "sd15", "--in",
                                       reference("sd15", "vae_decoder_4x6"), "--out", folder / "a", "--in",
                                       reference("sd15", "unet_10x14"), "--out", folder / "b"});
  CHECK(outcome.status == 1);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("A scheduler walk with too few predictions is refused", "[parity][errors]") {
  const TemporaryFolder folder;
  const Outcome outcome =
      run_atelier({"probe", "scheduler", "ddim", "--model", models_folder() / "sd15", "--steps", "8", "--in",
                   references_folder() / "sd15/schedulers/ddim_7.in.safetensors", "--out", folder / "out"});
  CHECK(outcome.status == 1);
  CHECK(outcome.err.find("noise_pred") != std::string::npos);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("A scheduler that draws noise asks for it", "[parity][errors]") {
  const TemporaryFolder folder;
  const Outcome outcome =
      run_atelier({"probe", "scheduler", "ddpm", "--model", models_folder() / "sd15", "--steps", "7", "--in",
                   references_folder() / "sd15/schedulers/ddim_7.in.safetensors", "--out", folder / "out"});
  CHECK(outcome.status == 1);
  CHECK(outcome.err.find("step_noise") != std::string::npos);
  CHECK(fs::is_empty(folder.path()));
}

TEST_CASE("Two runs of a component write the same bytes", "[parity][determinism]") {
  const TemporaryFolder folder;
  const auto run = [&](const std::string& out) {
    return std::vector<std::string>{
        "probe", "component", "unet", "--model", models_folder() / "sdxl", "--in", reference("sdxl", "unet_10x14"),
        "--out", folder / out};
  };
  for (const auto& outcome : run_atelier({run("a"), run("b")})) REQUIRE(outcome.status == 0);
  const auto bytes = [&](const std::string& name) {
    const auto file = atelier::read_safetensors(folder / name);
    const auto& view = file.tensors.at("noise_pred");
    return std::vector<std::byte>(view.bytes.begin(), view.bytes.end());
  };
  CHECK(bytes("a") == bytes("b"));
}
