#include "tests/parity/drawn.h"

#include <catch2/catch.hpp>

#include "framework/files/safetensors.h"
#include "tests/parity/comparison.h"
#include "tests/parity/probe.h"
#include "tests/support/temporary_folder.h"

std::vector<std::string> drawing_arguments(const Drawing& drawing, const std::filesystem::path& out) {
  const std::vector<std::pair<std::string, std::string>> given{
      {"--model", drawing.model.string()},
      {"--prompt", drawing.prompt},
      {"--steps", drawing.steps},
      {"--guidance", drawing.guidance},
      {"--scheduler", drawing.scheduler},
      {"--seed", "5"},
      {"--size", "64x64"},
      {"--threads", "1"},
      {"--out", (out / "pictures").string()},
      {"--latents-out", (out / "latents.safetensors").string()}};
  std::vector<std::string> arguments{"sample"};
  for (const auto& [name, value] : given) arguments.insert(arguments.end(), {name, value});
  for (const auto& artifact : drawing.artifacts) arguments.insert(arguments.end(), {"--artifact", artifact});
  arguments.insert(arguments.end(), drawing.more.begin(), drawing.more.end());
  return arguments;
}

std::vector<double> drawn_latents(const Drawing& drawing) {
  const TemporaryFolder out;
  run_well(drawing_arguments(drawing, out.path()));
  return tensor_in(out / "latents.safetensors");
}

void run_well(const std::vector<std::string>& arguments) {
  const Outcome outcome = run_atelier(arguments);
  INFO(outcome.err);
  REQUIRE(outcome.status == 0);
}

std::vector<double> tensor_in(const std::filesystem::path& file, const std::string& name) {
  return values_of(atelier::read_safetensors(file).tensors.at(name));
}
