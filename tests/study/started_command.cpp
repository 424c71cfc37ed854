#include "tests/study/started_command.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <filesystem>
#include <fstream>
#include <stdexcept>
#include <thread>

extern char** environ;

namespace {

namespace fs = std::filesystem;

/// The process's parent by /proc/<pid>/stat: "pid (name) state parent …", where the name may hold anything.
pid_t parent_of(const fs::path& process) {
  std::string text;
  std::getline(std::ifstream(process / "stat"), text);
  const auto name_end = text.rfind(')');
  if (name_end == std::string::npos || name_end + 4 >= text.size()) return -1;
  pid_t parent = -1;
  std::from_chars(text.data() + name_end + 4, text.data() + text.size(), parent);
  return parent;
}

}  // namespace

StartedCommand::StartedCommand(std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), ATELIER_BINARY_DIR "/bin/atelier");
  std::vector<char*> words;
  for (auto& word : arguments) words.push_back(word.data());
  words.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  for (const int stream : {1, 2}) ::posix_spawn_file_actions_addopen(&actions, stream, "/dev/null", O_WRONLY, 0);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  ::posix_spawnattr_setpgroup(&attributes, 0);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  const int error = ::posix_spawn(&pid_, words[0], &actions, &attributes, words.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error("cannot start " + arguments.front());
}

StartedCommand::~StartedCommand() {
  if (ended_within(std::chrono::microseconds(0))) return;
  kill_all();
  static_cast<void>(wait());
}

std::vector<pid_t> StartedCommand::children() const {
  std::vector<pid_t> found;
  for (const auto& entry : fs::directory_iterator("/proc")) {
    const std::string name = entry.path().filename();
    pid_t process = -1;
    const auto [end, fault] = std::from_chars(name.data(), name.data() + name.size(), process);
    if (fault == std::errc() && end == name.data() + name.size() && parent_of(entry.path()) == pid_) {
      found.push_back(process);
    }
  }
  std::ranges::sort(found);
  return found;
}

void StartedCommand::kill() const {
  if (!ended_) ::kill(pid_, SIGKILL);
}

void StartedCommand::kill_all() const { ::kill(-pid_, SIGKILL); }

bool StartedCommand::ended_within(std::chrono::microseconds time) {
  const auto until = std::chrono::steady_clock::now() + time;
  while (!ended_ && ::waitpid(pid_, &status_, WNOHANG) == 0) {
    if (std::chrono::steady_clock::now() >= until) return false;
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  ended_ = true;
  return true;
}

int StartedCommand::wait() {
  while (!ended_ && ::waitpid(pid_, &status_, 0) < 0 && errno == EINTR) continue;
  ended_ = true;
  return WIFEXITED(status_) ? WEXITSTATUS(status_) : 128 + WTERMSIG(status_);
}
