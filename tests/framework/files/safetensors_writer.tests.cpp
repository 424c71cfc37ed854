#include "framework/files/safetensors_writer.h"

#include "framework/files/safetensors.h"
#include "tests/framework/files/fixture.h"
#include "tests/support/temporary_folder.h"

using atelier::Dtype;
using atelier::read_safetensors;
using atelier::TensorView;
using atelier::write_safetensors;
using Catch::Contains;

namespace {

/// `count` bytes of zeros of their own.
TensorView zeros(Dtype dtype, std::vector<std::int64_t> shape, std::size_t count) {
  const auto owner = std::make_shared<std::vector<std::byte>>(count);
  return {.dtype = dtype, .shape = std::move(shape), .strides = {}, .bytes = *owner, .owner = owner};
}

std::string written_error(const std::map<std::string, TensorView>& tensors, atelier::SafetensorsOptions options = {}) {
  TemporaryFolder folder;
  const std::string text = error_of([&] { write_safetensors(folder / "x.safetensors", tensors, options); });
  CHECK(std::filesystem::is_empty(folder.path()) == !text.empty());
  return text;
}

}  // namespace

TEST_CASE("the writer's files equal the reference serializer's byte for byte", "[files][safetensors]") {
  TemporaryFolder folder;
  for (const std::string name : {"every_dtype", "odd_names", "nothing", "metadata_only"}) {
    const auto path = reference(name + ".safetensors");
    const auto file = read_safetensors(path);
    write_safetensors(folder / "copy", file.tensors, {.metadata = file.metadata, .add_format = false});
    CHECK(content(folder / "copy") == content(path));
  }
}

TEST_CASE("the writer adds format: pt, keeps another format and sorts the metadata", "[files][safetensors]") {
  TemporaryFolder folder;
  write_safetensors(folder / "a", {}, {});
  CHECK(read_safetensors(folder / "a").metadata == std::map<std::string, std::string>{{"format", "pt"}});
  write_safetensors(folder / "b", {}, {.metadata = {{"z", "\"\n"}, {"format", "np"}, {"a", ""}}});
  CHECK_THAT(content(folder / "b"), Contains(R"({"__metadata__":{"a":"","format":"np","z":"\"\n"}})"));
}

TEST_CASE("the writer refuses strides, wrong sizes, shared memory and names that cannot be", "[files][safetensors]") {
  auto strided = zeros(Dtype::f32, {2, 2}, 16);
  strided.strides = {1, 2};
  CHECK_THAT(written_error({{"a", strided}}), Contains("strides [1, 2]") && Contains("contiguous"));
  CHECK_THAT(written_error({{"a", zeros(Dtype::f32, {3}, 8)}}), Contains("8 bytes; expected 12 for [3] F32"));
  CHECK_THAT(written_error({{"a", zeros(Dtype::f32, {std::int64_t{1} << 62, 4}, 0)}}), Contains("the shape of"));
  CHECK_THAT(written_error({{"a", zeros(Dtype::f32, {-1}, 0)}}), Contains("the shape of"));
  CHECK_THAT(written_error({{"__metadata__", zeros(Dtype::f32, {1}, 4)}}), Contains("reserved"));
  CHECK_THAT(written_error({{"\xff", zeros(Dtype::f32, {1}, 4)}}), Contains("UTF-8"));

  const auto whole = zeros(Dtype::f32, {4}, 16);
  auto half = whole;
  half.shape = {2};
  half.bytes = whole.bytes.subspan(8);
  CHECK_THAT(written_error({{"a", whole}, {"b", half}}), Contains("\"b\": it shares memory with \"a\""));
  auto first = whole;
  first.shape = {2};
  first.bytes = whole.bytes.first(8);
  CHECK(written_error({{"a", first}, {"b", half}}).empty());
}

TEST_CASE("the writer refuses a header over the limit and leaves the old file alone", "[files][safetensors]") {
  TemporaryFolder folder;
  atelier::write_file_atomically(folder / "x", "old");
  const std::string text = error_of([&] {
    write_safetensors(folder / "x", {}, {.metadata = {{"k", std::string(atelier::kMaxSafetensorsHeader, 'x')}}});
  });
  CHECK_THAT(text, Contains("at most 100000000"));
  CHECK(content(folder / "x") == "old");
}
