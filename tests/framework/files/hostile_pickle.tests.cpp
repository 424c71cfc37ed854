// Pickles that nobody means well with. Each must end in an Error or in a value that was only read.
#include "framework/files/pickle_reader.h"
#include "tests/framework/files/fixture.h"
#include "tests/framework/files/zip_writer.h"

using atelier::parse_pickle;
using atelier::PickleKind;
using atelier::PickleValue;
using Catch::Contains;
using namespace std::string_literals;

namespace {

/// A torch.save file around opcodes (without the protocol and the final STOP), with one storage "0" of 4 floats.
std::string archive_of(const std::string& opcodes) {
  return ZipWriter{.entries = {{"x/data.pkl", "\x80\x02" + opcodes + "."}, {"x/data/0", std::string(16, '\1')}}}
      .bytes();
}

PickleValue load(const std::string& opcodes) {
  const auto bytes = std::make_shared<const std::string>(archive_of(opcodes));
  return parse_pickle(as_bytes(*bytes), "x.pt", bytes);
}

std::string pickle_refusal(const std::string& opcodes) {
  return error_of([&] { (void)flatten_pickle(load(opcodes)); });
}

std::string global(const std::string& module, const std::string& name) { return "c" + module + "\n" + name + "\n"; }
std::string text(const std::string& value) {
  return "X" + little_endian(static_cast<std::uint32_t>(value.size())) + value;
}
std::string integer(std::int32_t value) { return "J" + little_endian(value); }
std::string integer64(std::int64_t value) { return "\x8a\x08" + little_endian(value); }

std::string storage(const std::string& type = "FloatStorage", const std::string& key = "0",
                    const std::string& numel = integer(4)) {
  return "(" + text("storage") + global("torch", type) + text(key) + text("cpu") + numel + "tQ";
}

std::string tensor(const std::string& offset, const std::string& size, const std::string& stride,
                   const std::string& memory = storage()) {
  return global("torch._utils", "_rebuild_tensor_v2") + "(" + memory + offset + "(" + size + "t(" + stride + "t\x89N" +
         "tR";
}

}  // namespace

TEST_CASE("a call of os.system is read as a name and never made", "[files][pickle]") {
  const auto value = load(global("os", "system") + text("touch /tmp/atelier-was-here") + "\x85R");
  CHECK(value.kind() == PickleKind::opaque);
  CHECK(value.class_name() == "os.system");
  CHECK_FALSE(std::filesystem::exists("/tmp/atelier-was-here"));
  CHECK_THAT(error_of([&] { (void)pickle_checkpoint(value); }), Contains("os.system"));
  CHECK(load("\x8c\x02os\x8c\x06system\x93" + text("x") + "\x85R").class_name() == "os.system");
  CHECK(load(global("builtins", "eval") + text("1") + "\x85\x81").kind() == PickleKind::opaque);
}

TEST_CASE("a tensor through an unknown function is refused when wanted", "[files][pickle]") {
  CHECK_THAT(pickle_refusal("}" + text("a") + global("torch._utils", "_rebuild_evil") + ")Rs"),
             Contains("\"a\"") && Contains("torch._utils._rebuild_evil"));
  CHECK_THAT(pickle_refusal("}" + text("a") + tensor(integer(0), integer(1), integer(1), storage("EvilStorage")) + "s"),
             Contains("torch.EvilStorage"));
}

TEST_CASE("memo indexes beyond all bounds cost nothing", "[files][pickle]") {
  CHECK(load("}r\xff\xff\xff\xff"s).kind() == PickleKind::dictionary);
  CHECK(load("}r\xff\xff\xff\xff"s + "0j\xff\xff\xff\xff"s).kind() == PickleKind::dictionary);
  CHECK_THAT(pickle_refusal("j\xff\xff\xff\x7f"s), Contains("which was not kept"));
  CHECK_THAT(pickle_refusal("h\x05"s), Contains("the value 5"));
}

TEST_CASE("lengths beyond the file are refused before anything is allocated", "[files][pickle]") {
  CHECK_THAT(pickle_refusal("\x8b\xff\xff\xff\xff"s), Contains("expected 4294967295"));
  CHECK_THAT(pickle_refusal("X\xff\xff\xff\xff"s), Contains("expected 4294967295"));
  CHECK_THAT(pickle_refusal("\x8d\xff\xff\xff\xff\xff\xff\xff\xff"s), Contains("expected 18446744073709551615"));
  CHECK_THAT(pickle_refusal("B\xff\xff\xff\x7f"s), Contains("more bytes"));
  CHECK_THAT(pickle_refusal("cno line end"), Contains("more bytes"));
  CHECK(load("\x8a\xff" + std::string(255, '\x7f')).class_name() == "int");
  CHECK(load("\x8a\x00"s).integer() == 0);
  CHECK(load("\x8a\x01\xff"s).integer() == -1);
  CHECK(load("\x8a\x03\x00\x00\x80"s).integer() == -8388608);
}

TEST_CASE("containers nested or shared without bound are refused, not expanded", "[files][pickle]") {
  CHECK(load(std::string(1'000'000, ']') + std::string(999'999, 'a')).size() == 1);
  CHECK_THAT(pickle_refusal(std::string(1'000'000, ']') + std::string(999'999, 'a')), Contains("without end"));
  std::string laughs = ")";  // forty times a pair of twice the same
  for (int i = 0; i < 40; ++i) laughs += "2\x86";
  CHECK(load(laughs).size() == 2);
  CHECK_THAT(pickle_refusal(laughs), Contains("without end"));
  CHECK_THAT(pickle_refusal("]q"s + '\0' + "h"s + '\0' + "a"), Contains("without end"));  // a list that holds itself
  CHECK_THAT(pickle_refusal(std::string(4'000'001, 'N')), Contains("more than 4000000 operations"));
}

TEST_CASE("operations on a wrong or an empty stack are refused", "[files][pickle]") {
  for (const std::string opcodes :
       {"0", "2", "a", "s", "e", "u", "t", "l", "d", "b", "R", "Q", "q\x01", "\x85", "\x94", "(e", "(Ns"}) {
    CHECK_FALSE(pickle_refusal(opcodes).empty());
  }
  CHECK_THAT(pickle_refusal(""), Contains("finds no value"));
  CHECK_THAT(pickle_refusal("NNa"), Contains("no list"));
  CHECK_THAT(pickle_refusal("NNNs"), Contains("no dictionary"));
  CHECK_THAT(pickle_refusal("}(Nu"), Contains("a key without a value"));
  CHECK_THAT(pickle_refusal("N)R"), Contains("no name"));
  CHECK_THAT(pickle_refusal(global("a", "b") + "NR"), Contains("without a tuple"));
  CHECK_THAT(pickle_refusal("NN\x93"), Contains("no text"));
  CHECK_THAT(pickle_refusal("NQ"), Contains("persistent id"));
  CHECK_THAT(pickle_refusal("i"), Contains("opcode 0x69"));
}

TEST_CASE("a tensor may not reach outside its storage", "[files][pickle]") {
  CHECK(pickle_refusal(tensor(integer(0), integer(4), integer(1))).empty());
  CHECK(pickle_refusal(tensor(integer(1), integer(2), integer(2))).empty());
  const auto big = integer64(std::int64_t{1} << 62);
  CHECK_THAT(pickle_refusal(tensor(integer(0), integer(5), integer(1))), Contains("reaches 5 elements from element 0"));
  CHECK_THAT(pickle_refusal(tensor(integer(1), integer(4), integer(1))), Contains("from element 1"));
  CHECK_THAT(pickle_refusal(tensor(integer(5), integer(0), integer(1))), Contains("from element 5"));
  CHECK_THAT(pickle_refusal(tensor(integer(-1), integer(1), integer(1))), Contains("from element -1"));
  CHECK_THAT(pickle_refusal(tensor(integer(0), integer(2), integer(4))), Contains("reaches 5"));
  CHECK_THAT(pickle_refusal(tensor(big, integer(1), integer(1))), Contains("reaches 1"));
  CHECK_THAT(pickle_refusal(tensor(integer(0), big + integer(4), integer(1) + integer(1))), Contains("63 bits"));
  CHECK_THAT(pickle_refusal(tensor(integer(0), integer(3), big)), Contains("63 bits"));
  CHECK_THAT(pickle_refusal(tensor(integer(0), integer(0) + big + big, integer(1) + integer(1) + integer(1))),
             Contains("63 bits"));
  CHECK_THAT(pickle_refusal(tensor(integer(0), integer(-1), integer(1))), Contains("no integer from 0"));
  CHECK_THAT(pickle_refusal(tensor(integer(0), integer(1), integer(-1))), Contains("no integer from 0"));
  CHECK_THAT(pickle_refusal(tensor(integer(0), integer(1), "")), Contains("different lengths"));
  CHECK_THAT(pickle_refusal(tensor(integer(0), integer64(std::int64_t{1} << 40), integer(0))),
             Contains("an expanded tensor"));
  std::string many;
  for (int i = 0; i < 65; ++i) many += integer(1);
  CHECK_THAT(pickle_refusal(tensor(integer(0), many, many)), Contains("65 dimensions"));
}

TEST_CASE("storages must be there, of one length and one class", "[files][pickle]") {
  const auto with = [](const std::string& memory) {
    return pickle_refusal(tensor(integer(0), integer(1), integer(1), memory));
  };
  CHECK_THAT(with(storage("FloatStorage", "7")), Contains("no entry \"x/data/7\""));
  CHECK_THAT(with(storage("FloatStorage", "../data.pkl")), Contains("no entry"));
  CHECK_THAT(with(storage("FloatStorage", "0", integer(5))),
             Contains("16 bytes of the storage \"0\"; expected 5 elements F32"));
  CHECK_THAT(with(storage("HalfStorage", "0", integer(4))), Contains("expected 4 elements F16"));
  CHECK_THAT(with(storage("FloatStorage", "0", integer64(INT64_MAX))), Contains("16 bytes"));
  CHECK_THAT(with(storage("FloatStorage", "0", integer(-4))), Contains("damaged persistent id"));
  CHECK(with(storage("HalfStorage", "0", integer(8))).empty());
  CHECK_THAT(pickle_refusal(storage() + storage("HalfStorage", "0", integer(8)) + "\x86"),
             Contains("two classes or lengths"));
}

TEST_CASE("two tensors that would get one name are refused", "[files][pickle]") {
  const std::string one = tensor(integer(0), integer(1), integer(1));
  CHECK_THAT(pickle_refusal("}(" + text("a.b") + one + text("a") + "}" + text("b") + one + "s" + "u"),
             Contains("two tensors of this name"));
}

TEST_CASE("numpy scalars of unknown types or sizes stay opaque", "[files][pickle]") {
  const auto scalar = [](const std::string& code, const std::string& bytes, const std::string& order = "<") {
    const std::string dtype =
        global("numpy", "dtype") + text(code) + "\x89\x88\x87R(" + integer(3) + text(order) + "tb";
    return load(global("numpy.core.multiarray", "scalar") + dtype + "C" + static_cast<char>(bytes.size()) + bytes +
                "\x86R");
  };
  CHECK(scalar("f4", little_endian(1.5f)).number() == 1.5);
  CHECK(scalar("i2", little_endian<std::int16_t>(-3)).integer() == -3);
  CHECK(scalar("u1", "\xff").integer() == 255);
  CHECK(scalar("b1", "\x01").boolean());
  CHECK(scalar("f4", little_endian(1.5)).kind() == PickleKind::opaque);
  CHECK(scalar("f8", little_endian(1.5), ">").kind() == PickleKind::opaque);
  CHECK(scalar("u8", little_endian(~std::uint64_t{0})).kind() == PickleKind::opaque);
  CHECK(scalar("V9", "123456789").kind() == PickleKind::opaque);
  CHECK(scalar("", "").kind() == PickleKind::opaque);
}

TEST_CASE("a torch.save file cut at any byte is refused", "[files][pickle]") {
  for (const std::string name :
       {"lightning.ckpt", "state.bin", "lightning_legacy.ckpt", "state_legacy.bin", "state_protocol4.bin"}) {
    const std::string bytes = content(reference(name));
    for (std::size_t size = 0; size < bytes.size(); ++size) {
      INFO(name << " cut to " << size);
      CHECK_FALSE(error_of([&] { (void)parse_pickle(as_bytes(bytes).first(size), "x.pt"); }).empty());
    }
  }
}

TEST_CASE("a torch.save file with a flipped byte gives an Error or tensors inside the file", "[files][pickle]") {
  std::size_t read = 0;
  std::size_t refused = 0;
  for (const std::string name : {"lightning.ckpt", "state_legacy.bin", "state_protocol4.bin", "parameter_dict.pt"}) {
    const std::string bytes = content(reference(name));
    for (std::size_t at = 0; at < bytes.size(); ++at) {
      for (const unsigned flip : {0x01u, 0x02u, 0x10u, 0x40u, 0x80u, 0xffu}) {
        std::string damaged = bytes;
        damaged[at] = static_cast<char>(static_cast<unsigned char>(damaged[at]) ^ flip);
        const std::string text = error_of([&] {
          const auto file = flatten_pickle(parse_pickle(as_bytes(damaged), "x.pt"));
          for (const auto& [key, view] : file.tensors) {
            REQUIRE(view.numel() < (1 << 20));
            if (view.bytes.empty()) continue;
            REQUIRE(static_cast<const void*>(view.bytes.data()) >= damaged.data());
            REQUIRE(static_cast<const void*>(view.bytes.data() + view.bytes.size()) <= damaged.data() + damaged.size());
            REQUIRE(elements<std::uint8_t>({.dtype = view.dtype,
                                            .shape = view.shape,
                                            .strides = view.strides,
                                            .bytes = view.bytes,
                                            .owner = {}})
                        .size() == static_cast<std::size_t>(view.numel()));
          }
        });
        ++(text.empty() ? read : refused);
      }
    }
  }
  CHECK(read > 0);
  CHECK(refused > 0);
}
