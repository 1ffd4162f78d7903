package boottest

import (
	"bytes"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/pronto-pbx/pronto/images/recipe"
	"github.com/pronto-pbx/pronto/ota/release"
	"github.com/pronto-pbx/pronto/ota/remote"
	"github.com/pronto-pbx/pronto/ota/repository/repositorytest"
	"github.com/pronto-pbx/pronto/ota/slot"
)

// machineOf is a Debian whose package knows a vendor, and its owner at the page.
type machineOf struct {
	*debian
	wire   *cable
	vendor *repositorytest.Vendor
	owner  *guest
	asks   *remote.Client // the updater, also where no page answers
}

// toldOf has the package believe the keys of these tests, which no package that leaves the house may hold.
func toldOf(t *testing.T, d *debian) *machineOf {
	t.Helper()
	here := netip.MustParseAddr("127.0.0.1")
	m := &machineOf{debian: d, wire: &cable{us: here, box: here}, vendor: repositorytest.New(t, time.Now)}
	m.asks = remote.NewClient(fmt.Sprintf("/proc/%d/root/run/pronto-update/otad.sock", d.leader))
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	server := &http.Server{Handler: http.FileServer(http.Dir(m.vendor.Dir)), ReadHeaderTimeout: patience}
	served := make(chan struct{})
	go func() { defer close(served); _ = server.Serve(l) }()
	t.Cleanup(func() { _ = server.Close(); <-served })

	d.do("dpkg", "-i", "/debs/"+debOf(earlier, "amd64"))
	pid := d.serves("0")
	_, code, _ := strings.Cut(d.do("prontoctl", "claim"), "/claim#")
	code, _, _ = strings.Cut(strings.TrimSpace(code), "\n")
	d.do("sh", "-c", "cat >/etc/pronto/pronto.yaml <<'EOF'\n"+officeInHouse()+"EOF\n")
	share := fmt.Sprintf("/proc/%d/root/usr/share/pronto/", d.leader)
	err = errors.Join(os.WriteFile(share+recipe.VendorRoot, m.vendor.Root, 0o644), os.WriteFile(share+recipe.UpdateURL, []byte("http://"+l.Addr().String()+"\n"), 0o644))
	if err != nil {
		t.Fatal(err)
	}
	d.do("systemctl", "stop", "pronto")
	d.until("nobody listens", silent)
	d.do("systemctl", "start", "pronto")
	d.serves(pid)
	m.owner = newGuest(t, m.wire)
	m.owner.site = "http://127.0.0.1:8080"
	if status, body := m.owner.post("/claim", url.Values{"code": {code}, "name": {"titolare"}, "password": {"una frase lunga per la scatola"}}); status != http.StatusSeeOther {
		t.Fatalf("the claim: %d %s", status, body)
	}
	return m
}

// offers publishes a package.
func (m *machineOf) offers(version, deb string) {
	m.t.Helper()
	content, err := os.ReadFile(deb)
	if err != nil {
		m.t.Fatal(err)
	}
	m.vendor.Release("stable", version, content, func(r *release.Manifest) {
		r.Models, r.Parts[0].Name, r.Epoch = []string{"deb-amd64"}, "deb-amd64", 1
	})
	m.shows("the page has the offer", func() bool {
		_, page := m.owner.get("/update?lang=en")
		if !strings.Contains(page, "New: version "+version) {
			m.owner.post("/update/check?lang=en", nil)
			return false
		}
		return true
	})
}

// installs has the owner press the button.
func (m *machineOf) installs(version string) {
	m.t.Helper()
	if status, body := m.owner.post("/update/install?lang=en", url.Values{"version": {version}}); status != http.StatusSeeOther {
		m.t.Fatalf("the button: %d %s", status, body)
	}
}

// shows waits for as long as a trial may take.
func (m *machineOf) shows(what string, seen func() bool) {
	m.t.Helper()
	for end := time.Now().Add(8 * time.Minute); !seen(); time.Sleep(time.Second) {
		if time.Now().After(end) {
			s, err := m.asks.State(m.t.Context())
			m.t.Fatalf("not within minutes: %s: %+v %v\n%s", what, s, err, m.text())
		}
	}
}

// ends waits until an update has ended, and returns how.
func (m *machineOf) ends(version string) (how remote.Outcome) {
	m.t.Helper()
	m.shows("the end of the update to "+version, func() bool {
		s, err := m.asks.State(m.t.Context())
		if err == nil && s.Last != nil && s.Last.Version == version {
			how = *s.Last
			return true
		}
		return false
	})
	return how
}

func (m *machineOf) installed() string {
	m.t.Helper()
	return m.do("dpkg-query", "--show", "--showformat=${Version}", "pronto")
}

// mute is a package of another version whose exchange is ready, and carries no call.
func mute(t *testing.T, deb, version string) (at string) {
	t.Helper()
	tree := filepath.Join(t.TempDir(), "tree")
	if out, err := exec.Command("dpkg-deb", "--raw-extract", deb, tree).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	deaf, err := os.ReadFile(made("deaf-amd64"))
	if err == nil {
		err = os.WriteFile(filepath.Join(tree, "usr/lib/pronto/prontod"), deaf, 0o755)
	}
	for _, name := range []string{"DEBIAN/control", "usr/share/pronto/release.json", "usr/lib/systemd/system/prontod.service"} {
		text, errText := os.ReadFile(filepath.Join(tree, name))
		err = errors.Join(err, errText, os.WriteFile(filepath.Join(tree, name), bytes.ReplaceAll(text, []byte(later), []byte(version)), 0o644))
	}
	err = errors.Join(err, os.Remove(filepath.Join(tree, "DEBIAN/md5sums")))
	if err != nil {
		t.Fatal(err)
	}
	at = tree + ".deb"
	if out, err := exec.Command("dpkg-deb", "-Zgzip", "-z1", "--root-owner-group", "--build", tree, at).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	return at
}

// A new release is shown, and installed when the owner says so and nobody is on the phone; one whose exchange carries no
// call is replaced by the one before, by itself, and the page says why.
func TestOnDebianAPackageIsInstalledOnRequestAndOneThatCarriesNoCallIsTakenBack(t *testing.T) {
	loopback(t)
	m := toldOf(t, startDebian(t, suites[1]))
	runs := earlier
	for _, c := range []struct {
		class string
		do    func(t *testing.T, began time.Time)
	}{
		{"a good package", func(t *testing.T, began time.Time) {
			m.offers(later, made("debs/"+debOf(later, "amd64")))
			if s, err := m.asks.State(t.Context()); err != nil || s.Settings.Auto || s.Phase != slot.Idle || m.installed() != earlier {
				t.Errorf("it does not wait to be asked: %+v %v", s, err)
			}
			m.do("prontoctl", "agent", "login", "anna")
			out, in := talk(t, m.wire, m)
			m.installs(later)
			m.shows("it waits for the call", func() bool {
				s, err := m.asks.State(t.Context())
				return err == nil && s.WaitsFor == remote.ForCalls
			})
			hears(t, "the agent, all the time", in, hzCalls, hzAgent)
			out.Hangup()
			happens(t, m, "the agent's call ends", in.Ended())
			if how := m.ends(later); how.Result != "kept" || m.installed() != later {
				t.Fatalf("%+v, %s is installed", how, m.installed())
			}
			if timer := m.do("systemctl", "list-timers", "--all", "--no-legend"); strings.Contains(timer, "pronto-install-back") {
				t.Errorf("it would be taken back all the same: %s", timer)
			}
			runs = later
			fmt.Printf("%s: a good package -> kept, %.0f s\n", t.Name(), time.Since(began).Seconds())
		}},
		{"a package whose exchange carries no call", func(t *testing.T, began time.Time) {
			const bad = "0.3.0"
			m.offers(bad, mute(t, made("debs/"+debOf(later, "amd64")), bad))
			pid := m.property("prontod", "MainPID")
			m.installs(bad)
			how := m.ends(bad)
			if how.Result != "back" || how.Code != "fit_exchange" || m.installed() != runs {
				t.Fatalf("%+v, %s is installed", how, m.installed())
			}
			m.serves(pid)
			if _, page := m.owner.get("/update?lang=en"); !strings.Contains(page, "Version "+bad+" was given up") {
				t.Errorf("the page does not say what has happened: %s", words(page))
			}
			m.do("prontoctl", "agent", "login", "anna")
			out, in := talk(t, m.wire, m)
			hears(t, "the agent, with the release of before", in, hzCalls, hzAgent)
			out.Hangup()
			happens(t, m, "the agent's call ends", in.Ended())
			fmt.Printf("%s: carries no call -> back to %s, %.0f s\n", t.Name(), runs, time.Since(began).Seconds())
		}},
	} {
		if !wanted(t, c.class) {
			continue
		}
		t.Run(c.class, func(t *testing.T) { // whose phones are gone before the next one's come
			whole := m.t
			m.t = t
			defer func() { m.t = whole }()
			c.do(t, time.Now())
		})
	}
}
