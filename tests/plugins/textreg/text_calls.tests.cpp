#include "plugins/textreg/text_calls.h"

#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>

#include "plugins/textreg/token.h"
#include "tests/plugins/textreg/world.h"

using namespace atelier;
using namespace atelier::textreg;

namespace {

constexpr const char* kCaption = "a photo of a <krk1> man";

/// A session with the identifier in it.
struct World {
  explicit World(Json chosen = Json::object(), const std::string& class_word = "man")
      : session(tiny_base()), settings(settings_for("ti", resolved(std::move(chosen)), class_word)) {
    (void)add_learned_token(session, Start(), settings.placeholder, 1, identifier_rows(session, settings));
  }
  Session session;
  Settings settings;
};

/// Counts how often it is asked.
class CountingDraws final : public Draws {
 public:
  explicit CountingDraws(bool outcome) : outcome_(outcome) {}
  double uniform(std::string_view, std::int64_t) override { return ++count, 0.5; }
  std::int64_t below(std::string_view, std::int64_t, std::int64_t) override { return ++count, 0; }
  bool happens(std::string_view, double, std::int64_t) override { return ++count, outcome_; }
  Tensor normal(std::string_view, at::IntArrayRef shape, std::int64_t) override { return ++count, at::zeros(shape); }
  int count = 0;

 private:
  bool outcome_;
};

Tensor context(TextCalls& calls, const std::vector<std::string>& prompts, bool masked) {
  StepTensors tensors;
  CountingDraws draws(masked);
  calls.put(tensors, "caption", prompts, 0, draws);
  return calls.take(tensors, "caption").context;
}

}  // namespace

TEST_CASE("Half of 10,000 captions are masked at ratio 0.5", "[textreg][mask]") {
  World world;
  TextCalls calls(world.session, world.settings, true);
  int count = 0;
  for (std::int64_t step = 0; step < 10'000; ++step) {
    RandomDraws draws({.seed = 0, .stage = 0, .step = step, .slot = -1});
    count += calls.masked({kCaption}, 0, draws)[0] ? 1 : 0;
  }
  CHECK(count > 4800);
  CHECK(count < 5200);
}

TEST_CASE("Class prompts are never masked and use no random number; nor does anything without the mask",
          "[textreg][mask]") {
  CountingDraws draws(true);
  World world;
  TextCalls calls(world.session, world.settings, true);
  CHECK(calls.masked({"a photo of a man"}, 2, draws) == std::vector<bool>{false});
  CHECK(draws.count == 0);
  CHECK(calls.masked({kCaption, "a man", kCaption}, 0, draws) == std::vector<bool>{true, false, true});
  CHECK(draws.count == 1);
  World plain(Json{{"mask_identifier_causal_attention", false}});
  TextCalls unmasked(plain.session, plain.settings, true);
  CHECK(unmasked.masked({kCaption}, 0, draws) == std::vector<bool>{false});
  CHECK(draws.count == 1);
}

TEST_CASE("Every row of a batch gets its own mask; with the published fault only the last", "[textreg][mask]") {
  World world;
  TextCalls calls(world.session, world.settings, false);
  const std::vector<std::string> prompts{"a <krk1> man in the snow", "a man", kCaption};
  const Tensor together = context(calls, prompts, true);
  for (std::int64_t row = 0; row < 3; ++row) {
    const Tensor alone = context(calls, {prompts[static_cast<std::size_t>(row)]}, true);
    CHECK(at::allclose(together.narrow(0, row, 1), alone, 1e-5, 1e-6));
  }
  CHECK_FALSE(at::allclose(together, context(calls, prompts, false), 1e-4, 1e-5));

  World faulty(Json{{"mask_batch_bug", true}});
  TextCalls last(faulty.session, faulty.settings, false);
  CountingDraws draws(true);
  CHECK(last.masked({kCaption, kCaption, "a man"}, 0, draws) == std::vector<bool>{false, true, false});
}

TEST_CASE("A frozen encoder's cached outputs are those of a live one, masked and unmasked", "[textreg][text]") {
  World world(Json::object(), "people");
  TextCalls frozen(world.session, world.settings, true), live(world.session, world.settings, false);
  const std::vector<std::string> prompts{"a <krk1> people", "a photo"};
  for (const bool masked : {false, true}) {
    CHECK(at::allclose(context(frozen, prompts, masked), context(live, prompts, masked), 1e-5, 1e-6));
    CHECK(at::equal(context(frozen, prompts, masked), context(frozen, prompts, masked)));
    CHECK_FALSE(context(frozen, prompts, masked).requires_grad());
  }
}
