#include "framework/files/torch_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <bit>
#include <cstring>
#include <map>
#include <string_view>
#include <tuple>

#include "framework/core/error.h"
#include "framework/files/zip_writer.h"

namespace atelier {
namespace {

constexpr std::size_t kStorageAlignment = 64;  // of torch.save

// Opcodes of pickle protocol 2 (Python's pickletools names them).
constexpr std::string_view kProto = "\x80\x02";
constexpr char kMark = '(';
constexpr char kTuple = 't';
constexpr char kEmptyTuple = ')';
constexpr char kEmptyDict = '}';
constexpr char kSetItems = 'u';
constexpr char kText = 'X';
constexpr char kInt = 'J';
constexpr char kFloat = 'G';
constexpr char kGlobal = 'c';
constexpr char kReduce = 'R';
constexpr char kPersistent = 'Q';
constexpr char kTrue = '\x88';
constexpr char kFalse = '\x89';
constexpr char kStop = '.';
constexpr std::string_view kLong1 = "\x8a\x08";  // an integer of 8 bytes

const char* storage_class(const TensorView& view) {
  switch (view.dtype) {
    case Dtype::boolean:
      return "BoolStorage";
    case Dtype::u8:
      return "ByteStorage";
    case Dtype::i8:
      return "CharStorage";
    case Dtype::i16:
      return "ShortStorage";
    case Dtype::f16:
      return "HalfStorage";
    case Dtype::bf16:
      return "BFloat16Storage";
    case Dtype::i32:
      return "IntStorage";
    case Dtype::f32:
      return "FloatStorage";
    case Dtype::f64:
      return "DoubleStorage";
    case Dtype::i64:
      return "LongStorage";
    default:
      throw Error({.where = "a file of torch.save",
                   .found = describe(view),
                   .expected = "an element type that storages of torch have",
                   .advice = "write safetensors"});
  }
}

/// Writes the pickle, and collects the storages that it names.
class TorchPickler {
 public:
  std::string run(const TorchValue& root) {
    out_ = kProto;
    put(root);
    out_ += kStop;
    return std::move(out_);
  }
  [[nodiscard]] const std::vector<std::string_view>& storages() const { return storages_; }

 private:
  void put(const TorchValue& value) {
    std::visit([&](const auto& held) { put_held(held); }, value.value);
  }
  void put_held(const TorchValue::Dictionary& dictionary) {
    out_ += kEmptyDict;
    out_ += kMark;
    for (const auto& [key, value] : dictionary) {
      put_held(key);
      put(value);
    }
    out_ += kSetItems;
  }
  void put_held(const std::string& text) {
    out_ += kText;
    number(static_cast<std::uint32_t>(text.size()));
    out_ += text;
  }
  void put_held(std::int64_t value) {
    if (value == static_cast<std::int32_t>(value)) {
      out_ += kInt;
      number(static_cast<std::int32_t>(value));
    } else {
      out_ += kLong1;
      number(value);
    }
  }
  void put_held(double value) {
    out_ += kFloat;
    std::uint64_t bits = std::bit_cast<std::uint64_t>(value);
    for (int shift = 56; shift >= 0; shift -= 8) out_ += static_cast<char>(bits >> shift & 0xff);  // big-endian
  }
  void put_held(bool value) { out_ += value ? kTrue : kFalse; }

  /// torch._utils._rebuild_tensor_v2(storage, offset, sizes, strides, requires_grad, hooks)
  void put_held(const TensorView& view) {
    if (!view.strides.empty()) {
      throw Error({.where = "a file of torch.save",
                   .found = describe(view) + " with strides",
                   .expected = "a contiguous tensor"});
    }
    global("torch._utils", "_rebuild_tensor_v2");
    out_ += kMark;
    storage(view);
    put_held(std::int64_t{0});
    tuple(view.shape);
    tuple(strides_of(view.shape));
    out_ += kFalse;
    global("collections", "OrderedDict");
    out_ += kEmptyTuple;
    out_ += kReduce;
    out_ += kTuple;
    out_ += kReduce;
  }
  /// ("storage", class, key, "cpu", elements) as a persistent id.
  void storage(const TensorView& view) {
    out_ += kMark;
    put_held(std::string("storage"));
    global("torch", storage_class(view));
    put_held(std::to_string(number_of(view)));
    put_held(std::string("cpu"));
    put_held(view.numel());
    out_ += kTuple;
    out_ += kPersistent;
  }
  std::size_t number_of(const TensorView& view) {
    const auto next = storages_.size();
    const std::string_view bytes{reinterpret_cast<const char*>(view.bytes.data()), view.bytes.size()};
    const auto [place, fresh] = numbers_.try_emplace({bytes.data(), bytes.size(), view.dtype}, next);
    if (fresh) storages_.push_back(bytes);
    return place->second;
  }
  void global(std::string_view module, std::string_view name) {
    out_ += kGlobal;
    out_ += module;
    out_ += '\n';
    out_ += name;
    out_ += '\n';
  }
  void tuple(const std::vector<std::int64_t>& values) {
    out_ += kMark;
    for (const auto value : values) put_held(value);
    out_ += kTuple;
  }
  static std::vector<std::int64_t> strides_of(const std::vector<std::int64_t>& shape) {
    std::vector<std::int64_t> strides(shape.size(), 1);
    for (std::size_t i = shape.size(); i-- > 1;) strides[i - 1] = strides[i] * std::max<std::int64_t>(shape[i], 1);
    return strides;
  }
  template <typename Number>
  void number(Number value) {
    std::array<char, sizeof value> bytes{};
    std::memcpy(bytes.data(), &value, sizeof value);
    out_.append(bytes.data(), bytes.size());
  }

  std::string out_;
  std::map<std::tuple<const char*, std::size_t, Dtype>, std::size_t> numbers_;
  std::vector<std::string_view> storages_;
};

}  // namespace

std::string torch_file(const TorchValue& root, const std::string& stem) {
  TorchPickler pickler;
  const std::string pickle = pickler.run(root);
  std::vector<ZipContent> entries{{stem + "/data.pkl", pickle}, {stem + "/byteorder", "little"}};
  for (std::size_t i = 0; i < pickler.storages().size(); ++i)
    entries.push_back({fmt::format("{}/data/{}", stem, i), pickler.storages()[i]});
  entries.push_back({stem + "/version", "3\n"});
  return stored_zip(entries, kStorageAlignment, "a file of torch.save");
}

}  // namespace atelier
