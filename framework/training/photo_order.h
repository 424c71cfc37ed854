#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace atelier {

struct DataSpec;

/// In which order photos are seen: an epoch holds each of them `repeats` times, shuffled by its own draws, so that any
/// batch can be computed without those before it.
class PhotoOrder {
 public:
  struct Options {
    std::uint64_t seed = 0;
    std::int64_t stage = 0;
    std::int64_t photos = 0;
    std::int64_t repeats = 1;
    std::int64_t batch = 1;
    bool drop_last = true;             ///< else the last batch of an epoch may be smaller
    std::string name = "photo_order";  ///< of the draws
  };
  /// Throws Error when there is no photo, or when dropping the last batch of an epoch would leave none.
  explicit PhotoOrder(Options options);

  /// Photo indices of batch `number`, from 0 over all epochs.
  [[nodiscard]] std::vector<std::int64_t> batch(std::int64_t number);
  [[nodiscard]] std::int64_t batches_per_epoch() const { return per_epoch_; }

 private:
  void shuffle(std::int64_t epoch);

  Options options_;
  std::int64_t per_epoch_ = 0;
  std::int64_t epoch_ = -1;          // whose order is held
  std::vector<std::int64_t> order_;  // photo indices
};

}  // namespace atelier
