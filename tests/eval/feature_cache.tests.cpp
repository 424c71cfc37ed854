#include "eval/feature_cache.h"

#include <atomic>
#include <fstream>
#include <nlohmann/json.hpp>

#include "eval/cached_encoder.h"
#include "eval/read_ahead.h"
#include "framework/core/digest.h"
#include "tests/support/catch_torch.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;

namespace {

namespace fs = std::filesystem;

/// Counts its calls; the features are the first pixels of each row.
class CountingEncoder final : public eval::Encoder {
 public:
  explicit CountingEncoder(int& calls) : calls_(calls) {}
  Tensor image_features(const Tensor& pixels) const override {
    ++calls_;
    return pixels.flatten(1).narrow(1, 0, 3).clone();
  }
  Tensor text_features(const std::string&) const override { return at::ones({3}); }
  bool on_cpu() const override { return true; }
  std::int64_t image_size() const override { return 2; }

 private:
  int& calls_;
};

const Json kSettings{{"encoder", "a"}};

eval::CachedEncoder cached(const fs::path& folder, int& calls, const Json& settings = kSettings) {
  return {std::make_unique<CountingEncoder>(calls), std::make_unique<eval::FeatureCache>(folder, settings)};
}

std::vector<float> numbers(int first) { return {static_cast<float>(first), 0.5F, -1.0F / 3.0F}; }

}  // namespace

TEST_CASE("an encoder with a cache computes every picture once, in every process", "[eval][feature_cache]") {
  const TemporaryFolder folder;
  int calls = 0;
  const Tensor a = at::rand({1, 3, 2, 2}), b = at::rand({2, 3, 2, 2});
  const auto place = folder / "features";
  const auto encoder = cached(place, calls);
  const Tensor first = encoder.image_features(a), both = encoder.image_features(b);
  CHECK(calls == 2);
  CHECK(at::equal(encoder.image_features(a), first));
  CHECK(calls == 2);
  const auto other = cached(place, calls);  // as another process would open it
  CHECK(at::equal(other.image_features(a), first));
  CHECK(at::equal(other.image_features(b), both));
  CHECK(calls == 2);
  // One row of a call of two is another call: on a device its last bits might differ.
  CHECK(at::equal(other.image_features(b.narrow(0, 0, 1)), both.narrow(0, 0, 1)));
  CHECK(calls == 3);
  // Row by row, what is known is not computed again: of three rows the first is.
  const Tensor three = at::cat({a, b});
  CHECK(at::equal(other.image_features_each(three), at::cat({first, both})));
  CHECK(calls == 4);  // the second row of b; its first was computed above
  CHECK(at::equal(cached(place, calls, {{"encoder", "b"}}).image_features(a), first));
  CHECK(calls == 5);
  CHECK(std::distance(fs::directory_iterator(place), fs::directory_iterator()) == 2);
}

TEST_CASE("what a crash or a damaged byte leaves in the cache is not read, and does not stop it",
          "[eval][feature_cache]") {
  const TemporaryFolder folder;
  const auto digest = [](int i) { return sha256_hex(std::to_string(i)); };
  const auto open = [&] { return std::make_unique<eval::FeatureCache>(folder.path(), kSettings); };
  const auto file = open()->file();
  for (int i = 0; i < 3; ++i) open()->put(digest(i), numbers(i));
  const auto whole = fs::file_size(file);
  SECTION("a torn record is cut off by the next one") {
    fs::resize_file(file, whole - 5);
    CHECK(open()->find(digest(1)) == numbers(1));
    CHECK(!open()->find(digest(2)));
    open()->put(digest(3), numbers(3));
    CHECK(open()->find(digest(3)) == numbers(3));
    CHECK(!open()->find(digest(2)));
    CHECK(fs::file_size(file) == whole);
  }
  SECTION("a changed byte ends what is believed") {
    std::fstream stream(file, std::ios::in | std::ios::out | std::ios::binary);
    stream.seekp(static_cast<std::streamoff>(whole / 3 + 140));
    stream.put('\x7f');
    stream.close();
    CHECK(open()->find(digest(0)) == numbers(0));
    CHECK(!open()->find(digest(1)));
    CHECK(!open()->find(digest(2)));
  }
  SECTION("two that are open at once keep each other's records") {
    const auto one = open(), two = open();
    one->put(digest(7), numbers(7));
    two->put(digest(8), numbers(8));
    one->put(digest(9), numbers(9));
    for (int i = 7; i < 10; ++i) CHECK(open()->find(digest(i)) == numbers(i));
  }
  SECTION("a folder that cannot be made remembers within the process alone") {
    eval::FeatureCache cache(file / "below a file", kSettings);
    cache.put(digest(5), numbers(5));
    CHECK(cache.find(digest(5)) == numbers(5));
  }
}

TEST_CASE("reading ahead gives items in order, within its window, and their faults in place", "[eval][read_ahead]") {
  std::atomic<std::size_t> begun = 0;
  eval::ReadAhead<std::size_t> ahead(50, 4, 6, [&](std::size_t i) {
    ++begun;
    if (i == 20) throw std::runtime_error("twenty");
    return i * i;
  });
  for (std::size_t i = 0; i < 20; ++i) {
    CHECK(ahead.next() == i * i);
    CHECK(begun <= i + 1 + 6);
  }
  CHECK_THROWS_WITH(ahead.next(), "twenty");
  CHECK(ahead.next() == 21 * 21);
  // What is left is dropped with it.
}
