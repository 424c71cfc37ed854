// The authors' own delta*.ckpt. make_delta.py wrote the file and what it means.
#include "plugins/custom_diffusion/delta.h"

#include <ATen/ops/equal.h>
#include <fmt/format.h>

#include <functional>

#include "framework/core/atomic_file.h"
#include "framework/core/error.h"
#include "framework/files/torch_writer.h"
#include "framework/formats/artifact_file.h"
#include "framework/tensor/tensor_io.h"
#include "plugins/custom_diffusion/foreign.h"
#include "tests/framework/methods/tiny_model.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using namespace atelier::custom_diffusion;
using Catch::Contains;

namespace {

const std::string kFolder = std::string(ATELIER_SOURCE_DIR) + "/tests/plugins/custom_diffusion/";
const std::string kFile = kFolder + "delta_epoch=000004.ckpt";
const std::string kLdm = "model.diffusion_model.";

/// Blocks and layers of Stable Diffusion 1.x at a width of 4, with text of width 6.
ModuleNames small_model(std::int64_t channels = 4) {
  ModuleNames names;
  const auto layer = [&](const std::string& path, std::int64_t in) {
    names.add("unet", path + ".weight", std::vector<std::int64_t>{channels, in});
  };
  const auto place = [&](const std::string& block, int number, bool attends) {
    layer(fmt::format("{}resnets.{}.conv1", block, number), channels);
    if (!attends) return;
    for (const char* leaf : {"to_q", "to_out.0"})
      layer(fmt::format("{}attentions.{}.transformer_blocks.0.attn2.{}", block, number, leaf), channels);
    for (const char* leaf : {"to_k", "to_v"})
      layer(fmt::format("{}attentions.{}.transformer_blocks.0.attn2.{}", block, number, leaf), 6);
  };
  for (int block = 0; block < 4; ++block) {
    for (int number = 0; number < 2; ++number) place(fmt::format("down_blocks.{}.", block), number, block < 3);
    for (int number = 0; number < 3; ++number) place(fmt::format("up_blocks.{}.", block), number, block > 0);
  }
  place("mid_block.", 0, true);
  names.add("text_encoder", "text_model.encoder.layers.0.self_attn.k_proj.weight", std::vector<std::int64_t>{6, 6});
  return names;
}

std::optional<TrainedArtifact> read(const std::filesystem::path& path, const std::string& placeholder = "",
                                    std::int64_t channels = 4) {
  const ForeignFiles files(path);
  const auto target = small_model(channels);
  return read_foreign({.files = files, .target = target, .placeholder = placeholder});
}

/// The stored file's tensors with one change, written anew.
std::string changed(const TemporaryFolder& folder, const std::function<void(TensorMap&)>& change,
                    const std::map<std::string, Tensor>& named = {}) {
  TensorMap state;
  for (const auto& [key, value] : ForeignFiles(kFile).tensors("delta_epoch=000004.ckpt").tensors) state[key] = value;
  change(state);
  TorchValue::Dictionary inner, tokens;
  for (const auto& [key, value] : state) inner.emplace_back(key, to_view(value));
  for (const auto& [key, value] : named) tokens.emplace_back(key, to_view(value));
  TorchValue::Dictionary root{{"state_dict", inner}};
  if (!tokens.empty()) root.emplace_back("embed", tokens);
  const std::string path = folder / "delta.ckpt";
  write_file_atomically(path, torch_file(root));
  return path;
}

const std::string kFirst = kLdm + "input_blocks.1.1.transformer_blocks.0.attn2.to_k.weight";

}  // namespace

TEST_CASE("delta*.ckpt of the authors' program gives weights by their present names, and its tokens",
          "[custom_diffusion][files]") {
  const auto expected = read_named_tensors(kFolder + "delta_expected.safetensors").tensors;
  const bool from_folder = GENERATE(false, true);
  const TemporaryFolder folder;
  std::filesystem::copy_file(kFile, folder / "delta_epoch=000004.ckpt");
  const auto found = read(from_folder ? folder.path() : std::filesystem::path(kFile));
  REQUIRE(found.has_value());
  REQUIRE(found->tensors.size() == 34);
  REQUIRE(expected.size() == 34);
  for (const auto& [name, tensor] : expected) {
    INFO(name);
    REQUIRE(found->tensors.contains(name));
    CHECK(at::equal(found->tensors.at(name), tensor));
  }
  CHECK(sniff_artifact(kFile) == ArtifactKind::custom_diffusion);
}

TEST_CASE("a delta's vectors have the names that --placeholder says, or those beside them",
          "[custom_diffusion][files]") {
  const auto renamed = read(kFile, "<cat>+<dog>");
  CHECK(renamed->tensors.contains("text_encoder.token.<cat>"));
  CHECK(renamed->tensors.contains("text_encoder.token.<dog>"));
  CHECK_THROWS_WITH(read(kFile, "<cat>"), Contains("2 names with +"));
  const TemporaryFolder folder;
  const Tensor vector = tiny::random({6}, 1);
  const auto path = changed(folder, [](TensorMap& state) { state.erase("embed"); }, {{"<v>", vector}});
  CHECK(at::equal(read(path)->tensors.at("text_encoder.token.<v>"), vector));
  const auto flat = changed(folder, [](TensorMap& state) { state["embed"] = state.at("embed").reshape(-1).clone(); });
  CHECK(read(flat)->tensors.contains("text_encoder.token.<new2>"));
}

TEST_CASE("a delta that does not fit the base model is refused by file and key", "[custom_diffusion][files]") {
  CHECK_THROWS_WITH(read(kFile, "", 5), Contains("delta_epoch=000004.ckpt: state_dict." + kLdm) && Contains("[4, 6]") &&
                                            Contains("[5, 6]"));
  const TemporaryFolder folder;
  CHECK_THROWS_WITH(read(changed(folder, [](TensorMap& state) { state.erase(kFirst); })),
                    Contains("no weights of 1 layers: down_blocks.0.attentions.0"));
  CHECK_THROWS_WITH(read(changed(folder,
                                 [](TensorMap& state) {
                                   state[kLdm + "input_blocks.10.1.transformer_blocks.0.attn2.to_k.weight"] =
                                       state.at(kFirst);
                                 })),
                    Contains("input_blocks.10.1") && Contains("does not have"));
  CHECK_THROWS_WITH(read(changed(folder,
                                 [](TensorMap& state) {
                                   state[kFirst + ".u"] = tiny::random({4, 2}, 1);
                                   state[kFirst + ".v"] = tiny::random({2, 6}, 2);
                                   state.erase(kFirst);
                                 })),
                    Contains("a compressed delta"));
  CHECK_THROWS_WITH(read(changed(folder,
                                 [](TensorMap& state) {
                                   state["embed"] = tiny::random({2, 5}, 1);
                                 })),
                    Contains("state_dict.embed") && Contains("[2, 5]") && Contains("[n, 6]"));
}

TEST_CASE("a folder with several deltas asks for one, and a whole checkpoint is none", "[custom_diffusion][files]") {
  const TemporaryFolder folder;
  std::filesystem::copy_file(kFile, folder / "delta_epoch=000004.ckpt");
  std::filesystem::copy_file(kFile, folder / "delta_epoch=000009.ckpt");
  CHECK_THROWS_WITH(read(folder.path()), Contains("give the file instead of the folder"));
  const TemporaryFolder other;
  const auto whole = changed(other, [](TensorMap& state) {
    state[kLdm + "input_blocks.0.0.weight"] = tiny::random({4, 4, 3, 3}, 1);
  });
  CHECK_FALSE(read(whole).has_value());
}
