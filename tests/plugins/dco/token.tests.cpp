// The token of stage subject: its rows, their norms, and what is left alone.
#include <ATen/ops/allclose.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/linalg_vector_norm.h>

#include "framework/core/error.h"
#include "framework/models/clip_text.h"
#include "tests/plugins/dco/world.h"

using namespace dco_world;

namespace {

constexpr const char* kTable = ".text_model.embeddings.token_embedding.weight";

double norm_of(const Tensor& row) { return at::linalg_vector_norm(row.to(at::kDouble)).item<double>(); }

/// The row of the initializer in each tower.
std::vector<Tensor> initial_rows(Session& session) {
  std::vector<Tensor> rows;
  for (std::size_t tower = 0; tower < session.text_towers(); ++tower)
    rows.push_back(session.token_vector("man", tower));
  return rows;
}

std::vector<Tensor> token_rows(const Run& run) {
  std::vector<Tensor> rows;
  for (const auto& encoder : run.session.base().text_towers()) {
    rows.push_back(published(*run.stage).tensors.at(encoder + ".token.<dco>"));
  }
  return rows;
}

}  // namespace

TEST_CASE("After every step the token lies on the sphere of its initializer, in every tower, and no other row moved",
          "[dco][token]") {
  for (const char* family : {"sd15", "sdxl"}) {
    const auto base = tiny_base(family);
    Session plain(base);
    const auto initial = initial_rows(plain);
    Run run(base, dco::make_stage(subject_settings({{"text_encoder_lr", 0.01}})));
    for (std::int64_t step = 0; step < 3; ++step) {
      (void)run.step(step, 2);
      const auto rows = token_rows(run);
      for (std::size_t tower = 0; tower < rows.size(); ++tower) {
        CHECK(norm_of(rows[tower]) == Approx(norm_of(initial[tower])).epsilon(1e-6));
        CHECK_FALSE(at::allclose(rows[tower], initial[tower], 1e-3, 1e-4));
      }
    }
    for (const auto& encoder : base->text_towers()) {
      const auto name = encoder + kTable;
      CHECK(at::equal(run.session.parameter(name), plain.parameter(name)));
    }
  }
}

TEST_CASE("All rows of the tables count in the gradients' norm, and none of them is trained", "[dco][token]") {
  Run run(tiny_base("sdxl"), dco::make_stage(subject_settings()));
  std::size_t tables = 0;
  double rows = 0, all = 0;
  run.trainer.on_gradients([&](const FlatParameters& parameters) {
    for (const auto& slot : parameters.slots()) {
      const double squares = FlatParameters::view(parameters.gradients(), slot).square().sum().item<double>();
      all += squares;
      if (!slot.parameter.name.ends_with(kTable)) continue;
      ++tables;
      rows += squares;
      CHECK_FALSE(parameters.trained(slot));
    }
  });
  const StepResult result = run.step(0, 2);
  CHECK(tables == 2);
  CHECK(rows > 0.0);
  CHECK(result.grad_norm.item<double>() == Approx(std::sqrt(all)).epsilon(1e-5));
}

TEST_CASE("A table in the base's own type lies in the base's memory", "[dco][token]") {
  const auto base = tiny_base("sd15");
  Session plain(base);
  Run run(base, dco::make_stage(subject_settings()));
  const auto name = std::string("text_encoder") + kTable;
  CHECK(run.session.parameter(name).const_data_ptr() == plain.parameter(name).const_data_ptr());
}

TEST_CASE("A frozen token stays at its initializer's row; `official` freezes it in bfloat16 alone", "[dco][token]") {
  const struct {
    const char* update;
    c10::ScalarType type;
    bool frozen;
  } cases[] = {{"frozen", c10::kFloat, true},
               {"official", c10::kBFloat16, true},
               {"official", c10::kFloat, false},
               {"trained", c10::kBFloat16, false}};
  for (const auto& one : cases) {
    INFO(one.update << " " << c10::toString(one.type));
    const auto base = tiny_base("sdxl", one.type);
    Session plain(base);
    const auto initial = initial_rows(plain);
    Run run(base, dco::make_stage(subject_settings({{"ti_update", one.update}, {"text_encoder_lr", 0.01}})));
    for (std::int64_t step = 0; step < 3; ++step) (void)run.step(step);
    const auto rows = token_rows(run);
    for (std::size_t tower = 0; tower < rows.size(); ++tower) {
      CHECK(rows[tower].scalar_type() == c10::kFloat);
      CHECK(at::allclose(rows[tower], initial[tower], 1e-6, 1e-7) == one.frozen);
    }
    CHECK(published(*run.stage).notes.at("ti_update") == (one.frozen ? "frozen" : "trained"));
  }
}

TEST_CASE("A token that starts at random is brought to the table's deviation, or keeps its own norm", "[dco][token]") {
  const auto base = tiny_base("sd15");
  Session plain(base);
  const double deviation = plain.parameter(std::string("text_encoder") + kTable).std().item<double>();
  for (const char* kept : {"std", "own"}) {
    Run run(base, dco::make_stage(subject_settings({{"initializer_token", ""}, {"random_norm", kept}})));
    const Tensor start = token_rows(run).front();
    CHECK(norm_of(start) == Approx(deviation * std::sqrt(32.0)).epsilon(0.3));
    (void)run.step(0);
    const double expected = kept == std::string("own") ? norm_of(start) : deviation;
    CHECK(norm_of(token_rows(run).front()) == Approx(expected).epsilon(1e-6));
  }
}

TEST_CASE("An initializer of several tokens is refused", "[dco][token]") {
  CHECK_THROWS_AS(Run(tiny_base("sd15"), dco::make_stage(subject_settings({{"initializer_token", "cartographer"}}))),
                  Error);
}
