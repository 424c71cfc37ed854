#include "tests/e2e/refusal.h"

#include <algorithm>
#include <catch2/catch.hpp>
#include <fstream>
#include <iterator>
#include <set>

namespace fs = std::filesystem;

namespace {

std::set<std::string> names_under(const fs::path& folder) {
  std::set<std::string> names;
  for (const auto& entry : fs::recursive_directory_iterator(folder)) names.insert(entry.path().string());
  return names;
}

}  // namespace

std::string read_bytes(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  REQUIRE(file.good());
  return {std::istreambuf_iterator<char>(file), {}};
}

void write_bytes(const fs::path& path, const std::string& bytes) {
  std::ofstream file(path, std::ios::binary);
  file << bytes;
  REQUIRE(file.flush().good());
}

Workplace::Workplace() : inputs_(folder_ / "inputs"), outputs_(folder_ / "outputs") {
  fs::create_directory(inputs_);
  fs::create_directory(outputs_);
}

fs::path Workplace::copy_model() const {
  const fs::path model = inputs_ / "sd15";
  fs::copy(models_folder() / "sd15", model, fs::copy_options::recursive);
  return model;
}

fs::path Workplace::write(const std::string& name, const std::string& bytes) const {
  write_bytes(input(name), bytes);
  return input(name);
}

void check_one_line(const Outcome& outcome, int status, const std::vector<std::string>& mentions) {
  INFO(outcome.err);
  CHECK(outcome.status == status);
  CHECK(outcome.out.empty());
  CHECK(outcome.err.starts_with("atelier: "));
  CHECK(outcome.err.find("internal error") == std::string::npos);
  CHECK(std::count(outcome.err.begin(), outcome.err.end(), '\n') == 1);
  CHECK(outcome.err.ends_with('\n'));
  for (const auto& text : mentions) {
    CAPTURE(text);
    CHECK(outcome.err.find(text) != std::string::npos);
  }
}

void Workplace::check_refused(int status, const std::vector<std::string>& arguments,
                              const std::vector<std::string>& mentions) const {
  const auto before = names_under(folder_.path());
  check_one_line(run_atelier(arguments), status, mentions);
  CHECK(names_under(folder_.path()) == before);
}

void Workplace::check_component_refused(const std::string& component, const fs::path& model, const std::string& inputs,
                                        const std::vector<std::string>& options,
                                        const std::vector<std::string>& mentions) const {
  std::vector<std::string> arguments{"probe",
                                     "component",
                                     component,
                                     "--model",
                                     model.string(),
                                     "--in",
                                     references_folder() / "sd15" / (inputs + ".in.safetensors"),
                                     "--out",
                                     output("out.safetensors")};
  arguments.insert(arguments.end(), options.begin(), options.end());
  check_refused(1, arguments, mentions);
}
