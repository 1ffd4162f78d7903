package certificate

import (
	"bytes"
	"crypto/ecdsa"
	"os"
	"path/filepath"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func own(t *testing.T, dir string, names ...string) *Source {
	t.Helper()
	s, err := Own(dir, names)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func public(t *testing.T, s *Source) *ecdsa.PublicKey {
	t.Helper()
	c, err := s.GetCertificate(nil)
	if err != nil {
		t.Fatal(err)
	}
	return c.Leaf.PublicKey.(*ecdsa.PublicKey)
}

func TestTheBoxKeepsTheCertificateItMade(t *testing.T) {
	dir := t.TempDir()
	first := own(t, dir, "pronto", "pronto.local", "192.0.2.7")
	again := own(t, dir, "pronto", "pronto.local", "192.0.2.7")
	if first.Fingerprint() != again.Fingerprint() {
		t.Error("a second start made another certificate")
	}
	for _, name := range []string{"pronto", "pronto.local", "192.0.2.7"} {
		if err := again.cert.Leaf.VerifyHostname(name); err != nil {
			t.Error(err)
		}
	}
	for _, f := range []string{"cert.pem", "key.pem"} {
		if info, err := os.Stat(filepath.Join(dir, f)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", f, info.Mode(), err)
		}
	}
}

// Each new certificate has every browser that was told to trust the last one warn again, in the middle of what one does.
func TestANewNameOfTheOfficeMakesNoNewCertificate(t *testing.T) {
	dir := t.TempDir()
	of := func(address string, called ...string) *Source {
		t.Helper()
		s, err := Own(dir, []string{address}, called...)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	first := of("192.0.2.7", "pronto", "pronto.local")
	if err := first.cert.Leaf.VerifyHostname("pronto.local"); err != nil {
		t.Error(err)
	}
	renamed := of("192.0.2.7", "bottega", "bottega.local")
	if renamed.Fingerprint() != first.Fingerprint() {
		t.Error("the office has another name, and the box another certificate")
	}
	moved := of("192.0.2.8", "bottega", "bottega.local")
	for _, name := range []string{"bottega", "bottega.local", "192.0.2.8"} {
		if err := moved.cert.Leaf.VerifyHostname(name); err != nil {
			t.Errorf("the certificate that a new address needs: %v", err)
		}
	}
}

func TestAnOwnCertificateIsMadeAnewOfTheSameKey(t *testing.T) {
	for name, damage := range map[string]func(t *testing.T, dir string) []string{
		"when a name is new": func(*testing.T, string) []string { return []string{"pronto", "192.0.2.8"} },
		"when it cannot be read": func(t *testing.T, dir string) []string {
			write(t, dir, "cert.pem", "no PEM")
			return []string{"pronto"}
		},
		"when it has disappeared": func(t *testing.T, dir string) []string {
			_ = os.Remove(filepath.Join(dir, "cert.pem"))
			return []string{"pronto"}
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			first := own(t, dir, "pronto")
			again := own(t, dir, damage(t, dir)...)
			if first.Fingerprint() == again.Fingerprint() || !public(t, first).Equal(public(t, again)) {
				t.Error("want another certificate of the same key")
			}
		})
	}
	t.Run("and of another key when that cannot be read", func(t *testing.T) {
		dir := t.TempDir()
		first := own(t, dir, "pronto")
		write(t, dir, "key.pem", "")
		if again := own(t, dir, "pronto"); public(t, first).Equal(public(t, again)) {
			t.Error("the key came back from nowhere")
		}
	})
}

func TestAnOwnCertificateIsRenewedBeforeItEndsWhileTheBoxRuns(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := own(t, t.TempDir(), "pronto")
		first, end := s.Fingerprint(), s.Expires()
		time.Sleep(lifetime - renewBefore - time.Hour)
		if public(t, s); s.Fingerprint() != first {
			t.Error("renewed too early")
		}
		time.Sleep(2 * time.Hour)
		key := public(t, s)
		if s.Fingerprint() == first || !s.Expires().After(end) || s.Err() != nil {
			t.Errorf("not renewed: %v", s.Err())
		}
		time.Sleep(20 * 365 * 24 * time.Hour) // a clock that was wrong until now
		if !public(t, s).Equal(key) || s.Expires().Before(time.Now()) {
			t.Error("after a leap of the clock the certificate is not valid")
		}
	})
}

func TestAGivenCertificateIsReadAgainWhenItsFilesChange(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		a, b := own(t, filepath.Join(dir, "a"), "a.example"), own(t, filepath.Join(dir, "b"), "bb.example.net")
		given := filepath.Join(dir, "given")
		use := func(from *Source) {
			t.Helper()
			write(t, given, "cert.pem", read(t, from.certFile))
			write(t, given, "key.pem", read(t, from.keyFile))
		}
		if err := os.Mkdir(given, 0o700); err != nil {
			t.Fatal(err)
		}
		use(a)
		s, err := Files(filepath.Join(given, "cert.pem"), filepath.Join(given, "key.pem"))
		if err != nil || s.Fingerprint() != a.Fingerprint() {
			t.Fatal(err)
		}
		write(t, given, "cert.pem", read(t, b.certFile)) // the key follows later
		time.Sleep(lookEvery)
		if !public(t, s).Equal(public(t, a)) || s.Err() == nil {
			t.Errorf("half a replacement: %v", s.Err())
		}
		use(b)
		time.Sleep(lookEvery)
		if !public(t, s).Equal(public(t, b)) || s.Err() != nil {
			t.Errorf("the new pair is not served: %v", s.Err())
		}
		if _, err := Files(filepath.Join(given, "none.pem"), s.keyFile); err == nil {
			t.Error("a missing file is no error")
		}
	})
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if name == "key.pem" || name == "cert.pem" { // the clock of a file system is not that of a test
		at := time.Now()
		if err := os.Chtimes(filepath.Join(dir, name), at, at); err != nil {
			t.Fatal(err)
		}
	}
}

func read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(bytes.Clone(text))
}

// A disk that takes nothing, or gives nothing back, is no reason for a box without a certificate: then it could not
// start, and there would be no calls.
func TestACertificateThatCannotBeSavedHoldsUntilTheRestart(t *testing.T) {
	for name, harm := range map[string]func(dir string) error{
		"no folder can be made":  func(dir string) error { return os.WriteFile(dir, nil, 0o600) },
		"the key cannot be read": func(dir string) error { return os.MkdirAll(filepath.Join(dir, "key.pem"), 0o700) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "tls")
			if err := harm(dir); err != nil {
				t.Fatal(err)
			}
			s := own(t, dir, "pronto.local")
			if s.Err() == nil {
				t.Error("nobody is told")
			}
			c, err := s.GetCertificate(nil)
			if err != nil || c.Leaf.VerifyHostname("pronto.local") != nil || time.Until(s.Expires()) < 24*time.Hour {
				t.Fatalf("%+v, %v", c, err)
			}
			print := s.Fingerprint()
			s.looked = time.Time{}
			if _, err := s.GetCertificate(nil); err != nil || s.Fingerprint() != print {
				t.Errorf("another certificate at the next look: %v", err)
			}
		})
	}
}
