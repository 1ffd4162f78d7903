package appliance

import (
	"crypto/sha256"
	"crypto/tls"
	"crypto/x509"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/cookiejar"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/firmware/control"
	"github.com/pronto-pbx/pronto/ui/access"
)

func TestAPhoneReachesTheBoxOverTLSWithTheBoxesOwnCertificate(t *testing.T) {
	at := fmt.Sprintf("127.99.%d.%d:5061", os.Getpid()%250+1, benches.Load()%250+1)
	b := start(t, strings.Replace(shop, "box: {name: Bottega}", "box: {name: Bottega Nuova}", 1), "tls_listen: \""+at+"\"")
	text, err := os.ReadFile(filepath.Join(b.box.opts.Dir, "tls", "cert.pem"))
	if err != nil || !strings.Contains(string(text), "BEGIN CERTIFICATE") {
		t.Fatalf("the box kept no certificate: %v", err)
	}
	source, err := b.box.certificate()
	if err != nil {
		t.Fatal(err)
	}
	d := tls.Dialer{NetDialer: &net.Dialer{Timeout: 3 * time.Second}, Config: &tls.Config{
		InsecureSkipVerify: true, //nolint:gosec // checked by its fingerprint and names
		VerifyConnection: func(cs tls.ConnectionState) error {
			leaf := cs.PeerCertificates[0]
			if sum := sha256.Sum256(leaf.Raw); hex.EncodeToString(sum[:]) != source.Fingerprint() {
				t.Error("another certificate than the one kept")
			}
			host, _, _ := strings.Cut(at, ":")
			for _, name := range []string{"bottega-nuova", "bottega-nuova.local", host} {
				if err := leaf.VerifyHostname(name); err != nil {
					t.Error(err)
				}
			}
			return nil
		},
	}}
	conn, err := d.DialContext(t.Context(), "tcp", at)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = conn.Close() }()
	fmt.Fprintf(conn, "REGISTER sip:pronto SIP/2.0\r\nVia: SIP/2.0/TLS 127.0.0.1:5061;branch=z9hG4bKtls;rport\r\n"+
		"From: <sip:201@pronto>;tag=a\r\nTo: <sip:201@pronto>\r\nCall-ID: tls\r\nCSeq: 1 REGISTER\r\nMax-Forwards: 70\r\n"+
		"Contact: <sip:201@127.0.0.1:5061;transport=tls>\r\nContent-Length: 0\r\n\r\n")
	_ = conn.SetReadDeadline(time.Now().Add(patience))
	answer := make([]byte, 16)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer[:11]) != "SIP/2.0 401" {
		t.Errorf("answered %q, %v", answer, err)
	}
}

// The page over HTTPS shows the certificate that phones meet, and is the same page: a new box has it claimed.
func TestThePageIsThereOverHTTPSWithTheBoxesOwnCertificate(t *testing.T) {
	b := startWith(t, shop, func(o *Options) { o.Powered = control.Uptime() }, func(*Box) {})
	source, err := b.box.certificate()
	if err != nil {
		t.Fatal(err)
	}
	at := b.live.Current().Web.TLSListen
	roots := x509.NewCertPool()
	text, err := os.ReadFile(filepath.Join(b.box.opts.Dir, "tls", "cert.pem"))
	if err != nil || !roots.AppendCertsFromPEM(text) {
		t.Fatalf("the box kept no certificate: %v", err)
	}
	jar, _ := cookiejar.New(nil)
	client := &http.Client{
		Timeout: 5 * time.Second, Jar: jar, // follows to the page after the claim
		Transport: &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}, ForceAttemptHTTP2: true},
	}
	defer client.CloseIdleConnections()
	page := "https://" + at.String()
	form := url.Values{"code": {string(b.box.accounts.Code())}, "name": {"anna"}, "password": {"cavallo corretto pinzatrice"}}
	req, err := http.NewRequestWithContext(t.Context(), http.MethodPost, page+"/claim", strings.NewReader(form.Encode()))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	req.Header.Set("Origin", page)
	res, err := client.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(res.Body)
	_ = res.Body.Close()
	if err != nil || res.StatusCode != http.StatusOK || res.ProtoMajor != 2 || !strings.Contains(string(body), "part-summary") {
		t.Errorf("the page after the claim: %s over HTTP/%d, %v", res.Status, res.ProtoMajor, err)
	}
	leaf := res.TLS.PeerCertificates[0]
	if sum := sha256.Sum256(leaf.Raw); hex.EncodeToString(sum[:]) != source.Fingerprint() {
		t.Error("another certificate than the one kept")
	}
	if !b.box.accounts.Claimed() {
		t.Error("the box has no owner")
	}
}

// A box that was switched on long ago is not anybody's who happens by.
func TestABoxThatWasSwitchedOnLongAgoIsNotClaimed(t *testing.T) {
	b := startWith(t, shop, func(o *Options) { o.Powered = control.Uptime() - 2*time.Hour }, func(*Box) {})
	v := access.Visitor{Addr: netip.MustParseAddr("127.0.0.1"), LAN: true}
	if err := b.box.accounts.Claimable(v); !errors.Is(err, access.ErrClosed) {
		t.Fatal(err)
	}
	b.box.accounts.Reopen()
	if err := b.box.accounts.Claimable(v); err != nil {
		t.Fatal(err)
	}
}

func TestTheNameOfTheBoxBecomesAHostName(t *testing.T) {
	for name, want := range map[string]string{
		"Pronto": "pronto", "Bottega Nuova": "bottega-nuova", "Caffè 2": "caff--2", "": "pronto", "日本": "pronto",
		strings.Repeat("x", 80): strings.Repeat("x", 63),
	} {
		if got := hostLabel(name); got != want {
			t.Errorf("%q: %q, want %q", name, got, want)
		}
	}
}
