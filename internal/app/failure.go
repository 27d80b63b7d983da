package app

import (
	"errors"
	"time"
)

// Codes of a Failure.
const (
	// CodeUnavailable: the endpoint does not answer; nothing was sent to it.
	CodeUnavailable = "unavailable"
	// CodeBusy: too many calls wait for the endpoint; it was not sent.
	CodeBusy = "busy"
	// CodeTimeout: no answer in time; it may have been handled.
	CodeTimeout = "timeout"
	// CodeLost: the connection broke; it may have been handled.
	CodeLost = "lost"
	// CodeFailed: the endpoint answered with an error.
	CodeFailed = "failed"
	// CodeInvalid: the answer was not understood; none of it was done.
	CodeInvalid = "invalid"
)

// Failure is why a call was not handled, in words a client may read.
type Failure struct {
	Code    string
	Message string
	// RetryAfter is when another attempt may succeed; 0 says nothing.
	RetryAfter time.Duration

	detail error // for the log
	status int   // of the answer, if there was one
}

func (f *Failure) Error() string {
	if f.detail != nil {
		return f.Message + ": " + f.detail.Error()
	}
	return f.Message
}

// notice is a Failure as clients get it.
type notice struct {
	Error string `json:"error,omitempty"`
	Code  string `json:"code"`
	// RetryAfter is in seconds.
	RetryAfter float64 `json:"retry_after,omitempty"`
}

func (f *Failure) notice() notice {
	return notice{Error: f.Message, Code: f.Code, RetryAfter: f.RetryAfter.Seconds()}
}

// down tells whether the endpoint as a whole, not one call, has failed.
func (f *Failure) down() bool {
	switch f.Code {
	case CodeUnavailable, CodeTimeout, CodeLost:
		return true
	}
	return f.status >= 502 && f.status <= 504
}

func unavailable(retry time.Duration, detail error) *Failure {
	return &Failure{Code: CodeUnavailable, Message: "the application is not available",
		RetryAfter: retry, detail: detail}
}

func busy() *Failure {
	return &Failure{Code: CodeBusy, Message: "the application is too busy", RetryAfter: minOpen}
}

func invalid(why string) *Failure {
	return &Failure{Code: CodeInvalid, Message: "the application's answer was not understood",
		detail: errors.New(why)}
}
