#include <catch2/catch.hpp>
#include <cstdlib>

#include "framework/core/error.h"
#include "framework/store/index.h"
#include "framework/store/queries.h"
#include "tests/framework/store/child.h"
#include "tests/framework/store/hand_made.h"

using namespace atelier;
using namespace atelier::tests;
namespace fs = std::filesystem;

namespace {

constexpr uid_t kNobody = 65534;

/// What a user finds who may read the store but not write it. `work` is done in another process.
int as_reader(const HandMade& made, const std::function<int()>& work) {
  const auto state = made.folder_ / "state";
  fs::create_directory(state);
  fs::permissions(state, fs::perms::all);
  fs::permissions(made.folder_.path(), fs::perms(0755));
  for (const auto& entry : fs::recursive_directory_iterator(made.folder_ / "store")) {
    if (entry.is_directory()) fs::permissions(entry.path(), fs::perms(0555));
  }
  fs::permissions(made.folder_ / "store", fs::perms(0555));
  Child child([&] {
    if (::geteuid() == 0 && ::seteuid(kNobody) != 0) return 98;  // nothing keeps root from writing
    ::setenv("XDG_STATE_HOME", state.c_str(), 1);
    return work();
  });
  const int code = child.wait();
  for (const auto& entry : fs::recursive_directory_iterator(made.folder_ / "store")) {
    if (entry.is_directory()) fs::permissions(entry.path(), fs::perms(0755));
  }
  fs::permissions(made.folder_ / "store", fs::perms(0755));
  return code;
}

/// 0 when the call fails with this in its message.
int fails_with(const std::string& part, const std::function<void()>& call) {
  try {
    call();
  } catch (const Error& error) {
    return std::string(error.what()).find(part) != std::string::npos ? 0 : 2;
  }
  return 1;
}

}  // namespace

TEST_CASE("A store that may only be read is read, with its index in the user's state folder", "[store][readonly]") {
  HandMade made;
  made.make_all();
  CHECK(as_reader(made, [&] {
          const auto store = Store::open(made.store.root());
          if (!store.find(key_of(made.train))) return 1;
          Index index(store);
          if (status_of_manifest(index, made.manifest_digest).done != 3) return 2;
          return fs::exists(made.folder_ / "state" / "atelier" / (store.id() + ".sqlite")) ? 0 : 3;
        }) == 0);
  CHECK_FALSE(fs::exists(made.path("index.sqlite")));
}

TEST_CASE("Writing to a store that may only be read fails with what to do", "[store][readonly]") {
  HandMade made;
  made.make_all();
  const std::string advice = "choose another with --store DIR";
  CHECK(as_reader(made, [&] {
          if (made.store.put("weights") != made.weights) return 90;  // it is there
          int sum = fails_with(advice, [&] { static_cast<void>(made.store.put("new")); });
          sum += fails_with(advice, [&] { static_cast<void>(Store::create_or_open(made.store.root())); });
          sum += fails_with(advice, [&] { static_cast<void>(made.store.lock(key_of({{"new", 1}}), false)); });
          sum += fails_with(advice, [&] { static_cast<void>(made.store.put_manifest({{"new", 1}})); });
          return sum + fails_with(advice, [&] { const Spool spool(made.store); });
        }) == 0);
}
