#include "framework/worker/job_failure.h"

#include <c10/util/Exception.h>

#include <cerrno>
#include <filesystem>
#include <new>
#include <nlohmann/json.hpp>

#include "tests/support/catch_torch.h"

namespace {

using namespace atelier;
using namespace atelier::worker;

template <typename Failure>
std::string kind_of(const Failure& failure, JobPhase phase = JobPhase::working) {
  return classify(std::make_exception_ptr(failure), phase).kind;
}

Error error(const std::string& found, ErrorKind kind = ErrorKind::failure) {
  return Error({.where = "x", .found = found, .expected = {}, .advice = {}}, kind);
}

}  // namespace

TEST_CASE("Failures are told apart by what can be done about them", "[worker][failure]") {
  CHECK(kind_of(error("loss is not finite")) == "method");
  CHECK(kind_of(error("no such model"), JobPhase::setting_up) == "configuration");
  CHECK(kind_of(error("bad option", ErrorKind::usage)) == "configuration");
  CHECK(kind_of(error("asked to stop", ErrorKind::interrupted)) == "interrupted");
  CHECK(kind_of(error(errno_text(ENOSPC)), JobPhase::setting_up) == "resource");
  CHECK(kind_of(error(errno_text(EIO))) == "node");
  CHECK(kind_of(error(errno_text(EROFS)), JobPhase::setting_up) == "node");
  const auto of_system = [](std::errc code) {
    return std::filesystem::filesystem_error("x", std::make_error_code(code));
  };
  CHECK(kind_of(of_system(std::errc::io_error)) == "node");
  CHECK(kind_of(of_system(std::errc::no_space_on_device)) == "resource");
  CHECK(kind_of(std::bad_alloc()) == "resource");
  CHECK(kind_of(std::runtime_error("out of range")) == "method");
  CHECK(kind_of(c10::Error({"f", "x.cpp", 1}, "CUDA error: an illegal memory access")) == "node");
  CHECK(kind_of(c10::Error({"f", "x.cpp", 1}, "DefaultCPUAllocator: can't allocate memory")) == "resource");
  CHECK(kind_of(c10::Error({"f", "x.cpp", 1}, "shapes do not match")) == "method");
}

TEST_CASE("A failure keeps its four parts", "[worker][failure]") {
  const Error thrown({.where = "a", .found = "b", .expected = "c", .advice = "d"});
  const Json json = classify(std::make_exception_ptr(thrown), JobPhase::working).json();
  CHECK(json["where"] == "a");
  CHECK(json["found"] == "b");
  CHECK(json["expected"] == "c");
  CHECK(json["advice"] == "d");
  CHECK(json["text"] == thrown.what());
}
