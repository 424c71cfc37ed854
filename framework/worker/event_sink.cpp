#include "framework/worker/event_sink.h"

#include <unistd.h>

#include <cerrno>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <string_view>

#include "framework/core/error.h"
#include "framework/worker/stop.h"

namespace atelier::worker {

EventSink EventSink::take_standard_output() {
  std::fflush(stdout);
  FileDescriptor output(::dup(STDOUT_FILENO));
  if (!output || ::dup2(STDERR_FILENO, STDOUT_FILENO) < 0) {
    throw Error({.where = "standard output", .found = errno_text(errno), .expected = "a pipe for events"});
  }
  return EventSink(std::move(output));
}

void EventSink::write(const Json& event) {
  const std::string line = event.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
  std::string_view rest = line;
  while (!rest.empty()) {
    const ssize_t written = ::write(output_.get(), rest.data(), rest.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) return request_stop();
    rest.remove_prefix(static_cast<std::size_t>(written));
  }
}

}  // namespace atelier::worker
