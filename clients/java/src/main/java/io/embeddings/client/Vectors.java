package io.embeddings.client;

import com.google.protobuf.ByteString;
import io.embeddings.v1.Embedding;
import io.embeddings.v1.VectorPoint;
import java.nio.ByteBuffer;
import java.nio.ByteOrder;
import java.util.List;

/** Vectors as bytes: little-endian float32, 4 bytes per value, which costs less than numbers. */
public final class Vectors {
    private Vectors() {}

    /** Returns the vector of an embedding, from `values_f32` or `values`. */
    public static float[] of(Embedding embedding) {
        return embedding.getValuesF32().isEmpty() ? fromList(embedding.getValuesList()) : fromBytes(embedding.getValuesF32());
    }

    /** Returns the vector of a point, from `vector_f32` or `vector`. */
    public static float[] of(VectorPoint point) {
        return point.getVectorF32().isEmpty() ? fromList(point.getVectorList()) : fromBytes(point.getVectorF32());
    }

    /**
     * Converts bytes to a vector. Copies them once.
     *
     * @throws IllegalArgumentException if the length is not a multiple of 4 bytes
     */
    public static float[] fromBytes(ByteString data) {
        if (data.size() % Float.BYTES != 0) {
            throw new IllegalArgumentException("A vector must have 4 bytes per value; got " + data.size() + " bytes.");
        }
        float[] vector = new float[data.size() / Float.BYTES];
        data.asReadOnlyByteBuffer().order(ByteOrder.LITTLE_ENDIAN).asFloatBuffer().get(vector);
        return vector;
    }

    /** Converts a vector to bytes. */
    public static ByteString toBytes(float[] vector) {
        ByteBuffer data = ByteBuffer.allocate(vector.length * Float.BYTES).order(ByteOrder.LITTLE_ENDIAN);
        data.asFloatBuffer().put(vector);
        return ByteString.copyFrom(data);
    }

    private static float[] fromList(List<Float> values) {
        float[] vector = new float[values.size()];
        for (int at = 0; at < vector.length; at++) {
            vector[at] = values.get(at);
        }
        return vector;
    }
}
