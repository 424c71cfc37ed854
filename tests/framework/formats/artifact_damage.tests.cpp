#include <algorithm>
#include <catch2/catch.hpp>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <random>

#include "framework/core/error.h"
#include "framework/formats/artifact_file.h"
#include "tests/framework/formats/lora_reference.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

constexpr int kTrials = 60;

std::string content(const std::filesystem::path& path) {
  std::ifstream stream(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(stream), {}};
}

/// One to four bytes of the first `size` become others: half of them digits, which numbers in headers can be.
std::string damaged(std::string text, std::size_t size, std::mt19937& random) {
  const auto flips = 1 + random() % 4;
  for (std::size_t i = 0; i < flips; ++i) {
    const auto value = random() % 2 == 0 ? '0' + random() % 10 : random() % 256;
    text[random() % std::min(size, text.size())] = static_cast<char>(value);
  }
  return text;
}

/// Reads whatever the damage left, and looks at every value of it.
void read_all(const std::filesystem::path& path, const ModuleNames& target) {
  static_cast<void>(sniff_artifact(path));
  const auto artifact = read_artifact(path, target, "<token>");
  for (const auto& embedding : artifact.embeddings) {
    for (const auto& [tower, view] : embedding.towers) static_cast<void>(lora_reference::values(view));
  }
  if (!artifact.lora) return;
  for (const auto& entry : artifact.lora->entries) {
    static_cast<void>(lora_reference::values(entry.down));
    static_cast<void>(lora_reference::values(entry.up));
  }
}

}  // namespace

TEST_CASE("Random damage to a LoRA or embedding file ends in an Error or in tensors that can be read",
          "[formats][artifact]") {
  const auto* name = GENERATE("peft.safetensors", "processors.safetensors", "kohya_sd.safetensors",
                              "textreg.safetensors", "list.text_encoder.pt", "embeddings/my_dog.safetensors",
                              "embeddings/webui.pt", "embeddings/original.pt", "embeddings/learned_embeds.bin");
  const auto target = lora_reference::target("sd");
  const auto whole = content(lora_reference::path(name));
  const TemporaryFolder folder;
  std::mt19937 random(7);
  int refused = 0;
  for (int trial = 0; trial < kTrials; ++trial) {
    const auto path = folder / std::filesystem::path(name).filename().string();
    std::ofstream(path, std::ios::binary) << damaged(whole, whole.size() * 2 / 3, random);
    INFO(name << ", trial " << trial);
    try {
      read_all(path, target);
    } catch (const Error& error) {
      CHECK(std::string(error.what()).find(path.filename().string()) != std::string::npos);
      ++refused;
    }
  }
  CHECK(refused > 0);
}
