package page

import (
	"strings"
	"time"
)

// CertificateState is how it stands with the certificate of the box.
type CertificateState struct {
	Kind        string // own, given, files; empty: the box has no HTTPS
	Names       []string
	Issuer      string // empty: itself
	Expires     time.Time
	Fingerprint string   // SHA-256, hexadecimal
	Uncovered   []string // names of the box that it is not for
	Alone       bool     // without the one that signed it
	Undo        bool     // there was another one before
}

// Pairs is the fingerprint as browsers show it.
func (s CertificateState) Pairs() string {
	var all []string
	for h := strings.ToUpper(s.Fingerprint); len(h) > 1; h = h[2:] {
		all = append(all, h[:2])
	}
	return strings.Join(all, ":")
}

// Certificate is the page of the certificate.
type Certificate struct {
	Reader  Reader
	Box     string
	Said    Said
	State   CertificateState
	Done    string // key of what was just done
	Private bool   // nobody listens in on the way to the reader
}

// Certificate renders the page of the certificate.
func (r *Renderer) Certificate(c Certificate, now time.Time) ([]byte, error) {
	return r.shell("certificate.html", "certificate", c.Box, c.Reader, c, now)
}
