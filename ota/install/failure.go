package install

import (
	"context"
	"errors"
	"fmt"

	"golang.org/x/sys/unix"

	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// Failure is why something could not be installed.
type Failure struct {
	Code slot.Code
	Err  error
}

// Error implements error.
func (f *Failure) Error() string { return string(f.Code) + ": " + f.Err.Error() }

// Unwrap leads to the cause.
func (f *Failure) Unwrap() error { return f.Err }

// fail gives an error a code, if it has none. Whoever ended the work needs none.
func fail(c slot.Code, err error) error {
	if _, ok := errors.AsType[*Failure](err); ok || err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	if errors.Is(err, unix.ENOSPC) || errors.Is(err, unix.EDQUOT) {
		c = slot.CodeFull
	}
	return &Failure{c, err}
}

func failf(c slot.Code, format string, args ...any) error {
	return &Failure{c, fmt.Errorf(format, args...)}
}

// CodeOf is the code of an error of this package, or of a source of releases.
func CodeOf(err error) slot.Code {
	if f, ok := errors.AsType[*Failure](err); ok {
		return f.Code
	}
	switch {
	case errors.Is(err, release.ErrNone):
		return slot.CodeNone
	case errors.Is(err, release.ErrExpired):
		return slot.CodeMetadata
	case errors.Is(err, release.ErrUntrusted), errors.Is(err, release.ErrOlder), errors.Is(err, release.ErrManifest):
		return slot.CodeTrust
	case errors.Is(err, release.ErrMedium):
		return slot.CodeBundle
	case errors.Is(err, release.ErrBlob):
		return slot.CodeHash
	case errors.Is(err, unix.ENOSPC), errors.Is(err, unix.EDQUOT):
		return slot.CodeFull
	default:
		return slot.CodeNetwork
	}
}
