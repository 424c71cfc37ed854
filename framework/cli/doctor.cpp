#include <fmt/format.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <sstream>

#include "framework/cli/command.h"
#include "framework/cli/machine.h"
#include "framework/cli/options.h"
#include "framework/cli/worker_launch.h"
#include "framework/core/error.h"
#include "framework/formats/model_locator.h"
#include "framework/plan/data_folder.h"

namespace atelier::cli {
namespace {

namespace fs = std::filesystem;

/// What is not there, what it is for, and the line that gets it.
struct Missing {
  std::string what, needed_for, line;
  bool essential = false;
};

bool in_path(const std::string& program) {
  const char* path = std::getenv("PATH");
  std::istringstream folders(path == nullptr ? "" : path);
  for (std::string folder; std::getline(folders, folder, ':');) {
    if (::access((fs::path(folder) / program).c_str(), X_OK) == 0) return true;
  }
  return false;
}

fs::path store_folder(const std::optional<std::string>& chosen) {
  if (chosen) return *chosen;
  const char* variable = std::getenv("ATELIER_STORE");
  return variable != nullptr && *variable != '\0' ? fs::path(variable) : fs::path(".atelier");
}

/// Free space of the file system that holds `folder`, or that would hold it.
std::uint64_t free_space(const fs::path& folder) {
  fs::path existing = fs::absolute(folder);
  std::error_code error;
  while (!fs::exists(existing, error) && existing.has_relative_path()) existing = existing.parent_path();
  const auto space = fs::space(existing, error);
  return error ? 0 : space.available;
}

Json describe_gpus_json() {
  const Gpus gpus = describe_gpus();
  Json devices = Json::array();
  for (const auto& gpu : gpus.devices)
    devices.push_back({{"name", gpu.name}, {"uuid", gpu.uuid}, {"memory_bytes", gpu.memory_bytes}});
  return {{"devices", devices},
          {"driver", gpus.driver.empty() ? Json(nullptr) : Json(gpus.driver)},
          {"note", gpus.note.empty() ? Json(nullptr) : Json(gpus.note)}};
}

Json describe_file(const fs::path& path) {
  return {{"path", path.string()}, {"present", ::access(path.c_str(), R_OK) == 0}};
}

Json describe_torch() {
  const auto folder = torch_folder();
  return {{"version", ATELIER_TORCH_VERSION},
          {"folder", folder ? Json(folder->string()) : Json(nullptr)},
          {"cuda", folder && fs::exists(*folder / "libtorch_cuda.so")}};
}

Json describe_models() {
  Json models = Json::array();
  const auto add = [&](const std::string& name, const Json& path, const Json& problem) {
    models.push_back({{"name", name}, {"path", path}, {"problem", problem}});
  };
  try {
    for (const auto& model : list_models()) {
      add(model.name, model.location.path.empty() ? Json(nullptr) : Json(model.location.path.string()),
          model.problem.empty() ? Json(nullptr) : Json(model.problem));
    }
  } catch (const Error& error) {  // a damaged models.yaml is one of the things to report
    add("models.yaml", nullptr, error.what());
  }
  return models;
}

std::vector<Missing> find_missing(const Json& report) {
  std::vector<Missing> missing;
  const bool gpu = !report["gpus"]["devices"].empty();
  if (!report["worker"]["present"])
    missing.push_back({"atelier-worker", "everything that computes", "make build", true});
  if (report["libtorch"]["folder"].is_null())
    missing.push_back({"LibTorch", "everything that computes", "make build", true});
  if (gpu && !report["libtorch"]["cuda"])
    missing.push_back({"LibTorch's CUDA libraries", "computing on the GPU", "make cuda"});
  if (gpu && !report["atelier_cuda"]["present"])
    missing.push_back({"atelier_cuda", "our own CUDA kernels", "make cuda"});
  if (gpu && !in_path("nvcc")) {
    missing.push_back(
        {"nvcc", "building atelier_cuda", "apt-get install cuda-toolkit-13-0 (from NVIDIA's package repository)"});
  }
  if (!in_path("gnuplot")) missing.push_back({"gnuplot", "plots in reports", "apt-get install gnuplot-nox"});
  return missing;
}

Json examine(const std::optional<std::string>& store) {
  const Machine machine = describe_machine();
  const fs::path folder = store_folder(store);
  Json report = {
      {"version", ATELIER_VERSION},
      {"cpu", {{"model", machine.cpu}, {"cores", machine.cores}, {"isa", machine.isa}}},
      {"memory", {{"total_bytes", machine.memory_bytes}, {"available_bytes", machine.available_bytes}}},
      {"gpus", describe_gpus_json()},
      {"libtorch", describe_torch()},
      {"base_models", describe_models()},
      {"worker", describe_file(worker_path())},
      {"atelier_cuda", describe_file(program_folder().parent_path() / "lib" / "libatelier_cuda.so")},
      {"store", {{"path", folder.string()}, {"exists", fs::is_directory(folder)}, {"free_bytes", free_space(folder)}}}};
  report["missing"] = Json::array();
  report["usable"] = true;
  for (const auto& item : find_missing(report)) {
    report["missing"].push_back({{"what", item.what}, {"needed_for", item.needed_for}, {"line", item.line}});
    if (item.essential) report["usable"] = false;
  }
  return report;
}

std::string gibibytes(const Json& bytes) {
  return fmt::format("{:.1f} GiB", bytes.get<double>() / (1024.0 * 1024 * 1024));
}

void print_row(const char* name, const std::string& text) { fmt::print("{:<14}{}\n", name, text); }

void print_gpus(const Json& gpus) {
  if (gpus["devices"].empty()) return print_row("GPU", "none: " + gpus["note"].get<std::string>());
  for (const auto& gpu : gpus["devices"]) {
    print_row("GPU", fmt::format("{}, {}", gpu["name"].get<std::string>(), gibibytes(gpu["memory_bytes"])));
  }
  if (!gpus["driver"].is_null()) print_row("driver", gpus["driver"].get<std::string>());
}

void print_report(const Json& report) {
  const auto text = [](const Json& value) {
    return value.is_null() ? std::string("not found") : value.get<std::string>();
  };
  const auto file = [](const Json& value) {
    return value["present"].get<bool>() ? value["path"].get<std::string>() : "not found";
  };
  print_row("atelier", text(report["version"]));
  print_row("CPU", fmt::format("{}, {} cores, {}", text(report["cpu"]["model"]), report["cpu"]["cores"].get<int>(),
                               fmt::join(report["cpu"]["isa"].get<std::vector<std::string>>(), " ")));
  print_row("memory", fmt::format("{}, {} available", gibibytes(report["memory"]["total_bytes"]),
                                  gibibytes(report["memory"]["available_bytes"])));
  print_gpus(report["gpus"]);
  print_row("LibTorch", fmt::format("{}, {}", text(report["libtorch"]["version"]), text(report["libtorch"]["folder"])));
  print_row("worker", file(report["worker"]));
  print_row("atelier_cuda", file(report["atelier_cuda"]));
  for (const auto& model : report["base_models"]) {
    print_row("base model", fmt::format("{}: {}", text(model["name"]),
                                        text(model["problem"].is_null() ? model["path"] : model["problem"])));
  }
  if (report["base_models"].empty())
    print_row("base model", "none: see docs/command.md, 'Where base models are found'");
  print_row("store", fmt::format("{}{}, {} free", text(report["store"]["path"]),
                                 report["store"]["exists"].get<bool>() ? "" : " (not made yet)",
                                 gibibytes(report["store"]["free_bytes"])));
  for (const auto& item : report["missing"]) {
    print_row("missing", fmt::format("{} ({}): {}", text(item["what"]), text(item["needed_for"]), text(item["line"])));
  }
  print_row("verdict", report["usable"].get<bool>() ? "usable" : "not usable: see the lines above");
}

struct DoctorOptions {
  std::optional<std::string> store;
  bool json = false;
};

int run(const DoctorOptions& options) {
  const Json report = examine(options.store);
  if (options.json) {
    fmt::print("{}", pretty_json(report));
  } else {
    print_report(report);
  }
  return report["usable"].get<bool>() ? 0 : 1;
}

constexpr const char* kDoctorExamples = R"(Examples:
  atelier doctor
  atelier doctor --json
)";

}  // namespace

void add_doctor(CLI::App& parent, Action& action) {
  CLI::App* app = parent.add_subcommand("doctor", "Say what this machine has, and what is missing");
  const auto options = std::make_shared<DoctorOptions>();
  app->add_option("--store", options->store, "store folder (default: ATELIER_STORE, else .atelier)")->type_name("DIR");
  app->add_flag("--json", options->json, "one JSON object on standard output");
  app->footer(kDoctorExamples);
  app->callback([options, &action] { action = [options] { return run(*options); }; });
}

}  // namespace atelier::cli
