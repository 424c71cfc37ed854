// One step of each published method's stage by hand: what the interface must be able to express, without the loop.
#include <ATen/ops/equal.h>

#include <cmath>

#include "tests/framework/methods/sketches/sketches.h"
#include "tests/framework/methods/tiny_model.h"
#include "tests/support/catch_torch.h"

using namespace atelier;

namespace {

struct Run {
  std::shared_ptr<const Base> base;
  std::unique_ptr<Session> session;
  std::unique_ptr<Stage> stage;
  std::vector<ParamGroup> groups;
  Batch batch;
  StepTensors tensors;
};

std::vector<Sample> describe(Stage& stage, std::int64_t rows, std::int64_t instance_rows) {
  std::vector<Sample> samples(static_cast<std::size_t>(rows));
  for (std::size_t i = 0; i < samples.size(); ++i) {
    Photo photo;
    photo.caption = "a red <x> man";
    photo.base_caption = "a red man";
    photo.of_class = static_cast<std::int64_t>(i) >= instance_rows;
    RandomDraws draws({.slot = static_cast<std::int64_t>(i)});
    stage.describe(photo, samples[i], draws);
  }
  return samples;
}

Run prepare(std::unique_ptr<Stage> stage, const std::string& family, std::int64_t rows, std::int64_t instance_rows,
            const Start& start = {}) {
  Run run;
  run.base = tiny::base(family);
  run.session = std::make_unique<Session>(run.base);
  run.stage = std::move(stage);
  RandomDraws initial({.step = -1, .slot = -1}), draws({.slot = -1});
  run.groups = run.stage->attach(*run.session, start, initial);
  run.batch = tiny::batch(*run.base, rows, instance_rows);
  run.tensors = run.stage->per_step(describe(*run.stage, rows, instance_rows), draws);
  return run;
}

Reduced step(Run& run) {
  Reduced reduced;
  tiny::loss_of(*run.stage, run.stage->forward(run.batch, run.tensors), reduced).backward();
  return reduced;
}

double gradient(const Parameter& parameter) {
  return parameter.tensor.grad().defined() ? parameter.tensor.grad().norm().item<double>() : 0.0;
}

}  // namespace

TEST_CASE("AttnDreamBooth: the regulariser of a batch is the sum of its rows', the error their mean",
          "[methods][sketches]") {
  sketches::AttnDreamBooth options;
  options.mean_weight = 2.0;
  options.var_weight = 5.0;
  auto whole = prepare(sketches::attndreambooth(options), "sd15", 3, 3);
  const Terms all = whole.stage->forward(whole.batch, whole.tensors);
  CHECK(all.at("attn_mean").per_sample.sizes() == at::IntArrayRef({3}));
  CHECK(all.at("attn_mean").reduce == Term::Reduce::sum);
  CHECK(all.at("attn_var").per_sample.min().item<double>() > 0.0);
  for (std::int64_t row = 0; row < 3; ++row) {
    const Terms one = whole.stage->forward(tiny::piece(whole.batch, row, 1), tiny::piece(whole.tensors, row, 1));
    for (const char* term : {"mse", "attn_mean", "attn_var"}) {
      CHECK(one.at(term).per_sample.item<double>() ==
            Approx(all.at(term).per_sample[row].item<double>()).epsilon(1e-4));
    }
  }
  (void)step(whole);
  CHECK(gradient(whole.groups[0].parameters[0]) > 0.0);
}

TEST_CASE("AttnDreamBooth: with prior preservation the regulariser sees the concept's rows only",
          "[methods][sketches]") {
  sketches::AttnDreamBooth options;
  options.trains = sketches::AttnDreamBooth::Trains::attention;
  options.prior_weight = 1.0;
  auto run = prepare(sketches::attndreambooth(options), "sd15", 4, 2);
  const Terms terms = run.stage->forward(run.batch, run.tensors);
  CHECK(terms.at("attn_mean").per_sample.size(0) == 2);
  CHECK(terms.at("prior").per_sample.size(0) == 2);
  // A piece of class rows only has no regulariser and is no special case.
  const Terms of_class = run.stage->forward(tiny::piece(run.batch, 2, 2), tiny::piece(run.tensors, 2, 2));
  CHECK(of_class.at("attn_mean").per_sample.size(0) == 0);
  CHECK(of_class.at("prior").per_sample.size(0) == 2);
  (void)step(run);
  for (const auto& parameter : run.groups[0].parameters) {
    INFO(parameter.name);
    CHECK(parameter.name.find("attn2") != std::string::npos);
    CHECK(gradient(parameter) > 0.0);
  }
}

TEST_CASE("AttnDreamBooth: the third stage starts from the first two", "[methods][sketches]") {
  sketches::AttnDreamBooth options;
  auto first = prepare(sketches::attndreambooth(options), "sd15", 1, 1);
  first.groups[0].parameters[0].tensor.detach().add_(0.5);
  tiny::Kept published;
  first.stage->save(published);
  options.trains = sketches::AttnDreamBooth::Trains::attention;
  auto second = prepare(sketches::attndreambooth(options), "sd15", 1, 1, Start(published.tensors));
  for (const auto& parameter : second.groups[0].parameters) parameter.tensor.detach().mul_(1.5);
  second.stage->save(published);
  options.trains = sketches::AttnDreamBooth::Trains::identity;
  auto third = prepare(sketches::attndreambooth(options), "sd15", 1, 1, Start(published.tensors));
  for (const auto& [name, tensor] : third.groups[0].parameters) {
    if (published.tensors.contains(name)) CHECK(at::equal(tensor, published.tensors.at(name)));
  }
  CHECK(third.groups[0].parameters.size() > second.groups[0].parameters.size());
}

TEST_CASE("TextReg: the identifier's norm is pulled towards its initializer's by the rate of the next step",
          "[methods][sketches]") {
  auto run = prepare(sketches::textreg_ti({}), "sd15", 2, 2);
  const Tensor row = run.groups[0].parameters[0].tensor.detach();
  const double target = row.norm().item<double>();
  (void)step(run);
  CHECK(gradient(run.groups[0].parameters[0]) > 0.0);
  const at::NoGradGuard no_grad;
  row.mul_(3.0);
  run.stage->after_step({.step = 0, .learning_rates = {2e-3}});  // pulls a fifth of the way
  CHECK(row.norm().item<double>() == Approx(target * (3.0 - 0.2 * 2.0)).epsilon(1e-5));
}

TEST_CASE("TextReg: gradients of the low-rank updates pile up in the first stage and are handed on",
          "[methods][sketches]") {
  sketches::TextReg options;
  options.carry = true;
  auto run = prepare(sketches::textreg_ti(options), "sd15", 1, 1);
  REQUIRE(run.groups.size() == 2);
  CHECK(run.groups[1].role == ParamGroup::Role::accumulated);
  (void)step(run);
  tiny::Kept published;
  run.stage->save(published);
  const auto& up = run.groups[1].parameters[1];
  CHECK(gradient(up) > 0.0);
  CHECK(at::equal(published.aux_tensors.at("carry." + up.name), up.tensor.grad()));
  TensorMap inputs = published.tensors;
  inputs.merge(published.aux_tensors);
  auto next = prepare(sketches::textreg_ut(options), "sd15", 1, 1, Start(inputs));
  CHECK(at::equal(next.groups[0].parameters[0].tensor, run.groups[1].parameters[0].tensor));
}

TEST_CASE("TextReg: the norms of silent updates are 0 with gradient 0, and grow with the updates",
          "[methods][sketches]") {
  sketches::TextReg options;
  auto run = prepare(sketches::textreg_ut(options), "sd15", 2, 2);
  const Reduced silent = step(run);
  CHECK(silent.at("r_class").item<double>() == 0.0);
  for (const auto& parameter : run.groups[0].parameters) {
    INFO(parameter.name);
    if (parameter.tensor.grad().defined()) CHECK(parameter.tensor.grad().isfinite().all().item<bool>());
  }
  for (const auto& parameter : run.groups[0].parameters) parameter.tensor.detach().add_(0.05);
  const Reduced loud = step(run);
  CHECK(loud.at("r_class").item<double>() > 0.0);
  CHECK(loud.at("r_edit").item<double>() > 0.0);
}

TEST_CASE("CatVersion: every segment of its one parameter learns, step after step", "[methods][sketches]") {
  auto run = prepare(sketches::catversion({}), "sd15", 2, 2);
  const auto& prefix = run.groups[0].parameters[0];
  CHECK(prefix.name == "text_encoder.control_trans");
  const double first = step(run).at("mse").item<double>();
  const Tensor segments = prefix.tensor.grad().view({4, -1}).norm(2, 1);
  CHECK(segments.min().item<double>() > 0.0);
  prefix.tensor.detach().sub_(prefix.tensor.grad());
  prefix.tensor.mutable_grad().reset();
  CHECK(step(run).at("mse").item<double>() != first);
}

TEST_CASE("DCO: the loss is log 2 while the adapters are silent, and old rows count in the norm only",
          "[methods][sketches]") {
  auto run = prepare(sketches::dco({}), "sdxl", 2, 2);
  CHECK_FALSE(run.stage->linear());
  // The token's row is its initializer's, but the pooled vector is read elsewhere: the two errors differ a little.
  const Reduced reduced = step(run);
  const double gap = 1000.0 * (reduced.at("mse") - reduced.at("reference")).item<double>();
  CHECK(reduced.at("dco").item<double>() == Approx(std::log1p(std::exp(gap))).epsilon(1e-3));
  const auto& old_rows = run.groups.back();
  CHECK(old_rows.role == ParamGroup::Role::norm_only);
  REQUIRE(old_rows.parameters.size() == 2);
  CHECK(gradient(old_rows.parameters[0]) > 0.0);
  CHECK(gradient(run.groups[1].parameters[0]) > 0.0);
}

TEST_CASE("DCO: the learned rows stay on their initializer's sphere", "[methods][sketches]") {
  auto run = prepare(sketches::dco({}), "sdxl", 1, 1);
  for (std::size_t tower = 0; tower < 2; ++tower) {
    const at::NoGradGuard no_grad;
    const Tensor row = run.groups[1 + tower].parameters[0].tensor.detach();
    const double radius = row.norm().item<double>();
    row.add_(1.0);
    run.stage->after_step({});
    CHECK(row.norm().item<double>() == Approx(radius).epsilon(1e-5));
  }
}

TEST_CASE("DCO: min-SNR weighs both errors", "[methods][sketches]") {
  sketches::DCO options;
  auto plain = prepare(sketches::dco(options), "sdxl", 2, 2);
  options.snr_gamma = 5.0;
  auto weighted = prepare(sketches::dco(options), "sdxl", 2, 2);
  const Terms a = plain.stage->forward(plain.batch, plain.tensors);
  const Terms b = weighted.stage->forward(weighted.batch, weighted.tensors);
  for (const char* term : {"mse", "reference"})
    CHECK(b.at(term).per_sample[0].item<double>() < a.at(term).per_sample[0].item<double>());
}

TEST_CASE("DreamBooth: instance and class rows have their own terms and captions", "[methods][sketches]") {
  auto run = prepare(sketches::dreambooth({}), "sd15", 2, 1);
  const Terms terms = run.stage->forward(run.batch, run.tensors);
  CHECK(terms.at("mse").per_sample.size(0) == 1);
  CHECK(terms.at("prior").rows == Term::Rows::of_class);
  CHECK_FALSE(at::equal(run.tensors.rows.at("caption.context")[0], run.tensors.rows.at("caption.context")[1]));
  (void)step(run);
  for (const auto& parameter : run.groups[0].parameters) {
    INFO(parameter.name);
    CHECK(parameter.tensor.grad().defined());
  }
}
