// Whole pictures of methods against an independent implementation of them (make_sample_references.py).
#include <catch2/catch.hpp>
#include <filesystem>
#include <nlohmann/json.hpp>

#include "framework/files/safetensors.h"
#include "tests/parity/comparison.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using Arguments = std::vector<std::string>;

constexpr double kLatentTolerance = 1e-4;  // of the final latents

fs::path sample_folder(const std::string& name) { return references_folder() / "samples" / name; }

atelier::Json sample_case(const std::string& name) { return case_of(sample_folder(name) / "out.safetensors"); }

/// `atelier sample` with a case's latents, steps and guidance; `more` says the rest.
Arguments sample_command(const std::string& name, const fs::path& out, const Arguments& more) {
  const auto about = sample_case(name);
  Arguments arguments{"sample",
                      "--model",
                      models_folder() / "sd15",
                      "--scheduler",
                      "ddim",
                      "--steps",
                      about["steps"].dump(),
                      "--guidance",
                      about["guidance"].dump(),
                      "--threads",
                      "1",
                      "--latents-in",
                      sample_folder(name) / "in.safetensors",
                      "--latents-out",
                      out / "latents.safetensors",
                      "--out",
                      out / "pictures"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  return arguments;
}

double latent_error(const std::string& name, const fs::path& out) {
  const auto ours = atelier::read_safetensors(out / "latents.safetensors").tensors.at("latents");
  const auto theirs = atelier::read_safetensors(sample_folder(name) / "out.safetensors").tensors.at("latents");
  CHECK(ours.shape == theirs.shape);
  return deviation(values_of(ours), values_of(theirs));
}

}  // namespace

TEST_CASE("A picture with the adapter of CatVersion's authors is what an independent program draws",
          "[parity][sample][catversion]") {
  const TemporaryFolder out;
  const std::string prompt = sample_case("catversion")["prompt"];
  const auto folder = sample_folder("catversion") / "adapter_gs-999";
  const auto done = run_atelier(sample_command("catversion", out.path(), {"--artifact", folder, "--prompt", prompt}));
  INFO(done.err);
  REQUIRE(done.status == 0);
  CHECK(latent_error("catversion", out.path()) < kLatentTolerance);

  // The file alone says its layers; without the adapter the picture is another one.
  const TemporaryFolder alone, without;
  const auto file = folder / "pytorch_adapter.bin";
  REQUIRE(run_atelier(sample_command("catversion", alone.path(), {"--artifact", file, "--prompt", prompt})).status ==
          0);
  CHECK(latent_error("catversion", alone.path()) < kLatentTolerance);
  REQUIRE(run_atelier(sample_command("catversion", without.path(), {"--prompt", prompt})).status == 0);
  CHECK(latent_error("catversion", without.path()) > 1e-2);
}

TEST_CASE("Settings of an artifact reach its method, and no one else's", "[parity][sample][catversion]") {
  const TemporaryFolder out;
  const auto folder = sample_folder("catversion") / "adapter_gs-999";
  const auto refused = run_atelier(sample_command(
      "catversion", out.path(), {"--artifact", folder, "--artifact-set", "strength=2", "--prompt", "a man"}));
  CHECK(refused.status == 2);
  CHECK(refused.err.find("setting strength") != std::string::npos);
  const auto idle =
      run_atelier(sample_command("catversion", out.path(), {"--artifact-set", "a=1", "--prompt", "a man"}));
  CHECK(idle.status == 2);
  CHECK(idle.err.find("--artifact-set") != std::string::npos);
  const auto phrase = run_atelier(sample_command(
      "catversion", out.path(), {"--artifact", folder, "--artifact-set", "caption=man", "--prompt", "{} on the moon"}));
  INFO(phrase.err);
  REQUIRE(phrase.status == 0);
  CHECK(latent_error("catversion", out.path()) < kLatentTolerance);
}
