#include <ATen/core/grad_mode.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/ones.h>

#include <nlohmann/json.hpp>

#include "framework/core/error.h"
#include "framework/models/classifier.h"
#include "framework/tensor/random.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

Json small_config() {
  return {{"model_type", "attribute_classifier"},
          {"image_size", 32},
          {"channels", {8, 16}},
          {"norm_num_groups", 4},
          {"attributes", {{"colour", {"red", "green", "blue"}}, {"class", {"cat", "house"}}}}};
}

/// Random weights of whatever shape the network asks for.
Weights random_weights(std::int64_t* count = nullptr) {
  const auto generator = std::make_shared<at::Generator>(make_generator(7));
  const auto make = [generator, count](const std::string&, at::IntArrayRef shape) {
    Tensor tensor = 0.3 * randn(shape, *generator);
    if (count != nullptr) *count += tensor.numel();
    return tensor;
  };
  return {"judge", {}, make, {}};
}

std::string refusal(const char* key, const Json& value) {
  Json config = small_config();
  config[key] = value;
  try {
    const AttributeClassifier judge(config, random_weights());
  } catch (const Error& error) {
    return error.what();
  }
  return "accepted";
}

Tensor pictures(std::int64_t batch) {
  auto generator = make_generator(3);
  return randn({batch, 3, 32, 32}, generator);
}

}  // namespace

TEST_CASE("a judge gives the logits of every attribute, sorted by name", "[models][classifier]") {
  const at::NoGradGuard no_grad;
  const AttributeClassifier judge(small_config(), random_weights());
  const auto logits = judge.forward(pictures(5));
  REQUIRE(logits.size() == 2);
  CHECK(judge.config().attributes[0].name == "class");
  CHECK(logits[0].sizes() == at::IntArrayRef({5, 2}));
  CHECK(judge.config().attributes[1].values == std::vector<std::string>{"red", "green", "blue"});
  CHECK(logits[1].sizes() == at::IntArrayRef({5, 3}));
  CHECK(judge.config().find("colour") == 1);
  CHECK_FALSE(judge.config().find("place").has_value());
}

TEST_CASE("what a judge says of a picture does not depend on its batch", "[models][classifier]") {
  const at::NoGradGuard no_grad;
  const AttributeClassifier judge(small_config(), random_weights());
  const Tensor all = pictures(6);
  const auto together = judge.forward(all);
  for (std::int64_t i = 0; i < 6; ++i) {
    const auto alone = judge.forward(all.narrow(0, i, 1));
    CHECK((alone[1] - together[1].narrow(0, i, 1)).abs().max().item<double>() < 1e-5);
  }
}

TEST_CASE("every parameter of a judge receives a gradient", "[models][classifier]") {
  AttributeClassifier judge(small_config(), random_weights());
  for (const auto& [name, slot] : judge.registry().parameters) slot->requires_grad_();
  Tensor sum = at::zeros({});
  for (const auto& logits : judge.forward(pictures(2))) sum = sum + logits.pow(2).sum();
  sum.backward();
  for (const auto& [name, slot] : judge.registry().parameters) {
    INFO(name);
    REQUIRE(slot->grad().defined());
    CHECK(slot->grad().abs().max().item<double>() > 0);
  }
}

TEST_CASE("a judge's default network has between half a million and a million parameters", "[models][classifier]") {
  Json config = small_config();
  config.erase("channels");
  config.erase("image_size");
  std::int64_t count = 0;
  const AttributeClassifier judge(config, random_weights(&count));
  CHECK(judge.config().image_size == 64);
  CHECK(count > 500'000);
  CHECK(count < 1'000'000);
}

TEST_CASE("a judge's config and input are refused in words", "[models][classifier]") {
  CHECK_THAT(refusal("model_type", "vit"), Catch::Contains("expected \"attribute_classifier\""));
  CHECK_THAT(refusal("channels", Json::array()), Catch::Contains("a list of 1 to 8 widths"));
  CHECK_THAT(refusal("channels", Json{8, 18}), Catch::Contains("norm_num_groups: 4; expected a divisor"));
  CHECK_THAT(refusal("image_size", 3), Catch::Contains("image_size: 3; expected at least 4"));
  CHECK_THAT(refusal("attributes", nullptr), Catch::Contains("attributes: nothing"));
  CHECK_THAT(refusal("attributes", Json{{"a.b", {"x", "y"}}}), Catch::Contains("\"a.b\""));
  CHECK_THAT(refusal("attributes", Json{{"class", {"cat"}}}), Catch::Contains("class: 1 values; expected at least 2"));
  const AttributeClassifier judge(small_config(), random_weights());
  CHECK_THROWS_WITH(judge.forward(at::ones({1, 3, 32, 16})), Catch::Contains("expected [B, 3, 32, 32] in [-1, 1]"));
}
