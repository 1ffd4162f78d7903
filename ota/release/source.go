package release

import "errors"

// What a source of releases answers when it has none to give. Each is about the moment: calls go on, and the next
// poll asks again.
var (
	ErrNone        = errors.New("no release for this box")
	ErrExpired     = errors.New("what the vendor has signed has expired")
	ErrUntrusted   = errors.New("not signed by the vendor")
	ErrOlder       = errors.New("older than what this box has seen already")
	ErrUnreachable = errors.New("the place of the releases does not answer")
	ErrLimit       = errors.New("too long or too slow")
	ErrMedium      = errors.New("not a bundle of releases")
)

// Refusal is ErrNone where there is a newer release, which the box does not take.
type Refusal struct {
	Version string   // the newest
	Reasons []Reason // at least one
}

func (r *Refusal) Error() string {
	words := "release " + r.Version + " is not for this box"
	for i, reason := range r.Reasons {
		words += map[bool]string{true: ": ", false: "; "}[i == 0] + reason.String()
	}
	return words
}

// Is makes a refusal one of the ways of having no release.
func (r *Refusal) Is(target error) bool { return target == ErrNone }
