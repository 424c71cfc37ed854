#include <set>

#include "framework/core/error.h"
#include "framework/schedulers/scheduler.h"
#include "tests/plugins/dco/world.h"

using namespace dco_world;

namespace {

// The arguments of the published script, in the order of its specification's table.
constexpr const char* kDcoArguments[] = {"--pretrained_model_name_or_path",
                                         "--pretrained_vae_model_name_or_path",
                                         "--revision",
                                         "--variant",
                                         "--config_dir",
                                         "--config_name",
                                         "--validation_prompt",
                                         "--num_validation_images",
                                         "--validation_epochs",
                                         "--with_prior_preservation",
                                         "--prior_loss_weight",
                                         "--output_dir",
                                         "--checkpointing_steps",
                                         "--seed",
                                         "--resolution",
                                         "--crops_coords_top_left_h",
                                         "--crops_coords_top_left_w",
                                         "--center_crop",
                                         "--train_batch_size",
                                         "--dataloader_num_workers",
                                         "--num_train_epochs",
                                         "--max_train_steps",
                                         "--checkpoints_total_limit",
                                         "--resume_from_checkpoint",
                                         "--dcoloss_beta",
                                         "--train_text_encoder_ti",
                                         "--train_text_encoder",
                                         "--gradient_accumulation_steps",
                                         "--gradient_checkpointing",
                                         "--learning_rate",
                                         "--text_encoder_lr",
                                         "--scale_lr",
                                         "--lr_scheduler",
                                         "--snr_gamma",
                                         "--lr_warmup_steps",
                                         "--lr_num_cycles",
                                         "--lr_power",
                                         "--use_8bit_adam",
                                         "--adam_beta1",
                                         "--adam_beta2",
                                         "--adam_weight_decay",
                                         "--adam_weight_decay_text_encoder",
                                         "--adam_epsilon",
                                         "--max_grad_norm",
                                         "--logging_dir",
                                         "--allow_tf32",
                                         "--report_to",
                                         "--mixed_precision",
                                         "--local_rank",
                                         "--rank",
                                         "--offset_noise"};

Json values_of(const std::string& preset) { return resolve_options(dco::make_spec(), preset, Json::object(), "test"); }

}  // namespace

TEST_CASE("DCO's description is consistent and survives its JSON form", "[dco][spec]") {
  const auto spec = dco::make_spec();
  CHECK_NOTHROW(check_spec(spec));
  CHECK(to_json(method_spec_from_json(to_json(spec), "test")) == to_json(spec));
}

TEST_CASE("Every argument of DCO's script is an option, the framework's, refused or without effect", "[dco][spec]") {
  const auto spec = dco::make_spec();
  std::set<std::string> expected(std::begin(kDcoArguments), std::end(kDcoArguments)), found;
  for (const auto& argument : spec.arguments) {
    CHECK(found.insert(argument.name).second);
    if (argument.status == ArgumentSpec::Status::option) CHECK(find_option(spec, argument.text) != nullptr);
  }
  CHECK(found == expected);
}

TEST_CASE("DCO's presets are the published commands for subjects and styles", "[dco][spec]") {
  const Json subject = values_of("subject");
  CHECK(subject["recipe"] == "subject");
  CHECK(subject["rank"] == 32);
  CHECK(subject["subject.learning_rate"] == 5e-5);
  CHECK(subject["text_encoder_lr"] == 5e-6);
  CHECK(subject["dcoloss_beta"] == 1000.0);
  CHECK(subject["max_train_steps"] == 2000);
  CHECK(subject["offset_noise"] == 0.0);
  CHECK(subject["resolution"] == 1024);
  CHECK(subject["subject.adam_weight_decay"] == 1e-4);
  CHECK(subject["subject.max_grad_norm"] == 1.0);
  CHECK(subject["subject.lr_scheduler"] == "constant");
  CHECK(subject["ti_update"] == "trained");
  CHECK(subject["pool"] == "argmax");
  const Json style = values_of("style");
  CHECK(style["recipe"] == "style");
  CHECK(style["rank"] == 64);
  CHECK(style["max_train_steps"] == 1000);
  CHECK(style["offset_noise"] == 0.1);
  CHECK(style["style.learning_rate"] == 5e-5);
  CHECK(values_of("official")["ti_update"] == "official");
}

TEST_CASE("DCO trains one stage: the one that `recipe` names, for max_train_steps", "[dco][spec]") {
  const auto spec = dco::make_spec();
  for (const char* preset : {"subject", "style"}) {
    const Json values = values_of(preset);
    for (const auto& stage : spec.stages) CHECK(hold(stage.runs_when, values) == (stage.name == preset));
    CHECK(stage_steps(spec.stages[0], values) == values["max_train_steps"]);
  }
}

TEST_CASE("DCO refuses options without effect", "[dco][spec]") {
  CHECK_THROWS_AS(resolved({{"recipe", "style"}, {"ti_update", "frozen"}}), Error);
  CHECK_THROWS_AS(resolved({{"random_norm", "own"}}), Error);
  CHECK_NOTHROW(resolved({{"random_norm", "own"}, {"initializer_token", ""}}));
}

TEST_CASE("The token's rate is its own; absent or 0 it is that of the adapters", "[dco][spec]") {
  auto settings = subject_settings({{"subject.scale_lr", true}, {"subject.train_batch_size", 3}});
  CHECK(settings.learning_rate == Approx(1.5e-4));
  CHECK(settings.token->learning_rate == 5e-6);
  CHECK(settings.token->weight_decay == 1e-4);
  settings = subject_settings({{"text_encoder_lr", 0.0}, {"adam_weight_decay_text_encoder", 0.5}});
  CHECK(settings.token->learning_rate == 5e-5);
  CHECK(settings.token->weight_decay == 0.5);
  CHECK(subject_settings({{"adam_weight_decay_text_encoder", 0.0}}).token->weight_decay == 1e-4);
}

TEST_CASE("DCO's pictures are sampled with Euler: 50 steps from 981, sigmas and first scale as published",
          "[dco][spec]") {
  const auto sampler = dco::make_spec().sampler;
  CHECK(sampler.guidance == 7.5);
  CHECK(sampler.reward_guidance == 3.0);
  Json config = sampler.settings;
  config.update({{"beta_start", 0.00085}, {"beta_end", 0.012}, {"beta_schedule", "scaled_linear"}});
  const auto scheduler = make_scheduler(sampler.scheduler, config);
  scheduler->set_timesteps(sampler.steps);
  const auto& timesteps = scheduler->timesteps();
  const auto& sigmas = scheduler->sigmas();
  REQUIRE(timesteps.size() == 50);
  CHECK(timesteps[0] == 981.0);
  CHECK(timesteps[1] == 961.0);
  CHECK(timesteps[48] == 21.0);
  CHECK(timesteps[49] == 1.0);
  REQUIRE(sigmas.size() == 51);
  const std::map<std::size_t, double> expected{{0, 13.12041}, {1, 11.67605}, {2, 10.42504},
                                               {48, 0.14146}, {49, 0.04131}, {50, 0.0}};
  for (const auto& [place, sigma] : expected) CHECK(sigmas[place] == Approx(sigma).epsilon(2e-4));
  CHECK(scheduler->init_noise_sigma() == Approx(13.158464).epsilon(1e-6));
}
