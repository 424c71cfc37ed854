#include "tests/parity/probe.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <cstdlib>
#include <exception>
#include <fstream>
#include <iterator>
#include <stdexcept>
#include <thread>

#include "tests/support/temporary_folder.h"

extern char** environ;

namespace fs = std::filesystem;

namespace {

std::string read_file(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

/// The command of the build tree, or an installed one that ATELIER_COMMAND names.
std::string command_path() {
  const char* chosen = std::getenv("ATELIER_COMMAND");
  return chosen != nullptr && *chosen != '\0' ? chosen : ATELIER_BINARY_DIR "/bin/atelier";
}

/// ATELIER_TEST_DEVICE=cuda:0 runs what has a device there, against the same references.
void choose_device(std::vector<std::string>& words) {
  const char* device = std::getenv("ATELIER_TEST_DEVICE");
  if (device == nullptr || *device == '\0' || std::ranges::count(words, "--device") > 0) return;
  const bool probe = words.size() > 1 && words[0] == "probe" && (words[1] == "component" || words[1] == "method");
  if (probe || (!words.empty() && words[0] == "sample")) words.insert(words.end(), {"--device", device});
}

int wait_for(pid_t child) {
  int status = 0;
  while (::waitpid(child, &status, 0) < 0) {
    if (errno != EINTR) throw std::runtime_error("waitpid failed");
  }
  return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

Outcome run_one(std::vector<std::string> words) {
  const TemporaryFolder folder;
  const std::string out = folder / "out";
  const std::string err = folder / "err";
  choose_device(words);
  words.insert(words.begin(), command_path());
  std::vector<char*> arguments;
  for (auto& word : words) arguments.push_back(word.data());
  arguments.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  constexpr int kFlags = O_WRONLY | O_CREAT | O_TRUNC;
  ::posix_spawn_file_actions_addopen(&actions, 0, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_addopen(&actions, 1, out.c_str(), kFlags, 0600);
  ::posix_spawn_file_actions_addopen(&actions, 2, err.c_str(), kFlags, 0600);
  pid_t child = 0;
  const int error = ::posix_spawn(&child, words.front().c_str(), &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + words.front());
  const int status = wait_for(child);
  return {.status = status, .out = read_file(out), .err = read_file(err)};
}

}  // namespace

std::vector<Outcome> run_atelier(const std::vector<std::vector<std::string>>& commands) {
  std::vector<Outcome> outcomes(commands.size());
  std::vector<std::exception_ptr> errors(2);
  std::atomic<std::size_t> next = 0;
  const auto work = [&](std::exception_ptr& error) {
    try {
      for (std::size_t i = next++; i < commands.size(); i = next++) outcomes[i] = run_one(commands[i]);
    } catch (...) {
      error = std::current_exception();
    }
  };
  {
    std::vector<std::jthread> threads;
    for (auto& error : errors) threads.emplace_back(work, std::ref(error));
  }
  for (const auto& error : errors) {
    if (error) std::rethrow_exception(error);
  }
  return outcomes;
}

Outcome run_atelier(const std::vector<std::string>& arguments) {
  return run_atelier(std::vector<std::vector<std::string>>{arguments}).front();
}

fs::path models_folder() { return ATELIER_SOURCE_DIR "/tests/parity/models"; }

fs::path references_folder() { return ATELIER_SOURCE_DIR "/tests/parity/references"; }
