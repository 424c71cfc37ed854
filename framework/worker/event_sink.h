#pragma once

#include <string>

#include "framework/core/file_descriptor.h"
#include "framework/core/json.h"

namespace atelier::worker {

/// The answers of a serving worker: one JSON object a line, each in one go. Nobody else may write to that descriptor.
class EventSink {
 public:
  explicit EventSink(FileDescriptor output) : output_(std::move(output)) {}
  /// Takes standard output for events: what anything else prints to it goes to standard error from now on.
  [[nodiscard]] static EventSink take_standard_output();

  /// A reader that is gone counts as a request to stop.
  void write(const Json& event);

 private:
  FileDescriptor output_;
};

}  // namespace atelier::worker
