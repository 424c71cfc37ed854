// Every row of the table of odd input: what the reference parser does with it, and where ours is stricter.
#include "framework/files/safetensors.h"

#include "tests/framework/files/fixture.h"
#include "tests/support/temporary_folder.h"

using atelier::parse_safetensors;
using atelier::TensorFile;
using Catch::Contains;

namespace {

std::string file_of(const std::string& header, const std::string& data = "") {
  return little_endian<std::uint64_t>(header.size()) + header + data;
}

std::string entry(const std::string& dtype, const std::string& shape, const std::string& offsets) {
  return R"({"dtype":")" + dtype + R"(","shape":)" + shape + R"(,"data_offsets":)" + offsets + "}";
}

const std::string kData8(8, '\x01');
/// Two F32 elements under the name a.
const std::string kValid = R"({"a":)" + entry("F32", "[2]", "[0,8]") + "}";

TensorFile parse(const std::string& bytes) {
  const auto owner = std::make_shared<const std::string>(bytes);
  return parse_safetensors(as_bytes(*owner), "x.safetensors", owner);
}

std::string refusal(const std::string& bytes) {
  return error_of([&] { (void)parse(bytes); });
}

std::string header_refusal(const std::string& header, const std::string& data = kData8) {
  return refusal(file_of(header, data));
}

}  // namespace

TEST_CASE("safetensors_accepts_a_plain_file_and_hands_out_views_without_copying", "[files][safetensors]") {
  const std::string bytes = file_of(kValid, kData8);
  const TensorFile file = parse_safetensors(as_bytes(bytes), "x.safetensors");
  REQUIRE(file.tensors.size() == 1);
  const auto& view = file.tensors.at("a");
  CHECK(view.dtype == atelier::Dtype::f32);
  CHECK(view.shape == std::vector<std::int64_t>{2});
  CHECK(view.strides.empty());
  CHECK(static_cast<const void*>(view.bytes.data()) == bytes.data() + bytes.size() - 8);
  CHECK(view.bytes.size() == 8);
  CHECK(file.metadata.empty());
}

TEST_CASE("safetensors_malformed_fewer_than_8_bytes_or_empty_file", "[files][safetensors]") {
  for (std::size_t size = 0; size < 8; ++size) CHECK_THAT(refusal(std::string(size, '\0')), Contains("byte 0"));
  TemporaryFolder folder;
  atelier::write_file_atomically(folder / "empty.safetensors", "");
  CHECK_THAT(error_of([&] { (void)atelier::read_safetensors(folder / "empty.safetensors"); }), Contains("0 bytes"));
}

TEST_CASE("safetensors_malformed_n_over_100000000_or_near_2_64", "[files][safetensors]") {
  for (const std::uint64_t length :
       {std::uint64_t{100'000'001}, ~std::uint64_t{0}, ~std::uint64_t{0} - 7, std::uint64_t{1} << 63}) {
    CHECK_THAT(refusal(little_endian(length) + kValid), Contains("at most 100000000"));
  }
}

TEST_CASE("safetensors_malformed_n_runs_past_the_end_of_the_file", "[files][safetensors]") {
  CHECK_THAT(refusal(little_endian<std::uint64_t>(kValid.size() + 1) + kValid), Contains("inside the file"));
  CHECK_THAT(refusal(little_endian<std::uint64_t>(100'000'000) + kValid), Contains("inside the file"));
}

TEST_CASE("safetensors_malformed_header_not_utf8", "[files][safetensors]") {
  CHECK_THAT(header_refusal("{\"\xff\":" + entry("F32", "[2]", "[0,8]") + "}"), Contains("UTF-8"));
  CHECK_THAT(header_refusal("{\"\xc0\x80\":" + entry("F32", "[2]", "[0,8]") + "}"), Contains("not JSON"));
  CHECK_THAT(header_refusal("\xfe{}", ""), Contains("not JSON"));
}

TEST_CASE("safetensors_malformed_header_empty_not_an_object_bom_trailing_garbage_nul_padding", "[files][safetensors]") {
  CHECK_THAT(header_refusal("", ""), Contains("not JSON"));
  CHECK_THAT(header_refusal("   ", ""), Contains("not JSON"));
  CHECK_THAT(header_refusal("[]", ""), Contains("an array"));
  CHECK_THAT(header_refusal("null", ""), Contains("null"));
  CHECK_THAT(header_refusal("3", ""), Contains("a number"));
  CHECK_THAT(header_refusal("\xEF\xBB\xBF{}", ""), Contains("byte order mark"));
  CHECK_THAT(header_refusal("{}x", ""), Contains("not JSON"));
  CHECK_THAT(header_refusal("{}{}", ""), Contains("not JSON"));
  CHECK_THAT(header_refusal(std::string("{}\0\0\0\0", 6), ""), Contains("NUL byte"));
  CHECK_THAT(header_refusal(std::string("{}\0x", 4), ""), Contains("byte 10"));
}

TEST_CASE("safetensors_accepts_json_whitespace_around_and_n_not_a_multiple_of_8", "[files][safetensors]") {
  for (const std::string padding : {"", " ", "\n", "\t\r\n ", "       "}) {
    CHECK(parse(file_of(padding + kValid + padding, kData8)).tensors.size() == 1);
  }
}

TEST_CASE("safetensors_malformed_trailing_comma_nan_leading_zero_minus_zero_nesting_over_128", "[files][safetensors]") {
  const auto with_field = [](const std::string& value) {
    return R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"x":)" + value + "}}";
  };
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "[2]", "[0,8]") + ",}"), Contains("not JSON"));
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "[2,]", "[0,8]") + "}"), Contains("not JSON"));
  CHECK_THAT(header_refusal(with_field("NaN")), Contains("not JSON"));
  CHECK_THAT(header_refusal(with_field("1e999")), Contains("not JSON"));
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "[02]", "[0,8]") + "}"), Contains("not JSON"));
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "[2]", "[-0,8]") + "}"), Contains("minus sign"));
  // Two levels are the header and the entry; the reference reads 125 more and no 126th.
  CHECK(parse(file_of(with_field(std::string(125, '[') + std::string(125, ']')), kData8)).tensors.size() == 1);
  CHECK_THAT(header_refusal(with_field(std::string(126, '[') + std::string(126, ']'))), Contains("nesting"));
  CHECK_THAT(header_refusal(with_field(std::string(100'000, '['))), Contains("nesting"));
}

TEST_CASE("safetensors_malformed_control_character_in_a_string_or_lone_surrogate", "[files][safetensors]") {
  CHECK_THAT(header_refusal("{\"a\n\":" + entry("F32", "[2]", "[0,8]") + "}"), Contains("not JSON"));
  CHECK_THAT(header_refusal("{\"a\x01\":" + entry("F32", "[2]", "[0,8]") + "}"), Contains("not JSON"));
  CHECK_THAT(header_refusal(R"({"\ud800":)" + entry("F32", "[2]", "[0,8]") + "}"), Contains("not JSON"));
  CHECK_THAT(header_refusal(R"({"\udc00":)" + entry("F32", "[2]", "[0,8]") + "}"), Contains("not JSON"));
  CHECK_THAT(header_refusal(R"({"\ud800\u0041":)" + entry("F32", "[2]", "[0,8]") + "}"), Contains("not JSON"));
}

TEST_CASE("safetensors_accepts_escapes_in_names_and_the_empty_name", "[files][safetensors]") {
  CHECK(
      parse(file_of(R"({"\u0061\ud83d\ude00":)" + entry("F32", "[2]", "[0,8]") + "}", kData8)).tensors.contains("a😀"));
  CHECK(parse(file_of(R"({"":)" + entry("F32", "[2]", "[0,8]") + "}", kData8)).tensors.contains(""));
}

TEST_CASE("safetensors_malformed_tensor_value_null_number_or_other_non_object", "[files][safetensors]") {
  for (const std::string value : {"null", "1", "-1", "1.5", "true", "\"F32\""}) {
    CHECK_THAT(header_refusal(R"({"a":)" + value + "}", ""), Contains("tensor \"a\"") && Contains("an object"));
  }
}

TEST_CASE("safetensors_malformed_field_missing_or_twice", "[files][safetensors]") {
  CHECK_THAT(header_refusal(R"({"a":{"shape":[2],"data_offsets":[0,8]}})"), Contains("no dtype"));
  CHECK_THAT(header_refusal(R"({"a":{"dtype":"F32","data_offsets":[0,8]}})"), Contains("no shape"));
  CHECK_THAT(header_refusal(R"({"a":{"dtype":"F32","shape":[2]}})"), Contains("no data_offsets"));
  CHECK_THAT(header_refusal(R"({"a":{}})"), Contains("no dtype"));
  CHECK_THAT(header_refusal(R"({"a":{"dtype":"F32","dtype":"F32","shape":[2],"data_offsets":[0,8]}})"),
             Contains("dtype twice"));
  CHECK_THAT(header_refusal(R"({"a":{"dtype":"F32","shape":[2],"shape":[2],"data_offsets":[0,8]}})"),
             Contains("shape twice"));
  CHECK_THAT(header_refusal(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8],"data_offsets":[0,8]}})"),
             Contains("data_offsets twice"));
}

TEST_CASE("safetensors_accepts_unknown_extra_fields_in_an_entry", "[files][safetensors]") {
  const std::string extra = R"("x":{"dtype":"F64","shape":[[-1.5,null,true,"s"]],"x":{}},"y":-0,"x":[{}],"z":null)";
  const auto file = parse(
      file_of(R"({"a":{)" + extra + R"(,"dtype":"F32","shape":[2],"data_offsets":[0,8],)" + extra + "}}", kData8));
  CHECK(file.tensors.at("a").dtype == atelier::Dtype::f32);
  CHECK(file.tensors.at("a").shape == std::vector<std::int64_t>{2});
}

TEST_CASE("safetensors_malformed_dtype_unknown_or_lower_case", "[files][safetensors]") {
  for (const std::string dtype : {"f32", "F33", "", "FLOAT", "F8"}) {
    CHECK_THAT(header_refusal(R"({"a":)" + entry(dtype, "[2]", "[0,8]") + "}"), Contains("unknown dtype"));
  }
  CHECK_THAT(header_refusal(R"({"a":{"dtype":3,"shape":[2],"data_offsets":[0,8]}})"), Contains("as dtype"));
  CHECK_THAT(header_refusal(R"({"a":{"dtype":null,"shape":[2],"data_offsets":[0,8]}})"), Contains("as dtype"));
}

TEST_CASE("safetensors_malformed_dimension_negative_fractional_exponent_string_or_over_2_64", "[files][safetensors]") {
  for (const std::string dimension :
       {"-2", "-0", "2.5", "2.0", "2e0", "\"2\"", "18446744073709551616", "null", "[2]", "true", "{}"}) {
    CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "[" + dimension + "]", "[0,8]") + "}"),
               Contains("in the shape"));
  }
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "2", "[0,8]") + "}"), Contains("as shape"));
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "null", "[0,8]") + "}"), Contains("as shape"));
}

TEST_CASE("safetensors_malformed_data_offsets_of_1_or_3_entries_or_end_before_begin", "[files][safetensors]") {
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "[2]", "[0]") + "}"), Contains("1 data_offsets"));
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "[2]", "[0,8,8]") + "}"), Contains("3 data_offsets"));
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "[2]", "[]") + "}"), Contains("0 data_offsets"));
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "[2]", "[0,-8]") + "}"), Contains("in data_offsets"));
  CHECK_THAT(
      header_refusal(R"({"a":)" + entry("F32", "[2]", "[0,8]") + R"(,"b":)" + entry("F32", "[1]", "[8,4]") + "}"),
      Contains("not before BEGIN"));
}

TEST_CASE("safetensors_malformed_first_tensor_not_at_0_gap_overlap_or_same_bytes", "[files][safetensors]") {
  const std::string data(16, '\0');
  const auto two = [&](const std::string& a, const std::string& b) {
    return header_refusal(R"({"a":)" + entry("F32", "[2]", a) + R"(,"b":)" + entry("F32", "[2]", b) + "}", data);
  };
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "[2]", "[4,12]") + "}", data.substr(4)),
             Contains("begins at 4, after a gap"));
  CHECK_THAT(two("[0,8]", "[9,17]"), Contains("tensor \"b\"") && Contains("after a gap"));
  CHECK_THAT(two("[0,8]", "[4,12]"), Contains("tensor \"b\"") && Contains("inside another"));
  CHECK_THAT(two("[0,8]", "[0,8]"), Contains("inside another"));
  CHECK_THAT(two("[8,16]", "[9,17]"), Contains("tensor \"a\""));
}

TEST_CASE("safetensors_malformed_length_is_not_that_of_shape_and_dtype", "[files][safetensors]") {
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "[3]", "[0,8]") + "}"),
             Contains("8 bytes of data") && Contains("12 for the shape [3] F32"));
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "[]", "[0,8]") + "}"), Contains("8 bytes of data"));
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "[0]", "[0,8]") + "}"), Contains("8 bytes of data"));
  CHECK_THAT(header_refusal(R"({"a":)" + entry("C64", "[2]", "[0,8]") + "}"), Contains("16 for the shape"));
}

TEST_CASE("safetensors_malformed_shape_overflows_64_bits_also_before_a_zero_dimension", "[files][safetensors]") {
  for (const std::string shape : {"[4294967296,4294967296]", "[18446744073709551615,2]", "[4611686018427387904,4,0]",
                                  "[2305843009213693952]", "[576460752303423488]"}) {
    CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", shape, "[0,0]") + "}", ""), Contains("64 bits"));
  }
  // The reference takes these, since nothing overflows after a zero; our shapes are signed and are multiplied up.
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "[0,18446744073709551615]", "[0,0]") + "}", ""),
             Contains("zeros aside"));
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F32", "[0,4294967296,4294967296]", "[0,0]") + "}", ""),
             Contains("zeros aside"));
}

TEST_CASE("safetensors_malformed_sub_byte_dtype_does_not_fill_whole_bytes", "[files][safetensors]") {
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F4", "[3]", "[0,1]") + "}", "x"),
             Contains("12 bits of F4") && Contains("whole bytes"));
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F6_E2M3", "[2]", "[0,1]") + "}", "x"), Contains("whole bytes"));
}

TEST_CASE("safetensors refuses by name the dtypes it does not read, after the checks of structure",
          "[files][safetensors]") {
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F4", "[2]", "[0,1]") + "}", "x"),
             Contains("the dtype F4, which is not supported"));
  CHECK_THAT(header_refusal(R"({"a":)" + entry("F6_E3M2", "[4]", "[0,3]") + "}", "xyz"), Contains("F6_E3M2"));
  CHECK_THAT(header_refusal(R"({"a":)" + entry("C64", "[1]", "[0,8]") + "}"), Contains("C64"));
  for (const std::string dtype : {"F8_E5M2", "F8_E4M3", "F8_E8M0", "F8_E4M3FNUZ", "F8_E5M2FNUZ"}) {
    CHECK_THAT(header_refusal(R"({"a":)" + entry(dtype, "[8]", "[0,8]") + "}"), Contains("dtype " + dtype + ","));
  }
}

TEST_CASE("safetensors_malformed_data_longer_or_shorter_than_the_last_end", "[files][safetensors]") {
  CHECK_THAT(header_refusal(kValid, kData8 + "x"), Contains("9 bytes of tensor data"));
  CHECK_THAT(header_refusal(kValid, kData8.substr(1)), Contains("7 bytes of tensor data"));
  CHECK_THAT(header_refusal("{}", "x"), Contains("1 bytes of tensor data"));
}

TEST_CASE("safetensors_accepts_zero_size_tensors_anywhere_no_data_and_metadata_only", "[files][safetensors]") {
  const auto file =
      parse(file_of(R"({"z":)" + entry("F32", "[0]", "[8,8]") + R"(,"b":)" + entry("F32", "[1]", "[4,8]") + R"(,"y":)" +
                        entry("I64", "[3,0,2]", "[4,4]") + R"(,"a":)" + entry("F32", "[]", "[0,4]") + R"(,"x":)" +
                        entry("BOOL", "[0]", "[0,0]") + "}",
                    kData8));
  CHECK(file.tensors.size() == 5);
  CHECK(file.tensors.at("y").shape == std::vector<std::int64_t>{3, 0, 2});
  CHECK(file.tensors.at("y").bytes.empty());
  CHECK(file.tensors.at("a").shape.empty());
  CHECK(file.tensors.at("a").numel() == 1);
  CHECK(parse(file_of("{}")).tensors.empty());
  CHECK(parse(file_of(R"({"__metadata__":{"format":"pt"}})")).metadata.at("format") == "pt");
}

TEST_CASE("safetensors_accepts_metadata_null", "[files][safetensors]") {
  CHECK(parse(file_of(R"({"__metadata__":null,"a":)" + entry("F32", "[2]", "[0,8]") + "}", kData8)).metadata.empty());
}

TEST_CASE("safetensors_malformed_metadata_list_non_string_value_or_twice", "[files][safetensors]") {
  CHECK_THAT(header_refusal(R"({"__metadata__":[]})", ""), Contains("\"__metadata__\"") && Contains("an array"));
  CHECK_THAT(header_refusal(R"({"__metadata__":"s"})", ""), Contains("an object of strings"));
  for (const std::string value : {"1", "null", "true", "-1", "1.5", "[]", "{}"}) {
    CHECK_THAT(header_refusal(R"({"__metadata__":{"k":)" + value + "}}", ""),
               Contains("under the key \"k\"; expected a string"));
  }
  CHECK_THAT(header_refusal(R"({"__metadata__":{},"__metadata__":{}})", ""), Contains("twice"));
  CHECK_THAT(header_refusal(R"({"__metadata__":null,"__metadata__":null})", ""), Contains("twice"));
  CHECK_THAT(header_refusal(R"({"__metadata__":{"k":"1","k":"2"}})", ""), Contains("twice"));
}

TEST_CASE("safetensors_malformed_same_tensor_name_twice", "[files][safetensors]") {
  const std::string a = R"("a":)" + entry("F32", "[2]", "[0,8]");
  CHECK_THAT(header_refusal("{" + a + "," + a + "}"), Contains("tensor \"a\"") && Contains("twice"));
  CHECK_THAT(header_refusal("{" + a + R"(,"\u0061":)" + entry("F32", "[0]", "[8,8]") + "}"), Contains("twice"));
}

TEST_CASE("safetensors_malformed_array_form", "[files][safetensors]") {
  CHECK_THAT(header_refusal(R"({"a":["F32",[2],[0,8]]})"), Contains("an array") && Contains("an object {"));
}

TEST_CASE("safetensors_accepts_data_that_is_not_aligned_to_the_dtype", "[files][safetensors]") {
  const auto file =
      parse(file_of(R"({"a":)" + entry("U8", "[1]", "[0,1]") + R"(,"b":)" + entry("F32", "[2]", "[1,9]") + "}",
                    "\x07" + little_endian(1.5f) + little_endian(-2.0f)));
  CHECK(elements<float>(file.tensors.at("b")) == std::vector<float>{1.5f, -2.0f});
  CHECK(elements<std::uint8_t>(file.tensors.at("a")) == std::vector<std::uint8_t>{7});
}

TEST_CASE("safetensors errors name the file, the tensor and a byte inside the file", "[files][safetensors]") {
  const std::string text = header_refusal(R"({"a":)" + entry("F32", "[2]", "[0,8]") + R"(,"b":null})");
  CHECK_THAT(text, Contains("x.safetensors: tensor \"b\", byte "));
  const auto byte = std::stoul(text.substr(text.find("byte ") + 5));
  const std::string bytes = file_of(R"({"a":)" + entry("F32", "[2]", "[0,8]") + R"(,"b":null})", kData8);
  CHECK(byte > bytes.find("\"b\""));
  CHECK(byte <= bytes.find("null") + 5);
}

TEST_CASE("safetensors reads a file of every dtype and keeps it mapped as long as a view lives",
          "[files][safetensors]") {
  atelier::TensorView kept;
  {
    const auto file = atelier::read_safetensors(reference("every_dtype.safetensors"));
    CHECK(file.tensors.size() == 15);
    CHECK(file.metadata.at("format") == "pt");
    for (const auto& [name, view] : file.tensors) {
      if (name.find('.') != std::string::npos) CHECK(name.substr(2) == atelier::dtype_name(view.dtype));
    }
    CHECK(elements<std::int16_t>(file.tensors.at("w.I16")) == std::vector<std::int16_t>{0, 1, 2, 3, 4, 5});
    CHECK(elements<std::uint64_t>(file.tensors.at("n.U64")) == std::vector<std::uint64_t>{0, 1, 2, 3, 4, 5});
    CHECK(atelier::describe(file.tensors.at("q.F32")) == "[2, 3] F32");
    kept = file.tensors.at("p.F64");
  }
  CHECK(elements<double>(kept) == std::vector<double>{0, 1, 2, 3, 4, 5});
}

TEST_CASE("a mutated safetensors file is refused by Error or read, and its views lie inside it",
          "[files][safetensors]") {
  const std::string original = content(reference("every_dtype.safetensors"));
  std::size_t read = 0;
  const auto attempt = [&](const std::string& bytes) {
    (void)error_of([&] {
      const auto file = parse_safetensors(as_bytes(bytes), "x.safetensors");
      for (const auto& [name, view] : file.tensors) {
        REQUIRE(view.bytes.size() == static_cast<std::size_t>(view.numel()) * atelier::dtype_size(view.dtype));
        if (view.bytes.empty()) continue;
        REQUIRE(static_cast<const void*>(view.bytes.data()) >= bytes.data());
        REQUIRE(static_cast<const void*>(view.bytes.data() + view.bytes.size()) <= bytes.data() + bytes.size());
      }
      ++read;
    });
  };
  for (std::size_t size = 0; size < original.size(); ++size) {
    CHECK_FALSE(error_of([&] { (void)parse(original.substr(0, size)); }).empty());
  }
  CHECK(read == 0);
  for (std::size_t at = 0; at < original.size(); ++at) {
    for (const unsigned flip : {0x01u, 0x04u, 0x20u, 0x80u, 0xffu}) {
      std::string bytes = original;
      bytes[at] = static_cast<char>(static_cast<unsigned char>(bytes[at]) ^ flip);
      attempt(bytes);
    }
  }
  CHECK(read > 0);  // flips in the data and in names
}
