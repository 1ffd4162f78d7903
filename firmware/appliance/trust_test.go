package appliance

import (
	"crypto/tls"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/emiago/sipgo/sip"

	"github.com/pronto-pbx/pronto/firmware/certificate"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/config/live"
	"github.com/pronto-pbx/pronto/firmware/pbxtest/peer"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// certified makes a certificate for a host and returns how a peer shows it, and its file.
func certified(t *testing.T, host string) (secure *tls.Config, file string) {
	t.Helper()
	dir := t.TempDir()
	source, err := certificate.Own(dir, []string{host})
	if err != nil {
		t.Fatal(err)
	}
	// What the box shows is judged elsewhere; here it is the one that judges.
	return &tls.Config{GetCertificate: source.GetCertificate, InsecureSkipVerify: true}, filepath.Join(dir, "cert.pem") //nolint:gosec // see above
}

func TestATrunkOverTLSRegistersCallsAndIsCalled(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5061)
	secure, ca := certified(t, at.Addr().String())
	ours := freeAddress(t) // connections that we open come from 127.0.0.1
	listen := fmt.Sprintf("tls_listen: %q", ours)
	a := openAccountOver(t, secure, at, nil, peer.Quirks{FreshNonce: true}, plain(at, fmt.Sprintf(", transport: tls, tls_ca: %q", ca)), listen)
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	for _, req := range a.carrier.Requests(sip.REGISTER) {
		if got := req.Contact().Address.String(); !strings.Contains(got, "transport=tls") || !strings.Contains(got, ours) {
			t.Errorf("the contact is %s", got)
		}
		if got := req.Via().Transport; got != "TLS" {
			t.Errorf("came over %s", got)
		}
	}
	if seen, status := a.callOut(); status != "200" {
		t.Errorf("call out: %s\n%v", status, seen)
	}
	c := a.callIn(ourNumber)
	if status, reason, _ := c.Outcome(); invites(a.phone) != 1 || status != 0 {
		t.Errorf("call in: %d %s", status, reason)
	}
	c.Hangup()
	a.eventually("the phone hears the end", func() bool { r := a.phone.requests(); return r[len(r)-1] == "BYE" })
}

func TestAForeignCertificateKeepsATrunkDownUntilTheOwnerTakesAny(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5061)
	secure, ca := certified(t, at.Addr().String())
	_, foreign := certified(t, at.Addr().String())
	a := openAccountOver(t, secure, at, nil, peer.Quirks{}, plain(at, fmt.Sprintf(", transport: tls, tls_ca: %q", foreign)))
	a.eventually("the certificate is named as the cause", func() bool { return a.status().Cause == tel.LineTLSUntrusted })
	if n := len(a.carrier.Requests(sip.REGISTER)); n != 0 || a.status().Up {
		t.Errorf("%d REGISTERs went to an impostor", n)
	}
	if said := a.apply(func(c *config.Config) { c.Trunks[0].TLSCA = ca }); said["trunks"] != live.Applied {
		t.Errorf("%v", said)
	}
	a.eventually("with the right authority it is up", func() bool { return a.status().Up })
	a.apply(func(c *config.Config) { c.Trunks[0].TLSCA = "" }) // the system's authorities do not know it
	a.apply(func(c *config.Config) { c.Trunks[0].Name = "Linea due" })
	a.apply(func(c *config.Config) { c.Trunks[0].TLSInsecure = true })
	a.eventually("taken as it is", func() bool { return a.status().Up })
}

func TestATrunkOfAnotherNameIsAnImpostor(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5061)
	secure, ca := certified(t, "sbc.elsewhere.example")
	a := openAccountOver(t, secure, at, nil, peer.Quirks{}, plain(at, fmt.Sprintf(", transport: tls, tls_ca: %q", ca)))
	a.eventually("the certificate is named as the cause", func() bool { return a.status().Cause == tel.LineTLSUntrusted })
}

func TestAuthoritiesThatCannotBeReadRefuseTheChange(t *testing.T) {
	at := netip.AddrPortFrom(newAddress(), 5060)
	a := openAccount(t, at, nil, peer.Quirks{}, plain(at, ""))
	a.eventually("the trunk is up", func() bool { return a.status().Up })
	empty := filepath.Join(t.TempDir(), "empty.pem")
	if err := os.WriteFile(empty, []byte("nothing"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{empty: "holds no certificate", empty + ".missing": "no such file"} {
		_, err := a.live.Apply(t.Context(), live.Edit(func(c *config.Config) {
			c.Trunks[0].Transport, c.Trunks[0].TLSCA = "tls", file
		}), "test", "")
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", file, err)
		}
	}
	if !a.status().Up {
		t.Error("the trunk that was there is down")
	}
}
