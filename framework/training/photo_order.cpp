#include "framework/training/photo_order.h"

#include <fmt/format.h>

#include <algorithm>

#include "framework/core/error.h"
#include "framework/training/draws.h"

namespace atelier {

PhotoOrder::PhotoOrder(Options options) : options_(std::move(options)) {
  const std::int64_t rows = options_.photos * options_.repeats;
  if (rows < 1) throw Error({.where = "photos", .found = "none", .expected = "at least one"});
  per_epoch_ = options_.drop_last ? rows / options_.batch : (rows + options_.batch - 1) / options_.batch;
  if (per_epoch_ > 0) return;
  throw Error({.where = "photos",
               .found = fmt::format("{} in an epoch ({} photos, repeats {})", rows, options_.photos, options_.repeats),
               .expected = fmt::format("at least one batch of {}", options_.batch),
               .advice = "add photos, raise repeats, or lower the batch size"});
}

// Fisher and Yates, from the end. One draw for each place.
void PhotoOrder::shuffle(std::int64_t epoch) {
  RandomDraws draws({.seed = options_.seed, .stage = options_.stage, .step = epoch, .slot = -1});
  order_.resize(static_cast<std::size_t>(options_.photos * options_.repeats));
  for (std::size_t i = 0; i < order_.size(); ++i) order_[i] = static_cast<std::int64_t>(i) % options_.photos;
  for (std::size_t i = order_.size(); i-- > 1;) {
    const auto place = static_cast<std::int64_t>(i);
    std::swap(order_[i], order_[static_cast<std::size_t>(draws.below(options_.name, place + 1, place))]);
  }
  epoch_ = epoch;
}

std::vector<std::int64_t> PhotoOrder::batch(std::int64_t number) {
  if (number / per_epoch_ != epoch_) shuffle(number / per_epoch_);
  const auto begin = static_cast<std::size_t>(number % per_epoch_ * options_.batch);
  const auto end = std::min(order_.size(), begin + static_cast<std::size_t>(options_.batch));
  return {order_.begin() + static_cast<std::ptrdiff_t>(begin), order_.begin() + static_cast<std::ptrdiff_t>(end)};
}

}  // namespace atelier
