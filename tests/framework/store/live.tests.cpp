#include "framework/store/live.h"

#include <catch2/catch.hpp>
#include <optional>

#include "framework/store/verify.h"
#include "tests/framework/store/child.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using namespace atelier::tests;

TEST_CASE("What a process is at is seen while it lives, and not afterwards", "[store][live]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  CHECK(live_states(store).empty());
  {
    const LiveFile live(store);
    live.write({{"study", "toy"}});
    live.write({{"study", "toy"}, {"begun", 2}});
    REQUIRE(live_states(store).size() == 1);
    CHECK(live_states(store)[0].at("begun") == 2);
    CHECK(verify(store).empty());
  }
  CHECK(live_states(store).empty());
}

TEST_CASE("A killed process's state is not shown, and the next process removes it", "[store][live]") {
  const TemporaryFolder folder;
  const auto store = Store::create_or_open(folder / "store");
  Child killed([&] {
    const LiveFile live(store);
    live.write({{"study", "toy"}});
    ::_exit(9);  // as a kill would: nothing is cleaned up
    return 0;
  });
  static_cast<void>(killed.wait());
  const auto files = [&] { return std::distance(std::filesystem::directory_iterator(store.root() / "live"), {}); };
  CHECK(files() == 1);
  CHECK(live_states(store).empty());
  const LiveFile live(store);
  CHECK(files() == 0);
}
