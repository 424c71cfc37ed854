#pragma once

// LibTorch and Catch2 both define CHECK; LibTorch's would silently replace Catch2's. Include this instead of Catch2.
#include <ATen/core/Tensor.h>

#undef CHECK
#include <catch2/catch.hpp>
