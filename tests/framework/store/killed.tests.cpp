#include <sys/ptrace.h>

#include <catch2/catch.hpp>

#include "framework/core/digest.h"
#include "framework/store/store.h"
#include "tests/framework/store/child.h"
#include "tests/support/temporary_folder.h"

using namespace atelier;
using namespace atelier::tests;
namespace fs = std::filesystem;

namespace {

enum class End { killed, finished, untraceable };

/// Does `work` in a process that dies (SIGKILL) at the n-th boundary of a system call: before it or behind it.
End killed_at(int boundary, const std::function<void()>& work) {
  Child child([&] {
    if (::ptrace(PTRACE_TRACEME, 0, nullptr, nullptr) != 0) return 2;
    ::raise(SIGSTOP);
    work();
    return 0;
  });
  int status = 0;
  ::waitpid(child.pid(), &status, 0);
  if (!WIFSTOPPED(status)) return child.release(), End::untraceable;
  for (int i = 0; i < boundary; ++i) {
    ::ptrace(PTRACE_SYSCALL, child.pid(), nullptr, nullptr);
    ::waitpid(child.pid(), &status, 0);
    if (!WIFSTOPPED(status)) return child.release(), End::finished;
  }
  child.kill();
  child.wait();
  return End::killed;
}

/// Whatever bears a published name is whole.
void check_whole(const Store& store) {
  for (const auto& entry : fs::recursive_directory_iterator(store.root() / "objects")) {
    if (!entry.is_regular_file()) continue;
    REQUIRE(sha256_file(entry.path()) ==
            entry.path().parent_path().filename().string() + entry.path().filename().string());
  }
  for (const auto& entry : fs::directory_iterator(store.root() / "keys")) {
    if (entry.path().extension() != ".json") continue;
    const auto record = store.find(entry.path().stem().string());
    REQUIRE(record);
    REQUIRE(store.has_object(record->object));
    for (const auto& other : record->divergent) REQUIRE(store.has_object(other));
  }
}

const Json kDescription{{"seed", 1}};

void publish(const Store& store, const std::string& content) {
  store.publish({key_of(kDescription), kDescription, store.put(content), Json::object(), {}});
}

/// Kills `work` at every boundary of its system calls, each time in a store of its own, until it is not reached.
void kill_everywhere(const std::function<void(const Store&)>& prepare, const std::function<void(const fs::path&)>& work,
                     const std::function<void(const Store&)>& check) {
  int kills = 0;
  for (End end = End::killed; end == End::killed; ++kills) {
    const TemporaryFolder folder;
    prepare(Store::create_or_open(folder / "store"));
    end = killed_at(kills, [&] { work(folder / "store"); });
    if (end == End::untraceable) {
      WARN("this machine lets no process trace its child");
      return;
    }
    const auto store = Store::create_or_open(folder / "store");
    CAPTURE(kills);
    check_whole(store);
    check(store);
  }
  CHECK(kills > 20);
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
