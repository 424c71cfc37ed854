#include "tests/framework/cli/child.h"

#include <fcntl.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <fstream>
#include <iterator>
#include <stdexcept>

#include "tests/support/temporary_folder.h"

namespace {

std::string content(const std::filesystem::path& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}

void redirect(const std::filesystem::path& path, int flags, int descriptor) {
  const int file = ::open(path.c_str(), flags, 0600);
  if (file < 0 || ::dup2(file, descriptor) < 0) ::_exit(126);
}

[[noreturn]] void become(const Child& child, const std::filesystem::path& files) {
  redirect(files / "in", O_RDONLY, 0);
  redirect(files / "out", O_WRONLY | O_CREAT, 1);
  redirect(files / "err", O_WRONLY | O_CREAT, 2);
  for (const auto& [name, value] : child.variables) {
    if (value.empty()) {
      ::unsetenv(name.c_str());
    } else {
      ::setenv(name.c_str(), value.c_str(), 1);
    }
  }
  if (!child.folder.empty() && ::chdir(child.folder.c_str()) != 0) ::_exit(126);
  std::vector<char*> words;
  for (const auto& word : child.words) words.push_back(const_cast<char*>(word.c_str()));
  words.push_back(nullptr);
  ::execv(words[0], words.data());
  ::_exit(127);
}

}  // namespace

Outcome run_child(const Child& child) {
  const TemporaryFolder files;
  std::ofstream(files / "in", std::ios::binary) << child.input;
  const pid_t process = ::fork();
  if (process < 0) throw std::runtime_error("fork failed");
  if (process == 0) become(child, files.path());
  int status = 0;
  ::waitpid(process, &status, 0);
  return {.code = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status),
          .out = content(files / "out"),
          .err = content(files / "err")};
}

Outcome run_atelier(const std::vector<std::string>& arguments, const std::string& input) {
  Child child{.words = {ATELIER_PROGRAM}, .input = input, .variables = {{"ATELIER_WORKER", ATELIER_FAKE_WORKER}}};
  child.words.insert(child.words.end(), arguments.begin(), arguments.end());
  return run_child(child);
}
