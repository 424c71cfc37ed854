// Where options may stand in `probe method`'s run.yaml.
#include <catch2/catch.hpp>
#include <filesystem>

#include "framework/core/atomic_file.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

/// The bytes that a case's inputs give under another run.yaml.
std::string probed(const std::string& method, const std::string& stage, const std::string& inputs,
                   const std::string& config) {
  const TemporaryFolder folder;
  write_file_atomically(folder / "run.yaml", "method: " + method + "\n" + config);
  const auto outcome =
      run_atelier({"probe", "method", method, "--stage", stage, "--model", models_folder() / "sd15", "--config",
                   folder / "run.yaml", "--in", references_folder() / "methods" / inputs / "in.safetensors", "--out",
                   folder / "out", "--threads", "1"});
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  return read_text_file(folder / "out");
}

}  // namespace

TEST_CASE("A stage is probed with the first preset in which it runs, and takes the method's options",
          "[parity][methods]") {
  const auto style = [](const std::string& more) {
    return probed("dco", "style", "dco_style_readme", "class_word: a flat cartoon\n" + more);
  };
  const auto spelled_out = style("preset: style\noptions: {rank: 1, dcoloss_beta: 20.0}\n");
  CHECK(style("options: {rank: 1}\nstages: {style: {dcoloss_beta: 20.0}}\n") == spelled_out);
  CHECK(style("options: {rank: 1}\n") != spelled_out);
}

TEST_CASE("CatVersion's rate may have its configuration's name", "[parity][methods][catversion]") {
  const auto concat = [](const std::string& rates) {
    return probed(
        "catversion", "concat", "catversion_from_the_end",
        "class_word: man\noptions: {layers: [-1, -3], prefix_logit_bias: -0.5}\nstages: {concat: {" + rates + "}}\n");
  };
  CHECK(concat("base_learning_rate: 0.02, train_batch_size: 3") == concat("learning_rate: 0.02, train_batch_size: 3"));
  CHECK(concat("base_learning_rate: 0.02") != concat("base_learning_rate: 0.01"));
}
