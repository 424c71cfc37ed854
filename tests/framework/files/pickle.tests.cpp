// Files that torch.save wrote (make_references.py), and what has to be refused in them.
#include "framework/files/pickle_reader.h"

#include "framework/core/mapped_file.h"
#include "tests/framework/files/fixture.h"
#include "tests/framework/files/zip_writer.h"

using atelier::Dtype;
using atelier::NestedValues;
using atelier::PickleKind;
using atelier::read_pickle;
using atelier::read_pickle_checkpoint;
using atelier::TensorFile;
using Catch::Contains;

namespace {

template <typename Element>
std::vector<Element> ramp(std::size_t count) {
  std::vector<Element> values(count);
  for (std::size_t i = 0; i < count; ++i) values[i] = static_cast<Element>(i);
  return values;
}

void check_state(const TensorFile& file) {
  CHECK(file.tensors.size() == 18);
  CHECK(elements<float>(file.tensors.at("f32")) == ramp<float>(6));
  CHECK(file.tensors.at("f32").shape == std::vector<std::int64_t>{2, 3});
  CHECK(elements<double>(file.tensors.at("f64")) == ramp<double>(6));
  CHECK(elements<std::uint8_t>(file.tensors.at("u8")) == ramp<std::uint8_t>(6));
  CHECK(elements<std::int8_t>(file.tensors.at("i8")) == ramp<std::int8_t>(6));
  CHECK(elements<std::int16_t>(file.tensors.at("i16")) == ramp<std::int16_t>(6));
  CHECK(elements<std::int32_t>(file.tensors.at("i32")) == ramp<std::int32_t>(6));
  CHECK(elements<std::int64_t>(file.tensors.at("i64")) == ramp<std::int64_t>(6));
  // IEEE half: 0, 1, 2, 3, 4, 5; bfloat16 is the upper half of the float.
  CHECK(elements<std::uint16_t>(file.tensors.at("f16")) ==
        std::vector<std::uint16_t>{0, 0x3c00, 0x4000, 0x4200, 0x4400, 0x4500});
  CHECK(elements<std::uint16_t>(file.tensors.at("bf16")) ==
        std::vector<std::uint16_t>{0, 0x3f80, 0x4000, 0x4040, 0x4080, 0x40a0});
  CHECK(file.tensors.at("bf16").dtype == Dtype::bf16);
  CHECK(file.tensors.at("bool").dtype == Dtype::boolean);
  CHECK(elements<std::uint8_t>(file.tensors.at("bool")) == std::vector<std::uint8_t>{0, 1, 0, 1, 0, 1});
  CHECK(elements<float>(file.tensors.at("scalar")) == std::vector<float>{7});
  CHECK(file.tensors.at("empty").shape == std::vector<std::int64_t>{3, 0, 2});
  CHECK(file.tensors.at("empty").bytes.empty());
  CHECK(elements<float>(file.tensors.at("parameter")) == ramp<float>(4));
}

/// base is 0 … 23 as [4, 6]; the others are views into its storage.
void check_views(const TensorFile& file) {
  CHECK(file.tensors.at("base").strides.empty());
  CHECK(file.tensors.at("shared_rows").bytes.data() == file.tensors.at("base").bytes.data() + 6 * sizeof(float));
  CHECK(elements<float>(file.tensors.at("shared_rows")) ==
        std::vector<float>{6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17});
  CHECK(file.tensors.at("transposed").shape == std::vector<std::int64_t>{6, 4});
  CHECK(file.tensors.at("transposed").strides == std::vector<std::int64_t>{1, 6});
  CHECK(elements<float>(file.tensors.at("strided")) == std::vector<float>{1, 4, 13, 16});
  CHECK(file.tensors.at("expanded").strides == std::vector<std::int64_t>{0, 1});
  CHECK(file.tensors.at("expanded").bytes.size() == 3 * sizeof(float));
  CHECK(elements<float>(file.tensors.at("expanded")) == std::vector<float>{0, 1, 2, 0, 1, 2, 0, 1, 2, 0, 1, 2});
}

}  // namespace

TEST_CASE("a state dict of torch.save is read in all dtypes, from both containers and protocol 4", "[files][pickle]") {
  for (const std::string name : {"state.bin", "state_legacy.bin", "state_protocol4.bin"}) {
    INFO(name);
    const TensorFile file = read_pickle_checkpoint(reference(name));
    check_state(file);
    check_views(file);
  }
}

TEST_CASE("a module's state dict is read although its OrderedDict carries attributes", "[files][pickle]") {
  const auto root = read_pickle(reference("module_state.bin"));
  CHECK(root.kind() == PickleKind::dictionary);
  CHECK(root.state()->find("_metadata").has_value());
  const TensorFile file = read_pickle_checkpoint(reference("module_state.bin"));
  CHECK(file.tensors.size() == 2);
  CHECK(elements<float>(file.tensors.at("weight")) == ramp<float>(6));
  CHECK(elements<float>(file.tensors.at("bias")) == ramp<float>(3));
}

TEST_CASE("a training checkpoint gives its state dict; foreign objects stay opaque and unrun", "[files][pickle]") {
  for (const std::string name : {"lightning.ckpt", "lightning_legacy.ckpt"}) {
    INFO(name);
    const TensorFile file = read_pickle_checkpoint(reference(name));
    CHECK(file.tensors.size() == 2);
    CHECK(elements<float>(file.tensors.at("model.weight")) == ramp<float>(6));
    CHECK(file.tensors.at("model.bias").dtype == Dtype::f16);

    const auto root = read_pickle(reference(name));
    CHECK(root.find("epoch")->integer() == 3);
    CHECK(root.find("global_step")->integer() == 70000);
    CHECK(root.find("pytorch-lightning_version")->text() == "1.4.2");
    const auto callbacks = root.find("callbacks").value();
    const auto callback = callbacks.find("ModelCheckpoint").value();
    CHECK(callback.kind() == PickleKind::opaque);
    CHECK(callback.class_name() == "lightning.callbacks.Callback");
    CHECK(callback.find("path")->text() == "epoch=3.ckpt");
    CHECK(elements<float>(callback.find("best")->tensor()) == ramp<float>(3));
    CHECK(callbacks.find("best")->number() == 0.25);
    CHECK(callbacks.find("steps")->integer() == -5);
    const auto group = root.find("optimizer_states")->item(0).find("param_groups")->item(0);
    CHECK(group.find("lr")->number() == 1e-4);
    CHECK(group.find("betas")->item(1).number() == 0.999);
  }
}

TEST_CASE("embeddings of the web UI and of ParameterDict are found in the tree", "[files][pickle]") {
  const auto webui = read_pickle(reference("webui.pt"));
  CHECK(webui.find("name")->text() == "cat-toy");
  CHECK(webui.find("sd_checkpoint")->kind() == PickleKind::none);
  CHECK(webui.find("string_to_token")->find("*")->integer() == 265);
  CHECK(elements<float>(webui.find("string_to_param")->find("*")->tensor()) == ramp<float>(8));

  const auto parameters = read_pickle(reference("parameter_dict.pt")).find("string_to_param").value();
  CHECK(parameters.class_name() == "torch.nn.modules.container.ParameterDict");
  CHECK(elements<float>(parameters.find("_parameters")->find("*")->tensor()) == ramp<float>(4));
}

TEST_CASE("lists, bare tensors and nested dictionaries are flattened by rule", "[files][pickle]") {
  const TensorFile list = read_pickle_checkpoint(reference("list.pt"));
  CHECK(list.tensors.at("1").shape == std::vector<std::int64_t>{3, 2});
  CHECK(read_pickle_checkpoint(reference("tensor.pt")).tensors.contains(""));
  const auto root = read_pickle(reference("lightning.ckpt"));
  CHECK(flatten_pickle(root).tensors.contains("optimizer_states.0.state.0.exp_avg"));
  CHECK(flatten_pickle(root).tensors.contains("state_dict.model.weight"));
  CHECK(flatten_pickle(root, NestedValues::skip).tensors.empty());
}

TEST_CASE("a tensor that depends on an unknown name fails only when it is wanted", "[files][pickle]") {
  const auto root = read_pickle(reference("unsupported.bin"));
  CHECK(elements<float>(root.find("good")->tensor()) == ramp<float>(2));
  CHECK(root.find("unsigned")->is_lost_tensor());
  CHECK(root.find("complex")->is_lost_tensor());
  CHECK_THAT(error_of([&] { (void)root.find("complex")->tensor(); }), Contains("expected a tensor"));
  CHECK_THAT(error_of([&] { (void)flatten_pickle(root); }),
             Contains("\"unsigned\"") && Contains("torch._utils._rebuild_tensor_v3"));
}

TEST_CASE("whole modules and TorchScript archives are refused with the way to convert them", "[files][pickle]") {
  CHECK_THAT(error_of([] { (void)read_pickle_checkpoint(reference("module.pt")); }),
             Contains("torch.nn.modules.linear.Linear") && Contains("state_dict()"));
  CHECK_THAT(error_of([] { (void)read_pickle(reference("torchscript.pt")); }),
             Contains("TorchScript") && Contains("torch.jit.load"));
}

TEST_CASE("accessors name the file and what they found", "[files][pickle]") {
  const auto root = read_pickle(reference("webui.pt"));
  CHECK_THAT(error_of([&] { (void)root.tensor(); }),
             Contains("webui.pt: a dictionary of 6 entries; expected a tensor"));
  CHECK_THAT(error_of([&] { (void)root.find("name")->integer(); }),
             Contains("the text \"cat-toy\"; expected an integer"));
  CHECK_THAT(error_of([&] { (void)root.item(0); }), Contains("a list of at least 1 items"));
  CHECK_FALSE(root.find("nothing").has_value());
}

TEST_CASE("big-endian archives and archives of something else are refused", "[files][pickle]") {
  const std::string pickle("\x80\x02}.", 4);
  const auto refusal = [](const ZipWriter& zip) {
    const std::string bytes = zip.bytes();
    return error_of([&] { (void)atelier::parse_pickle(as_bytes(bytes), "x.pt"); });
  };
  CHECK(refusal({.entries = {{"any/data.pkl", pickle}, {"any/byteorder", "little"}}}).empty());
  CHECK_THAT(refusal({.entries = {{"any/data.pkl", pickle}, {"any/byteorder", "big"}}}),
             Contains("byte order \"big\""));
  CHECK_THAT(refusal({.entries = {{"a/data.pkl", pickle}, {"b/data.pkl", pickle}}}), Contains("two files data.pkl"));
  CHECK_THAT(refusal({.entries = {{"a/b/data.pkl", pickle}}}), Contains("without data.pkl"));
  CHECK_THAT(refusal({.entries = {{"x/data.pkl", pickle + "x"}}}), Contains("after the end of the pickle"));
}
