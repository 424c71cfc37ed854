// `atelier merge --as svd` against numpy's singular values of whole matrices (make_truncation_reference.py).
#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "framework/files/safetensors.h"
#include "tests/parity/comparison.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

namespace {

namespace fs = std::filesystem;
using LoraTensors = std::map<std::string, atelier::TensorView>;

const fs::path kTruncated = fs::path(ATELIER_SOURCE_DIR) / "tests/parity/artifacts/merge";

/// Merges both files with these weights; returns the line of JSON.
atelier::Json merge_both(const std::string& subject_weight, const std::string& style_weight,
                         std::vector<std::string> more) {
  std::vector<std::string> arguments = {"merge", (kTruncated / "subject.safetensors").string() + ":" + subject_weight,
                                        (kTruncated / "style.safetensors").string() + ":" + style_weight, "--json"};
  arguments.insert(arguments.end(), more.begin(), more.end());
  const Outcome outcome = run_atelier(arguments);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
  return atelier::parse_json(outcome.out, "merge");
}

/// up · down of a layer [out, in], row by row: in our files alpha is the rank.
std::vector<double> layer_update(const LoraTensors& lora, const std::string& module) {
  const auto& down = lora.at(module + ".lora_A.weight");
  const auto& up = lora.at(module + ".lora_B.weight");
  const auto rank = static_cast<std::size_t>(down.shape[0]), in = static_cast<std::size_t>(down.shape[1]);
  const auto a = values_of(down), b = values_of(up);
  std::vector<double> product(static_cast<std::size_t>(up.shape[0]) * in, 0.0);
  for (std::size_t i = 0; i < product.size(); ++i) {
    for (std::size_t k = 0; k < rank; ++k) product[i] += b[i / in * rank + k] * a[k * in + i % in];
  }
  return product;
}

}  // namespace

TEST_CASE("merge --as svd is the sum cut to its largest singular values, as numpy cuts it", "[parity][merge]") {
  const TemporaryFolder folder;
  const auto out = folder / "cut.safetensors";
  const auto report = merge_both("0.8", "-0.5", {"--as", "svd", "--rank", "2", "--out", out.string()});
  const auto expected = atelier::read_safetensors(kTruncated / "expected_rank2.safetensors").tensors;
  CHECK(report.at("as") == "svd");
  CHECK(report.at("layers") == 90);
  CHECK(report.at("kept").get<double>() == Approx(values_of(expected.at("kept")).front()).epsilon(1e-12));
  const auto ours = atelier::read_safetensors(out).tensors;
  CHECK(ours.size() == 180);
  for (const auto& [module, tensor] : expected) {
    if (module == "kept") continue;
    INFO(module);
    CHECK(ours.at(module + ".lora_A.weight").shape[0] == 2);
    CHECK(deviation(layer_update(ours, module), values_of(tensor)) < 1e-6);
  }
}

TEST_CASE("merge --as svd is exact from the sum of the ranks on, and the same bytes each time", "[parity][merge]") {
  const TemporaryFolder folder;
  const auto cut = folder / "cut.safetensors", again = folder / "again.safetensors", all = folder / "all.safetensors";
  const auto report = merge_both("0.8", "-0.5", {"--as", "svd", "--rank", "7", "--out", cut.string()});
  (void)merge_both("0.8", "-0.5", {"--as", "svd", "--rank", "100", "--out", again.string()});
  (void)merge_both("0.8", "-0.5", {"--out", all.string()});
  CHECK(report.at("kept") == 1.0);
  const auto ours = atelier::read_safetensors(cut).tensors, second = atelier::read_safetensors(again).tensors;
  const auto whole = atelier::read_safetensors(all).tensors;
  REQUIRE(ours.size() == whole.size());
  for (const auto& [name, tensor] : whole) {
    if (!name.ends_with(".lora_A.weight")) continue;
    const auto module = name.substr(0, name.size() - std::string(".lora_A.weight").size());
    CHECK(deviation(layer_update(ours, module), layer_update(whole, module)) < 1e-6);
    CHECK(values_of(ours.at(name)) == values_of(second.at(name)));
  }
}

TEST_CASE("merge asks for a rank with svd, and for svd with a rank", "[parity][merge]") {
  const TemporaryFolder folder;
  const auto file = (kTruncated / "subject.safetensors").string(), out = (folder / "x.safetensors").string();
  const Outcome without = run_atelier({"merge", file, "--as", "svd", "--out", out});
  CHECK(without.status == 2);
  CHECK_THAT(without.err, Catch::Contains("--rank"));
  const Outcome alone = run_atelier({"merge", file, "--rank", "2", "--out", out});
  CHECK(alone.status == 2);
  CHECK_THAT(alone.err, Catch::Contains("--as svd"));
  CHECK_FALSE(fs::exists(out));
}
