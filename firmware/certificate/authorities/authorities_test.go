package authorities

import (
	"bytes"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/crypto/x509roots/fallback/bundle"
)

// judgeEnv has the test program be one that installs the list and verifies the chain in testdata, as a client of that
// server would.
const judgeEnv = "AUTHORITIES_JUDGE"

// verdict is what it says.
type verdict struct {
	Believed
	Chain []string // subjects from the server's certificate to the authority
	Err   string
}

func TestMain(m *testing.M) {
	if os.Getenv(judgeEnv) != "" {
		if err := json.NewEncoder(os.Stdout).Encode(judge()); err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		return
	}
	goleak.VerifyTestMain(m)
}

// within is a moment at which the chain of testdata, that of a web server, was valid.
var within = time.Date(2023, 2, 28, 20, 0, 0, 0, time.UTC)

func judge() (v verdict) {
	var err error
	if v.Believed, err = Install(); err != nil {
		v.Err = err.Error()
		return v
	}
	text, err := os.ReadFile("testdata/chain.pem")
	if err != nil {
		v.Err = err.Error()
		return v
	}
	var certs []*x509.Certificate
	for block, rest := pem.Decode(text); block != nil; block, rest = pem.Decode(rest) {
		c, err := x509.ParseCertificate(block.Bytes)
		if err != nil {
			v.Err = err.Error()
			return v
		}
		certs = append(certs, c)
	}
	between := x509.NewCertPool()
	between.AddCert(certs[1])
	chains, err := certs[0].Verify(x509.VerifyOptions{DNSName: "www.google.com", Intermediates: between, CurrentTime: within})
	if err != nil {
		v.Err = err.Error()
		return v
	}
	for _, c := range chains[0] {
		v.Chain = append(v.Chain, c.Subject.CommonName)
	}
	return v
}

// ask runs the judge on a system whose authorities lie in a file; an empty one: on a system with none.
func ask(t *testing.T, file string) (v verdict) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	nowhere := filepath.Join(t.TempDir(), "nowhere")
	if file == "" {
		file = nowhere
	}
	cmd.Env = append(os.Environ(), judgeEnv+"=yes", "SSL_CERT_FILE="+file, "SSL_CERT_DIR="+nowhere)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(out, &v); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return v
}

func TestWhereTheSystemKnowsNoAuthorityTheProgramsOwnVerifyAChain(t *testing.T) {
	v := ask(t, "")
	if v.System || v.Count < 100 || v.Err != "" || strings.Join(v.Chain, " < ") != "www.google.com < GTS CA 1C3 < GTS Root R1" {
		t.Errorf("%+v", v)
	}
}

func TestTheSystemsAuthoritiesComeFirst(t *testing.T) {
	var other []byte // an authority that has not signed the chain
	for root := range bundle.Roots() {
		if c, err := x509.ParseCertificate(root.Certificate); err == nil && c.Subject.CommonName != "GTS Root R1" {
			other = root.Certificate
			break
		}
	}
	file := filepath.Join(t.TempDir(), "ca.pem")
	if err := os.WriteFile(file, pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: other}), 0o600); err != nil {
		t.Fatal(err)
	}
	if v := ask(t, file); !v.System || !strings.Contains(v.Err, "unknown authority") {
		t.Errorf("%+v", v)
	}
}

func TestTheDayOfAListIsReadFromItsVersion(t *testing.T) {
	for version, want := range map[string]string{
		"v0.0.0-20261030153154-30a33513ff6d": "2026-10-30", "v0.0.0-20269930153154-30a33513ff6d": "", "v1.2.3": "", "": "", "(devel)": "",
	} {
		got, ok := ListedOn(version)
		if ok != (want != "") || ok && got.Format(time.DateOnly) != want {
			t.Errorf("%q is of %v, %v", version, got, ok)
		}
	}
}

func FuzzListedOn(f *testing.F) {
	f.Add("v0.0.0-20261030153154-30a33513ff6d")
	f.Fuzz(func(t *testing.T, version string) {
		if day, ok := ListedOn(version); ok && !strings.HasPrefix(version, "v0.0.0-"+day.Format("20060102")) {
			t.Fatalf("%q is of %v", version, day)
		}
	})
}

func TestAnOldListIsSaidSo(t *testing.T) {
	day := time.Date(2026, 10, 30, 0, 0, 0, 0, time.UTC)
	for _, tc := range []struct {
		name string
		b    Believed
		now  time.Time
		want string
	}{
		{"a new one", Believed{Count: 117, Listed: day}, day.Add(Old), `msg=authorities of="this program" listed=2026-10-30 count=117`},
		{"an old one", Believed{Count: 117, Listed: day}, day.Add(Old + 1), `level=WARN msg="the list of authorities is old`},
		{"one that is not used", Believed{System: true, Listed: day}, day.Add(2 * Old), `msg=authorities of="the system"`},
		{"one of an unknown day", Believed{Count: 117}, day, `of="this program"`},
	} {
		var said bytes.Buffer
		tc.b.Tell(slog.New(slog.NewTextHandler(&said, nil)), tc.now)
		if !strings.Contains(said.String(), tc.want) {
			t.Errorf("%s: %s", tc.name, said.String())
		}
	}
}

func BenchmarkInstall(b *testing.B) {
	for b.Loop() {
		pool := x509.NewCertPool()
		for root := range bundle.Roots() {
			c, err := x509.ParseCertificate(root.Certificate)
			if err != nil {
				b.Fatal(err)
			}
			pool.AddCert(c)
		}
	}
}
