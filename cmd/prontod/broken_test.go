package main_test

import (
	"errors"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/pronto-pbx/pronto/firmware/pbxtest"
	"github.com/pronto-pbx/pronto/firmware/tel"
)

// Somebody writes a mistake into the file, and the box starts again: it carries calls as before, and the page
// shows the line.
func TestABoxWithABrokenFileCarriesCallsAndShowsTheLine(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1})
	anna, bruno := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	o.Lamp(201, tel.AgentReady)
	file := filepath.Join(o.Dir, "pronto.yaml")
	good, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, append([]byte("qeues: []\n"), good...), 0o600); err != nil {
		t.Fatal(err)
	}
	o.Kill()
	if said := o.Alarm("config_file", true); !strings.Contains(said, "line 1: field qeues") {
		t.Errorf("the page shows %q", said)
	}
	o.Phone(201)
	c := bruno.dial("400")
	at := anna.picksUp()
	talking(t, "with a broken file", c, hzCaller, at, hzAgent)
	over(t, c, at)
	if said, err := console(o, "reload"); err == nil || !strings.Contains(said, "qeues") {
		t.Errorf("reading it again: %q, %v", said, err)
	}
	if err := os.WriteFile(file, good, 0o600); err != nil {
		t.Fatal(err)
	}
	ctl(t, o, "reload")
	o.Alarm("config_file", false)
}

// The box has gone back from a later version, whose configuration is in force with a setting that this one does not
// know: all the rest of it holds, calls are carried, and Home says so until somebody changes something.
func TestABoxThatWentBackWorksWithTheConfigurationOfTheLaterVersion(t *testing.T) {
	t.Parallel()
	o := bench.Start(t, pbxtest.Setup{Agents: 2, LoggedIn: 1})
	anna, bruno := deskAt(t, o, 201, hzAgent), deskAt(t, o, 202, hzCaller)
	o.Lamp(201, tel.AgentReady)
	file := filepath.Join(o.Dir, "pronto.yaml")
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	later := "holodeck: {decks: 3}\n" + strings.Replace(string(text), "name: Sales", "name: Vendite", 1)
	version := "# at: 2026-11-28T00:00:00Z\n# who: \"owner\"\n# why: \"a holodeck\"\n" + later
	if err := errors.Join(os.WriteFile(filepath.Join(o.Dir, "config", "000002.yaml"), []byte(version), 0o600), os.WriteFile(file, []byte(later), 0o600)); err != nil {
		t.Fatal(err)
	}
	o.Kill()
	if said := o.Alarm("config_later", true); !strings.Contains(said, "line 1: field holodeck") {
		t.Errorf("Home says %q", said)
	}
	o.Alarm("config_file", false)
	o.Phone(201)
	call := bruno.dial("400")
	talking(t, "with that configuration", call, hzCaller, anna.picksUp(), hzAgent)
	call.Hangup()
	v := o.SignIn("agent201")
	v.Owner()
	v.Shows("/queues/sales", "Vendite")
	v.Does("/queues/sales", url.Values{"ring": {"25"}, "was-ring": {"15"}})
	if status, page := v.Post("/changes/apply", url.Values{"why": {"a longer ring"}}); status != http.StatusOK {
		t.Fatalf("a change: %d %s", status, page)
	}
	o.Alarm("config_later", false)
	v.Shows("/history", "a holodeck", "a longer ring")
}
