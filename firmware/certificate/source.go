// Package certificate gives TLS servers of the box their certificate: one that the owner provided,
// read again when its files change, or one that the box makes for itself and renews.
package certificate

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/hex"
	"encoding/pem"
	"errors"
	"fmt"
	"io/fs"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/pronto-pbx/pronto/firmware/durable"
)

const (
	// lifetime of a certificate that we make; renewBefore its end a new one is made of the same key.
	lifetime    = 2 * 365 * 24 * time.Hour
	renewBefore = 60 * 24 * time.Hour
	// lookEvery is how often the files are looked at, at most, and only when somebody connects.
	lookEvery = 10 * time.Second
	backdate  = 24 * time.Hour // a phone's clock may be behind
)

// Source is a certificate with its key that follows its files. It is safe for concurrent use.
type Source struct {
	certFile, keyFile string
	own               bool     // we made it, so we renew it
	names             []string // of an own one, without which it is made anew
	wished            []string // further ones of an own one

	mu     sync.Mutex
	cert   *tls.Certificate
	given  *tls.Certificate // uploaded by the owner; nil: none
	seen   [2]stamp         // of the files that cert came from, or that were refused
	looked time.Time
	err    error // of the last look
}

// stamp tells one content of a file from another.
type stamp struct {
	at   time.Time
	size int64
}

// Files reads a certificate chain and its key from PEM files. Changed files are read again; while
// they are broken or half replaced the last good pair is served.
func Files(certFile, keyFile string) (*Source, error) {
	s := &Source{certFile: certFile, keyFile: keyFile}
	if err := s.load(time.Now()); err != nil {
		return nil, err
	}
	return s, nil
}

// Own reads the certificate that the box made for itself in dir, and makes it where it is missing,
// damaged, about to expire or lacks one of the names (host names and addresses). One that the owner has given
// there is served in its place. The key is kept
// for as long as it can be read, so that whoever trusts its fingerprint need not look again. A wished name is put into
// a certificate that is made, but is no reason to make one: each new one has every browser warn its owner again.
// A disk that takes no file costs a certificate that holds until the restart, see Err.
func Own(dir string, names []string, wished ...string) (*Source, error) {
	s := &Source{certFile: filepath.Join(dir, "cert.pem"), keyFile: filepath.Join(dir, "key.pem"), own: true, names: names, wished: wished}
	_ = os.MkdirAll(dir, 0o700) // what then cannot be written says so
	now := time.Now()
	var unsaved error
	if err := s.load(now); err != nil || s.stale(now) {
		if unsaved = s.renew(now); s.cert == nil {
			return nil, unsaved
		}
	}
	s.err = errors.Join(unsaved, s.loadGiven())
	return s, nil
}

// GetCertificate is tls.Config's. It never fails once a Source exists.
func (s *Source) GetCertificate(*tls.ClientHelloInfo) (*tls.Certificate, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	now := time.Now()
	if since := now.Sub(s.looked); s.given != nil || since >= 0 && since < lookEvery {
		return s.served(), nil
	}
	s.looked = now
	switch {
	case s.own && s.stale(now):
		s.err = s.renew(now)
	case s.changed():
		s.err = s.load(now)
	}
	return s.cert, nil
}

// Err returns what was wrong at the last look at the files; nil when they are what is served.
func (s *Source) Err() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// Fingerprint is the SHA-256 of the certificate in hexadecimal, to compare by eye; Expires its end.
func (s *Source) Fingerprint() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return fingerprint(s.served())
}

func fingerprint(c *tls.Certificate) string {
	sum := sha256.Sum256(c.Certificate[0])
	return hex.EncodeToString(sum[:])
}

// Expires is the end of the certificate's validity.
func (s *Source) Expires() time.Time {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.served().Leaf.NotAfter
}

// load reads both files; the last good pair stays on error.
func (s *Source) load(now time.Time) error {
	s.seen = s.stamps()
	s.looked = now
	cert, err := tls.LoadX509KeyPair(s.certFile, s.keyFile)
	if err != nil {
		return fmt.Errorf("the certificate %s with the key %s cannot be used: %w", s.certFile, s.keyFile, err)
	}
	s.cert = &cert
	return nil
}

func (s *Source) stamps() (now [2]stamp) {
	for i, name := range []string{s.certFile, s.keyFile} {
		if info, err := os.Stat(name); err == nil {
			now[i] = stamp{info.ModTime(), info.Size()}
		}
	}
	return now
}

func (s *Source) changed() bool { return s.stamps() != s.seen }

// stale says whether an own certificate must be made anew. A clock that was wrong when it was made,
// as on a board without one, shows here too.
func (s *Source) stale(now time.Time) bool {
	leaf := s.cert.Leaf
	if now.Add(renewBefore).After(leaf.NotAfter) || now.Before(leaf.NotBefore) {
		return true
	}
	for _, name := range s.names {
		if leaf.VerifyHostname(name) != nil {
			return true
		}
	}
	return false
}

// renew makes a certificate and writes it. One that cannot be written is served all the same; where none can be made,
// the old one stays.
func (s *Source) renew(now time.Time) error {
	key, unsaved := s.key()
	if key == nil {
		return unsaved
	}
	raw, err := selfSigned(key, slices.Concat(s.wished, s.names), now)
	if err != nil {
		return err
	}
	block := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: raw})
	if unsaved == nil {
		unsaved = replace(s.certFile, block)
	}
	if unsaved == nil {
		return s.load(now)
	}
	leaf, err := x509.ParseCertificate(raw)
	if err != nil {
		return errors.Join(unsaved, err)
	}
	s.cert = &tls.Certificate{Certificate: [][]byte{raw}, PrivateKey: key, Leaf: leaf}
	return fmt.Errorf("the certificate holds until the restart: %w", unsaved)
}

// key reads the key, or makes and writes one where there is none that can be read; an error with a key means that it is
// not written.
func (s *Source) key() (*ecdsa.PrivateKey, error) {
	text, err := os.ReadFile(s.keyFile)
	unread := err != nil && !errors.Is(err, fs.ErrNotExist)
	if block, _ := pem.Decode(text); block != nil {
		if k, err := x509.ParsePKCS8PrivateKey(block.Bytes); err == nil {
			if key, ok := k.(*ecdsa.PrivateKey); ok {
				return key, nil
			}
		}
	}
	key, failed := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	switch {
	case failed != nil:
		return nil, failed
	case unread: // a disk that reports errors today may give the key tomorrow: it is not replaced
		return key, err
	}
	raw, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		return nil, err
	}
	return key, replace(s.keyFile, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw}))
}

func selfSigned(key *ecdsa.PrivateKey, names []string, now time.Time) ([]byte, error) {
	serial, err := rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, err
	}
	template := &x509.Certificate{
		SerialNumber: serial, NotBefore: now.Add(-backdate), NotAfter: now.Add(lifetime),
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign, IsCA: true, BasicConstraintsValid: true,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth, x509.ExtKeyUsageClientAuth},
	}
	for _, name := range names {
		if ip := net.ParseIP(name); ip != nil {
			template.IPAddresses = append(template.IPAddresses, ip)
		} else {
			template.DNSNames = append(template.DNSNames, name)
		}
	}
	if len(template.DNSNames) > 0 {
		template.Subject = pkix.Name{CommonName: template.DNSNames[0]}
	}
	return x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
}

// replace writes a file that only its owner reads, whole or not at all.
func replace(name string, data []byte) error {
	return durable.Replace(durable.Disk{}, name, data, 0o600)
}
