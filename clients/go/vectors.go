package embeddings

import (
	"encoding/binary"
	"fmt"
	"math"

	pb "embeddings/client/gen/embeddings/v1"
)

// EmbeddingVector returns the values of an embedding, from ValuesF32 or Values.
func EmbeddingVector(embedding *pb.Embedding) ([]float32, error) {
	if len(embedding.GetValuesF32()) > 0 {
		return VectorFromBytes(embedding.GetValuesF32())
	}
	return embedding.GetValues(), nil
}

// PointVector returns the values of a point, from VectorF32 or Vector.
func PointVector(point *pb.VectorPoint) ([]float32, error) {
	if len(point.GetVectorF32()) > 0 {
		return VectorFromBytes(point.GetVectorF32())
	}
	return point.GetVector(), nil
}

// VectorFromBytes converts little-endian float32 values, 4 bytes each, as in VectorF32 and ValuesF32.
func VectorFromBytes(data []byte) ([]float32, error) {
	if len(data)%4 != 0 {
		return nil, fmt.Errorf("a vector must have 4 bytes per value; got %d bytes", len(data))
	}
	vector := make([]float32, len(data)/4)
	for at := range vector {
		vector[at] = math.Float32frombits(binary.LittleEndian.Uint32(data[4*at:]))
	}
	return vector, nil
}

// VectorToBytes converts values to little-endian float32, as in VectorF32 and ValuesF32.
func VectorToBytes(vector []float32) []byte {
	data := make([]byte, 4*len(vector))
	for at, value := range vector {
		binary.LittleEndian.PutUint32(data[4*at:], math.Float32bits(value))
	}
	return data
}
