package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"math"
	"reflect"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/health/grpc_health_v1"

	embeddings "embeddings/client"
	pb "embeddings/client/gen/embeddings/v1"
)

const (
	collection = "interop_go"
	job        = "job-go"
	crops      = 2000
	items      = 300
)

type scenario struct {
	connection *grpc.ClientConn
	jpeg       []byte
	folder     string
	vectors    map[string][]float32
	query      []float32
	counts     []int64
	embedded   [][]float32
}

// counted counts the messages that are sent in streams.
type counted struct {
	grpc.ClientConnInterface
	messages int
}

type countedStream struct {
	grpc.ClientStream
	messages *int
}

func (c *counted) NewStream(ctx context.Context, description *grpc.StreamDesc, method string, options ...grpc.CallOption) (grpc.ClientStream, error) {
	stream, err := c.ClientConnInterface.NewStream(ctx, description, method, options...)
	return countedStream{stream, &c.messages}, err
}

func (s countedStream) SendMsg(message any) error {
	*s.messages++
	return s.ClientStream.SendMsg(message)
}

func crop(number int) []byte {
	data := make([]byte, 0, 112*112*3)
	for y := 0; y < 112; y++ {
		for x := 0; x < 112; x++ {
			for c := 0; c < 3; c++ {
				data = append(data, byte(7*x+13*y+31*c+17*number))
			}
		}
	}
	return data
}

func encoded(data []byte) *pb.Image { return &pb.Image{Source: &pb.Image_Encoded{Encoded: data}} }

func pixels(data []byte) *pb.Image {
	return &pb.Image{Source: &pb.Image_Pixels{Pixels: &pb.PixelBuffer{Width: 112, Height: 112, Format: pb.PixelFormat_PIXEL_FORMAT_RGB8, Data: data}}}
}

func (s *scenario) store() pb.VectorStoreServiceClient {
	return pb.NewVectorStoreServiceClient(s.connection)
}

func (s *scenario) health(ctx context.Context) error {
	answer, err := grpc_health_v1.NewHealthClient(s.connection).Check(ctx, &grpc_health_v1.HealthCheckRequest{})
	return expect(err, answer.GetStatus() == grpc_health_v1.HealthCheckResponse_SERVING, "status %v", answer.GetStatus())
}

func (s *scenario) models(ctx context.Context) error {
	answer, err := pb.NewModelServiceClient(s.connection).ListModels(ctx, &pb.ListModelsRequest{})
	defaults := map[pb.ModelKind]int32{}
	for _, model := range answer.GetModels() {
		if model.GetDefaultForKind() && model.GetDimension() > 0 {
			defaults[model.GetKind()] = model.GetDimension()
		}
	}
	wanted := map[pb.ModelKind]int32{pb.ModelKind_MODEL_KIND_IMAGE: 512, pb.ModelKind_MODEL_KIND_FACE: 512}
	return expect(err, reflect.DeepEqual(defaults, wanted), "defaults are %v", defaults)
}

func (s *scenario) embed(ctx context.Context) error {
	answer, err := pb.NewEmbeddingServiceClient(s.connection).EmbedImage(ctx, &pb.EmbedImageRequest{Image: encoded(s.jpeg)})
	values := answer.GetEmbedding().GetValues()
	if err := expect(err, len(values) == 512 && !math.IsNaN(norm(values)) && !math.IsInf(norm(values), 0), "%d values", len(values)); err != nil {
		return err
	}
	s.vectors["jpeg"] = values
	return nil
}

// facesTo returns the source of the first crops.
func facesTo(count int, asBytes bool) func(context.Context) (*pb.StreamEmbedRequest, error) {
	sent := 0
	return func(context.Context) (*pb.StreamEmbedRequest, error) {
		if sent == count {
			return nil, io.EOF
		}
		face := &pb.FaceCrop{Image: pixels(crop(sent))}
		sent++
		return &pb.StreamEmbedRequest{ItemId: fmt.Sprint(sent - 1), Item: &pb.StreamEmbedRequest_Face{Face: face}, VectorsAsBytes: asBytes}, nil
	}
}

func (s *scenario) stream(ctx context.Context) error {
	var vectors [][]float32
	handle := func(_ *pb.StreamEmbedRequest, answer *pb.StreamEmbedResponse) error {
		values, at := answer.GetEmbedding().GetValues(), len(vectors)
		vectors = append(vectors, values)
		if err := expect(nil, answer.GetItemId() == fmt.Sprint(at) && len(values) == 512, "answer %d is %v", at, answer.GetItemId()); err != nil {
			return err
		}
		if at >= 256 && farthest(values, vectors[at-256]) >= 1e-6 || at >= 1 && farthest(values, vectors[at-1]) <= 1e-6 {
			return fmt.Errorf("vector %d belongs to another crop", at)
		}
		return expect(nil, math.Abs(norm(values)-1) < 1e-5, "norm of %d is %v", at, norm(values))
	}
	connection := &counted{ClientConnInterface: s.connection}
	err := embeddings.StreamEmbed(ctx, connection, facesTo(crops, false), handle, embeddings.Options{})
	if err := expect(err, len(vectors) == crops && connection.messages < crops/2, "%d answers, %d messages", len(vectors), connection.messages); err != nil {
		return err
	}
	s.embedded = vectors
	s.query = vectors[100]
	s.vectors["crop"] = s.query
	return nil
}

func (s *scenario) ingest(ctx context.Context) error {
	sent, answered, acks := 0, 0, 0
	next := func(context.Context) (*pb.StreamIngestRequest, error) {
		if sent == items {
			return nil, io.EOF
		}
		number := sent
		sent++
		image, jobID := pixels(crop(number)), job
		switch number {
		case 50:
			image = pixels(crop(number)[1:])
		case 150:
			jobID = ""
		case 250:
			image = encoded([]byte("not an image"))
		}
		face := &pb.FaceItem{JobId: jobID, MediaStoreId: fmt.Sprintf("media-%d", number%3), FaceIndex: int32(number), Face: &pb.FaceCrop{Image: image}}
		return &pb.StreamIngestRequest{ItemId: fmt.Sprint(number), Collection: collection, Item: &pb.StreamIngestRequest_Face{Face: face}}, nil
	}
	var failed []string
	handle := func(request *pb.StreamIngestRequest, answer *pb.StreamIngestResponse) error {
		if answer.GetAck() != nil {
			acks++
		} else {
			got := embeddings.FromItem(answer.GetError())
			failed = append(failed, fmt.Sprintf("%s %v %s %s", answer.GetItemId(), got.Code, got.Reason, got.Field))
		}
		answered++
		return expect(nil, answer.GetItemId() == fmt.Sprint(answered-1), "answer %d is %v", answered-1, answer.GetItemId())
	}
	connection := &counted{ClientConnInterface: s.connection}
	err := embeddings.StreamIngest(ctx, connection, next, handle, embeddings.Options{})
	if err := expect(err, acks == items-3 && connection.messages < items/2, "%d acks, %d messages", acks, connection.messages); err != nil {
		return err
	}
	wanted := []string{
		"50 InvalidArgument PIXEL_SIZE_MISMATCH face.face.image.pixels.data",
		"150 InvalidArgument FIELD_REQUIRED face.job_id",
		"250 InvalidArgument IMAGE_FORMAT_UNKNOWN face.face.image.encoded",
	}
	if err := expect(nil, reflect.DeepEqual(failed, wanted), "errors are %v", failed); err != nil {
		return err
	}
	other := &pb.FaceItem{JobId: "other-go", Face: &pb.FaceCrop{Image: pixels(crop(1))}}
	if _, err := pb.NewIngestServiceClient(s.connection).IngestFace(ctx, &pb.IngestFaceRequest{Item: other, Collection: collection}); err != nil {
		return embeddings.FromCall(err)
	}
	return s.counted(ctx)
}

// batches checks that the results are the same as with messages of one item, bit for bit, and vectors the same as bytes.
func (s *scenario) batches(ctx context.Context) error {
	connection := &counted{ClientConnInterface: s.connection}
	at := 0
	handle := func(_ *pb.StreamEmbedRequest, answer *pb.StreamEmbedResponse) error {
		vector, err := embeddings.EmbeddingVector(answer.GetEmbedding())
		same := bytes.Equal(embeddings.VectorToBytes(vector), embeddings.VectorToBytes(s.embedded[at]))
		at++
		return expect(err, same, "vector %d differs", at-1)
	}
	single := embeddings.Options{MaxItemsPerMessage: 1}
	err := embeddings.StreamEmbed(ctx, connection, facesTo(items, true), handle, single)
	if err := expect(err, at == items && connection.messages == items, "%d answers, %d messages", at, connection.messages); err != nil {
		return err
	}
	several, severalSent, err := s.upsert(ctx, collection+"_batches", embeddings.Options{})
	if err != nil {
		return err
	}
	one, oneSent, err := s.upsert(ctx, collection+"_singles", single)
	if err := expect(err, severalSent < items/2 && oneSent == items, "%d and %d messages", severalSent, oneSent); err != nil {
		return err
	}
	return expect(nil, len(one) == items-1 && reflect.DeepEqual(several, one), "the stored vectors differ")
}

// upsert stores vectors, of which one is invalid, and returns the stored ones and the number of messages.
func (s *scenario) upsert(ctx context.Context, into string, options embeddings.Options) (map[string][]byte, int, error) {
	sent := 0
	next := func(context.Context) (*pb.StreamUpsertVectorsRequest, error) {
		if sent == items {
			return nil, io.EOF
		}
		vector := make([]float32, 512)
		for at := range vector {
			vector[at] = (float32((31*sent+7*at)%101) - 50.5) / 100
		}
		if sent == 100 {
			vector = vector[:5]
		}
		point := &pb.VectorPoint{PointId: fmt.Sprint("p-", sent), VectorF32: embeddings.VectorToBytes(vector), Payload: &pb.Payload{JobId: job}}
		sent++
		return &pb.StreamUpsertVectorsRequest{ItemId: fmt.Sprint(sent - 1), Collection: into, Point: point}, nil
	}
	failed := ""
	handle := func(_ *pb.StreamUpsertVectorsRequest, answer *pb.StreamUpsertVectorsResponse) error {
		if answer.GetError() != nil {
			failed += answer.GetItemId() + " " + answer.GetError().GetReason()
		}
		return nil
	}
	connection := &counted{ClientConnInterface: s.connection}
	err := embeddings.StreamUpsertVectors(ctx, connection, next, handle, options)
	if err := expect(err, failed == "100 DIMENSION_MISMATCH", "failed: %s", failed); err != nil {
		return nil, 0, err
	}
	page, err := s.store().ListVectors(ctx, &pb.ListVectorsRequest{Collection: into, PageSize: 1000, WithVectors: true, VectorsAsBytes: true})
	stored := map[string][]byte{}
	for _, point := range page.GetPoints() {
		stored[point.GetPointId()] = point.GetVectorF32()
	}
	if err != nil {
		return nil, 0, err
	}
	deleted, err := s.store().DeleteByJobId(ctx, &pb.DeleteByJobIdRequest{JobId: job, Collection: into})
	return stored, connection.messages, expect(err, deleted.GetDeletedCount() == items-1, "%d deleted", deleted.GetDeletedCount())
}

func (s *scenario) search(ctx context.Context) error {
	request := &pb.SearchVectorsRequest{Collection: collection, Queries: []*pb.SearchQuery{s.asQuery()}, Limit: 5}
	answer, err := s.store().SearchVectors(ctx, request)
	if err != nil {
		return embeddings.FromCall(err)
	}
	points := answer.GetResults()[0].GetPoints()
	right := len(points) == 5 && points[0].GetPoint().GetPointId() == job+"-100" && points[0].GetPoint().GetPayload().GetFaceIndex() == 100
	return expect(nil, right && points[0].GetScore() > 0.9999, "found %v", len(points))
}

func (s *scenario) media(ctx context.Context) error {
	request := &pb.SearchByMediaStoreIdRequest{Collection: collection, MediaStoreId: "media-1", Query: s.asQuery()}
	answer, err := s.store().SearchByMediaStoreId(ctx, request)
	points := answer.GetResult().GetPoints()
	right := len(points) == 10 && points[0].GetPoint().GetPointId() == job+"-100"
	for _, found := range points {
		right = right && found.GetPoint().GetPayload().GetMediaStoreId() == "media-1"
	}
	return expect(err, right, "found %d", len(points))
}

func (s *scenario) delete(ctx context.Context) error {
	deleted, err := s.forget(ctx, job)
	return expect(err, deleted == items-3, "%d deleted", deleted)
}

func (s *scenario) count(ctx context.Context) error {
	if err := s.counted(ctx); err != nil {
		return err
	}
	if err := expect(nil, reflect.DeepEqual(s.counts, []int64{items - 2, 1}), "counts are %v", s.counts); err != nil {
		return err
	}
	deleted, err := s.forget(ctx, "other-go")
	return expect(err, deleted == 1, "the other job was not found")
}

func (s *scenario) errors(ctx context.Context) error {
	_, err := pb.NewEmbeddingServiceClient(s.connection).EmbedImage(ctx, &pb.EmbedImageRequest{Image: encoded([]byte("not an image"))})
	var got *embeddings.Error
	right := errors.As(embeddings.FromCall(err), &got) && got.Code == codes.InvalidArgument
	return expect(nil, right && got.Reason == "IMAGE_FORMAT_UNKNOWN" && got.Field == "image.encoded", "got %v", err)
}

func (s *scenario) asQuery() *pb.SearchQuery {
	return &pb.SearchQuery{Query: &pb.SearchQuery_Vector{Vector: &pb.QueryVector{Values: s.query}}}
}

func (s *scenario) counted(ctx context.Context) error {
	answer, err := s.store().CountVectors(ctx, &pb.CountVectorsRequest{Collection: collection})
	s.counts = append(s.counts, answer.GetCount())
	return embeddings.FromCall(err)
}

func (s *scenario) forget(ctx context.Context, jobID string) (int64, error) {
	answer, err := s.store().DeleteByJobId(ctx, &pb.DeleteByJobIdRequest{JobId: jobID, Collection: collection})
	return answer.GetDeletedCount(), err
}

func expect(err error, holds bool, format string, arguments ...any) error {
	if err != nil {
		return embeddings.FromCall(err)
	}
	if !holds {
		return fmt.Errorf(format, arguments...)
	}
	return nil
}

func norm(vector []float32) float64 {
	sum := 0.0
	for _, value := range vector {
		sum += float64(value) * float64(value)
	}
	return math.Sqrt(sum)
}

func farthest(a, b []float32) float64 {
	most := 0.0
	for at := range a {
		most = math.Max(most, math.Abs(float64(a[at])-float64(b[at])))
	}
	return most
}
