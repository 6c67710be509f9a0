package embeddings

import (
	"errors"
	"strings"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"

	pb "embeddings/client/gen/embeddings/v1"
)

// Error is the error of a failed call or item.
type Error struct {
	// Code is the gRPC status code, for example codes.NotFound.
	Code codes.Code
	// Reason is machine-readable, in UPPER_SNAKE_CASE (docs/errors.md). Empty if the server gave none.
	Reason string
	// Field is the path of the invalid field, for example image.encoded. Empty if the error does not concern a field.
	Field string
	// Message is a human-readable description of the error.
	Message string
	// RetryAfter is the delay before a retry as requested by the server, or 0.
	RetryAfter time.Duration
}

// Error returns the reason (or the status code), the field, and the message.
func (e *Error) Error() string {
	parts := []string{e.Reason, e.Field, e.Message}
	if e.Reason == "" {
		parts[0] = e.Code.String()
	}
	present := parts[:0]
	for _, part := range parts {
		if part != "" {
			present = append(present, part)
		}
	}
	return strings.Join(present, ": ")
}

// Retryable returns whether a retry may succeed: the server was unavailable, or overloaded and requested a retry.
func (e *Error) Retryable() bool {
	return e.Code == codes.Unavailable || (e.Code == codes.ResourceExhausted && e.RetryAfter > 0)
}

// FromCall converts the error of a failed call to an *Error. Other errors are returned unchanged.
func FromCall(err error) error {
	var known *Error
	received, ok := status.FromError(err)
	if err == nil || errors.As(err, &known) || !ok {
		return err
	}
	made := &Error{Code: received.Code(), Message: received.Message()}
	for _, detail := range received.Details() {
		switch detail := detail.(type) {
		case *errdetails.ErrorInfo:
			made.Reason = detail.GetReason()
		case *errdetails.BadRequest:
			if violations := detail.GetFieldViolations(); len(violations) > 0 {
				made.Field = violations[0].GetField()
			}
		case *errdetails.RetryInfo:
			delay := detail.GetRetryDelay()
			made.RetryAfter = time.Duration(delay.GetSeconds())*time.Second + time.Duration(delay.GetNanos())
		}
	}
	return made
}

// fromStream converts the error of a failed stream. An end that the server did not state itself is a broken connection,
// whatever its code: a proxy that ends a stream after a time limit, for example, leaves INTERNAL or CANCELLED without a
// reason. It becomes UNAVAILABLE, which is retryable.
func fromStream(err error) error {
	converted := FromCall(err)
	var made *Error
	if !errors.As(converted, &made) || made.Reason != "" {
		return converted
	}
	switch made.Code {
	case codes.Unavailable, codes.Canceled, codes.Internal, codes.Unknown:
		return &Error{Code: codes.Unavailable, Message: "The connection broke: " + made.Message}
	}
	return made
}

// FromItem converts the error of a stream item.
func FromItem(err *pb.ItemError) *Error {
	return &Error{Code: codes.Code(err.GetCode()), Reason: err.GetReason(), Field: err.GetField(), Message: err.GetMessage()}
}
