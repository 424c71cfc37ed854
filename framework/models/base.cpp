#include "framework/models/base.h"

#include <nlohmann/json.hpp>

#include "framework/formats/checkpoint.h"

namespace atelier {

Base::Base(std::shared_ptr<const Checkpoint> checkpoint, Placement unet, Placement vae)
    : checkpoint_(std::move(checkpoint)), placement_(unet), vae_placement_(vae) {}

Base::Base(std::shared_ptr<const Checkpoint> checkpoint, Placement placement)
    : Base(std::move(checkpoint), placement, placement) {}

Base::~Base() = default;

bool Base::has(const std::string& component) const { return checkpoint_->has(component); }

const Json& Base::config(const std::string& component) const { return checkpoint_->config(component); }

Weights Base::weights(const std::string& component) const {
  const Placement& placement = component == "vae" ? vae_placement_ : placement_;
  const std::lock_guard lock(mutex_);
  auto found = placed_.find(component);
  if (found == placed_.end()) {
    found = placed_.emplace(component, place(checkpoint_->weights(component), placement)).first;
  }
  return {checkpoint_->where(component), found->second, placement};
}

void Base::release(const std::string& component) const {
  const std::lock_guard lock(mutex_);
  placed_.erase(component);
}

std::vector<std::string> Base::text_towers() const {
  std::vector<std::string> towers{"text_encoder"};
  if (is_sdxl()) towers.emplace_back("text_encoder_2");
  return towers;
}

std::filesystem::path Base::tokenizer_folder(std::size_t tower) const {
  return checkpoint_->tokenizer_folder(tower == 0 ? "tokenizer" : "tokenizer_2");
}

}  // namespace atelier
