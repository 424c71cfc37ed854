#include "framework/training/draws.h"

#include <ATen/CPUGeneratorImpl.h>
#include <fmt/format.h>

#include "framework/core/digest.h"
#include "framework/core/error.h"
#include "framework/tensor/random.h"

namespace atelier {

Draws::~Draws() = default;

// The text that is hashed. The name comes last, because it may hold any character. Changing a byte of this changes
// every training run: raise the framework's numerics with it.
std::uint64_t RandomDraws::seed_of(std::string_view name, std::int64_t index) const {
  const std::string text = fmt::format("atelier.draw/1\n{}\n{}\n{}\n{}\n{}\n{}", place_.seed, place_.stage, place_.step,
                                       place_.slot, index, name);
  return std::stoull(sha256_hex(text).substr(0, 16), nullptr, 16);
}

namespace {

/// The first 64 random bits of a fresh generator.
std::uint64_t first_bits(std::uint64_t seed) {
  auto generator = make_generator(seed);
  return at::check_generator<at::CPUGeneratorImpl>(generator)->random64();
}

}  // namespace

double RandomDraws::uniform(std::string_view name, std::int64_t index) {
  return static_cast<double>(first_bits(seed_of(name, index)) >> 11) * 0x1.0p-53;
}

std::int64_t RandomDraws::below(std::string_view name, std::int64_t n, std::int64_t index) {
  if (n < 1) {
    throw Error(
        {.where = fmt::format("draw {}", name), .found = fmt::format("{} outcomes", n), .expected = "1 or more"});
  }
  // The remainder of 64 bits: off from uniform by less than n / 2^64.
  return static_cast<std::int64_t>(first_bits(seed_of(name, index)) % static_cast<std::uint64_t>(n));
}

bool RandomDraws::happens(std::string_view name, double p, std::int64_t index) { return uniform(name, index) < p; }

Tensor RandomDraws::normal(std::string_view name, at::IntArrayRef shape, std::int64_t index) {
  auto generator = make_generator(seed_of(name, index));
  return randn(shape, generator);
}

}  // namespace atelier
