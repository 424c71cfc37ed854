#include "reports/detectable.h"

#include <boost/math/distributions/students_t.hpp>
#include <cmath>

namespace atelier::reports {

std::optional<double> detectable_difference(double deviation, std::int64_t concepts, double alpha, double power) {
  if (concepts < 2) return {};
  const auto n = static_cast<double>(concepts);
  const boost::math::students_t t(n - 1.0);
  const double quantiles = boost::math::quantile(t, 1.0 - alpha / 2.0) + boost::math::quantile(t, power);
  return quantiles * deviation / std::sqrt(n);
}

}  // namespace atelier::reports
