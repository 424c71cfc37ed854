#include "framework/plan/models.h"

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "tests/framework/plan/plan_world.h"

using namespace atelier;
using namespace atelier::tests;
using Catch::Contains;
namespace fs = std::filesystem;

namespace {

PlannedModels models(PlanWorld& world) { return {world.digests, {world / "models.yaml", world / "hub"}}; }

std::string digest(PlanWorld& world, const std::string& folder) {
  return models(world).base((world / folder).string()).digest;
}

}  // namespace

TEST_CASE("a base model's digest follows its files and not its place", "[plan][models]") {
  PlanWorld world;
  write_pipeline(world, "one");
  write_pipeline(world, "two");
  const auto before = digest(world, "one");
  CHECK(before == digest(world, "two"));
  world.write("two/README.md", "text");
  world.write("two/safety_checker/config.json", "{}");
  CHECK(digest(world, "two") == before);
  const std::map<std::string, std::string> changes = {
      {"unet/diffusion_pytorch_model.safetensors", no_tensors("b")},
      {"tokenizer/merges.txt", "#version: 0.2\na b\n"},
      {"scheduler/scheduler_config.json", R"({"_class_name": "DDIMScheduler", "steps_offset": 1})"},
      {"text_encoder/config.json", R"({"hidden_size": 9})"}};
  for (const auto& [name, text] : changes) {
    write_pipeline(world, "two");
    world.write("two/" + name, text);
    CHECK(digest(world, "two") != before);
  }
}

TEST_CASE("a base model tells its picture size and how the worker opens it", "[plan][models]") {
  PlanWorld world;
  write_pipeline(world, "one");
  auto found = models(world);
  const auto& base = found.base((world / "one").string());
  CHECK(base.size == 64);
  CHECK(base.job.at("model") == (world / "one").string());
  CHECK_THAT(message([&] { static_cast<void>(found.base("no-such-model")); }), Contains("no-such-model"));
}

TEST_CASE("an encoder's digest covers weights, configuration and tokenizer", "[plan][models]") {
  PlanWorld world;
  const auto make = [&](const std::string& name, const std::string& vocabulary) {
    world.write(name + "/config.json", R"({"model_type": "clip"})");
    world.write(name + "/model.safetensors", no_tensors("a"));
    world.write(name + "/vocab.json", vocabulary);
    return models(world).encoder((world / name).string()).at("digest").get<std::string>();
  };
  CHECK(make("a", "{}") == make("b", "{}"));
  CHECK(make("a", "{}") != make("c", R"({"x": 1})"));
}
