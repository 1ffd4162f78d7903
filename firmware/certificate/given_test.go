package certificate

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"errors"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

var now = time.Date(2026, 3, 2, 9, 0, 0, 0, time.UTC)

// authority signs certificates.
type authority struct {
	cert *x509.Certificate
	key  *ecdsa.PrivateKey
}

func drawn(t testing.TB) *ecdsa.PrivateKey {
	t.Helper()
	k, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func signed(t testing.TB, x *x509.Certificate, public crypto.PublicKey, by *x509.Certificate, key crypto.Signer) *x509.Certificate {
	t.Helper()
	x.SerialNumber = big.NewInt(time.Now().UnixNano())
	if x.NotBefore.IsZero() {
		x.NotBefore, x.NotAfter = now.Add(-time.Hour), now.Add(90*24*time.Hour)
	}
	raw, err := x509.CreateCertificate(rand.Reader, x, by, public, key)
	if err != nil {
		t.Fatal(err)
	}
	c, err := x509.ParseCertificate(raw)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func newAuthority(t testing.TB, name string, above *authority) authority {
	t.Helper()
	x := &x509.Certificate{Subject: pkix.Name{CommonName: name}, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign}
	a := authority{key: drawn(t)}
	if above == nil {
		above = &authority{x, a.key}
	}
	a.cert = signed(t, x, &a.key.PublicKey, above.cert, above.key)
	return a
}

func inPEM(certs ...*x509.Certificate) (all []byte) {
	for _, c := range certs {
		all = append(all, pem.EncodeToMemory(&pem.Block{Type: typeCert, Bytes: c.Raw})...)
	}
	return all
}

func keyPEM(t testing.TB, k crypto.Signer) []byte {
	t.Helper()
	raw, err := x509.MarshalPKCS8PrivateKey(k)
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: raw})
}

func host(names ...string) *x509.Certificate {
	return &x509.Certificate{Subject: pkix.Name{CommonName: "x"}, DNSNames: names, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth}}
}

func TestAnUploadedCertificateIsJudgedBeforeItIsUsed(t *testing.T) {
	root := newAuthority(t, "Root", nil)
	middle := newAuthority(t, "Middle", &root)
	stranger := newAuthority(t, "Stranger", nil)
	key := drawn(t)
	leafOf := func(x *x509.Certificate, k crypto.Signer) *x509.Certificate {
		return signed(t, x, k.Public(), middle.cert, middle.key)
	}
	good := leafOf(host("pbx.example.it"), key)
	old := host("pbx.example.it")
	old.NotBefore, old.NotAfter = now.Add(-48*time.Hour), now.Add(-24*time.Hour)
	early := host("pbx.example.it")
	early.NotBefore, early.NotAfter = now.Add(24*time.Hour), now.Add(48*time.Hour)
	client := host("pbx.example.it")
	client.ExtKeyUsage = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	address := host()
	address.IPAddresses = []net.IP{net.ParseIP("192.168.1.10")}
	short, err := rsa.GenerateKey(rand.Reader, 1024)
	if err != nil {
		t.Fatal(err)
	}
	chain := inPEM(good, middle.cert)
	for _, tc := range []struct {
		name       string
		chain, key []byte
		err        error
		alone      bool
		uncovered  int
	}{
		{"a chain with its key", chain, keyPEM(t, key), nil, false, 1},
		{"a chain in the wrong order", inPEM(root.cert, middle.cert, good), keyPEM(t, key), nil, false, 1},
		{"both in one file", append(keyPEM(t, key), chain...), nil, nil, false, 1},
		{"without the one that signed it", inPEM(good), keyPEM(t, key), nil, true, 1},
		{"for an address", inPEM(leafOf(address, key), middle.cert), keyPEM(t, key), nil, false, 2},
		{"another key", chain, keyPEM(t, drawn(t)), ErrPair, false, 0},
		{"no key", chain, nil, ErrKeyPEM, false, 0},
		{"an encrypted key", chain, bytes.ReplaceAll(keyPEM(t, key), []byte("PRIVATE"), []byte("ENCRYPTED PRIVATE")), ErrKeyPEM, false, 0},
		{"no certificate", keyPEM(t, key), keyPEM(t, key), ErrPEM, false, 0},
		{"a picture", []byte("\x89PNG"), keyPEM(t, key), ErrPEM, false, 0},
		{"a megabyte", bytes.Repeat(chain, 1000), keyPEM(t, key), ErrPEM, false, 0},
		{"a stranger in the chain", inPEM(good, middle.cert, stranger.cert), keyPEM(t, key), ErrChain, false, 0},
		{"an expired one", inPEM(leafOf(old, key), middle.cert), keyPEM(t, key), ErrDates, false, 0},
		{"one of tomorrow", inPEM(leafOf(early, key), middle.cert), keyPEM(t, key), ErrDates, false, 0},
		{"one without names", inPEM(leafOf(host(), key), middle.cert), keyPEM(t, key), ErrNames, false, 0},
		{"one of a client", inPEM(leafOf(client, key), middle.cert), keyPEM(t, key), ErrPurpose, false, 0},
		{"a short key", inPEM(leafOf(host("pbx.example.it"), short), middle.cert), keyPEM(t, short), ErrWeak, false, 0},
	} {
		t.Run(tc.name, func(t *testing.T) {
			pair, r, err := Check(tc.chain, tc.key, []string{"pbx.example.it", "pronto.local"}, now)
			if !errors.Is(err, tc.err) || (err == nil) != (tc.err == nil) {
				t.Fatalf("%v, want %v", err, tc.err)
			}
			if err == nil && (r.Alone != tc.alone || len(r.Uncovered) != tc.uncovered || !bytes.Equal(pair.Certificate[0], pair.Leaf.Raw)) {
				t.Errorf("%+v", r)
			}
		})
	}
}

func TestAnUploadedCertificateIsServedAtOnceAfterAStartAndUntilItIsUndone(t *testing.T) {
	dir := t.TempDir()
	s := own(t, dir, "pronto.local")
	first, key, ca := s.Fingerprint(), drawn(t), newAuthority(t, "CA", nil)
	x := host("pbx.example.it")
	x.NotBefore, x.NotAfter = time.Now().Add(-time.Hour), time.Now().Add(20*24*time.Hour)
	leaf := signed(t, x, &key.PublicKey, ca.cert, ca.key)
	if err := s.Undo(); !errors.Is(err, ErrNoUndo) {
		t.Errorf("undoing nothing: %v", err)
	}
	if _, err := s.Give(inPEM(leaf), keyPEM(t, drawn(t)), nil, time.Now()); !errors.Is(err, ErrPair) || s.Fingerprint() != first {
		t.Errorf("a wrong pair: %v", err)
	}
	if _, err := s.Give(inPEM(leaf, ca.cert), keyPEM(t, key), nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	second := s.Fingerprint()
	served, err := s.GetCertificate(nil)
	if err != nil || !bytes.Equal(served.Certificate[0], leaf.Raw) || len(served.Certificate) != 2 {
		t.Fatalf("%v", err)
	}
	st := s.Standing([]string{"pronto.local"})
	if st.Kind != Given || !st.Undo || st.Fingerprint != second || st.Report.Issuer != "CN=CA" || !slices.Equal(st.Report.Uncovered, []string{"pronto.local"}) {
		t.Errorf("%+v", st)
	}
	if s.Trouble(time.Now()) == "" || s.Trouble(time.Now().Add(30*24*time.Hour)) == "" {
		t.Error("nobody is told that it expires in three weeks, or has")
	}
	again := own(t, dir, "pronto.local")
	if again.Fingerprint() != second {
		t.Error("a start forgets it")
	}
	for i, want := range []string{first, second, first} {
		if err := again.Undo(); err != nil || again.Fingerprint() != want {
			t.Errorf("undo %d: %v", i, err)
		}
	}
	if st := again.Standing(nil); st.Kind != MadeHere || again.Trouble(time.Now()) != "" {
		t.Errorf("%+v", st)
	}
	if _, err := again.Give(inPEM(leaf), keyPEM(t, key), nil, time.Now()); err != nil {
		t.Fatal(err)
	}
	if err := again.Withdraw(); err != nil || again.Fingerprint() != first {
		t.Errorf("withdrawn: %v", err)
	}
	if info, err := os.Stat(filepath.Join(dir, beforeFile)); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("others can read the key: %v", err)
	}
}

func TestADamagedUploadLeavesTheBoxItsOwnCertificateAndIsTold(t *testing.T) {
	dir := t.TempDir()
	first := own(t, dir, "pronto.local").Fingerprint()
	write(t, dir, givenFile, "half a fi")
	s := own(t, dir, "pronto.local")
	if s.Fingerprint() != first || s.Trouble(time.Now()) == "" {
		t.Errorf("%q", s.Trouble(time.Now()))
	}
}

func TestWhereTheConfigurationNamesFilesNothingIsUploaded(t *testing.T) {
	dir := t.TempDir()
	own(t, dir, "pronto.local")
	s, err := Files(filepath.Join(dir, "cert.pem"), filepath.Join(dir, "key.pem"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = s.Give(nil, nil, nil, now)
	if !errors.Is(err, ErrFiles) || !errors.Is(s.Undo(), ErrFiles) || !errors.Is(s.Withdraw(), ErrFiles) || s.Standing(nil).Kind != NamedFiles {
		t.Errorf("%v", err)
	}
}

func FuzzCheckNeverTakesWhatTLSWouldNot(f *testing.F) {
	ca := newAuthority(f, "CA", nil)
	key := drawn(f)
	leaf := signed(f, host("a"), &key.PublicKey, ca.cert, ca.key)
	f.Add(inPEM(leaf, ca.cert), keyPEM(f, key))
	f.Add(inPEM(leaf), []byte("-----BEGIN PRIVATE KEY-----\n-----END PRIVATE KEY-----"))
	f.Fuzz(func(t *testing.T, chain, secret []byte) {
		pair, _, err := Check(chain, secret, nil, now)
		if err == nil && (pair.Leaf == nil || pair.PrivateKey == nil || len(pair.Certificate) == 0) {
			t.Error("half a pair")
		}
	})
}
