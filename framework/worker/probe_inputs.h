#pragma once

#include <set>
#include <string>
#include <vector>

#include "framework/core/json.h"
#include "framework/tensor/tensor_io.h"
#include "framework/training/batch_inputs.h"

namespace atelier::worker {

/// The input file of `probe method`: tensors and texts by name, each of which somebody must ask for.
class ProbeInputs {
 public:
  explicit ProbeInputs(const std::string& path);

  [[nodiscard]] const std::string& path() const { return path_; }
  /// `__metadata__["steps"]`, at least 1.
  [[nodiscard]] std::int64_t steps() const;
  [[nodiscard]] bool has(const std::string& name) const { return content_.tensors.contains(name); }
  /// Throws Error naming what was expected (name, shape in words, type).
  [[nodiscard]] Tensor take(const std::string& name, const std::string& shape, std::int64_t rank,
                            bool integral = false);
  /// Undefined where there is none.
  [[nodiscard]] Tensor optional(const std::string& name, const std::string& shape, std::int64_t rank,
                                bool integral = false);
  /// A JSON array of `count` strings in the metadata.
  [[nodiscard]] std::vector<std::string> texts(const std::string& name, std::int64_t count);
  /// Every tensor whose name begins so, by the rest of the name (with the prefix where `keep`).
  [[nodiscard]] TensorMap all(const std::string& prefix, bool keep);

  /// Throws Error for what nobody asked for. `expected`: in words.
  void finish(const std::string& expected) const;

 private:
  std::string path_;
  NamedTensors content_;
  std::set<std::string> used_;
};

/// The draws of one batch: tensor batch.k.<name>, element i for the draw of index i.
class ProbeDraws final : public Draws {
 public:
  ProbeDraws(ProbeInputs& inputs, std::string batch) : inputs_(inputs), batch_(std::move(batch)) {}

  [[nodiscard]] double uniform(std::string_view name, std::int64_t index = 0) override;
  [[nodiscard]] std::int64_t below(std::string_view name, std::int64_t n, std::int64_t index = 0) override;
  [[nodiscard]] bool happens(std::string_view name, double p, std::int64_t index = 0) override;
  [[nodiscard]] Tensor normal(std::string_view name, at::IntArrayRef shape, std::int64_t index = 0) override;

  /// Throws Error when a tensor of draws holds more than were made.
  void finish() const;

 private:
  [[nodiscard]] Tensor element(std::string_view name, std::int64_t index, bool integral, const std::string& meaning);
  [[nodiscard]] std::int64_t integer(std::string_view name, std::int64_t index, std::int64_t below,
                                     const std::string& meaning);

  ProbeInputs& inputs_;
  std::string batch_;  // "batch.3."
  struct Use {
    std::int64_t highest = -1, given = 0;
  };
  std::map<std::string, Use> uses_;
};

}  // namespace atelier::worker
