#include <fmt/format.h>

#include "framework/core/error.h"
#include "framework/files/pickle_reader.h"
#include "framework/files/quote.h"

namespace atelier {
namespace {

constexpr int kMaxDepth = 64;
constexpr std::size_t kMaxVisits = 2'000'000;
constexpr std::size_t kMaxNameBytes = 64u << 20;  // of all names together

/// Walks over a tree of containers. Shared parts are visited as often as they are reached, so everything is bounded.
class Flattener {
 public:
  Flattener(TensorFile& file, NestedValues nested) : file_(file), nested_(nested) {}

  void visit(const PickleValue& value, const std::string& name, int depth) {
    const bool deep = depth > kMaxDepth;
    visits_ += 1 + value.size();  // what is skipped costs time too
    if (deep || visits_ > kMaxVisits || (name_bytes_ += name.size()) > kMaxNameBytes) {
      fail(name, deep ? "containers inside containers without end" : "shared containers that expand without end",
           "a dictionary of tensors");
    }
    if (value.kind() == PickleKind::tensor) {
      if (!file_.tensors.emplace(name, value.tensor()).second) fail(name, "two tensors of this name", "one");
    } else if (value.is_lost_tensor()) {
      fail(name, "a tensor that depends on " + quote(value.class_name()), "a plain tensor of a common type");
    } else if (depth == 0 || nested_ == NestedValues::dotted) {
      visit_inner(value, name, depth);
    }
  }

 private:
  [[noreturn]] void fail(const std::string& name, std::string found, std::string expected) const {
    throw Error({.where = fmt::format("{}: {}", file_.path, quote(name)),
                 .found = std::move(found),
                 .expected = std::move(expected),
                 .advice = "convert the file to safetensors in Python"});
  }

  void visit_inner(const PickleValue& value, const std::string& name, int depth) {
    const std::string prefix = depth == 0 ? std::string() : name + ".";
    if (value.kind() == PickleKind::dictionary) {
      for (const auto& [key, inner] : value.entries()) {
        if (key.kind() == PickleKind::text) {
          visit(inner, prefix + std::string(key.text()), depth + 1);
        } else if (key.kind() == PickleKind::integer) {
          visit(inner, prefix + std::to_string(key.integer()), depth + 1);
        }
      }
    } else if (value.kind() == PickleKind::list || value.kind() == PickleKind::tuple) {
      for (std::size_t i = 0; i < value.size(); ++i) visit(value.item(i), prefix + std::to_string(i), depth + 1);
    }
  }

  TensorFile& file_;
  NestedValues nested_;
  std::size_t visits_ = 0;
  std::size_t name_bytes_ = 0;
};

}  // namespace

TensorFile flatten_pickle(const PickleValue& value, NestedValues nested) {
  TensorFile file{.path = value.path(), .tensors = {}, .metadata = {}};
  Flattener(file, nested).visit(value, "", 0);
  return file;
}

TensorFile pickle_checkpoint(const PickleValue& root, NestedValues nested) {
  if (root.kind() == PickleKind::dictionary) {
    const auto state = root.find("state_dict");
    return flatten_pickle(state && state->kind() == PickleKind::dictionary ? *state : root, nested);
  }
  if (root.kind() != PickleKind::list && root.kind() != PickleKind::tuple && root.kind() != PickleKind::tensor &&
      !root.is_lost_tensor()) {
    throw Error({.where = root.path(),
                 .found = root.describe(),
                 .expected = "a dictionary of tensors",
                 .advice = "if you trust the file, in Python: safetensors.torch.save_file(torch.load(IN, "
                           "weights_only=False).state_dict(), OUT)"});
  }
  return flatten_pickle(root, nested);
}

TensorFile read_pickle_checkpoint(const std::filesystem::path& path, NestedValues nested) {
  return pickle_checkpoint(read_pickle(path), nested);
}

}  // namespace atelier
