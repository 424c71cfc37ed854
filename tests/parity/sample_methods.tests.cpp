// Whole pictures of methods against an independent implementation of them (make_sample_references.py).
#include <catch2/catch.hpp>
#include <cstdlib>
#include <filesystem>
#include <iostream>
#include <nlohmann/json.hpp>

#include "framework/core/atomic_file.h"
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

namespace {

std::string span_text(const atelier::Json& span) { return span[0].dump() + ":" + span[1].dump(); }

/// The options of a case of make_sample_references.py.
Arguments edit_arguments(const atelier::Json& about) {
  const auto& prompts = about["prompts"];
  Arguments arguments{"--prompt", prompts[0], "--edit-mode", about["kind"], "--self-replace", span_text(about["self"])};
  const auto add = [&](const std::string& option, const std::string& value) {
    arguments.insert(arguments.end(), {option, value});
  };
  for (std::size_t i = 1; i < prompts.size(); ++i) add("--edit", prompts[i]);
  for (const auto& [word, span] : about["cross"].items())
    add("--cross-replace", (word == "default" ? "" : word + "=") + span_text(span));
  const auto factors = about.value("reweight", atelier::Json::object());
  for (const auto& [word, factor] : factors.items()) add("--reweight", word + "=" + factor.dump());
  for (const auto& words : about.value("blend", atelier::Json::array())) add("--blend", words[0]);
  if (about.contains("threshold")) add("--blend-threshold", about["threshold"].dump());
  return arguments;
}

}  // namespace

TEST_CASE("Edited pictures are those of an independent prompt-to-prompt program", "[parity][sample][edit]") {
  const std::vector<std::string> names{"edit_replace",  "edit_two_words", "edit_refine",
                                       "edit_reweight", "edit_blend",     "edit_refine_reweight"};
  const TemporaryFolder outputs;
  std::vector<Arguments> commands;
  for (const auto& name : names) {
    fs::create_directories(outputs / name);
    commands.push_back(sample_command(name, outputs / name, edit_arguments(sample_case(name))));
  }
  const auto done = run_atelier(commands);
  for (std::size_t i = 0; i < names.size(); ++i) {
    INFO(names[i] << ": " << done[i].err);
    REQUIRE(done[i].status == 0);
    const double error = latent_error(names[i], outputs / names[i]);
    INFO(names[i] << " deviates by " << error);
    CHECK(error < kLatentTolerance);
    if (std::getenv("ATELIER_PARITY_REPORT") != nullptr) std::cout << names[i] << " latents " << error << '\n';
  }
}

TEST_CASE("Attention maps are those of an independent program, and change no picture", "[parity][sample][maps]") {
  const auto about = sample_case("attention_maps");
  const TemporaryFolder with, without;
  Arguments more{"--prompt", about["prompt"]};
  REQUIRE(run_atelier(sample_command("attention_maps", without.path(), more)).status == 0);
  for (const std::string word : about["words"]) more.insert(more.end(), {"--attention-maps", word});
  const auto done = run_atelier(sample_command("attention_maps", with.path(), more));
  INFO(done.err);
  REQUIRE(done.status == 0);
  CHECK(latent_error("attention_maps", with.path()) < kLatentTolerance);
  const auto bytes = [](const fs::path& path) { return atelier::read_text_file(path); };
  CHECK(bytes(with / "latents.safetensors") == bytes(without / "latents.safetensors"));
  const auto folder = [&](const TemporaryFolder& out) { return fs::directory_iterator(out / "pictures")->path(); };
  CHECK(bytes(folder(with) / "000.png") == bytes(folder(without) / "000.png"));

  const auto maps = atelier::read_safetensors(folder(with) / "000_attention.safetensors").tensors;
  const auto theirs = atelier::read_safetensors(sample_folder("attention_maps") / "out.safetensors").tensors;
  REQUIRE(maps.size() == about["words"].size());
  for (const std::string word : about["words"]) {
    INFO(word);
    CHECK(maps.at(word).shape == theirs.at(word).shape);
    CHECK(deviation(values_of(maps.at(word)), values_of(theirs.at(word))) < 1e-5);
  }
  CHECK(fs::exists(folder(with) / "000_attention_0_cat.png"));
  CHECK(fs::exists(folder(with) / "000_attention_2_red.png"));

  const TemporaryFolder refused;
  const auto unknown =
      run_atelier(sample_command("attention_maps", refused.path(), {"--prompt", "a cat", "--attention-maps", "boat"}));
  CHECK(unknown.status == 2);
  CHECK(unknown.err.find("\"boat\"") != std::string::npos);
}

TEST_CASE("An edit that takes nothing of the source draws what its prompt alone draws", "[parity][sample][edit]") {
  const std::string edited = sample_case("edit_replace")["prompts"][1];
  const TemporaryFolder with, alone;
  const Arguments nothing{"--prompt",         "a photo of a red cat on the beach",
                          "--edit",           edited,
                          "--cross-replace",  "0",
                          "--self-replace",   "0",
                          "--attention-maps", "beach"};
  const auto done = run_atelier(sample_command("edit_replace", with.path(), nothing));
  INFO(done.err);
  REQUIRE(done.status == 0);
  REQUIRE(run_atelier(sample_command("edit_replace", alone.path(), {"--prompt", edited})).status == 0);
  const auto both = values_of(atelier::read_safetensors(with / "latents.safetensors").tensors.at("latents"));
  const auto one = values_of(atelier::read_safetensors(alone / "latents.safetensors").tensors.at("latents"));
  REQUIRE(both.size() == 2 * one.size());
  CHECK(deviation({both.begin() + static_cast<std::ptrdiff_t>(one.size()), both.end()}, one) < 1e-4);
  std::size_t maps = 0;
  for (const auto& entry : fs::recursive_directory_iterator(with / "pictures"))
    maps += entry.path().filename() == "000_attention.safetensors" ? 1 : 0;
  CHECK(maps == 2);
}
