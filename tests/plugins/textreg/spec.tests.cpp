#include "plugins/textreg/spec.h"

#include <set>

#include "framework/core/error.h"
#include "framework/schedulers/scheduler.h"
#include "tests/plugins/textreg/world.h"

using namespace atelier;
using namespace atelier::textreg;

namespace {

// The arguments of the published training program, in the order of its specification's table.
constexpr const char* kArguments[] = {"--pretrained_model_name_or_path",
                                      "--pretrained_vae_name_or_path",
                                      "--revision",
                                      "--tokenizer_name",
                                      "--local_files_only",
                                      "--instance_data_dir",
                                      "--class_data_dir",
                                      "--prompts_file",
                                      "--placeholder_token",
                                      "--class_tokens",
                                      "--learnable_property",
                                      "--init_placeholder_as_class",
                                      "--mask_identifier_causal_attention",
                                      "--mask_identifier_ratio",
                                      "--ti_train_step",
                                      "--learning_rate_ti",
                                      "--resume_ti_embedding_path",
                                      "--just_ti",
                                      "--enable_text_reg",
                                      "--text_reg_alpha_weight",
                                      "--text_reg_beta_weight",
                                      "--filter_crossattn_str",
                                      "--lora_rank",
                                      "--learning_rate",
                                      "--learning_rate_text",
                                      "--train_text_encoder",
                                      "--scale_lr",
                                      "--lr_scheduler",
                                      "--lr_warmup_steps",
                                      "--train_batch_size",
                                      "--gradient_accumulation_steps",
                                      "--max_train_steps",
                                      "--num_train_epochs",
                                      "--save_steps",
                                      "--output_dir",
                                      "--output_format",
                                      "--mixed_precision",
                                      "--seed",
                                      "--resolution",
                                      "--center_crop",
                                      "--resize",
                                      "--color_jitter",
                                      "--with_prior_preservation",
                                      "--prior_loss_weight",
                                      "--num_class_images",
                                      "--sample_batch_size",
                                      "--gradient_checkpointing",
                                      "--use_8bit_adam",
                                      "--adam_beta1",
                                      "--adam_beta2",
                                      "--adam_weight_decay",
                                      "--adam_epsilon",
                                      "--max_grad_norm",
                                      "--cached_latents",
                                      "--log_evaluation",
                                      "--log_evaluation_step",
                                      "--logging_dir",
                                      "--local_rank",
                                      "--use_xformers",
                                      "--stochastic_attribute",
                                      "--push_to_hub",
                                      "--hub_token",
                                      "--ti_reg_type"};

std::vector<std::string> reads(const Json& values, const std::string& stage) {
  return stage_reads(stage_spec(make_spec(), stage), values);
}

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

}  // namespace

TEST_CASE("The description is consistent and survives its JSON form", "[textreg][spec]") {
  const auto spec = make_spec();
  CHECK_NOTHROW(check_spec(spec));
  CHECK(to_json(method_spec_from_json(to_json(spec), "test")) == to_json(spec));
}

TEST_CASE("Every argument of the published program is an option, the framework's, refused or without effect",
          "[textreg][spec]") {
  const auto spec = make_spec();
  std::set<std::string> expected(std::begin(kArguments), std::end(kArguments)), found;
  for (const auto& argument : spec.arguments) {
    CHECK(found.insert(argument.name).second);
    if (argument.status == ArgumentSpec::Status::option) {
      INFO(argument.name);
      CHECK(find_option(spec, argument.text) != nullptr);
    }
  }
  CHECK(found == expected);
}

TEST_CASE("The presets are the published command, the batch launcher and the program's faults", "[textreg][spec]") {
  const Json readme = resolved({});
  CHECK(readme["lora_rank"] == 10);
  CHECK(readme["text_reg_alpha_weight"] == 0.01);
  CHECK(readme["text_reg_beta_weight"] == 0.01);
  CHECK(readme["mask_identifier_ratio"] == 0.5);
  CHECK(readme["carry_ti_grads"] == false);
  CHECK(readme["ti.learning_rate"] == 5e-4);
  CHECK(readme["ut.learning_rate"] == 1e-4);
  CHECK(readme["ut.scale_lr"] == true);
  CHECK(readme["ti.scale_lr"] == false);
  CHECK(readme["ut.max_grad_norm"] == 1.0);
  CHECK(readme["ti.max_grad_norm"] == 0.0);
  const Json formal = resolved({}, "formal");
  CHECK(formal["text_reg_beta_weight"] == 0.1);
  CHECK(formal["mask_identifier_ratio"] == 0.75);
  CHECK(resolved({}, "official")["carry_ti_grads"] == true);
  const Json pocket = resolved({}, "pocket");
  CHECK(pocket["text_reg_alpha_weight"] == 2e-4);
  CHECK(pocket["enable_text_reg"] == true);
  const auto spec = make_spec();
  CHECK(find_option(spec, "initializer_id")->value == 42170);
}

TEST_CASE("The published command makes 500 steps of ti and 1500 of ut", "[textreg][spec]") {
  const auto spec = make_spec();
  const Json values = resolved({});
  CHECK(stage_steps(spec.stages[0], values) == 500);
  CHECK(stage_steps(spec.stages[1], values) == 1500);
  const auto data = settings_for("ut", values).data;
  CHECK(data.repeats == 20);
  CHECK_FALSE(data.drop_last);
}

TEST_CASE("The learning rate of ut is scaled by batch and accumulation, that of ti is not", "[textreg][spec]") {
  const Json values = resolved({});
  CHECK(settings_for("ut", values).learning_rate == Approx(4e-4).epsilon(1e-12));
  CHECK(settings_for("ti", values).learning_rate == Approx(5e-4).epsilon(1e-12));
  const auto train = settings_for("ut", values).train;
  CHECK(train.loss_divisor == 4.0);
  CHECK(train.accumulation == 1);
}

TEST_CASE("Schedules are as many times longer as the accumulation that is none", "[textreg][spec]") {
  const auto train = settings_for("ut", resolved({{"ut.lr_scheduler", "linear"}, {"ut.lr_warmup_steps", 10}})).train;
  CHECK(train.lr_warmup_steps == 40);
  CHECK(train.lr_total_steps == 6000);
  CHECK(settings_for("ut", resolved({})).train.lr_total_steps == 0);
}

TEST_CASE("Another rank does not learn the identifier again, unless its gradients are carried", "[textreg][spec]") {
  CHECK_FALSE(contains(reads(resolved({}), "ti"), "lora_rank"));
  CHECK(contains(reads(resolved({}), "ut"), "lora_rank"));
  CHECK(contains(reads(resolved({{"carry_ti_grads", true}}), "ti"), "lora_rank"));
}

TEST_CASE("Options that contradict each other are refused", "[textreg][spec]") {
  CHECK_THROWS_AS(resolved({{"init_placeholder_as_class", true}}), Error);
  CHECK_THROWS_AS(resolved({{"prior_loss_weight", 2.0}}), Error);
  CHECK_THROWS_AS(resolved({{"ut.learning_rate_text", 1e-4}}), Error);
  CHECK_THROWS_AS(resolved({{"learnable_property", "person"}}), Error);
  CHECK_THROWS_AS(resolved({{"ti_reg_type", "text"}}), Error);
  CHECK_NOTHROW(resolved({{"init_placeholder_as_class", true}, {"mask_identifier_causal_attention", false}}));
}

TEST_CASE("Pictures are sampled as the authors do", "[textreg][spec]") {
  const auto sampler = make_spec().sampler;
  CHECK(sampler.guidance == 5.0);
  Json config = sampler.settings;
  config.update({{"beta_start", 0.00085}, {"beta_end", 0.012}, {"beta_schedule", "scaled_linear"}});
  const auto scheduler = make_scheduler(sampler.scheduler, config);
  scheduler->set_timesteps(sampler.steps);
  const auto& timesteps = scheduler->timesteps();
  const auto& sigmas = scheduler->sigmas();
  REQUIRE(timesteps.size() == 50);
  CHECK(timesteps[1] == Approx(978.6122).epsilon(1e-6));
  CHECK(timesteps[2] == Approx(958.2245).epsilon(1e-6));
  CHECK(timesteps[48] == Approx(20.3878).epsilon(1e-5));
  CHECK(sigmas[0] == Approx(14.614645).epsilon(1e-6));
  CHECK(sigmas[1] == Approx(12.936777).epsilon(1e-6));
  CHECK(sigmas[3] == Approx(10.242913).epsilon(1e-6));
  CHECK(sigmas[48] == Approx(0.139338).epsilon(1e-5));
  CHECK(sigmas[50] == 0.0F);
}

TEST_CASE("Noise coefficients are exact, and rounded with cast_alphas", "[textreg][noise]") {
  CHECK(settings_for("ut", resolved({}, "official")).train.cast_alphas);
  const NoiseSchedule schedule(
      {.beta_start = 0.00085, .beta_end = 0.012, .beta_schedule = BetaSchedule::scaled_linear});
  CHECK(schedule.alpha_bars()[0] == Approx(0.99914998).epsilon(1e-6));
  CHECK(schedule.alpha_bars()[999] == Approx(0.00466010).epsilon(1e-5));
  const Tensor ones = at::ones({8, 1}, at::kBFloat16);
  const Tensor rounded = schedule.add_noise(at::zeros_like(ones), ones, at::arange(8), true).to(at::kFloat);
  const double expected[] = {0, 0, 0.0625, 0.0625, 0.0625, 0.0625, 0.08837891, 0.08837891};
  for (std::int64_t t = 0; t < 8; ++t) {
    CHECK(rounded[t].item<double>() == Approx(expected[t]).epsilon(1e-3).margin(1e-9));
  }
}
