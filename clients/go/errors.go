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

// Error is a call or an item that failed.
type Error struct {
	// Code is the gRPC status code.
	Code codes.Code
	// Reason is an UPPER_SNAKE word to switch on (docs/errors.md); empty where no server gave one.
	Reason string
	// Field is the path of the field at fault, for example image.encoded; empty where no field is.
	Field string
	// Message is one sentence for a person.
	Message string
	// RetryAfter is how long the server asks to wait; 0 where it does not.
	RetryAfter time.Duration
}

// Error tells what is known.
func (e *Error) Error() string {
	parts := []string{e.Reason, e.Field, e.Message}
	if e.Reason == "" {
		parts[0] = e.Code.String()
	}
	told := parts[:0]
	for _, part := range parts {
		if part != "" {
			told = append(told, part)
		}
	}
	return strings.Join(told, ": ")
}

// Retryable tells whether the same may succeed later: the server was away, or full and said when to come again.
func (e *Error) Retryable() bool {
	return e.Code == codes.Unavailable || (e.Code == codes.ResourceExhausted && e.RetryAfter > 0)
}

// FromCall is what a failed call says; errors that no call made, and *Error, stay as they are.
func FromCall(err error) error {
	var known *Error
	told, ok := status.FromError(err)
	if err == nil || errors.As(err, &known) || !ok {
		return err
	}
	made := &Error{Code: told.Code(), Message: told.Message()}
	for _, detail := range told.Details() {
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

// FromItem is what one item of a stream failed of.
func FromItem(err *pb.ItemError) *Error {
	return &Error{Code: codes.Code(err.GetCode()), Reason: err.GetReason(), Field: err.GetField(), Message: err.GetMessage()}
}
