#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>

#include <catch2/catch.hpp>
#include <chrono>
#include <thread>

#include "tests/study/study_place.h"

extern char** environ;

namespace {

/// Starts `atelier run` and kills the command and its worker, both without warning, after a while.
void run_and_kill(const StudyPlace& place, std::chrono::milliseconds after) {
  std::vector<std::string> words{ATELIER_BINARY_DIR "/bin/atelier", "run", place.study(), "--store", place.store()};
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  for (const int stream : {1, 2}) ::posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  pid_t child = 0;
  REQUIRE(::posix_spawn(&child, arguments[0], &actions, &attributes, arguments.data(), environ) == 0);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  std::this_thread::sleep_for(after);
  ::kill(-child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

}  // namespace

TEST_CASE("A study killed again and again ends with the artifacts of an undisturbed one", "[study][kill]") {
  const StudyPlace undisturbed(both_methods("1e-2")), place(both_methods("1e-2"));
  REQUIRE(undisturbed.run().status == 0);
  for (const int milliseconds : {150, 700, 1100, 1600, 2300})
    run_and_kill(place, std::chrono::milliseconds(milliseconds));
  const auto last = place.run();
  INFO(last.err);
  REQUIRE(last.status == 0);
  CHECK(place.published() == undisturbed.published());
  CHECK(place.ask("table", {"--as", "csv"}).out == undisturbed.ask("table", {"--as", "csv"}).out);
}
