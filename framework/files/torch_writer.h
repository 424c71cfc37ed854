#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "framework/files/tensor_view.h"

namespace atelier {

/// A value that torch.save would write: a tensor, a dictionary by text keys in this order, or a plain value.
struct TorchValue {
  using Dictionary = std::vector<std::pair<std::string, TorchValue>>;
  std::variant<TensorView, Dictionary, std::string, std::int64_t, double, bool> value;

  TorchValue(TensorView tensor) : value(std::move(tensor)) {}          // NOLINT: a value is what it holds
  TorchValue(Dictionary dictionary) : value(std::move(dictionary)) {}  // NOLINT
  TorchValue(std::string text) : value(std::move(text)) {}             // NOLINT
  TorchValue(const char* text) : value(std::string(text)) {}           // NOLINT
  TorchValue(std::int64_t number) : value(number) {}                   // NOLINT
  TorchValue(double number) : value(number) {}                         // NOLINT
  TorchValue(bool flag) : value(flag) {}                               // NOLINT
};

/// The bytes of a .pt or .bin file (torch.save's zip form, pickle protocol 2) that torch.load reads, also with
/// weights_only. Views of the same bytes become tensors that share a storage. Equal values give equal bytes.
/// `stem` names the folder inside the archive, as torch.save names it after the file.
/// Throws Error for a strided view, an element type that storages of torch do not have, and what stored_zip() refuses.
[[nodiscard]] std::string torch_file(const TorchValue& root, const std::string& stem = "archive");

}  // namespace atelier
