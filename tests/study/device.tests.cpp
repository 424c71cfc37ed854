// `device: auto`, with a driver that is a fake: planning asks it, and starts nothing.
#include <catch2/catch.hpp>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <set>

#include "tests/study/study_place.h"

using nlohmann::json;

namespace {

/// Environment variables while it lives; "" is a value.
class Environment {
 public:
  explicit Environment(const std::map<std::string, std::string>& values) {
    for (const auto& [name, value] : values) {
      const char* before = std::getenv(name.c_str());
      before_[name] = before == nullptr ? "" : before;
      ::setenv(name.c_str(), value.c_str(), 1);
    }
  }
  ~Environment() {
    for (const auto& [name, value] : before_) {
      value.empty() ? ::unsetenv(name.c_str()) : ::setenv(name.c_str(), value.c_str(), 1);
    }
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;

 private:
  std::map<std::string, std::string> before_;
};

/// A machine with a GPU: a driver that lists two, and a file where LibTorch's CUDA library is looked for.
const std::map<std::string, std::string> kWithGpu{{"LD_LIBRARY_PATH", ATELIER_FAKE_NVML},
                                                  {"ATELIER_TORCH_CUDA", ATELIER_BINARY_DIR "/bin/atelier"}};

json plan(const std::string& device) {
  static const StudyPlace place(both_methods("1e-2"));
  const auto planned = place.command("plan", {"--json", "--set", "placement.device=" + device});
  INFO(planned.err);
  REQUIRE(planned.status == 0);
  return json::parse(planned.out);
}

std::set<std::string> keys_of(const json& planned) {
  std::set<std::string> keys;
  for (const auto& job : planned["jobs"]) keys.insert(job["keys"].begin(), job["keys"].end());
  return keys;
}

}  // namespace

TEST_CASE("device: auto is the first GPU where there is one, and the keys are a GPU's", "[study][device]") {
  const Environment gpu(kWithGpu);
  const auto planned = plan("auto");
  CHECK(planned["placement"]["device"] == "cuda:0");
  CHECK(planned["placement"]["asked"] == "auto");
  CHECK(keys_of(planned) == keys_of(plan("cuda")));
  CHECK(keys_of(planned) != keys_of(plan("cpu")));
  const StudyPlace place(both_methods("1e-2"));
  CHECK_THAT(place.command("plan", {"--set", "placement.device=auto"}).out,
             Catch::Contains("\non cuda:0 (device: auto), float32\n"));
}

TEST_CASE("device: auto is the CPU where a GPU is missing, hidden, switched off or without LibTorch's part",
          "[study][device]") {
  const auto cpu = keys_of(plan("cpu"));
  const auto check = [&](std::map<std::string, std::string> variables) {
    const Environment environment(variables);
    const auto planned = plan("auto");
    CHECK(planned["placement"]["device"] == "cpu");
    CHECK(keys_of(planned) == cpu);
  };
  const auto with = [](const std::string& name, const std::string& value) {
    auto variables = kWithGpu;
    variables[name] = value;
    return variables;
  };
  check(with("LD_LIBRARY_PATH", "/nowhere"));
  check(with("CUDA_VISIBLE_DEVICES", ""));
  check(with("CUDA_VISIBLE_DEVICES", "-1"));
  check(with("ATELIER_NO_CUDA", "1"));
  check(with("ATELIER_TORCH_CUDA", "/nowhere/libtorch_cuda.so"));
}
