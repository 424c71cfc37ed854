#include "framework/plan/sampler_settings.h"

#include <map>

namespace atelier {
namespace {

using Settings = std::vector<OptionSpec>;

OptionSpec make(const char* name, OptionType type, Json value) {
  OptionSpec option;
  option.name = name;
  option.type = type;
  option.value = std::move(value);
  return option;
}

OptionSpec flag(const char* name) { return make(name, OptionType::boolean, false); }

OptionSpec real(const char* name, double low, double high) {
  auto option = make(name, OptionType::real, low);
  option.low = low;
  option.high = high;
  return option;
}

OptionSpec at_least(const char* name, double low) {
  auto option = make(name, OptionType::real, low);
  option.low = low;
  return option;
}

OptionSpec integer(const char* name, double low, double high) {
  auto option = make(name, OptionType::integer, static_cast<std::int64_t>(low));
  option.low = low;
  option.high = high;
  return option;
}

OptionSpec choice(const char* name, std::vector<std::string> choices) {
  auto option = make(name, OptionType::choice, choices.front());
  option.choices = std::move(choices);
  return option;
}

Settings joined(Settings settings, const Settings& more) {
  settings.insert(settings.end(), more.begin(), more.end());
  return settings;
}

/// The noise schedule, which every class reads.
Settings schedule() {
  return {integer("num_train_timesteps", 2, 1e6), real("beta_start", 0, 1), real("beta_end", 0, 1),
          choice("beta_schedule", {"linear", "scaled_linear", "squaredcos_cap_v2"})};
}

OptionSpec zero_snr() { return flag("rescale_betas_zero_snr"); }

OptionSpec prediction(bool sample) {
  return sample ? choice("prediction_type", {"epsilon", "v_prediction", "sample"})
                : choice("prediction_type", {"epsilon", "v_prediction"});
}

Settings grid() {
  return {choice("timestep_spacing", {"leading", "linspace", "trailing"}), integer("steps_offset", 0, 999999)};
}

Settings clipping() { return {flag("clip_sample"), at_least("clip_sample_range", 0)}; }

Settings sigmas() {
  return {choice("final_sigmas_type", {"zero", "sigma_min"}), at_least("sigma_min", 0), at_least("sigma_max", 0)};
}

Settings solver() {
  return {integer("solver_order", 1, 3), choice("solver_type", {"midpoint", "heun", "logrho", "bh1", "bh2"}),
          flag("lower_order_final")};
}

Settings multistep() {
  return joined(joined(joined(schedule(), grid()), joined(sigmas(), solver())),
                {zero_snr(), prediction(true), choice("algorithm_type", {"dpmsolver++", "sde-dpmsolver++", "deis"}),
                 flag("euler_at_final"), make("lambda_min_clipped", OptionType::real, 0.0)});
}

std::map<std::string, Settings> all() {
  const auto discrete = joined(joined(schedule(), grid()), {zero_snr(), prediction(true)});
  return {
      {"ddim", joined(joined(discrete, clipping()), {flag("set_alpha_to_one"), real("eta", 0, 1)})},
      {"ddpm", joined(joined(discrete, clipping()),
                      {choice("variance_type", {"fixed_small", "fixed_small_log", "fixed_large"})})},
      {"dpmpp_2m", joined(multistep(), {flag("use_karras_sigmas")})},
      {"dpmpp_2m_karras", multistep()},
      {"euler", joined(joined(discrete, sigmas()), {flag("use_karras_sigmas")})},
      {"euler_ancestral", joined(joined(schedule(), grid()), {zero_snr(), prediction(false)})},
      {"lcm", joined(joined(schedule(), clipping()),
                     {zero_snr(), prediction(true), integer("original_inference_steps", 1, 1e6),
                      make("timestep_scaling", OptionType::real, 10.0)})},
      {"pndm",
       joined(joined(schedule(), grid()), {prediction(false), flag("set_alpha_to_one"), flag("skip_prk_steps")})},
      {"unipc", joined(joined(joined(discrete, sigmas()), solver()),
                       {flag("use_karras_sigmas"), flag("predict_x0"),
                        make("disable_corrector", OptionType::integers, Json::array())})},
  };
}

}  // namespace

const std::vector<std::string>& sampler_schedulers() {
  static const std::vector<std::string> names{"ddim", "ddpm", "dpmpp_2m", "dpmpp_2m_karras", "euler", "euler_ancestral",
                                              "lcm",  "pndm", "unipc"};
  return names;
}

std::vector<OptionSpec> sampler_settings(const std::string& scheduler) {
  static const auto settings = all();
  const auto found = settings.find(scheduler);
  return found == settings.end() ? Settings() : found->second;
}

}  // namespace atelier
