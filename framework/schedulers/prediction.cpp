#include "framework/schedulers/prediction.h"

#include <ATen/ops/add.h>
#include <ATen/ops/mul.h>
#include <ATen/ops/sub.h>

namespace atelier {

at::Tensor weighted_sum(std::initializer_list<Term> terms) {
  auto sum = at::mul(terms.begin()->tensor, terms.begin()->weight);
  for (const auto* term = terms.begin() + 1; term != terms.end(); ++term) {
    if (term->weight != 0.0) sum.add_(term->tensor, term->weight);
  }
  return sum;
}

at::Tensor predicted_original(PredictionType type, const Level& level, const at::Tensor& x,
                              const at::Tensor& model_output) {
  switch (type) {
    case PredictionType::epsilon:
      return at::sub(x, model_output, level.sigma).div_(level.alpha);
    case PredictionType::v_prediction:
      return at::mul(x, level.alpha).sub_(model_output, level.sigma);
    case PredictionType::sample:
      return model_output;
  }
  return {};
}

at::Tensor predicted_noise(PredictionType type, const Level& level, const at::Tensor& x,
                           const at::Tensor& model_output) {
  switch (type) {
    case PredictionType::epsilon:
      return model_output;
    case PredictionType::v_prediction:
      return at::mul(model_output, level.alpha).add_(x, level.sigma);
    case PredictionType::sample:
      return at::sub(x, model_output, level.alpha).div_(level.sigma);
  }
  return {};
}

}  // namespace atelier
