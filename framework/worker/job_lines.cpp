#include "framework/worker/job_lines.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <array>
#include <cerrno>

#include "framework/core/error.h"
#include "framework/worker/stop.h"

namespace atelier::worker {

JobLines::JobLines(int input) : input_(input) {
  std::array<int, 2> ends{};
  if (::pipe2(ends.data(), O_CLOEXEC | O_NONBLOCK) != 0) {
    throw Error({.where = "worker: pipe", .found = errno_text(errno), .expected = "two file descriptors"});
  }
  wake_read_ = FileDescriptor(ends[0]);
  wake_write_ = FileDescriptor(ends[1]);
  stop_on_signals(wake_write_.get());
  reader_ = std::thread([this] { read(); });
}

JobLines::~JobLines() {
  stop_on_signals(-1);
  wake_write_.reset();  // the reader sees its end
  reader_.join();
}

void JobLines::close() {
  request_stop();
  const std::lock_guard lock(mutex_);
  ended_ = true;
  changed_.notify_all();
}

/// False at the end of the input.
bool JobLines::take_bytes() {
  std::array<char, 1 << 16> bytes{};
  const ssize_t count = ::read(input_, bytes.data(), bytes.size());
  if (count < 0 && (errno == EINTR || errno == EAGAIN)) return true;
  if (count <= 0) return false;
  partial_.append(bytes.data(), static_cast<std::size_t>(count));
  const std::lock_guard lock(mutex_);
  for (auto end = partial_.find('\n'); end != std::string::npos; end = partial_.find('\n')) {
    if (end > 0) lines_.push_back(partial_.substr(0, end));
    partial_.erase(0, end + 1);
  }
  changed_.notify_all();
  return true;
}

void JobLines::read() {
  std::array<pollfd, 2> waiting{pollfd{input_, POLLIN, 0}, pollfd{wake_read_.get(), POLLIN, 0}};
  while (true) {
    if (::poll(waiting.data(), waiting.size(), -1) < 0 && errno != EINTR) break;
    if (waiting[1].revents != 0) break;
    if (waiting[0].revents != 0 && !take_bytes()) break;
  }
  close();
}

std::optional<std::string> JobLines::next() {
  std::unique_lock lock(mutex_);
  changed_.wait(lock, [&] { return ended_ || !lines_.empty(); });
  if (ended_ || stop_requested()) return std::nullopt;
  std::string line = std::move(lines_.front());
  lines_.pop_front();
  return line;
}

std::size_t JobLines::waiting() const {
  const std::lock_guard lock(mutex_);
  return lines_.size();
}

}  // namespace atelier::worker
