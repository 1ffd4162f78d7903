package certificate

import (
	"bytes"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"
)

// Where a certificate that the owner has uploaded lies, beside the own one, with its key in one file, so that both
// are replaced at once; and the one before it, which is empty where there was none.
const (
	givenFile  = "given.pem"
	beforeFile = "given-before.pem"
)

// Kind is where the certificate that is served comes from.
type Kind string

// The kinds.
const (
	MadeHere   Kind = "own"   // the box made it, and renews it
	Given      Kind = "given" // uploaded by the owner
	NamedFiles Kind = "files" // the configuration names its files
)

// ErrFiles is the error of who gives a certificate to a box whose configuration names files; ErrNoUndo of who undoes
// nothing.
var (
	ErrFiles  = errors.New("the configuration names the files of the certificate")
	ErrNoUndo = errors.New("there was no other certificate before")
)

// Standing is how it stands with the certificate.
type Standing struct {
	Kind        Kind
	Report      Report
	Fingerprint string // SHA-256, hexadecimal
	Undo        bool   // there is one to go back to
}

// Standing tells what is served, for a box with these names.
func (s *Source) Standing(names []string) Standing {
	s.mu.Lock()
	served := s.served()
	st := Standing{Kind: NamedFiles}
	if s.own {
		st.Kind = MadeHere
		_, err := os.Stat(filepath.Join(s.dir(), beforeFile))
		st.Undo = err == nil
	}
	if s.given != nil {
		st.Kind = Given
	}
	s.mu.Unlock()
	st.Fingerprint = fingerprint(served)
	leaf := served.Leaf
	st.Report = Report{Issuer: issuer(leaf), Expires: leaf.NotAfter, Alone: len(served.Certificate) == 1 && !selfMade(leaf)}
	st.Report.Names = append(st.Report.Names, leaf.DNSNames...)
	for _, ip := range leaf.IPAddresses {
		st.Report.Names = append(st.Report.Names, ip.String())
	}
	for _, n := range names {
		if leaf.VerifyHostname(n) != nil {
			st.Report.Uncovered = append(st.Report.Uncovered, n)
		}
	}
	return st
}

// Trouble says in words what is wrong with the certificate, or will be soon; empty when nothing is.
func (s *Source) Trouble(now time.Time) string {
	s.mu.Lock()
	defer s.mu.Unlock()
	leaf := s.served().Leaf
	switch {
	case s.err != nil:
		return s.err.Error()
	case now.After(leaf.NotAfter):
		return "the certificate has expired on " + leaf.NotAfter.Format(time.DateOnly)
	case now.Add(soon).After(leaf.NotAfter):
		return "the certificate expires on " + leaf.NotAfter.Format(time.DateOnly)
	}
	return ""
}

// Give serves an uploaded certificate from now on, if Check finds nothing wrong with it. It survives a power cut.
func (s *Source) Give(chain, key []byte, names []string, now time.Time) (Report, error) {
	if !s.own {
		return Report{}, ErrFiles
	}
	pair, r, err := Check(chain, key, names, now)
	if err != nil {
		return r, err
	}
	text, err := encode(pair)
	if err != nil {
		return r, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.keepBefore(); err != nil {
		return r, err
	}
	if err := replace(filepath.Join(s.dir(), givenFile), text); err != nil {
		return r, fmt.Errorf("keep the certificate: %w", err)
	}
	s.given = &pair
	return r, nil
}

// Withdraw serves the box's own certificate again.
func (s *Source) Withdraw() error {
	if !s.own {
		return ErrFiles
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if err := s.keepBefore(); err != nil {
		return err
	}
	return s.set(nil)
}

// Undo serves the one that was served before; undone again, the one of now.
func (s *Source) Undo() error {
	if !s.own {
		return ErrFiles
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	before, err := os.ReadFile(filepath.Join(s.dir(), beforeFile))
	if errors.Is(err, fs.ErrNotExist) {
		return ErrNoUndo
	}
	if err != nil {
		return err
	}
	if err := s.keepBefore(); err != nil {
		return err
	}
	return s.set(before)
}

func (s *Source) dir() string { return filepath.Dir(s.certFile) }

// keepBefore keeps what is given now for Undo. It is called with mu held, as are those below.
func (s *Source) keepBefore() error {
	text, err := os.ReadFile(filepath.Join(s.dir(), givenFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return replace(filepath.Join(s.dir(), beforeFile), text)
}

// set serves what a file held; nothing is the own certificate.
func (s *Source) set(text []byte) error {
	at := filepath.Join(s.dir(), givenFile)
	if len(text) == 0 {
		if err := os.Remove(at); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
		s.given = nil
		return nil
	}
	if err := replace(at, text); err != nil {
		return err
	}
	return s.loadGiven()
}

// loadGiven reads what the owner has uploaded. One that cannot be read is an error, and the own one is served.
func (s *Source) loadGiven() error {
	s.given = nil
	text, err := os.ReadFile(filepath.Join(s.dir(), givenFile))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	pair, err := tls.X509KeyPair(text, text)
	if err != nil {
		return fmt.Errorf("the uploaded certificate cannot be used: %w", err)
	}
	s.given = &pair
	return nil
}

// served is the certificate of now.
func (s *Source) served() *tls.Certificate {
	if s.given != nil {
		return s.given
	}
	return s.cert
}

// encode writes a chain and its key into one file.
func encode(pair tls.Certificate) ([]byte, error) {
	var b bytes.Buffer
	for _, c := range pair.Certificate {
		_ = pem.Encode(&b, &pem.Block{Type: typeCert, Bytes: c}) // a buffer takes everything
	}
	raw, err := x509.MarshalPKCS8PrivateKey(pair.PrivateKey)
	if err != nil {
		return nil, fmt.Errorf("%w: %w", ErrKeyPEM, err)
	}
	_ = pem.Encode(&b, &pem.Block{Type: suffixOfKey, Bytes: raw})
	return b.Bytes(), nil
}
