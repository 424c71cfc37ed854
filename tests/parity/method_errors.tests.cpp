// What `probe method` says about inputs that are not as they should be.
#include <catch2/catch.hpp>
#include <cstring>
#include <filesystem>
#include <functional>
#include <memory>

#include "framework/core/atomic_file.h"
#include "framework/files/safetensors.h"
#include "framework/files/safetensors_writer.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

namespace fs = std::filesystem;

fs::path reference(const std::string& name) { return references_folder() / "methods" / "textreg_ut_readme" / name; }

/// Runs the case with a changed input file; the output must not appear.
Outcome run_with(const std::function<void(TensorFile&)>& change, const std::string& config = "") {
  const TemporaryFolder folder;
  auto file = read_safetensors(reference("in.safetensors"));
  change(file);
  write_safetensors(folder / "in", file.tensors, {.metadata = file.metadata, .add_format = false});
  fs::path yaml = reference("run.yaml");
  if (!config.empty()) {
    yaml = folder / "run.yaml";
    write_file_atomically(yaml, config);
  }
  auto outcome = run_atelier({"probe", "method", "textreg", "--stage", "ut", "--model", models_folder() / "sd15",
                              "--config", yaml, "--in", folder / "in", "--out", folder / "out"});
  CHECK_FALSE(fs::exists(folder / "out"));
  return outcome;
}

void check_refused(const Outcome& outcome, const std::vector<std::string>& words) {
  CHECK(outcome.status != 0);
  for (const auto& word : words) CHECK_THAT(outcome.err, Catch::Contains(word));
}

void nothing(TensorFile&) {}

TensorView integers(std::vector<std::int64_t> values) {
  const auto owner = std::make_shared<std::vector<std::int64_t>>(std::move(values));
  TensorView view;
  view.dtype = Dtype::i64;
  view.shape = {static_cast<std::int64_t>(owner->size())};
  view.bytes = std::as_bytes(std::span(*owner));
  view.owner = owner;
  return view;
}

}  // namespace

TEST_CASE("A missing batch tensor is named with shape and type", "[parity][methods][errors]") {
  check_refused(run_with([](TensorFile& file) { file.tensors.erase("batch.1.noise"); }),
                {"no tensor batch.1.noise", "[B, 4, h, w]", "float32"});
}

TEST_CASE("A batch tensor of another type is named", "[parity][methods][errors]") {
  check_refused(run_with([](TensorFile& file) {
                  file.tensors["batch.0.noise"] = integers({1, 2});
                }),
                {"batch.0.noise", "[2] Long", "[B, 4, h, w]"});
}

TEST_CASE("A missing draw is named with what it may be", "[parity][methods][errors]") {
  check_refused(run_with([](TensorFile& file) { file.tensors.erase("batch.0.mask_identifier"); }),
                {"no tensor batch.0.mask_identifier", "int64", "0 or 1"});
}

TEST_CASE("More draws than the step makes are refused, and outcomes that are none", "[parity][methods][errors]") {
  check_refused(run_with([](TensorFile& file) {
                  file.tensors["batch.0.mask_identifier"] = integers({1, 0, 1});
                }),
                {"batch.0.mask_identifier", "3 draws", "2"});
  check_refused(run_with([](TensorFile& file) {
                  file.tensors["batch.0.mask_identifier"] = integers({1, 7});
                }),
                {"batch.0.mask_identifier[1]", "7"});
}

TEST_CASE("Unknown tensors and texts are refused", "[parity][methods][errors]") {
  check_refused(run_with([](TensorFile& file) { file.tensors["batch.3.noise"] = integers({1}); }),
                {"unknown tensor batch.3.noise"});
  check_refused(run_with([](TensorFile& file) { file.tensors["noise"] = integers({1}); }), {"unknown tensor noise"});
  check_refused(run_with([](TensorFile& file) { file.metadata["batch.0.base_captions"] = "[]"; }),
                {"unknown text batch.0.base_captions"});
}

TEST_CASE("A start must be a parameter of the method", "[parity][methods][errors]") {
  check_refused(run_with([](TensorFile& file) { file.tensors["init.unet.conv_in.weight"] = integers({1}); }),
                {"unknown tensor init.unet.conv_in.weight", "init.text_encoder.token.<krk1>"});
}

TEST_CASE("Gradients to carry need the switch", "[parity][methods][errors]") {
  const std::string name = "unet.mid_block.attentions.0.transformer_blocks.0.attn2.to_k.lora_B.weight";
  check_refused(run_with([&](TensorFile& file) {
                  auto copy = file.tensors.at("init." + name);
                  const auto bytes = std::make_shared<std::vector<std::byte>>(copy.bytes.begin(), copy.bytes.end());
                  copy.bytes = *bytes;
                  copy.owner = bytes;
                  file.tensors["carry." + name] = copy;
                }),
                {"carry." + name, "carry_ti_grads"});
}

TEST_CASE("Texts must be there, one for each row", "[parity][methods][errors]") {
  check_refused(run_with([](TensorFile& file) { file.metadata.erase("batch.1.edit_prompts"); }),
                {"batch.1.edit_prompts", "1 strings"});
  check_refused(run_with([](TensorFile& file) { file.metadata["batch.1.captions"] = R"(["a", "b"])"; }),
                {"batch.1.captions", "1 strings"});
  check_refused(run_with([](TensorFile& file) { file.metadata.erase("steps"); }), {"steps"});
}

TEST_CASE("run.yaml is read strictly", "[parity][methods][errors]") {
  check_refused(run_with(nothing, "class_word: man\noptions: {lora_rnak: 2}\n"), {"lora_rnak", "lora_rank"});
  check_refused(run_with(nothing, "class_word: man\nstages: {tu: {learning_rate: 1}}\n"), {"tu", "ut"});
  check_refused(run_with(nothing, "class_word: man\noption: {lora_rank: 2}\n"), {"option", "options"});
  check_refused(run_with(nothing, "method: dco\nclass_word: man\n"), {"dco", "textreg"});
  check_refused(run_with(nothing, "class_word: man\npreset: readmee\n"), {"readmee", "readme"});
}

TEST_CASE("Training steps in float16 are refused", "[parity][methods][errors]") {
  const TemporaryFolder folder;
  check_refused(run_atelier({"probe", "method", "textreg", "--stage", "ut", "--model", models_folder() / "sd15",
                             "--config", reference("run.yaml"), "--dtype", "float16", "--in",
                             reference("in.safetensors"), "--out", folder / "out"}),
                {"float16", "bfloat16"});
}
