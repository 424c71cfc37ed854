#include "framework/files/weights_index.h"

#include "framework/files/safetensors_writer.h"
#include "framework/files/tensor_file.h"
#include "tests/framework/files/fixture.h"
#include "tests/support/temporary_folder.h"

using atelier::find_weights;
using atelier::read_sharded;
using atelier::read_weights;
using atelier::write_file_atomically;
using Catch::Contains;

namespace {

/// A safetensors file of one-byte tensors with these names.
void write_tensors(const std::filesystem::path& path, const std::vector<std::string>& names) {
  std::map<std::string, atelier::TensorView> tensors;
  const auto owner = std::make_shared<std::vector<std::byte>>(names.size());
  for (std::size_t i = 0; i < names.size(); ++i) {
    tensors[names[i]] = {.dtype = atelier::Dtype::u8,
                         .shape = {1},
                         .strides = {},
                         .bytes = std::span(*owner).subspan(i, 1),
                         .owner = owner};
  }
  atelier::write_safetensors(path, tensors);
}

void write_index(const std::filesystem::path& path, const std::string& weight_map) {
  write_file_atomically(path, R"({"metadata": {"total_size": 2}, "weight_map": )" + weight_map + "}");
}

/// The names under which `find` would look, best first: each found file is removed until there is none.
std::vector<std::string> order_of(const std::filesystem::path& folder, const std::string& base,
                                  const std::string& variant, bool pickle) {
  std::vector<std::string> order;
  while (error_of([&] {
           const auto found = find_weights(folder, base, variant, pickle);
           order.push_back(found.path.filename().string());
           CHECK(found.pickle == (order.back().find(".bin") != std::string::npos));
           CHECK(found.sharded == (order.back().find(".index.") != std::string::npos));
           std::filesystem::remove(found.path);
         }).empty()) {
  }
  return order;
}

void fill(const std::filesystem::path& folder, const std::vector<std::string>& names) {
  for (const auto& name : names) {
    if (name.ends_with(".json")) {
      write_index(folder / name, "{}");
    } else {
      write_file_atomically(folder / name, "");
    }
  }
}

}  // namespace

TEST_CASE("a diffusers component is looked for in the reference's order", "[files][weights]") {
  const std::vector<std::string> safetensors = {
      "diffusion_pytorch_model.fp16.safetensors", "diffusion_pytorch_model.safetensors.index.fp16.json",
      "diffusion_pytorch_model.safetensors.fp16.index.json", "diffusion_pytorch_model.safetensors",
      "diffusion_pytorch_model.safetensors.index.json"};
  const std::vector<std::string> pickles = {"diffusion_pytorch_model.fp16.bin",
                                            "diffusion_pytorch_model.bin.index.fp16.json",
                                            "diffusion_pytorch_model.bin.fp16.index.json",
                                            "diffusion_pytorch_model.bin", "diffusion_pytorch_model.bin.index.json"};
  auto all = safetensors;
  all.insert(all.end(), pickles.begin(), pickles.end());
  TemporaryFolder folder;
  fill(folder.path(), all);
  CHECK(order_of(folder.path(), "diffusion_pytorch_model", "fp16", false) == safetensors);
  fill(folder.path(), all);
  CHECK(order_of(folder.path(), "diffusion_pytorch_model", "fp16", true) == all);
  fill(folder.path(), all);
  CHECK(order_of(folder.path(), "diffusion_pytorch_model", "", false) ==
        std::vector<std::string>{safetensors[3], safetensors[4]});
}

TEST_CASE("a transformers component's pickles are called pytorch_model", "[files][weights]") {
  TemporaryFolder folder;
  fill(folder.path(), {"model.safetensors", "model.bin", "pytorch_model.bin", "pytorch_model.fp16.bin",
                       "pytorch_model.bin.index.json"});
  CHECK(order_of(folder.path(), "model", "fp16", true) ==
        std::vector<std::string>{"model.safetensors", "pytorch_model.fp16.bin", "pytorch_model.bin",
                                 "pytorch_model.bin.index.json"});
}

TEST_CASE("the non-EMA weights are a variant", "[files][weights]") {
  TemporaryFolder folder;
  fill(folder.path(), {"diffusion_pytorch_model.safetensors", "diffusion_pytorch_model.non_ema.safetensors"});
  const auto found = find_weights(folder.path(), "diffusion_pytorch_model", "non_ema");
  CHECK(found.path.filename() == "diffusion_pytorch_model.non_ema.safetensors");
  CHECK(found.variant == "non_ema");
  CHECK(find_weights(folder.path(), "diffusion_pytorch_model").variant.empty());
}

TEST_CASE("a component without weights says what was tried and what is there", "[files][weights]") {
  TemporaryFolder folder;
  const auto refusal = [&](const std::string& variant, bool pickle) {
    return error_of([&] { (void)find_weights(folder.path(), "model", variant, pickle); });
  };
  CHECK_THAT(refusal("fp16", false),
             Contains("no weight file; expected one of model.fp16.safetensors, model.safetensors.index.fp16.json, "
                      "model.safetensors.fp16.index.json, model.safetensors, model.safetensors.index.json"));
  fill(folder.path(), {"pytorch_model.bin"});
  CHECK_THAT(refusal("", false), Contains("only pytorch_model.bin") && Contains("allow pickle files"));
  fill(folder.path(), {"model.ema.safetensors"});
  CHECK_THAT(refusal("", false), Contains("model.ema.safetensors"));
  CHECK_THAT(error_of([&] { (void)find_weights(folder / "absent", "model"); }), Contains("no such folder"));
  CHECK_THAT(error_of([&] { (void)find_weights(folder.path(), "model", "../x"); }), Contains("variant"));
}

TEST_CASE("shards are read as one file", "[files][weights]") {
  TemporaryFolder folder;
  const std::string one = "model.fp16-00001-of-00002.safetensors";
  const std::string two = "model-00002-of-00002.fp16.safetensors";
  write_tensors(folder / one, {"a", "b"});
  write_tensors(folder / two, {"c"});
  write_index(folder / "model.safetensors.index.fp16.json",
              R"({"a": ")" + one + R"(", "b": ")" + one + R"(", "c": ")" + two + R"("})");
  const auto found = find_weights(folder.path(), "model", "fp16");
  CHECK(found.shards == std::vector<std::filesystem::path>{folder / two, folder / one});
  const auto file = read_weights(found);
  CHECK(file.tensors.size() == 3);
  CHECK(file.metadata.at("format") == "pt");
  CHECK(file.path == (folder / "model.safetensors.index.fp16.json").string());
  CHECK(read_weights(folder.path(), "model", "fp16").tensors.size() == 3);
}

TEST_CASE("an index that does not fit its shards is refused", "[files][weights]") {
  TemporaryFolder folder;
  write_tensors(folder / "1.safetensors", {"a", "b"});
  write_tensors(folder / "2.safetensors", {"c"});
  write_tensors(folder / "3.safetensors", {"c"});
  const auto refusal = [&](const std::string& map) {
    write_index(folder / "i.index.json", map);
    return error_of([&] { (void)read_sharded(folder / "i.index.json"); });
  };
  CHECK(refusal(R"({"a": "1.safetensors", "c": "2.safetensors"})").empty());
  CHECK_THAT(refusal(R"({"a": "1.safetensors", "c": "4.safetensors"})"), Contains("no file \"4.safetensors\""));
  CHECK_THAT(refusal(R"({"a": "1.safetensors", "d": "2.safetensors"})"), Contains("\"d\"") && Contains("in no shard"));
  CHECK_THAT(refusal(R"({"a": "1.safetensors", "b": "2.safetensors"})"),
             Contains("in \"1.safetensors\"; expected in \"2.safetensors\""));
  CHECK_THAT(refusal(R"({"c": "2.safetensors", "a": "1.safetensors", "b": "3.safetensors"})"),
             Contains("in two shards"));
  CHECK_THAT(refusal(R"({"a": 1})"), Contains("weight_map.\"a\"") && Contains("a file name"));
  CHECK_THAT(refusal("[]"), Contains("no weight_map"));
  CHECK_THAT(refusal(R"({"a": "1.safetensors", "a": "2.safetensors"})"), Contains("twice"));
}

TEST_CASE("shard names may not leave the folder", "[files][weights]") {
  TemporaryFolder folder;
  write_tensors(folder / "1.safetensors", {"a"});
  std::filesystem::create_directory(folder / "in");
  for (const std::string name :
       {"../1.safetensors", "/etc/passwd", "..", ".", "", "x/1.safetensors", "..\\\\1.safetensors", "a\\u0000b"}) {
    write_index(folder / "in/i.index.json", R"({"a": ")" + name + R"("})");
    CHECK_THAT(error_of([&] { (void)read_sharded(folder / "in/i.index.json"); }), Contains("the index's own folder"));
  }
}

TEST_CASE("pickled shards are read when pickles are allowed", "[files][weights]") {
  TemporaryFolder folder;
  std::filesystem::copy_file(reference("module_state.bin"), folder / "pytorch_model-00001-of-00001.bin");
  write_index(folder / "pytorch_model.bin.index.json", R"({"weight": "pytorch_model-00001-of-00001.bin"})");
  CHECK(read_weights(folder.path(), "model", "", true).tensors.size() == 2);
  CHECK_THAT(error_of([&] { (void)read_sharded(folder / "pytorch_model.bin.index.json"); }), Contains("a pickle file"));
}

TEST_CASE("a weight file's content decides how it is read, not its name", "[files][weights]") {
  TemporaryFolder folder;
  std::filesystem::copy_file(reference("every_dtype.safetensors"), folder / "a.ckpt");
  std::filesystem::copy_file(reference("state.bin"), folder / "b.safetensors");
  std::filesystem::copy_file(reference("state_legacy.bin"), folder / "c.safetensors");
  CHECK(atelier::read_tensor_file(folder / "a.ckpt", false).tensors.size() == 15);
  CHECK(atelier::read_tensor_file(folder / "b.safetensors", true).tensors.size() == 18);
  CHECK(atelier::read_tensor_file(folder / "c.safetensors", true).tensors.size() == 18);
  CHECK_THAT(error_of([&] { (void)atelier::read_tensor_file(folder / "b.safetensors", false); }),
             Contains("a pickle file"));
  CHECK_THAT(error_of([&] { (void)atelier::read_tensor_file(folder / "c.safetensors", false); }),
             Contains("a pickle file"));
}

TEST_CASE("files that are no weights are named for what they are", "[files][weights]") {
  TemporaryFolder folder;
  const auto refusal = [&](const std::string& bytes) {
    write_file_atomically(folder / "x", bytes);
    return error_of([&] { (void)atelier::read_tensor_file(folder / "x", true); });
  };
  CHECK_THAT(refusal(""), Contains("an empty file"));
  CHECK_THAT(refusal("version https://git-lfs.github.com/spec/v1\noid sha256:0\n"), Contains("git lfs pull"));
  CHECK_THAT(refusal("<!DOCTYPE html><html></html>"), Contains("a web page"));
  CHECK_THAT(refusal("GGUF\x03"), Contains("GGUF"));
  CHECK_THAT(refusal(std::string(1000, '\0')), Contains("zeros"));
  CHECK_THAT(refusal("\x80\x04}."), Contains("a pickle that torch.save did not write"));
  CHECK_THAT(refusal("hello world"), Contains("unknown kind"));
  std::string tar(1024, '\0');
  tar.replace(0, 8, "storages");
  tar.replace(257, 5, "ustar");
  CHECK_THAT(refusal(tar), Contains("a tar file") && Contains("torch.load"));
}
