#include "framework/execute/program.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include <array>
#include <cerrno>

#include "framework/core/error.h"
#include "framework/core/file_descriptor.h"

extern char** environ;

namespace atelier {
namespace {

/// In memory, so that a program that says much on both streams never waits for its reader.
FileDescriptor output_in_memory() {
  FileDescriptor file(::memfd_create("output", MFD_CLOEXEC));
  if (!file) throw Error({.where = "memfd_create", .found = errno_text(errno)});
  return file;
}

std::string content_of(const FileDescriptor& file) {
  std::string text;
  std::array<char, 1 << 14> bytes{};
  for (ssize_t got = 0; (got = ::pread(file.get(), bytes.data(), bytes.size(), static_cast<off_t>(text.size()))) > 0;) {
    text.append(bytes.data(), static_cast<std::size_t>(got));
  }
  return text;
}

}  // namespace

ProgramOutcome run_program(const std::vector<std::string>& words, const std::string& advice) {
  const FileDescriptor out = output_in_memory(), err = output_in_memory();
  std::vector<std::string> texts = words;
  std::vector<char*> arguments;
  for (auto& text : texts) arguments.push_back(text.data());
  arguments.push_back(nullptr);
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  ::posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
  ::posix_spawn_file_actions_adddup2(&actions, out.get(), STDOUT_FILENO);
  ::posix_spawn_file_actions_adddup2(&actions, err.get(), STDERR_FILENO);
  pid_t process = -1;
  const int error = ::posix_spawnp(&process, arguments[0], &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    throw Error({.where = words.front(),
                 .found = "cannot be started: " + errno_text(error),
                 .expected = "this program in PATH",
                 .advice = advice});
  }
  int status = 0;
  while (::waitpid(process, &status, 0) < 0 && errno == EINTR) continue;
  return {WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status), content_of(out), content_of(err)};
}

}  // namespace atelier
