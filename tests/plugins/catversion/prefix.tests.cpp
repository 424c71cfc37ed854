// The flat tensor's layout, the numbers of the layers, and what a prefix in the session changes and what it does not.
#include <ATen/core/grad_mode.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/equal.h>
#include <ATen/ops/zeros.h>

#include "framework/core/error.h"
#include "framework/formats/known_configs.h"
#include "framework/methods/loader.h"
#include "framework/models/clip_text.h"
#include "framework/schedulers/scheduler.h"
#include "tests/plugins/catversion/world.h"

using namespace atelier;
using catversion::PrefixForm;

namespace {

PrefixForm tiny_form(std::int64_t length = 1) { return {.length = length, .layers = {1, 2}, .width = 32}; }

std::shared_ptr<const Method> opened() {
  static const MethodPlugin plugin = MethodPlugin::open(ATELIER_PLUGIN);
  return plugin.create();
}

Tensor context_of(Session& session, const std::string& prompt) { return session.encode({prompt}).context; }

double gap_between(const Tensor& a, const Tensor& b) { return (a - b).abs().max().item<double>(); }

std::vector<Tensor> states(Session& session, const std::string& prompt, const PrefixForm& form, const Tensor& flat) {
  TextCall call;
  call.hidden_states = true;
  if (flat.defined()) {
    for (std::size_t i = 0; i < form.layers.size(); ++i) call.edits[form.layers[i]] = form.edit(flat, i);
  }
  return session.text(0).forward(session.tokenize({prompt}).towers.front(), call).hidden_states;
}

}  // namespace

TEST_CASE("catversion: the flat tensor of Stable Diffusion 1.5 has 4608 numbers, laid out as the authors'",
          "[catversion][prefix]") {
  const PrefixForm form{.length = 1, .layers = {9, 10, 11}, .width = 768};
  CHECK(form.size() == 4608);
  const Tensor flat = at::arange(4608).to(at::kFloat);
  const auto first = [](const Tensor& row, std::int64_t index) { return row.flatten()[index].item<float>(); };
  CHECK(first(form.keys(flat, 0), 0) == 0);
  CHECK(first(form.keys(flat, 0), 63) == 63);
  CHECK(first(form.values(flat, 0), 0) == 768);
  CHECK(first(form.keys(flat, 1), 3 * 64 + 5) == 1733);
  CHECK(first(form.values(flat, 2), 11 * 64 + 63) == 4607);
  const PrefixForm two{.length = 2, .layers = {4, 7}, .width = 6};
  const Tensor both = at::arange(two.size()).to(at::kFloat);
  CHECK(two.values(both, 1).sizes() == at::IntArrayRef{2, 6});
  CHECK(two.values(both, 1)[1][2].item<float>() == ((1 * 4 + 2 * 1 + 1) * 6 + 2));
}

TEST_CASE("catversion: the text model of Stable Diffusion 1.5 has 123,060,480 numbers beside the prefix",
          "[catversion][prefix]") {
  // Real shapes without memory: one zero, expanded.
  const auto maker = [](const std::string&, at::IntArrayRef shape) { return at::zeros({1}).expand(shape); };
  ClipText encoder(known_configs(Family::sd1, true).at("text_encoder"), Weights("real shapes", {}, maker, Placement{}));
  std::int64_t numbers = 0;
  for (const auto& [name, slot] : encoder.registry().parameters) numbers += slot->numel();
  CHECK(numbers == 123060480);
}

TEST_CASE("catversion: layers count from either end, and come in the encoder's order", "[catversion][prefix]") {
  CHECK(catversion::count_layers({9, 10, 11}, 12, "layers") == std::vector<std::int64_t>{9, 10, 11});
  CHECK(catversion::count_layers({-1, -3, -2}, 12, "layers") == std::vector<std::int64_t>{9, 10, 11});
  CHECK_THROWS_WITH(catversion::count_layers({9, 10, 11}, 4, "layers"),
                    Catch::Contains("layers: layer 9") && Catch::Contains("0 to 3"));
  CHECK_THROWS_WITH(catversion::count_layers({-5}, 4, "layers"), Catch::Contains("layer -5"));
  CHECK_THROWS_WITH(catversion::count_layers({3, -1}, 4, "layers"), Catch::Contains("twice"));
  CHECK_THROWS_WITH(catversion::count_layers({}, 4, "layers"), Catch::Contains("no layer"));
}

TEST_CASE("catversion: an artifact says its form, and one of another base is refused", "[catversion][prefix]") {
  const auto whole = catversion_world::artifact({.length = 2, .layers = {0, 2}, .logit_bias = 0.1, .width = 32});
  const auto form = catversion::read_form(whole, 32);
  CHECK(form.length == 2);
  CHECK(form.layers == std::vector<std::int64_t>{0, 2});
  CHECK(form.logit_bias == 0.1);
  CHECK_THROWS_WITH(catversion::read_form(whole, 768),
                    Catch::Contains("6144") && Catch::Contains("another base model"));
  auto nameless = whole;
  nameless.notes.erase("layers");
  CHECK_THROWS_WITH(catversion::read_form(nameless, 32), Catch::Contains("note layers"));
}

TEST_CASE("catversion: layers before the first one see nothing, and each layer from there on does",
          "[catversion][prefix]") {
  const at::NoGradGuard no_grad;
  Session session(tiny::base("sd15"));
  const PrefixForm form{.length = 1, .layers = {2}, .width = 32};
  const auto plain = states(session, "a man", form, {});
  const auto edited = states(session, "a man", form, tiny::random({form.size()}, 3));
  REQUIRE(plain.size() == 4);
  for (std::size_t i = 0; i < 3; ++i) CHECK(at::equal(plain[i], edited[i]));
  CHECK(gap_between(plain[3], edited[3]) > 1e-2);
}

TEST_CASE("catversion: no prefix, or one without weight, is the plain encoder; zeros are not", "[catversion][prefix]") {
  const at::NoGradGuard no_grad;
  const auto base = tiny::base("sd15");
  Session plain(base);
  const Tensor expected = context_of(plain, "a photo of a man");
  const auto with = [&](const PrefixForm& form, const Tensor& flat) {
    Session session(base);
    catversion::put_prefix(session, form, flat);
    return context_of(session, "a photo of a man");
  };
  PrefixForm form = tiny_form(0);
  CHECK(gap_between(with(form, tiny::random({form.size()}, 1)), expected) < 1e-5);
  form = tiny_form(2);
  form.logit_bias = -1e9;
  CHECK(gap_between(with(form, tiny::random({form.size()}, 1)), expected) < 1e-5);
  form.logit_bias = 1.0;
  CHECK(gap_between(with(form, tiny::random({form.size()}, 1) * 0), expected) > 1e-2);
}

TEST_CASE("catversion: the encoder stays causal, and its first row moves alike for every prompt",
          "[catversion][prefix]") {
  const at::NoGradGuard no_grad;
  const auto base = tiny::base("sd15");
  Session plain(base), edited(base);
  catversion::put_prefix(edited, tiny_form(), tiny::random({tiny_form().size()}, 4));
  const Tensor short_text = context_of(edited, "a man"), long_text = context_of(edited, "a man on the moon");
  CHECK(at::equal(short_text.narrow(1, 0, 3), long_text.narrow(1, 0, 3)));
  CHECK(gap_between(short_text.narrow(1, 3, 1), long_text.narrow(1, 3, 1)) > 1e-3);
  const Tensor row = context_of(plain, "a man").narrow(1, 0, 1);
  CHECK(at::equal(row, context_of(plain, "time").narrow(1, 0, 1)));
  CHECK(at::equal(short_text.narrow(1, 0, 1), context_of(edited, "time").narrow(1, 0, 1)));
  CHECK(gap_between(row, short_text.narrow(1, 0, 1)) > 1e-2);
}

TEST_CASE("catversion: only the conditional branch has the prefix, with and without a reward", "[catversion][method]") {
  GuidanceRequest request{.prompt = "man on the moon", .base_prompt = "a man", .guidance = 10.0};
  const auto method = opened();
  for (const bool rewarded : {false, true}) {
    if (rewarded) request.reward = 2.0;
    const auto branches = method->branches(request);
    REQUIRE(branches.size() == (rewarded ? 3 : 2));
    for (const auto& branch : branches) CHECK(branch.edits == (branch.name == "cond"));
  }
  request.reward.reset();
  const auto branches = method->branches(request);
  CHECK(branches[0].weight == -9.0);
  CHECK(branches[1].weight == 10.0);
  CHECK_FALSE(branches[0].text.has_value());
}

TEST_CASE("catversion: the unconditional text is that of a session without any adapter", "[catversion][method]") {
  const at::NoGradGuard no_grad;
  const auto base = tiny::base("sd15");
  Session plain(base), applied(base);
  opened()->apply(applied, catversion_world::artifact(tiny_form()), 1.0);
  // As a guided step encodes it: in one batch with the conditional text, or by itself.
  const std::vector<std::string> both{"", "a man"};
  const Tensor rows = at::tensor({0, 1}).to(at::kBool);
  const Tensor edited = applied.encode(both, {.edited_rows = rows}).context, bare = plain.encode(both).context;
  CHECK(gap_between(edited[0], bare[0]) < 1e-5);
  CHECK(gap_between(edited[1], bare[1]) > 1e-2);
  const Tensor none = at::tensor({0}).to(at::kBool);
  const Tensor alone = applied.encode({std::string()}, {.edited_rows = none}).context;
  Session other(base);
  opened()->apply(other, catversion_world::artifact({.length = 2, .layers = {0, 2}, .width = 32}), 1.0);
  CHECK(gap_between(other.encode({std::string()}, {.edited_rows = none}).context, alone) < 1e-5);
  CHECK(gap_between(alone, plain.encode({std::string()}).context) < 1e-5);
}

TEST_CASE("catversion: an artifact is applied once, whole, and to the base that it fits", "[catversion][method]") {
  const at::NoGradGuard no_grad;
  const auto base = tiny::base("sd15");
  Session trained(base), applied(base);
  const auto form = tiny_form();
  const auto whole = catversion_world::artifact(form);
  catversion::put_prefix(trained, form, whole.tensors.at(catversion::kControlTrans));
  const auto method = opened();
  method->apply(applied, whole, 1.0);
  CHECK(at::equal(context_of(trained, "a man"), context_of(applied, "a man")));
  CHECK_THROWS_WITH(method->apply(applied, whole, 1.0), Catch::Contains("edited already"));
  Session other(base);
  CHECK_THROWS_WITH(method->apply(other, whole, 0.5), Catch::Contains("weight 0.5"));
  CHECK_THROWS_WITH(method->apply(other, catversion_world::artifact({.length = 1, .layers = {2, 3}, .width = 32}), 1.0),
                    Catch::Contains("layer 3"));
}

TEST_CASE("catversion: the sampler is DDIM with the authors' 50 timesteps and noise levels", "[catversion][method]") {
  const auto sampler = catversion::make_spec().sampler;
  CHECK(sampler.guidance == 10.0);
  const Json stable_diffusion{{"beta_start", 0.00085},
                              {"beta_end", 0.012},
                              {"beta_schedule", "scaled_linear"},
                              {"num_train_timesteps", 1000},
                              {"skip_prk_steps", true}};
  const auto scheduler = make_scheduler(sampler.scheduler, stable_diffusion, sampler.settings);
  scheduler->set_timesteps(sampler.steps);
  REQUIRE(scheduler->timesteps().size() == 50);
  for (std::size_t i = 0; i < 50; ++i) CHECK(scheduler->timesteps()[i] == 981.0 - 20.0 * static_cast<double>(i));
  const auto bars = scheduler->noise_schedule().alpha_bars();
  const std::vector<std::pair<std::size_t, double>> expected{{0, 0.99915000},   {1, 0.99829603},   {21, 0.98038075},
                                                             {500, 0.27633268}, {981, 0.00577550}, {999, 0.00466010}};
  for (const auto& [timestep, bar] : expected) CHECK(std::abs(bars[timestep] - bar) < 5e-7);
  // The last step goes to the first noise level, not to none.
  const Tensor sample = tiny::random({1, 4, 2, 2}, 1), noise = tiny::random({1, 4, 2, 2}, 2);
  for (std::size_t i = 0; i + 1 < 50; ++i) (void)scheduler->step(noise, i, sample, {});
  const double bar = expected[1].second, previous = expected[0].second;
  const Tensor clean = (sample - std::sqrt(1 - bar) * noise) / std::sqrt(bar);
  CHECK(gap_between(scheduler->step(noise, 49, sample, {}),
                    std::sqrt(previous) * clean + std::sqrt(1 - previous) * noise) < 1e-5);
}

TEST_CASE("catversion: the presets are those of the README", "[catversion][spec]") {
  using catversion_world::resolved;
  const Json published = resolved({});
  CHECK(published.at("layers") == Json({9, 10, 11}));
  CHECK(published.at("prefix_length") == 1);
  CHECK(published.at("prefix_logit_bias") == 1.0);
  CHECK(published.at("concat.max_train_steps") == 1000);
  CHECK(resolved({}, "plain").at("prefix_logit_bias") == 0.0);
  CHECK(resolved({}, "official").at("concat.max_train_steps") == 1001);
  CHECK(resolved({}, "pocket").at("layers") == Json({-3, -2, -1}));
}
