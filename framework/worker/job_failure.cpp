#include "framework/worker/job_failure.h"

#include <c10/util/Exception.h>

#include <cerrno>
#include <filesystem>
#include <new>
#include <nlohmann/json.hpp>
#include <string_view>

#include "framework/tensor/memory_failure.h"

namespace atelier::worker {
namespace {

constexpr const char* kMemoryAdvice = "use a smaller batch or micro-batch, a smaller size, or bfloat16";

bool says(std::string_view text, std::string_view part) { return text.find(part) != std::string_view::npos; }

/// A disk that is full, however the file was written.
bool disk_full(std::string_view text) { return says(text, errno_text(ENOSPC)) || says(text, errno_text(EDQUOT)); }

/// A disk that fails, is gone, or was remounted read-only, as an ailing one is.
bool disk_ill(std::string_view text) {
  return says(text, errno_text(EIO)) || says(text, errno_text(EROFS)) || says(text, errno_text(ESTALE));
}

/// LibTorch appends a stack trace.
std::string first_line(std::string_view text) { return std::string(text.substr(0, text.find('\n'))); }

JobFailure of_error(const Error& error, JobPhase phase) {
  JobFailure failure{.kind = "method", .fault = error.fault(), .text = error.what()};
  if (error.kind() == ErrorKind::interrupted) {
    failure.kind = "interrupted";
  } else if (disk_full(failure.text)) {
    failure.kind = "resource";
  } else if (disk_ill(failure.text)) {
    failure.kind = "node";
  } else if (error.kind() == ErrorKind::usage || phase == JobPhase::setting_up) {
    failure.kind = "configuration";
  }
  return failure;
}

JobFailure of_text(std::string kind, const std::string& text, const std::string& advice) {
  return {.kind = std::move(kind),
          .fault = {.where = "atelier-worker", .found = text, .expected = {}, .advice = advice},
          .text = "atelier-worker: " + text + (advice.empty() ? "" : "; " + advice)};
}

}  // namespace

JobFailure classify(const std::exception_ptr& failure, JobPhase phase) {
  try {
    std::rethrow_exception(failure);
  } catch (const Error& error) {
    return of_error(error, phase);
  } catch (const std::bad_alloc&) {
    return of_text("resource", "out of memory", kMemoryAdvice);
  } catch (const c10::OutOfMemoryError&) {
    return of_text("resource", "out of memory on the device", kMemoryAdvice);
  } catch (const c10::Error& error) {
    const std::string text = first_line(error.what_without_backtrace());
    if (is_out_of_memory(error)) return of_text("resource", text, kMemoryAdvice);
    return of_text(says(text, "CUDA") || says(text, "cuDNN") ? "node" : "method", text, "");
  } catch (const std::filesystem::filesystem_error& error) {
    return of_text(disk_full(error.what()) ? "resource" : "node", first_line(error.what()),
                   "look at the disk and the folder's permissions and run it again");
  } catch (const std::exception& error) {
    return of_text("method", first_line(error.what()), "");
  } catch (...) {
    return of_text("method", "an exception of an unknown type", "report it to the plugin's author");
  }
}

Json JobFailure::json() const {
  return {{"where", fault.where},
          {"found", fault.found},
          {"expected", fault.expected},
          {"advice", fault.advice},
          {"text", text}};
}

}  // namespace atelier::worker
