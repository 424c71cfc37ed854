#include "framework/execute/worker_process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <nlohmann/json.hpp>

#include "framework/core/error.h"

extern char** environ;

namespace atelier {
namespace {

struct Pipe {
  FileDescriptor read, write;
};

Pipe make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) {
    throw Error({.where = "pipe to the worker", .found = errno_text(errno), .expected = "two file descriptors"});
  }
  return {FileDescriptor(ends[0]), FileDescriptor(ends[1])};
}

/// The worker gets our signal mask from before the guard, and default handlers.
pid_t spawn(const std::filesystem::path& program, int input, int output, const sigset_t& mask) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  posix_spawnattr_t attributes;
  ::posix_spawnattr_init(&attributes);
  sigset_t defaults;
  ::sigemptyset(&defaults);
  for (const int number : {SIGINT, SIGTERM, SIGPIPE}) ::sigaddset(&defaults, number);
  ::posix_spawnattr_setsigmask(&attributes, &mask);
  ::posix_spawnattr_setsigdefault(&attributes, &defaults);
  ::posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  std::string name = program, serve = "--serve";
  std::array<char*, 3> arguments{name.data(), serve.data(), nullptr};
  pid_t process = -1;
  const int error = ::posix_spawn(&process, name.c_str(), &actions, &attributes, arguments.data(), environ);
  ::posix_spawnattr_destroy(&attributes);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error == 0) return process;
  throw Error({.where = name,
               .found = "cannot be started: " + errno_text(error),
               .expected = "the program atelier-worker beside atelier",
               .advice = "build it with `make build`, or name it in ATELIER_WORKER"});
}

constexpr std::size_t kLongestLine = 64u << 20;

}  // namespace

WorkerProcess::WorkerProcess(const std::filesystem::path& program, const InterruptGuard& guard) {
  ::signal(SIGPIPE, SIG_IGN);  // a worker that died is noticed by the failing write
  // Threads that wait for each other spin for minutes where other programs want the cores too; a short spin is enough.
  ::setenv("GOMP_SPINCOUNT", "20000", /*overwrite=*/0);
  Pipe jobs = make_pipe(), events = make_pipe();
  process_ = spawn(program, jobs.read.get(), events.write.get(), guard.outer_mask());
  input_ = std::move(jobs.write);
  output_ = std::move(events.read);
}

WorkerProcess::~WorkerProcess() {
  if (process_ < 0) return;
  close_input();
  (void)wait();
}

bool WorkerProcess::send(const Json& job) {
  const std::string line = job.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(input_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return false;
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
  return true;
}

std::optional<Json> WorkerProcess::take_line() {
  const auto end = buffer_.find('\n');
  if (end == std::string::npos) return std::nullopt;
  const std::string line = buffer_.substr(0, end);
  buffer_.erase(0, end + 1);
  return parse_json(line, "atelier-worker: an event");
}

std::optional<Json> WorkerProcess::next_event(const InterruptGuard& guard, int milliseconds) {
  if (auto event = take_line()) return event;
  const int descriptor = output_.get();
  if (at_end_ || !guard.wait({&descriptor, 1}, milliseconds)) return std::nullopt;
  std::array<char, 1 << 16> bytes{};
  const ssize_t count = ::read(output_.get(), bytes.data(), bytes.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return std::nullopt;
  if (count <= 0) at_end_ = true;
  if (count > 0) buffer_.append(bytes.data(), static_cast<std::size_t>(count));
  if (buffer_.size() > kLongestLine) {
    throw Error({.where = "atelier-worker", .found = "an event of over 64 MiB", .expected = "short lines"});
  }
  return take_line();
}

WorkerEnd WorkerProcess::wait() {
  if (process_ < 0) return {};
  int status = 0;
  while (::waitpid(process_, &status, 0) < 0) {
    if (errno != EINTR) return {};
  }
  process_ = -1;
  if (WIFSIGNALED(status)) {
    const int number = WTERMSIG(status);
    return {128 + number, fmt::format("killed by signal {} ({})", number, ::strsignal(number))};
  }
  return {WEXITSTATUS(status), fmt::format("exited with status {}", WEXITSTATUS(status))};
}

}  // namespace atelier
