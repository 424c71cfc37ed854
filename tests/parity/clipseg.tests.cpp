// Tiny segmenters of both kinds against transformers (make_clipseg_references.py).
#include <catch2/catch.hpp>

#include "tests/parity/comparison.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace {

using Names = std::vector<std::string>;
namespace fs = std::filesystem;

fs::path folder() { return ATELIER_SOURCE_DIR "/tests/parity/clipseg"; }

void check(const std::string& model, const std::string& dtype, double tolerance) {
  const TemporaryFolder outputs;
  const Names inputs{model + "_prompt", model + "_embedding", model + "_larger", model + "_smaller"};
  Names arguments{"probe", "component", "segmenter", "--model", folder() / model, "--dtype", dtype};
  for (const auto& input : inputs) {
    arguments.insert(arguments.end(), {"--in", folder() / (input + ".in.safetensors"), "--out", outputs / input});
  }
  const Outcome outcome = run_atelier(arguments);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  for (const auto& input : inputs) {
    CHECK(differences(outputs / input, folder() / (input + "." + dtype + ".safetensors"), tolerance) == "");
  }
}

}  // namespace

TEST_CASE("a segmenter of one transposed convolution agrees in float32", "[parity][segmenter]") {
  check("simple", "float32", 2e-5);
}
TEST_CASE("a segmenter of one transposed convolution agrees in float64", "[parity][segmenter]") {
  check("simple", "float64", 1e-9);
}
TEST_CASE("a segmenter of three convolutions agrees in float32", "[parity][segmenter]") {
  check("complex", "float32", 2e-5);
}
TEST_CASE("a segmenter of three convolutions agrees in float64", "[parity][segmenter]") {
  check("complex", "float64", 1e-9);
}

TEST_CASE("a segmenter's probe wants a prompt in one form", "[parity][segmenter]") {
  const TemporaryFolder outputs;
  const Outcome outcome = run_atelier({"probe", "component", "segmenter", "--model", folder() / "simple", "--in",
                                       folder() / "simple_gradients.in.safetensors", "--out", outputs / "out"});
  CHECK(outcome.status == 1);
  CHECK_THAT(outcome.err, Catch::Contains("an unknown tensor labels") &&
                              Catch::Contains("pixel_values [B, 3, S, S] float32, input_ids [B, L] int64 (optional), "
                                              "conditional_embeddings [B, P] float32 (optional)"));
  CHECK_FALSE(fs::exists(outputs / "out"));
}
