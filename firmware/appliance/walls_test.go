package appliance

import (
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/board/firewall/opening"
	"github.com/pronto-pbx/pronto/firmware/config"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

func TestOthersReachWhatTheConfigurationListensOnAndNothingElse(t *testing.T) {
	for _, tc := range []struct{ name, text, want string }{
		{
			"a box", `
sip: {listen: "0.0.0.0:5060"}
web: {listen: "0.0.0.0:80", tls_listen: "0.0.0.0:443"}
`, "udp 0.0.0.0 16384 24575\nudp 0.0.0.0 16382 16382\nudp 0.0.0.0 5060 5060\ntcp 0.0.0.0 5060 5060\ntcp 0.0.0.0 80 80\ntcp 0.0.0.0 443 443\n",
		},
		{
			"with SIP over TLS, on one address, and the page for itself", `
sip: {listen: "192.0.2.7:5070", tls_listen: "[::]:5061"}
media: {bind: "192.0.2.7", port_min: 20000, port_max: 20099, browsers: {port: 20100}}
web: {listen: "127.0.0.1:8080"}
`, "udp 192.0.2.7 20000 20099\nudp 192.0.2.7 20100 20100\nudp 192.0.2.7 5070 5070\ntcp 192.0.2.7 5070 5070\ntcp :: 5061 5061\n",
		},
		{
			"without browsers", `
sip: {listen: "127.0.0.1:5060"}
media: {bind: "192.0.2.7", browsers: {max: 0}}
`, "udp 192.0.2.7 16384 24575\n",
		},
		{"which nobody reaches", `
sip: {listen: "127.0.0.1:5060"}
media: {bind: "127.0.0.1"}
`, ""},
	} {
		c, err := config.Parse([]byte(tc.text))
		if err != nil {
			t.Fatal(err)
		}
		got := opening.Format(openings(&c))
		if string(got) != tc.want {
			t.Errorf("%s: %q, want %q", tc.name, got, tc.want)
		}
		if _, err := opening.Parse(got); err != nil {
			t.Errorf("%s: the first program does not understand it: %v", tc.name, err)
		}
	}
}

func TestWallsThatDoNotStandAreSaidOnThePageUntilTheyDo(t *testing.T) {
	asked, opened := filepath.Join(t.TempDir(), "asked"), filepath.Join(t.TempDir(), "opened")
	answer := func(err error) {
		t.Helper()
		if err := errors.Join(os.WriteFile(opened+".new", opening.Answer(nil, err), 0o600), os.Rename(opened+".new", opened)); err != nil {
			t.Fatal(err)
		}
	}
	answer(errors.New("no nf_tables in this kernel"))
	b := startWith(t, shop, func(o *Options) {
		o.Walls = Walls{Confined: errors.New("this kernel has no Landlock"), Asked: asked, Opened: opened}
	}, func(*Box) {})
	shown := func(condition string) (tel.HealthChanged, bool) {
		return now(b, func(h tel.HealthChanged) bool { return h.Condition == condition })
	}
	b.eventually("both are said", func() bool {
		c, one := shown("confined")
		f, other := shown("firewall")
		return one && !c.OK && c.Text == "this kernel has no Landlock" && other && !f.OK && f.Text == "the firewall cannot be set: no nf_tables in this kernel"
	})
	if text, err := os.ReadFile(asked); err != nil || len(text) != 0 { // it listens where nobody comes
		t.Errorf("asked for %q, %v", text, err)
	}
	answer(nil)
	for end := time.Now().Add(10 * lookAtWalls); ; time.Sleep(5 * time.Millisecond) {
		if h, ok := shown("firewall"); ok && h.OK {
			break
		}
		if time.Now().After(end) {
			t.Fatal("the firewall stands, and nobody says so")
		}
	}
}

func TestAMachineWithWallsOfItsOwnIsAskedForNothing(t *testing.T) {
	b := start(t, shop)
	b.eventually("its own walls are said to stand", func() bool {
		h, ok := now(b, func(h tel.HealthChanged) bool { return h.Condition == "confined" })
		return ok && h.OK
	})
	if h, ok := now(b, func(h tel.HealthChanged) bool { return h.Condition == "firewall" }); ok {
		t.Errorf("%+v", h)
	}
}
