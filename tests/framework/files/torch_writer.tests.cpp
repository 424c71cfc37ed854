// What torch_file() writes is read back by our own reader of torch.save's files.
#include "framework/files/torch_writer.h"

#include "framework/files/pickle_reader.h"
#include "framework/files/zip_archive.h"
#include "framework/files/zip_writer.h"
#include "tests/framework/files/fixture.h"

using namespace atelier;
using Catch::Contains;

namespace {

template <typename Element>
TensorView view_over(const std::vector<Element>& values, std::vector<std::int64_t> shape, Dtype dtype) {
  TensorView view;
  view.dtype = dtype;
  view.shape = std::move(shape);
  view.bytes = std::as_bytes(std::span(values));
  return view;
}

}  // namespace

TEST_CASE("tensors of every element type, texts, numbers and nested dictionaries come back", "[files][torch_writer]") {
  const std::vector<float> numbers{1.5f, -2.0f, 3.25f, 0.0f, 1e-30f, 7.0f};
  const std::vector<double> doubles{0.1, -0.2};
  const std::vector<std::int64_t> longs{-5, 1LL << 40};
  const std::vector<std::uint16_t> halves{0x3c00, 0xc000, 0x0001};
  const TorchValue root(
      TorchValue::Dictionary{{"<krk1>", view_over(numbers, {2, 3}, Dtype::f32)},
                             {"nested", TorchValue::Dictionary{{"double", view_over(doubles, {2}, Dtype::f64)},
                                                               {"long", view_over(longs, {2, 1}, Dtype::i64)},
                                                               {"half", view_over(halves, {3}, Dtype::f16)},
                                                               {"bfloat", view_over(halves, {1, 3, 1}, Dtype::bf16)}}},
                             {"name", "krk \xC3\xBC"},
                             {"step", std::int64_t{-999}},
                             {"large", std::int64_t{1} << 40},
                             {"scale", -0.1},
                             {"flag", true},
                             {"empty", TorchValue::Dictionary{}}});
  const std::string bytes = torch_file(root);
  CHECK(bytes == torch_file(root));

  const PickleValue read = parse_pickle(as_bytes(bytes), "x.pt");
  const TensorView first = read.find("<krk1>")->tensor();
  CHECK(first.shape == std::vector<std::int64_t>{2, 3});
  CHECK(elements<float>(first) == numbers);
  const PickleValue nested = *read.find("nested");
  CHECK(elements<double>(nested.find("double")->tensor()) == doubles);
  CHECK(elements<std::int64_t>(nested.find("long")->tensor()) == longs);
  CHECK(elements<std::uint16_t>(nested.find("half")->tensor()) == halves);
  CHECK(nested.find("half")->tensor().dtype == Dtype::f16);
  CHECK(nested.find("bfloat")->tensor().dtype == Dtype::bf16);
  CHECK(nested.find("bfloat")->tensor().shape == std::vector<std::int64_t>{1, 3, 1});
  CHECK(read.find("name")->text() == "krk \xC3\xBC");
  CHECK(read.find("step")->integer() == -999);
  CHECK(read.find("large")->integer() == std::int64_t{1} << 40);
  CHECK(read.find("scale")->number() == -0.1);
  CHECK(read.find("flag")->boolean());
  CHECK(read.find("empty")->size() == 0);
}

TEST_CASE("a file may be a bare tensor, and a tensor may be a scalar or empty", "[files][torch_writer]") {
  const std::vector<float> one{4.5f}, none;
  const std::string scalar = torch_file(view_over(one, {}, Dtype::f32), "embeds");
  CHECK(ZipArchive::parse(as_bytes(scalar), "x").find("embeds/data.pkl") != nullptr);
  CHECK(elements<float>(parse_pickle(as_bytes(scalar), "x").tensor()) == one);
  CHECK(parse_pickle(as_bytes(scalar), "x").tensor().shape.empty());
  const std::string empty = torch_file(view_over(none, {0, 768}, Dtype::f32));
  CHECK(parse_pickle(as_bytes(empty), "x").tensor().shape == std::vector<std::int64_t>{0, 768});
}

TEST_CASE("views of the same bytes are stored once, at a multiple of 64", "[files][torch_writer]") {
  const std::vector<float> shared{1.0f, 2.0f}, other{1.0f, 2.0f};
  const TensorView view = view_over(shared, {2}, Dtype::f32);
  const std::string bytes = torch_file(
      TorchValue::Dictionary{{"a", view}, {"b", view}, {"c", view_over(other, {1, 2}, Dtype::f32)}}, "archive");
  const auto archive = ZipArchive::parse(as_bytes(bytes), "x");
  CHECK(archive.find("archive/data/0") != nullptr);
  CHECK(archive.find("archive/data/1") != nullptr);
  CHECK(archive.find("archive/data/2") == nullptr);
  for (const auto& [name, entry] : archive.entries()) CHECK(entry.offset % 64 == 0);
  const PickleValue read = parse_pickle(as_bytes(bytes), "x");
  CHECK(read.find("a")->tensor().bytes.data() == read.find("b")->tensor().bytes.data());
  CHECK(read.find("a")->tensor().bytes.data() != read.find("c")->tensor().bytes.data());
}

TEST_CASE("what torch has no storage for is refused", "[files][torch_writer]") {
  const std::vector<std::uint16_t> values{1, 2};
  CHECK_THAT(error_of([&] { (void)torch_file(view_over(values, {2}, Dtype::u16)); }), Contains("U16"));
  TensorView strided = view_over(values, {2}, Dtype::f16);
  strided.strides = {1};
  CHECK_THAT(error_of([&] { (void)torch_file(strided); }), Contains("strides") && Contains("contiguous"));
}

TEST_CASE("a stored zip file has the checksum that others expect", "[files][zip]") {
  const std::vector<ZipContent> entries{{"a.txt", "123456789"}, {"folder/b", ""}};
  const std::string bytes = stored_zip(entries, 64, "test");
  CHECK(bytes.substr(14, 4) == "\x26\x39\xf4\xcb");  // CRC-32 of "123456789" is cbf43926
  const auto archive = ZipArchive::parse(as_bytes(bytes), "x");
  REQUIRE(archive.entries().size() == 2);
  const auto text = archive.find("a.txt")->bytes;
  CHECK(std::string(reinterpret_cast<const char*>(text.data()), text.size()) == "123456789");
}
