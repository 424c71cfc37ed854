#include "tests/framework/worker/worker_client.h"

#include <fcntl.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <stdexcept>

extern char** environ;

namespace {

constexpr const char* kWorker = ATELIER_BINARY_DIR "/bin/atelier-worker";

std::array<atelier::FileDescriptor, 2> make_pipe() {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC) != 0) throw std::runtime_error("pipe2 failed");
  return {atelier::FileDescriptor(ends[0]), atelier::FileDescriptor(ends[1])};
}

pid_t spawn(const std::vector<std::string>& words, int input, int output) {
  posix_spawn_file_actions_t actions;
  ::posix_spawn_file_actions_init(&actions);
  if (input >= 0) ::posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
  if (output >= 0) ::posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
  std::vector<char*> arguments;
  for (const auto& word : words) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  pid_t process = -1;
  const int error = ::posix_spawn(&process, kWorker, &actions, nullptr, arguments.data(), environ);
  ::posix_spawn_file_actions_destroy(&actions);
  if (error != 0) throw std::runtime_error(std::string("cannot start ") + kWorker);
  return process;
}

int exit_code(pid_t process) {
  int status = 0;
  ::waitpid(process, &status, 0);
  return WIFSIGNALED(status) ? 128 + WTERMSIG(status) : WEXITSTATUS(status);
}

}  // namespace

WorkerClient::WorkerClient() {
  ::signal(SIGPIPE, SIG_IGN);
  auto jobs = make_pipe(), events = make_pipe();
  process_ = spawn({kWorker, "--serve"}, jobs[0].get(), events[1].get());
  input_ = std::move(jobs[1]);
  output_ = std::move(events[0]);
  if (next().value("event", "") != "ready") throw std::runtime_error("the worker is not ready");
}

WorkerClient::~WorkerClient() {
  if (process_ < 0) return;
  ::kill(process_, SIGKILL);
  (void)wait();
}

void WorkerClient::send_line(const std::string& line) const {
  const std::string text = line + "\n";
  if (::write(input_.get(), text.data(), text.size()) != static_cast<ssize_t>(text.size())) {
    throw std::runtime_error("the worker takes no job");
  }
}

void WorkerClient::send(const atelier::Json& job) const { send_line(job.dump()); }

atelier::Json WorkerClient::next() {
  for (auto end = buffer_.find('\n');; end = buffer_.find('\n')) {
    if (end != std::string::npos) {
      const std::string line = buffer_.substr(0, end);
      buffer_.erase(0, end + 1);
      return atelier::parse_json(line, "event");
    }
    std::array<char, 4096> bytes{};
    const ssize_t count = ::read(output_.get(), bytes.data(), bytes.size());
    if (count <= 0) return nullptr;
    buffer_.append(bytes.data(), static_cast<std::size_t>(count));
  }
}

std::vector<atelier::Json> WorkerClient::run(const atelier::Json& job) {
  send(job);
  std::vector<atelier::Json> events;
  for (auto event = next(); !event.is_null(); event = next()) {
    events.push_back(event);
    if (event["event"] == "finished" || event["event"] == "failed") break;
  }
  return events;
}

void WorkerClient::run_until(const atelier::Json& job, std::int64_t steps) {
  send(job);
  for (auto event = next(); !event.is_null(); event = next()) {
    if (event["event"] == "failed") throw std::runtime_error(event.dump());
    if (event["event"] == "finished") throw std::runtime_error("the job was done before it could be stopped");
    if (event["event"] == "progress" && event["done"].get<std::int64_t>() >= steps) return;
  }
  throw std::runtime_error("the worker ended");
}

void WorkerClient::signal(int number) const { ::kill(process_, number); }

int WorkerClient::wait() {
  const int code = exit_code(process_);
  process_ = -1;
  return code;
}

int run_worker_job(const std::string& file) { return exit_code(spawn({kWorker, "--job", file}, -1, -1)); }
