#pragma once

#include <string>
#include <vector>

#include "embeddings/v1/embedding.pb.h"
#include "embeddings/v1/point.pb.h"

namespace embeddings {

/// Converts a vector to little-endian float32, 4 bytes per value, for `vector_f32` and `values_f32`. Copies it once.
std::string to_bytes(const std::vector<float>& vector);

/// Converts little-endian float32 values, as in `vector_f32` and `values_f32`. Copies them once. Throws std::invalid_argument if the
/// length is not a multiple of 4 bytes.
std::vector<float> from_bytes(const std::string& data);

/// Returns the vector of an embedding, from `values_f32` or `values`.
std::vector<float> vector_of(const embeddings::v1::Embedding& embedding);

/// Returns the vector of a point, from `vector_f32` or `vector`.
std::vector<float> vector_of(const embeddings::v1::VectorPoint& point);

}  // namespace embeddings
