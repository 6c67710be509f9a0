package main

import (
	"context"
	"fmt"
	"io"
	"math"
	"os"
	"path/filepath"

	embeddings "embeddings/client"
	pb "embeddings/client/gen/embeddings/v1"
)

const (
	people   = "interop_go_people"
	photoJob = "photo-go"
)

// Two drawn faces, the left one larger (two-faces.jpg), and the left one once more in another light (one-face.jpg).
func (s *scenario) image(name string) (*pb.Image, error) {
	data, err := os.ReadFile(filepath.Join(s.folder, name))
	return encoded(data), err
}

func (s *scenario) images() (two, one *pb.Image, err error) {
	if two, err = s.image("two-faces.jpg"); err == nil {
		one, err = s.image("one-face.jpg")
	}
	return two, one, err
}

func (s *scenario) faces(ctx context.Context) error {
	two, one, err := s.images()
	if err != nil {
		return err
	}
	client := pb.NewFaceServiceClient(s.connection)
	detected, err := client.DetectFaces(ctx, &pb.DetectFacesRequest{Photo: two})
	faces, photo := detected.GetFaces(), detected.GetPhoto()
	right := len(faces) == 2 && len(detected.GetLeftOut()) == 0 && photo.GetWidth() == 480 && photo.GetHeight() == 240
	if err := expect(err, right, "%d faces, %d left out", len(faces), len(detected.GetLeftOut())); err != nil {
		return err
	}
	for at, found := range faces {
		face := found.GetFace()
		sound := face.GetFaceIndex() == int32(at) && face.GetConfidence() > 0.8 && face.GetQuality().GetOverall() > 0 && face.GetLandmarks().GetNose() != nil
		if err := expect(nil, sound, "face %d lacks confidence, quality, or landmarks", at); err != nil {
			return err
		}
	}
	box, other := faces[0].GetFace().GetBbox(), faces[1].GetFace().GetBbox()
	if err := expect(nil, box.GetX()+box.GetWidth() < 240 && other.GetX() > 240, "faces at %v and %v", box.GetX(), other.GetX()); err != nil {
		return err
	}
	vectors, err := client.EmbedFaces(ctx, &pb.EmbedFacesRequest{Photo: two})
	for _, face := range vectors.GetFaces() {
		if err := expect(err, math.Abs(norm(face.GetEmbedding().GetValues())-1) < 1e-5, "norms are not 1"); err != nil {
			return err
		}
	}
	compared, err := client.CompareFaces(ctx, &pb.CompareFacesRequest{First: one, Second: two})
	pairs := compared.GetPairs()
	right = len(pairs) == 2 && pairs[0].GetSecondIndex() == 0 && pairs[0].GetSamePerson() && pairs[0].GetSimilarity() > 0.8 &&
		pairs[1].GetSecondIndex() == 1 && !pairs[1].GetSamePerson() && pairs[1].GetSimilarity() < 0.5
	return expect(err, right, "pairs are %v", pairs)
}

func (s *scenario) photo(ctx context.Context) error {
	two, one, err := s.images()
	if err != nil {
		return err
	}
	item := &pb.PhotoItem{JobId: photoJob, Photo: two}
	isSent := false
	next := func(context.Context) (*pb.StreamIngestRequest, error) {
		if isSent {
			return nil, io.EOF
		}
		isSent = true
		return &pb.StreamIngestRequest{ItemId: "photo", Collection: people, Item: &pb.StreamIngestRequest_Photo{Photo: item}}, nil
	}
	handle := func(_ *pb.StreamIngestRequest, answer *pb.StreamIngestResponse) error {
		ids := ""
		for _, face := range answer.GetPhotoAck().GetFaces() {
			ids += face.GetPointId() + " "
		}
		return expect(nil, ids == fmt.Sprintf("%s-0 %s-1 ", photoJob, photoJob), "stored %v %v", ids, answer.GetError())
	}
	if err := embeddings.StreamIngest(ctx, s.connection, next, handle, embeddings.Options{}); err != nil {
		return err
	}
	client := pb.NewIngestServiceClient(s.connection)
	again, err := client.IngestPhoto(ctx, &pb.IngestPhotoRequest{Item: &pb.PhotoItem{JobId: photoJob, Photo: one}, Collection: people})
	if err := expect(err, len(again.GetAck().GetFaces()) == 1 && again.GetAck().GetRemovedCount() == 1, "%v", again.GetAck()); err != nil {
		return err
	}
	back, err := client.IngestPhoto(ctx, &pb.IngestPhotoRequest{Item: item, Collection: people})
	return expect(err, len(back.GetAck().GetFaces()) == 2 && back.GetAck().GetRemovedCount() == 0, "%v", back.GetAck())
}

func (s *scenario) persons(ctx context.Context) error {
	two, err := s.image("two-faces.jpg")
	if err != nil {
		return err
	}
	client := pb.NewPersonServiceClient(s.connection)
	named, err := client.NamePerson(ctx, &pb.NamePersonRequest{Collection: people, PointIds: []string{photoJob + "-0"}, Person: "Ada"})
	if err := expect(err, named.GetChangedCount() == 1, "%d named", named.GetChangedCount()); err != nil {
		return err
	}
	identified, err := pb.NewFaceServiceClient(s.connection).IdentifyFaces(ctx, &pb.IdentifyFacesRequest{Photo: two, Collection: people})
	faces := identified.GetFaces()
	if err := expect(err, len(faces) == 2 && faces[0].GetPerson() == "Ada" && faces[1].GetPerson() == "", "identified %v", faces); err != nil {
		return err
	}
	listed, err := client.ListPersons(ctx, &pb.ListPersonsRequest{Collection: people})
	persons := listed.GetPersons()
	right := len(persons) == 1 && persons[0].GetName() == "Ada" && persons[0].GetFaceCount() == 1 && listed.GetUnnamedCount() == 1
	if err := expect(err, right, "listed %v", listed); err != nil {
		return err
	}
	undone, err := client.UndoPersonChange(ctx, &pb.UndoPersonChangeRequest{Collection: people, ChangeId: named.GetChangeId()})
	if err := expect(err, undone.GetRestoredCount() == 1, "%d restored", undone.GetRestoredCount()); err != nil {
		return err
	}
	summary, err := s.cluster(ctx, client)
	right = summary.GetPersonCount() == 2 && summary.GetGroupedCount() == 2 && summary.GetChangeId() == ""
	if err := expect(err, right, "summary %v", summary); err != nil {
		return err
	}
	answer, err := s.store().DeleteByJobId(ctx, &pb.DeleteByJobIdRequest{JobId: photoJob, Collection: people})
	return expect(err, answer.GetDeletedCount() == 2, "%d deleted", answer.GetDeletedCount())
}

func (s *scenario) cluster(ctx context.Context, client pb.PersonServiceClient) (summary *pb.ClusterSummary, err error) {
	stream, err := client.ClusterFaces(ctx, &pb.ClusterFacesRequest{Collection: people})
	for err == nil {
		var message *pb.ClusterFacesResponse
		if message, err = stream.Recv(); message.GetSummary() != nil {
			summary = message.GetSummary()
		}
	}
	if err == io.EOF {
		err = nil
	}
	return summary, err
}
