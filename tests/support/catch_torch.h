#pragma once

// LibTorch and Catch2 both define CHECK; LibTorch's would silently replace Catch2's. Include this instead of Catch2, in
// every file of a program that sees LibTorch: joined sources share their macros (tests/check_includes.sh).
#include <ATen/core/Tensor.h>
#include <c10/util/Logging.h>

#undef CHECK
#include <catch2/catch.hpp>
