#pragma once

#include <cstdint>
#include <string_view>

#include "framework/tensor/tensor.h"

namespace atelier {

/// The only source of randomness of a training stage. A draw is named; it depends on nothing but the run's seed, the
/// stage's place, the optimizer step, the row of the batch and this name (formats.md 17), so a resumed stage continues
/// bit for bit and two methods with one seed see the same noise. `index` tells several draws of one name apart.
class Draws {
 public:
  virtual ~Draws();
  Draws() = default;
  Draws(const Draws&) = delete;
  Draws& operator=(const Draws&) = delete;

  /// Uniform in [0, 1).
  [[nodiscard]] virtual double uniform(std::string_view name, std::int64_t index = 0) = 0;
  /// Uniform in 0 … n - 1, n >= 1.
  [[nodiscard]] virtual std::int64_t below(std::string_view name, std::int64_t n, std::int64_t index = 0) = 0;
  /// True with probability p. Its own draw, so that a probe can give its outcome.
  [[nodiscard]] virtual bool happens(std::string_view name, double p, std::int64_t index = 0) = 0;
  /// Standard normal float32 on the CPU.
  [[nodiscard]] virtual Tensor normal(std::string_view name, at::IntArrayRef shape, std::int64_t index = 0) = 0;
};

/// Where in a run a draw is made.
struct DrawPlace {
  std::uint64_t seed = 0;
  std::int64_t stage = 0;  ///< ordinal of the stage in its method
  std::int64_t step = 0;   ///< optimizer step, from 0; -1: before the first (initial values)
  std::int64_t slot = 0;   ///< row of the effective batch; -1: the whole batch
};

/// Draws at one place, each from a fresh CPU generator (mt19937) seeded with the first 8 bytes of SHA-256 over place,
/// name and index. No state: the order of calls does not matter.
class RandomDraws final : public Draws {
 public:
  explicit RandomDraws(const DrawPlace& place) : place_(place) {}
  [[nodiscard]] double uniform(std::string_view name, std::int64_t index = 0) override;
  [[nodiscard]] std::int64_t below(std::string_view name, std::int64_t n, std::int64_t index = 0) override;
  [[nodiscard]] bool happens(std::string_view name, double p, std::int64_t index = 0) override;
  [[nodiscard]] Tensor normal(std::string_view name, at::IntArrayRef shape, std::int64_t index = 0) override;

 private:
  [[nodiscard]] std::uint64_t seed_of(std::string_view name, std::int64_t index) const;
  DrawPlace place_;
};

}  // namespace atelier
