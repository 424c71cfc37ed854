#include "framework/methods/foreign_files.h"

#include <ATen/ops/equal.h>
#include <ATen/ops/tensor.h>

#include <fstream>

#include "framework/core/error.h"
#include "framework/files/torch_writer.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

TEST_CASE("a method sees the files of a folder by name, and reads both kinds of weight files", "[methods][foreign]") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "a/unet");
  const Tensor value = at::tensor({1.0f, 2.0f, 3.0f});
  write_named_tensors(folder / "a/unet/weights.safetensors", {.tensors = {{"x", value}}, .metadata = {{"k", "v"}}});
  std::ofstream(folder / "a/learned.pt", std::ios::binary)
      << torch_file(TorchValue::Dictionary{{"nested", TorchValue::Dictionary{{"<x>", to_view(value)}}}});
  std::ofstream(folder / "a/config.json") << R"({"layers": [1, 2]})";

  const ForeignFiles files(folder / "a/");
  CHECK(files.is_folder());
  CHECK(files.names() == std::vector<std::string>{"config.json", "learned.pt", "unet/weights.safetensors"});
  CHECK(files.has("learned.pt"));
  CHECK_FALSE(files.has("weights.safetensors"));
  CHECK(files.json("config.json").at("layers").size() == 2);
  CHECK(at::equal(files.tensors("learned.pt").tensors.at("nested.<x>"), value));
  const NamedTensors weights = files.tensors("unet/weights.safetensors");
  CHECK(at::equal(weights.tensors.at("x"), value));
  CHECK(weights.metadata.at("k") == "v");
  CHECK_THROWS_AS((void)files.tensors("config.json"), Error);

  const ForeignFiles one(folder / "a/learned.pt");
  CHECK_FALSE(one.is_folder());
  CHECK(one.names() == std::vector<std::string>{"learned.pt"});
  CHECK(one.tensors("learned.pt").tensors.size() == 1);
}

TEST_CASE("links to folders are not followed, and a missing place is a usage error", "[methods][foreign]") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "a/b");
  std::ofstream(folder / "a/b/x.txt") << "x";
  std::filesystem::create_directory_symlink(folder / "a", folder / "a/b/loop");
  CHECK(ForeignFiles(folder / "a").names() == std::vector<std::string>{"b/x.txt"});
  try {
    const ForeignFiles missing(folder / "none");
    FAIL("nothing was thrown");
  } catch (const Error& error) {
    CHECK(error.kind() == ErrorKind::usage);
    CHECK(error.fault().where == (folder / "none").string());
  }
}
