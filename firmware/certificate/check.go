package certificate

import (
	"bytes"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"slices"
	"time"
)

// Errors of a certificate that cannot be used.
var (
	ErrPEM     = errors.New("there is no certificate in PEM")
	ErrKeyPEM  = errors.New("there is no private key in PEM, or it is encrypted")
	ErrPair    = errors.New("the key is of another certificate")
	ErrDates   = errors.New("the certificate does not hold now")
	ErrNames   = errors.New("the certificate names no host")
	ErrPurpose = errors.New("the certificate is not one of a server")
	ErrWeak    = errors.New("the key is too short")
	ErrChain   = errors.New("the certificates do not follow from one another")
)

const (
	mostPEM     = 64 << 10 // bytes of a file
	mostCerts   = 10       // of a chain
	leastRSA    = 2048     // bits, RFC 9325 section 4.5
	soon        = 21 * 24 * time.Hour
	typeCert    = "CERTIFICATE"
	suffixOfKey = "PRIVATE KEY"
)

// Report is what was found about a certificate that can be used.
type Report struct {
	Names     []string // hosts and addresses that it is for
	Issuer    string
	Expires   time.Time
	Uncovered []string // names of the box that it is not for
	Alone     bool     // it comes without the one that signed it: some browsers will not trust it
}

// Check judges a chain and its key, as somebody uploads them, for a box with these names. The chain may be in any
// order; what is returned is in the right one.
func Check(chain, key []byte, names []string, now time.Time) (pair tls.Certificate, r Report, err error) {
	if len(chain) > mostPEM || len(key) > mostPEM {
		return pair, r, ErrPEM
	}
	certs, err := certificates(chain)
	if err != nil {
		return pair, r, err
	}
	secret := private(key)
	if secret == nil {
		secret = private(chain) // both in one file
	}
	if secret == nil {
		return pair, r, ErrKeyPEM
	}
	for i := range certs { // the one of the key comes first
		block := pem.EncodeToMemory(&pem.Block{Type: typeCert, Bytes: certs[i].Raw})
		if pair, err = tls.X509KeyPair(block, secret); err == nil {
			certs[0], certs[i] = certs[i], certs[0]
			break
		}
	}
	if err != nil {
		return pair, r, fmt.Errorf("%w: %w", ErrPair, err)
	}
	leaf := certs[0]
	pair.Leaf = leaf
	if certs, err = ordered(certs); err != nil {
		return pair, r, err
	}
	pair.Certificate = nil
	for _, c := range certs {
		pair.Certificate = append(pair.Certificate, c.Raw)
	}
	r = Report{Issuer: issuer(leaf), Expires: leaf.NotAfter, Names: slices.Clone(leaf.DNSNames), Alone: len(certs) == 1 && !selfMade(leaf)}
	for _, ip := range leaf.IPAddresses {
		r.Names = append(r.Names, ip.String())
	}
	for _, n := range names {
		if leaf.VerifyHostname(n) != nil {
			r.Uncovered = append(r.Uncovered, n)
		}
	}
	return pair, r, judge(leaf, now)
}

// judge looks at the certificate itself.
func judge(leaf *x509.Certificate, now time.Time) error {
	if now.Before(leaf.NotBefore) || now.After(leaf.NotAfter) {
		return fmt.Errorf("%w: it holds from %s to %s", ErrDates, leaf.NotBefore.Format(time.DateOnly), leaf.NotAfter.Format(time.DateOnly))
	}
	if len(leaf.DNSNames) == 0 && len(leaf.IPAddresses) == 0 {
		return ErrNames
	}
	server := func(u x509.ExtKeyUsage) bool {
		return u == x509.ExtKeyUsageServerAuth || u == x509.ExtKeyUsageAny
	}
	if len(leaf.ExtKeyUsage) > 0 && !slices.ContainsFunc(leaf.ExtKeyUsage, server) {
		return ErrPurpose
	}
	if k, ok := leaf.PublicKey.(*rsa.PublicKey); ok && k.N.BitLen() < leastRSA {
		return fmt.Errorf("%w: %d bits of RSA, %d are needed", ErrWeak, k.N.BitLen(), leastRSA)
	}
	return nil
}

// certificates reads all of a file.
func certificates(text []byte) (all []*x509.Certificate, err error) {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if block.Type != typeCert {
			continue
		}
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			return nil, fmt.Errorf("%w: %w", ErrPEM, err)
		}
		if all = append(all, c); len(all) > mostCerts {
			return nil, ErrChain
		}
	}
	if len(all) == 0 {
		return nil, ErrPEM
	}
	return all, nil
}

// private finds the key in a file; nil when there is none.
func private(text []byte) []byte {
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		if bytes.HasSuffix([]byte(block.Type), []byte(suffixOfKey)) && block.Headers["DEK-Info"] == "" && block.Type != "ENCRYPTED PRIVATE KEY" {
			return pem.EncodeToMemory(block)
		}
	}
	return nil
}

// ordered puts each certificate before the one that signed it. One that signs none of them is a mistake.
func ordered(certs []*x509.Certificate) ([]*x509.Certificate, error) {
	chain, left := certs[:1:1], slices.Clone(certs[1:])
	for len(left) > 0 {
		last := chain[len(chain)-1]
		i := slices.IndexFunc(left, func(c *x509.Certificate) bool { return last.CheckSignatureFrom(c) == nil })
		if i < 0 {
			return nil, fmt.Errorf("%w: %s has not signed %s", ErrChain, left[0].Subject, last.Subject)
		}
		chain = append(chain, left[i])
		left = slices.Delete(left, i, i+1)
	}
	return chain, nil
}

func selfMade(c *x509.Certificate) bool { return bytes.Equal(c.RawIssuer, c.RawSubject) }

func issuer(c *x509.Certificate) string {
	if selfMade(c) {
		return ""
	}
	return c.Issuer.String()
}
