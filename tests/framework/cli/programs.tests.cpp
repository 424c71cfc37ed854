#include <catch2/catch.hpp>
#include <chrono>
#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "framework/core/json.h"
#include "tests/framework/cli/child.h"
#include "tests/support/temporary_folder.h"

using atelier::Json;
using atelier::parse_json;

TEST_CASE("the command loads no LibTorch", "[cli]") {
  const Outcome outcome = run_child({.words = {"/usr/bin/ldd", ATELIER_PROGRAM}});
  REQUIRE(outcome.code == 0);
  CHECK_THAT(outcome.out, Catch::Contains("libatelier_core.so"));
  CHECK_THAT(outcome.out, !Catch::Contains("libtorch") && !Catch::Contains("libc10"));
}

TEST_CASE("help and version are printed to standard output, and every command has an example", "[cli][help]") {
  const std::vector<std::vector<std::string>> commands = {{"sample"},
                                                          {"probe", "component"},
                                                          {"probe", "scheduler"},
                                                          {"probe", "tokenizer"},
                                                          {"probe", "preprocess"},
                                                          {"probe", "resize"},
                                                          {"doctor"},
                                                          {"completion"}};
  for (auto words : commands) {
    words.push_back("--help");
    const Outcome outcome = run_atelier(words);
    CHECK(outcome.code == 0);
    CHECK(outcome.err.empty());
    CHECK_THAT(outcome.out, Catch::Contains("Examples:\n  ") && Catch::Contains("atelier " + words[0]));
  }
  CHECK(run_atelier({"--version"}).out == "atelier " ATELIER_VERSION "\n");
  const Outcome nothing = run_atelier({});
  CHECK(nothing.code == 2);
  CHECK_THAT(nothing.err, Catch::Contains("Usage: atelier"));
}

TEST_CASE("help and doctor answer in under 50 ms", "[cli][.speed]") {
  for (const char* word : {"--help", "doctor"}) {
    const auto start = std::chrono::steady_clock::now();
    (void)run_atelier({word});
    CHECK(std::chrono::steady_clock::now() - start < std::chrono::milliseconds(50));
  }
}

TEST_CASE("doctor reports the machine as JSON", "[cli][doctor]") {
  const Outcome outcome = run_atelier({"doctor", "--json"});
  const Json report = parse_json(outcome.out, "doctor");
  for (const char* key : {"version", "cpu", "memory", "gpus", "libtorch", "worker", "atelier_cuda", "base_models",
                          "store", "missing", "usable"}) {
    INFO(key);
    CHECK(report.contains(key));
  }
  CHECK(report["cpu"]["cores"].get<int>() >= 1);
  CHECK(report["memory"]["total_bytes"] >= report["memory"]["available_bytes"]);
  CHECK(report["worker"] == Json({{"path", ATELIER_FAKE_WORKER}, {"present", true}}));
  CHECK(outcome.code == (report["usable"].get<bool>() ? 0 : 1));
}

TEST_CASE("doctor lists the driver's devices, and what they lack", "[cli][doctor]") {
  const Child child{.words = {ATELIER_PROGRAM, "doctor", "--json"},
                    .variables = {{"LD_LIBRARY_PATH", ATELIER_FAKE_NVML}, {"PATH", "/nowhere"}}};
  const Json report = parse_json(run_child(child).out, "doctor");
  CHECK(report["gpus"]["driver"] == "580.65");
  REQUIRE(report["gpus"]["devices"].size() == 2);
  CHECK(report["gpus"]["devices"][0] ==
        Json({{"name", "Fake H100"}, {"uuid", "GPU-0"}, {"memory_bytes", 85899345920}}));
  const std::string missing = report["missing"].dump();
  CHECK_THAT(missing, Catch::Contains("nvcc") && Catch::Contains("gnuplot"));
}

TEST_CASE("doctor without a worker says what to do and fails", "[cli][doctor]") {
  const Child child{.words = {ATELIER_PROGRAM, "doctor"}, .variables = {{"ATELIER_WORKER", "/nowhere/atelier-worker"}}};
  const Outcome outcome = run_child(child);
  CHECK(outcome.code == 1);
  CHECK_THAT(outcome.out, Catch::Contains("atelier-worker (everything that computes): make build"));
}

TEST_CASE("doctor looks for the store where the options say", "[cli][doctor]") {
  const TemporaryFolder folder;
  const Child child{.words = {ATELIER_PROGRAM, "doctor", "--json"},
                    .variables = {{"ATELIER_STORE", (folder / "deep/er").string()}}};
  const Json variable = parse_json(run_child(child).out, "doctor")["store"];
  CHECK(variable["path"] == (folder / "deep/er").string());
  CHECK(variable["exists"] == false);
  CHECK(variable["free_bytes"].get<std::uint64_t>() > 0);  // of the file system that would hold it
  const Json option =
      parse_json(run_atelier({"doctor", "--json", "--store", folder.path().string()}).out, "doctor")["store"];
  CHECK(option["exists"] == true);
}

TEST_CASE("doctor lists the base models that a name can lead to, and reports a damaged list", "[cli][doctor]") {
  const TemporaryFolder folder;
  std::filesystem::create_directories(folder / "atelier");
  std::filesystem::create_directories(folder / "weights");
  std::ofstream(folder / "atelier/models.yaml") << "mine: " << (folder / "weights").string() << "\ngone: /nowhere\n";
  const Child child{
      .words = {ATELIER_PROGRAM, "doctor", "--json"},
      .variables = {{"XDG_CONFIG_HOME", folder.path().string()}, {"HF_HUB_CACHE", (folder / "no").string()}}};
  const Json models = parse_json(run_child(child).out, "doctor")["base_models"];
  REQUIRE(models.size() == 2);
  CHECK(models[0]["name"] == "gone");
  CHECK(models[0]["problem"].is_string());
  CHECK(models[1] == Json({{"name", "mine"}, {"path", (folder / "weights").string()}, {"problem", nullptr}}));
  std::ofstream(folder / "atelier/models.yaml") << "mine: [";
  const Json damaged = parse_json(run_child(child).out, "doctor")["base_models"];
  REQUIRE(damaged.size() == 1);
  CHECK_THAT(damaged[0]["problem"].get<std::string>(), Catch::Contains("models.yaml"));
}

namespace {

/// What bash would offer for the last of `words`.
std::string complete(const std::vector<std::string>& words) {
  std::string script = "source <(" ATELIER_PROGRAM " completion bash); COMP_WORDS=(";
  for (const auto& word : words) script += "'" + word + "' ";
  script += "); COMP_CWORD=" + std::to_string(words.size() - 1) + "; _atelier; echo \"${COMPREPLY[*]}\"";
  return run_child({.words = {"/bin/bash", "-c", script}}).out;
}

}  // namespace

TEST_CASE("bash completes commands, options, choices and files", "[cli][completion]") {
  CHECK(complete({"atelier", "sa"}) == "sample\n");
  CHECK(complete({"atelier", "probe", "to"}) == "tokenizer\n");
  CHECK(complete({"atelier", "probe", "component", "vae"}) == "vae_encoder vae_decoder\n");
  CHECK(complete({"atelier", "sample", "--seed", "1", "--lat"}) == "--latents-in --latents-out\n");
  CHECK(complete({"atelier", "sample", "--dtype", "f"}) == "float32 float16 float64\n");
  CHECK(complete({"atelier", "sample", "--device", "c"}) == "cpu cuda\n");
  CHECK(complete({"atelier", "sample", "--prompt", ""}) == "\n");
  CHECK(complete({"atelier", "sample", "--prompts", "/etc/hostna"}) == "/etc/hostname\n");
  CHECK(complete({"atelier", "sample", "--out", "/us"}) == "/usr\n");
}

TEST_CASE("zsh and fish scripts name every command and quote descriptions", "[cli][completion]") {
  const std::string zsh = run_atelier({"completion", "zsh"}).out;
  CHECK(zsh.starts_with("#compdef atelier\n"));
  CHECK_THAT(zsh, Catch::Contains("'probe:component') at='probe component' ;;") && !Catch::Contains("@COMMANDS@"));
  const std::string fish = run_atelier({"completion", "fish"}).out;
  CHECK_THAT(fish, Catch::Contains("complete -c atelier -n '__atelier_at \"probe\"' -a component -d ") &&
                       Catch::Contains("-l scheduler -x -a 'ddim pndm ") && !Catch::Contains("@"));
  CHECK_THAT(fish, Catch::Contains("\\'{}\\' becomes the method\\'s phrase"));
}

TEST_CASE("a full disk behind standard output is a failure", "[cli]") {
  for (const char* command : {"doctor", "--help", "completion bash"}) {
    const std::string script = std::string(ATELIER_PROGRAM " ") + command + " > /dev/full";
    const Outcome outcome = run_child({.words = {"/bin/bash", "-c", script}});
    CHECK(outcome.code == 1);
    CHECK_THAT(outcome.err, Catch::Contains("atelier: standard output"));
  }
}
