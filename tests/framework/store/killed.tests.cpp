#include <catch2/catch.hpp>

#include "framework/core/digest.h"
#include "framework/store/store.h"
#include "tests/framework/store/killing.h"

using namespace atelier;
using namespace atelier::tests;
namespace fs = std::filesystem;

namespace {

const Json kDescription{{"seed", 1}};

void publish(const Store& store, const std::string& content) {
  store.publish({key_of(kDescription), kDescription, store.put(content), Json::object(), {}});
}

}  // namespace

TEST_CASE("A process killed at any step of publishing leaves nothing half-published", "[store][killed]") {
  kill_everywhere([](const Store&) {}, [](const fs::path& root) { publish(Store::open(root), "weights"); },
                  [](const Store& store) {
                    publish(store, "weights");  // and the next one publishes
                    REQUIRE(store.find(key_of(kDescription))->object == sha256_hex("weights"));
                    REQUIRE(store.find(key_of(kDescription))->divergent.empty());
                  });
}

TEST_CASE("A process killed while it records a divergence leaves the first record or the grown one",
          "[store][killed]") {
  kill_everywhere([](const Store& store) { publish(store, "first"); },
                  [](const fs::path& root) { publish(Store::open(root), "second"); },
                  [](const Store& store) {
                    REQUIRE(store.find(key_of(kDescription))->object == sha256_hex("first"));
                    publish(store, "second");
                    REQUIRE(store.find(key_of(kDescription))->divergent == std::vector{sha256_hex("second")});
                  });
}

TEST_CASE("A process killed while it makes a store leaves what the next one finishes", "[store][killed]") {
  kill_everywhere([](const Store& store) { fs::remove_all(store.root()); },
                  [](const fs::path& root) { static_cast<void>(Store::create_or_open(root)); },
                  [](const Store& store) { REQUIRE(Store::open(store.root()).id() == store.id()); });
}
