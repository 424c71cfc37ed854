#pragma once

#include <filesystem>
#include <string>
#include <string_view>
#include <vector>

namespace atelier {

/// A form in which programs keep a LoRA or learned tokens (formats.md 10 and 11).
struct Dialect {
  std::string name;    ///< "kohya": what `--to` says and `--list` prints
  std::string holds;   ///< "LoRA" or "tokens"
  std::string ending;  ///< of its files: ".safetensors"
  bool written;        ///< whether we write it; all are read
  bool needs_model;    ///< whether its names mean layers only beside the base model
  bool alphas;         ///< whether it has a place for alpha; else alpha / rank is multiplied into `up`
  std::string text;    ///< one line
};

[[nodiscard]] const std::vector<Dialect>& dialects();
/// Throws Error (usage) with the nearest name for one that is not known.
[[nodiscard]] const Dialect& find_dialect(std::string_view name);

struct ConversionPair {
  std::string from, to;
  std::string holds;  ///< what is carried over: "LoRA" or "tokens"
  bool needs_model;
};
/// Every pair that convert() does. A cloneofsimo file and an artifact also hold tokens, so they occur
/// with both.
[[nodiscard]] std::vector<ConversionPair> conversions();

/// The dialects of a file or folder: one, or for a file that holds both a LoRA and tokens that of each. Throws Error
/// for content that is neither.
[[nodiscard]] std::vector<std::string> dialects_of(const std::filesystem::path& path);

}  // namespace atelier
