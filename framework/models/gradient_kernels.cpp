#include "framework/models/gradient_kernels.h"

namespace atelier {
namespace {

thread_local bool gradient_kernels_wanted = false;

}  // namespace

GradientKernels::GradientKernels() : before_(gradient_kernels_wanted) { gradient_kernels_wanted = true; }

GradientKernels::~GradientKernels() { gradient_kernels_wanted = before_; }

bool GradientKernels::wanted() { return gradient_kernels_wanted; }

}  // namespace atelier
