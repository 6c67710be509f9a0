package io.embeddings.interop;

import com.google.protobuf.ByteString;
import io.embeddings.client.Exchange;
import io.embeddings.v1.BoundingBox;
import io.embeddings.v1.ClusterFacesRequest;
import io.embeddings.v1.ClusterFacesResponse;
import io.embeddings.v1.ClusterSummary;
import io.embeddings.v1.CompareFacesRequest;
import io.embeddings.v1.DeleteByJobIdRequest;
import io.embeddings.v1.DetectFacesRequest;
import io.embeddings.v1.DetectFacesResponse;
import io.embeddings.v1.EmbedFacesRequest;
import io.embeddings.v1.EmbeddedFace;
import io.embeddings.v1.Face;
import io.embeddings.v1.FacePair;
import io.embeddings.v1.FaceServiceGrpc;
import io.embeddings.v1.IdentifiedFace;
import io.embeddings.v1.IdentifyFacesRequest;
import io.embeddings.v1.Image;
import io.embeddings.v1.IngestPhotoRequest;
import io.embeddings.v1.IngestServiceGrpc;
import io.embeddings.v1.ListPersonsRequest;
import io.embeddings.v1.ListPersonsResponse;
import io.embeddings.v1.NamePersonRequest;
import io.embeddings.v1.NamePersonResponse;
import io.embeddings.v1.PersonServiceGrpc;
import io.embeddings.v1.PhotoAck;
import io.embeddings.v1.PhotoItem;
import io.embeddings.v1.StoredFace;
import io.embeddings.v1.StreamIngestRequest;
import io.embeddings.v1.UndoPersonChangeRequest;
import io.embeddings.v1.VectorStoreServiceGrpc;
import io.grpc.Channel;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.Iterator;
import java.util.List;
import java.util.stream.Collectors;

/** Steps of the scenario with faces in photos. They must run in order, because each depends on the previous ones. */
final class FaceScenario {
    private static final String COLLECTION = "interop_java_people";
    private static final String JOB = "photo-java";

    private final Channel channel;
    private final Image two;
    private final Image one;

    /** Reads two drawn faces, the left one larger, and the left one once more in another light. */
    FaceScenario(Channel channel, Path folder) throws IOException {
        this.channel = channel;
        two = Image.newBuilder().setEncoded(ByteString.copyFrom(Files.readAllBytes(folder.resolve("two-faces.jpg")))).build();
        one = Image.newBuilder().setEncoded(ByteString.copyFrom(Files.readAllBytes(folder.resolve("one-face.jpg")))).build();
    }

    void faces() {
        var service = Scenario.within(FaceServiceGrpc.newBlockingStub(channel));
        DetectFacesResponse found = service.detectFaces(DetectFacesRequest.newBuilder().setPhoto(two).build());
        boolean right = found.getFacesCount() == 2 && found.getLeftOutCount() == 0;
        Scenario.expect(right && found.getPhoto().getWidth() == 480 && found.getPhoto().getHeight() == 240, found.getFacesCount() + " faces");
        for (int i = 0; i < 2; i++) {
            Face face = found.getFaces(i).getFace();
            boolean sound = face.getFaceIndex() == i && face.getConfidence() > 0.8 && face.getQuality().getOverall() > 0;
            Scenario.expect(sound && face.getLandmarks().hasNose(), "face " + i + " lacks confidence, quality, or landmarks");
        }
        BoundingBox left = found.getFaces(0).getFace().getBbox();
        BoundingBox other = found.getFaces(1).getFace().getBbox();
        Scenario.expect(left.getX() + left.getWidth() < 240 && other.getX() > 240, "faces at " + left.getX() + " and " + other.getX());
        for (EmbeddedFace face : service.embedFaces(EmbedFacesRequest.newBuilder().setPhoto(two).build()).getFacesList()) {
            Scenario.expect(Math.abs(Scenario.norm(face.getEmbedding().getValuesList()) - 1) < 1e-5, "norms are not 1");
        }
        List<FacePair> pairs = service.compareFaces(CompareFacesRequest.newBuilder().setFirst(one).setSecond(two).build()).getPairsList();
        boolean same = pairs.size() == 2 && pairs.get(0).getSecondIndex() == 0 && pairs.get(0).getSamePerson() && pairs.get(0).getSimilarity() > 0.8;
        boolean different = same && pairs.get(1).getSecondIndex() == 1 && !pairs.get(1).getSamePerson() && pairs.get(1).getSimilarity() < 0.5;
        Scenario.expect(different, "pairs are " + pairs);
    }

    void photo() throws InterruptedException {
        PhotoItem item = PhotoItem.newBuilder().setJobId(JOB).setPhoto(two).build();
        StreamIngestRequest streamed = StreamIngestRequest.newBuilder().setItemId("photo").setCollection(COLLECTION).setPhoto(item).build();
        Exchange.ingest(channel, new Exchange.Options()).run(List.of(streamed).iterator(), (request, answer) -> {
            List<String> ids = answer.getPhotoAck().getFacesList().stream().map(StoredFace::getPointId).collect(Collectors.toList());
            Scenario.expect(ids.equals(List.of(JOB + "-0", JOB + "-1")), "stored " + ids + " " + answer.getError());
        });
        PhotoAck again = ingested(item.toBuilder().setPhoto(one).build());
        Scenario.expect(again.getFacesCount() == 1 && again.getRemovedCount() == 1, again.getRemovedCount() + " removed");
        PhotoAck back = ingested(item);
        Scenario.expect(back.getFacesCount() == 2 && back.getRemovedCount() == 0, back.getFacesCount() + " stored");
    }

    void persons() {
        var service = Scenario.within(PersonServiceGrpc.newBlockingStub(channel));
        NamePersonResponse named = service.namePerson(
                NamePersonRequest.newBuilder().setCollection(COLLECTION).addPointIds(JOB + "-0").setPerson("Ada").build());
        Scenario.expect(named.getChangedCount() == 1, named.getChangedCount() + " named");
        List<String> identified = Scenario.within(FaceServiceGrpc.newBlockingStub(channel))
                .identifyFaces(IdentifyFacesRequest.newBuilder().setPhoto(two).setCollection(COLLECTION).build())
                .getFacesList().stream().map(IdentifiedFace::getPerson).collect(Collectors.toList());
        Scenario.expect(identified.equals(List.of("Ada", "")), "persons are " + identified);
        ListPersonsResponse listed = service.listPersons(ListPersonsRequest.newBuilder().setCollection(COLLECTION).build());
        boolean right = listed.getPersonsCount() == 1 && listed.getPersons(0).getName().equals("Ada") && listed.getPersons(0).getFaceCount() == 1;
        Scenario.expect(right && listed.getUnnamedCount() == 1, "listed " + listed);
        long restored = service.undoPersonChange(
                UndoPersonChangeRequest.newBuilder().setCollection(COLLECTION).setChangeId(named.getChangeId()).build()).getRestoredCount();
        Scenario.expect(restored == 1, restored + " restored");
        ClusterSummary summary = ClusterSummary.getDefaultInstance();
        Iterator<ClusterFacesResponse> messages = service.clusterFaces(ClusterFacesRequest.newBuilder().setCollection(COLLECTION).build());
        while (messages.hasNext()) {
            summary = messages.next().getSummary();
        }
        boolean grouped = summary.getPersonCount() == 2 && summary.getGroupedCount() == 2 && summary.getChangeId().isEmpty();
        Scenario.expect(grouped, "summary " + summary);
        long deleted = Scenario.within(VectorStoreServiceGrpc.newBlockingStub(channel))
                .deleteByJobId(DeleteByJobIdRequest.newBuilder().setJobId(JOB).setCollection(COLLECTION).build()).getDeletedCount();
        Scenario.expect(deleted == 2, deleted + " deleted");
    }

    private PhotoAck ingested(PhotoItem item) {
        return Scenario.within(IngestServiceGrpc.newBlockingStub(channel))
                .ingestPhoto(IngestPhotoRequest.newBuilder().setItem(item).setCollection(COLLECTION).build())
                .getAck();
    }
}
