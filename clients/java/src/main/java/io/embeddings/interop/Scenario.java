package io.embeddings.interop;

import com.google.protobuf.ByteString;
import io.embeddings.client.EmbeddingsException;
import io.embeddings.client.Exchange;
import io.embeddings.client.Vectors;
import io.embeddings.v1.CountVectorsRequest;
import io.embeddings.v1.DeleteByJobIdRequest;
import io.embeddings.v1.EmbedImageRequest;
import io.embeddings.v1.EmbeddingServiceGrpc;
import io.embeddings.v1.FaceCrop;
import io.embeddings.v1.FaceItem;
import io.embeddings.v1.Image;
import io.embeddings.v1.IngestFaceRequest;
import io.embeddings.v1.IngestServiceGrpc;
import io.embeddings.v1.ListModelsRequest;
import io.embeddings.v1.ListVectorsRequest;
import io.embeddings.v1.Model;
import io.embeddings.v1.ModelKind;
import io.embeddings.v1.ModelServiceGrpc;
import io.embeddings.v1.Payload;
import io.embeddings.v1.PixelBuffer;
import io.embeddings.v1.PixelFormat;
import io.embeddings.v1.QueryVector;
import io.embeddings.v1.ScoredPoint;
import io.embeddings.v1.SearchByMediaStoreIdRequest;
import io.embeddings.v1.SearchQuery;
import io.embeddings.v1.SearchVectorsRequest;
import io.embeddings.v1.StreamEmbedRequest;
import io.embeddings.v1.StreamEmbedResponse;
import io.embeddings.v1.StreamIngestRequest;
import io.embeddings.v1.StreamIngestResponse;
import io.embeddings.v1.StreamUpsertVectorsRequest;
import io.embeddings.v1.StreamUpsertVectorsResponse;
import io.embeddings.v1.VectorPoint;
import io.embeddings.v1.VectorStoreServiceGrpc;
import io.grpc.Channel;
import io.grpc.Status;
import io.grpc.StatusRuntimeException;
import io.grpc.health.v1.HealthCheckRequest;
import io.grpc.health.v1.HealthCheckResponse;
import io.grpc.health.v1.HealthGrpc;
import io.grpc.stub.AbstractStub;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;

/** Steps of the scenario. They must run in order, because each depends on the previous ones. */
final class Scenario {
    private static final String COLLECTION = "interop_java";
    private static final String JOB = "job-java";
    private static final int CROPS = 2000;
    private static final int ITEMS = 300;

    private final Channel channel;
    private final byte[] jpeg;
    private final Map<String, List<Float>> vectors = new LinkedHashMap<>();
    private final List<Long> counts = new ArrayList<>();
    private List<Float> query = List.of();
    private List<List<Float>> embedded = List.of();

    Scenario(Channel channel, byte[] jpeg) {
        this.channel = channel;
        this.jpeg = jpeg;
    }

    Map<String, List<Float>> vectors() {
        return vectors;
    }

    void health() {
        HealthCheckResponse answer = within(HealthGrpc.newBlockingStub(channel)).check(HealthCheckRequest.getDefaultInstance());
        expect(answer.getStatus() == HealthCheckResponse.ServingStatus.SERVING, "status " + answer.getStatus());
    }

    void models() {
        Map<ModelKind, Integer> defaults = new TreeMap<>();
        for (Model model : within(ModelServiceGrpc.newBlockingStub(channel)).listModels(ListModelsRequest.getDefaultInstance()).getModelsList()) {
            if (model.getDefaultForKind() && model.getDimension() > 0) {
                defaults.put(model.getKind(), model.getDimension());
            }
        }
        expect(defaults.equals(Map.of(ModelKind.MODEL_KIND_IMAGE, 512, ModelKind.MODEL_KIND_FACE, 512)), "defaults are " + defaults);
    }

    void embed() {
        EmbedImageRequest request = EmbedImageRequest.newBuilder().setImage(encoded(jpeg)).build();
        List<Float> values = within(EmbeddingServiceGrpc.newBlockingStub(channel)).embedImage(request).getEmbedding().getValuesList();
        expect(values.size() == 512 && Double.isFinite(norm(values)), values.size() + " values");
        vectors.put("jpeg", values);
    }

    void stream() throws InterruptedException {
        List<List<Float>> got = new ArrayList<>();
        Exchange<StreamEmbedRequest, StreamEmbedResponse> exchange = Exchange.embed(channel, new Exchange.Options());
        exchange.run(faces(CROPS, false), (request, answer) -> {
            int at = got.size();
            List<Float> values = answer.getEmbedding().getValuesList();
            got.add(values);
            expect(answer.getItemId().equals("" + at) && values.size() == 512, "answer " + at + " is " + answer.getItemId());
            expect(Math.abs(norm(values) - 1) < 1e-5, "norm of " + at);
            expect(at < 256 || farthest(values, got.get(at - 256)) < 1e-6, "the same crop gives a different vector: " + at);
            expect(at < 1 || farthest(values, got.get(at - 1)) > 1e-6, "a different crop gives the same vector: " + at);
        });
        expect(got.size() == CROPS, got.size() + " answers");
        expect(exchange.messagesSent() < CROPS / 2, exchange.messagesSent() + " messages");
        embedded = got;
        query = got.get(100);
        vectors.put("crop", query);
    }

    void ingest() throws InterruptedException {
        int[] counted = new int[2];
        List<String> failed = new ArrayList<>();
        var requests = IntStream.range(0, ITEMS).mapToObj(Scenario::item);
        Exchange<StreamIngestRequest, StreamIngestResponse> exchange = Exchange.ingest(channel, new Exchange.Options());
        exchange.run(requests.iterator(), (request, answer) -> {
            expect(answer.getItemId().equals("" + counted[0]++), "answer " + (counted[0] - 1) + " is " + answer.getItemId());
            if (answer.hasAck()) {
                counted[1]++;
            } else {
                EmbeddingsException error = EmbeddingsException.fromItem(answer.getError());
                failed.add(answer.getItemId() + " " + error.code() + " " + error.reason() + " " + error.field());
            }
        });
        expect(counted[1] == ITEMS - 3, counted[1] + " acks");
        expect(exchange.messagesSent() < ITEMS / 2, exchange.messagesSent() + " messages");
        List<String> wanted = List.of(
                "50 INVALID_ARGUMENT PIXEL_SIZE_MISMATCH face.face.image.pixels.data",
                "150 INVALID_ARGUMENT FIELD_REQUIRED face.job_id",
                "250 INVALID_ARGUMENT IMAGE_FORMAT_UNKNOWN face.face.image.encoded");
        expect(failed.equals(wanted), "errors are " + failed);

        FaceItem other = FaceItem.newBuilder().setJobId("other-java").setFace(face(pixels(crop(1), 0))).build();
        within(IngestServiceGrpc.newBlockingStub(channel)).ingestFace(IngestFaceRequest.newBuilder().setItem(other).setCollection(COLLECTION).build());
        counts.add(counted());
    }

    // The same results as with messages of one item, bit for bit; vectors as bytes are the same as numbers.
    void batches() throws InterruptedException {
        Exchange.Options single = new Exchange.Options().maxItemsPerMessage(1);
        int[] at = new int[1];
        Exchange<StreamEmbedRequest, StreamEmbedResponse> exchange = Exchange.embed(channel, single);
        exchange.run(faces(ITEMS, true), (request, answer) -> {
            List<Float> before = embedded.get(at[0]);
            float[] vector = Vectors.of(answer.getEmbedding());
            boolean same = vector.length == before.size()
                    && IntStream.range(0, vector.length).allMatch(d -> Float.floatToRawIntBits(vector[d]) == Float.floatToRawIntBits(before.get(d)));
            expect(same, "vector " + at[0] + " differs");
            at[0]++;
        });
        expect(at[0] == ITEMS && exchange.messagesSent() == ITEMS, at[0] + " answers, " + exchange.messagesSent() + " messages");
        Map<String, ByteString> several = new TreeMap<>();
        Map<String, ByteString> one = new TreeMap<>();
        long severalSent = upsert(COLLECTION + "_batches", new Exchange.Options(), several);
        long oneSent = upsert(COLLECTION + "_singles", single, one);
        expect(severalSent < ITEMS / 2 && oneSent == ITEMS, severalSent + " and " + oneSent + " messages");
        expect(one.size() == ITEMS - 1 && one.equals(several), "the stored vectors differ");
    }

    // Stores vectors, of which one is invalid, reads the stored ones, and returns the number of messages.
    private long upsert(String into, Exchange.Options options, Map<String, ByteString> stored) throws InterruptedException {
        var requests = IntStream.range(0, ITEMS).mapToObj(number -> {
            float[] vector = new float[number == 100 ? 5 : 512];
            for (int at = 0; at < vector.length; at++) {
                vector[at] = ((31 * number + 7 * at) % 101 - 50.5F) / 100;
            }
            VectorPoint point = VectorPoint.newBuilder()
                    .setPointId("p-" + number)
                    .setVectorF32(Vectors.toBytes(vector))
                    .setPayload(Payload.newBuilder().setJobId(JOB))
                    .build();
            return StreamUpsertVectorsRequest.newBuilder().setItemId("" + number).setCollection(into).setPoint(point).build();
        });
        List<String> failed = new ArrayList<>();
        Exchange<StreamUpsertVectorsRequest, StreamUpsertVectorsResponse> exchange = Exchange.upsert(channel, options);
        exchange.run(requests.iterator(), (request, answer) -> {
            if (answer.hasError()) {
                failed.add(answer.getItemId() + " " + answer.getError().getReason());
            }
        });
        expect(failed.equals(List.of("100 DIMENSION_MISMATCH")), "failed: " + failed);
        ListVectorsRequest all =
                ListVectorsRequest.newBuilder().setCollection(into).setPageSize(1000).setWithVectors(true).setVectorsAsBytes(true).build();
        store().listVectors(all).getPointsList().forEach(point -> stored.put(point.getPointId(), point.getVectorF32()));
        DeleteByJobIdRequest job = DeleteByJobIdRequest.newBuilder().setJobId(JOB).setCollection(into).build();
        expect(store().deleteByJobId(job).getDeletedCount() == ITEMS - 1, "not all deleted");
        return exchange.messagesSent();
    }

    void search() {
        SearchVectorsRequest request = SearchVectorsRequest.newBuilder().setCollection(COLLECTION).addQueries(asQuery()).setLimit(5).build();
        List<ScoredPoint> points = store().searchVectors(request).getResults(0).getPointsList();
        ScoredPoint best = points.get(0);
        boolean right = points.size() == 5 && best.getPoint().getPointId().equals(JOB + "-100") && best.getPoint().getPayload().getFaceIndex() == 100;
        expect(right && best.getScore() > 0.9999F, "found " + best.getPoint().getPointId());
    }

    void media() {
        SearchByMediaStoreIdRequest request = SearchByMediaStoreIdRequest.newBuilder()
                .setCollection(COLLECTION)
                .setMediaStoreId("media-1")
                .setQuery(asQuery())
                .build();
        List<ScoredPoint> points = store().searchByMediaStoreId(request).getResult().getPointsList();
        boolean ours = points.stream().allMatch(found -> found.getPoint().getPayload().getMediaStoreId().equals("media-1"));
        expect(points.size() == 10 && points.get(0).getPoint().getPointId().equals(JOB + "-100") && ours, points.size() + " found");
    }

    void delete() {
        expect(forget(JOB) == ITEMS - 3, "not all deleted");
    }

    void count() {
        counts.add(counted());
        expect(counts.equals(List.of(ITEMS - 2L, 1L)), "counts are " + counts);
        expect(forget("other-java") == 1, "the other job was not found");
    }

    void errors() {
        EmbedImageRequest request = EmbedImageRequest.newBuilder().setImage(encoded("not an image".getBytes())).build();
        try {
            within(EmbeddingServiceGrpc.newBlockingStub(channel)).embedImage(request);
        } catch (StatusRuntimeException e) {
            EmbeddingsException error = EmbeddingsException.fromCall(e);
            boolean typed = error.code() == Status.Code.INVALID_ARGUMENT && error.reason().equals("IMAGE_FORMAT_UNKNOWN");
            expect(typed && error.field().equals("image.encoded"), "got " + error.getMessage());
            return;
        }
        expect(false, "no error");
    }

    private static Iterator<StreamEmbedRequest> faces(int count, boolean asBytes) {
        return IntStream.range(0, count)
                .mapToObj(number -> StreamEmbedRequest.newBuilder()
                        .setItemId("" + number)
                        .setFace(face(pixels(crop(number), 0)))
                        .setVectorsAsBytes(asBytes)
                        .build())
                .iterator();
    }

    private static StreamIngestRequest item(int number) {
        Image image = number == 250 ? encoded("not an image".getBytes()) : pixels(crop(number), number == 50 ? 1 : 0);
        FaceItem item = FaceItem.newBuilder()
                .setJobId(number == 150 ? "" : JOB)
                .setMediaStoreId("media-" + number % 3)
                .setFaceIndex(number)
                .setFace(face(image))
                .build();
        return StreamIngestRequest.newBuilder().setItemId("" + number).setCollection(COLLECTION).setFace(item).build();
    }

    static byte[] crop(int number) {
        byte[] data = new byte[112 * 112 * 3];
        int at = 0;
        for (int y = 0; y < 112; y++) {
            for (int x = 0; x < 112; x++) {
                for (int c = 0; c < 3; c++) {
                    data[at++] = (byte) (7 * x + 13 * y + 31 * c + 17 * number);
                }
            }
        }
        return data;
    }

    static Image pixels(byte[] data, int missing) {
        ByteString bytes = ByteString.copyFrom(data, 0, data.length - missing);
        return Image.newBuilder()
                .setPixels(PixelBuffer.newBuilder().setWidth(112).setHeight(112).setFormat(PixelFormat.PIXEL_FORMAT_RGB8).setData(bytes))
                .build();
    }

    private static Image encoded(byte[] data) {
        return Image.newBuilder().setEncoded(ByteString.copyFrom(data)).build();
    }

    static FaceCrop face(Image image) {
        return FaceCrop.newBuilder().setImage(image).build();
    }

    private SearchQuery asQuery() {
        return SearchQuery.newBuilder().setVector(QueryVector.newBuilder().addAllValues(query)).build();
    }

    private VectorStoreServiceGrpc.VectorStoreServiceBlockingStub store() {
        return within(VectorStoreServiceGrpc.newBlockingStub(channel));
    }

    private long counted() {
        return store().countVectors(CountVectorsRequest.newBuilder().setCollection(COLLECTION).build()).getCount();
    }

    private long forget(String job) {
        return store().deleteByJobId(DeleteByJobIdRequest.newBuilder().setJobId(job).setCollection(COLLECTION).build()).getDeletedCount();
    }

    static <S extends AbstractStub<S>> S within(S stub) {
        return stub.withDeadlineAfter(30, TimeUnit.SECONDS);
    }

    static void expect(boolean holds, String otherwise) {
        if (!holds) {
            throw new IllegalStateException(otherwise);
        }
    }

    static double norm(List<Float> vector) {
        return Math.sqrt(vector.stream().mapToDouble(value -> (double) value * value).sum());
    }

    private static double farthest(List<Float> a, List<Float> b) {
        return IntStream.range(0, a.size()).mapToDouble(at -> Math.abs((double) a.get(at) - b.get(at))).max().orElse(0);
    }
}
