package appliance

import (
	"crypto/sha256"
	"crypto/tls"
	"encoding/hex"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
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
	_ = conn.SetReadDeadline(time.Now().Add(3 * time.Second))
	answer := make([]byte, 16)
	if _, err := io.ReadFull(conn, answer); err != nil || string(answer[:11]) != "SIP/2.0 401" {
		t.Errorf("answered %q, %v", answer, err)
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
